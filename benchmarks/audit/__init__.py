"""``compleak audit``: what a model that was made elsewhere gives away, and what cannot be said of it.

``tables`` and ``examples`` read what the user has, ``models`` runs model files, ``subject`` puts the outputs in one
form; ``formulas`` and ``shadowed`` attack them, ``blind`` doubts them, ``conclusions`` says what they mean.
"""


class AuditError(ValueError):
    """What was given cannot be audited; the message is for the user."""
