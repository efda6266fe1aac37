"""``compleak audit``: what a model that was made elsewhere gives away, and what cannot be said of it.

``readers``, ``tables`` and ``examples`` read what the user has, ``models`` runs model files, ``subject`` puts the
outputs in one form; ``groups`` and ``independence`` refuse what is there twice; ``formulas`` and ``attacked`` attack,
``blind`` doubts; ``judgement`` decides what it means, ``summary`` and ``advice`` put it into words.
Encoders are audited in ``encoder``.
"""

LEAST_RESAMPLES = 100
"""Of the bootstrap, as in a suite: fewer give no interval at 95 %."""


class AuditError(ValueError):
    """What was given cannot be audited; the message is for the user."""
