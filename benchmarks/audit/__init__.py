"""``compleak audit``: what a model that was made elsewhere gives away, and what cannot be said of it.

``tables`` and ``examples`` read what the user has, ``models`` runs model files, ``subject`` puts the outputs in one
form; ``formulas`` and ``attacked`` attack them, ``blind`` doubts them; ``judgement`` decides what they mean,
``summary`` puts it into words.
"""


class AuditError(ValueError):
    """What was given cannot be audited; the message is for the user."""
