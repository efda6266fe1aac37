"""How far a difference may go: bounds that no true difference is likely to exceed, and the examples they need.

"Leaks no more" and "loses no accuracy" are claims of non-inferiority: the *upper end* of an interval lies below a
margin that was stated beforehand. A difference that is not significant shows nothing of the kind.
"""

from __future__ import annotations

import bisect
import math
from dataclasses import dataclass

from scipy import optimize, special

from ..exact import tail
from ..metrics import ScoreError

POWER = 0.8


@dataclass(frozen=True)
class Delta:
    """A difference, its interval, and the degrees of freedom of Student's t; infinite for the normal law."""

    difference: float
    low: float
    high: float
    freedom: float = math.inf


def apart(value: float, limit: float, digits: int, sign: str = "") -> str:
    """A number as text, with as many digits more as it takes to tell it from a limit that it does not equal."""
    for more in range(4):
        text = f"{value:{sign}.{digits + more}f}"
        if not math.isclose(float(text), limit) or math.isclose(value, limit):
            break
    return text


def most_lost(lost: float, changed: float, n: int, level: float = 0.95) -> float:
    """Upper end of the interval for a loss of accuracy, from the rates alone (Tango 1998, section 2).

    Both models judge the same ``n`` examples, b of them right only before, c right only after. A row tells b - c, and
    b + c only from above: where the predictions agree, both are right or both wrong. That bound is used for b + c,
    which makes the interval wider than it need be (ours).

    Args:
        lost: accuracy before less accuracy after.
        changed: fraction of examples whose predicted class changed; at least ``abs(lost)``.
        n: examples.
        level: nominal coverage of the two-sided interval whose upper end this is.

    Raises:
        ScoreError: rates that no models could have, or ``level`` outside (0, 1).
    """
    z = -float(special.ndtri(tail(level)))
    slack = 1e-5  # rates are kept to six digits
    if n < 1 or not abs(lost) - slack <= changed <= 1 + slack:
        raise ScoreError(f"Of {n} examples, {changed:g} changed class, so accuracy cannot have changed by {lost:g}.")
    b, c = (n * (max(changed, abs(lost)) + sign * lost) / 2 for sign in (1, -1))

    def distance(true: float) -> float:
        """How far the truth, were it ``true``, lies above what was seen, less ``z`` standard errors."""
        linear = -b - c + (2 * n - b + c) * true
        only_after = (math.sqrt(linear**2 + 8 * n * c * true * (1 - true)) - linear) / (4 * n)
        variance = max(0.0, n * (2 * only_after + true * (1 - true)))
        return n * true - (b - c) - z * math.sqrt(variance)

    start = (b - c) / n + 1e-9  # the distance is 0 at the start where nothing changed
    return 1.0 if start >= 1 or distance(1.0) <= 0 else float(optimize.brentq(distance, start, 1.0))


def wilson(rate: float, n: int, level: float = 0.95) -> tuple[float, float]:
    """Interval for a proportion (Wilson 1927)."""
    z = -float(special.ndtri(tail(level)))
    centre = (rate + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z * math.sqrt(rate * (1 - rate) / n + z**2 / (4 * n**2)) / (1 + z**2 / n)
    return max(0.0, centre - half), min(1.0, centre + half)


def difference_of(now: float, its: tuple[float, float], was: float, whose: tuple[float, float]) -> Delta:
    """``now`` less ``was``, from the interval of each (Newcombe 1998, method 10; Zou and Donner 2008).

    For figures from unrelated examples. From the same examples, which mostly err alike, it is too wide, never too
    narrow.

    Args:
        now: one figure.
        its: ends of its interval.
        was: another.
        whose: ends of that one's interval.
    """
    difference = now - was
    down = math.hypot(now - its[0], whose[1] - was)
    up = math.hypot(its[1] - now, was - whose[0])
    return Delta(difference, difference - down, difference + up)


def chance_within(margin: float, delta: Delta, level: float = 0.95) -> float:
    """One-sided p-value of "the true difference is at most ``margin``", from the lower half of its interval."""
    error = -(delta.difference - delta.low) / float(special.stdtrit(delta.freedom, tail(level)))
    if error <= 0:
        return float(delta.difference <= margin)
    return float(special.stdtr(delta.freedom, (margin - delta.difference) / error))


def examples_needed(error: float, n: int, margin: float, level: float = 0.95, power: float = POWER) -> int:
    """How many examples show a difference to be below ``margin``, if in truth there is none.

    ((z + z_power) · error · √n / margin)², the usual count for non-inferiority (Julious 2004, section 4).

    Args:
        error: standard error of the difference, as estimated from ``n`` examples.
        n: examples that it was estimated from.
        margin: above 0.
        level: coverage of the two-sided interval whose upper end is held against the margin.
        power: chance of success.
    """
    z = float(special.ndtri(power)) - float(special.ndtri(tail(level)))
    return math.ceil(n * (z * error / margin) ** 2 - 1e-9)


def examples_to_bound(changed: float, limit: float, level: float = 0.95, power: float = POWER) -> int:
    """How many examples show that less than ``limit`` of accuracy is lost, if in truth none is.

    The least n at which ``most_lost`` would stay below the limit with this chance, by bisection (ours).

    Args:
        changed: fraction of examples whose predicted class changed.
        limit: above 0.
        level: see ``most_lost``.
        power: chance of success.
    """

    def shown(n: int) -> bool:
        luck = float(special.ndtri(power)) * math.sqrt(changed / n)
        return most_lost(0.0, changed, n, level) + luck < limit

    enough = 1
    while not shown(enough):
        enough *= 2
    return bisect.bisect_left(range(enough + 1), True, lo=1, key=shown)
