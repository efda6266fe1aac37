"""Which examples an attacker exposes who holds several models, and who holds one model does not.

A member is *exposed* by an attack when its score reaches the threshold of an FPR of at most 1 % (or 0.1 %): when no
more non-members than that are scored as high. Some are exposed only because an attack exposes somebody, as often as it
exposes non-members. So every count of members stands beside the count expected by chance, which is members ×
(non-members of whom the very same is true) / non-members. As a threshold set on an example is no test of it, a
non-member is held against the *other* non-members; else each row would expose about one too few. Ours.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..metrics import Bools, Floats, checked, resolution
from ..records import Row, bootstrap_seed
from ..scores import Scores, paired

ONE_MODEL = "one-model"
_CELLS = 250_000  # array elements that a chunk of resamples may take


@dataclass(frozen=True)
class Pair:
    """What an attack exposes that its baseline, the same attack on the original alone, does not.

    Attributes:
        only_attack: members that only the attack exposes.
        only_baseline: members that only the baseline exposes.
        both: members that both expose.
        false_only_attack: non-members that only the attack exposes.
        expected: members that only the attack would expose by chance.
        excess: ``only_attack`` less ``expected``.
        low: lower end of the 95 % interval of ``excess``; None where there is none, see ``pair``.
        high: its upper end.
    """

    only_attack: int
    only_baseline: int
    both: int
    false_only_attack: int
    expected: float
    excess: float
    low: float | None
    high: float | None


def exposed(scores: Scores, fpr: float) -> Bools:
    """Which examples the attack exposes at an FPR of at most ``fpr``, bool [examples].

    Members are those of ``metrics.tpr_at_fpr``; a non-member is exposed where it would be, were it a member.

    Raises:
        ScoreError: see ``metrics.checked``.
    """
    score, member = checked(scores.score, scores.member)
    others = np.sort(score[~member])
    as_high = len(others) - np.searchsorted(others, score, "left")
    return as_high - ~member <= _allowed(len(others), fpr)


def by_chance(false: int, n_members: int, n_nonmembers: int) -> float:
    """Members expected where ``false`` of the non-members were found by the same rule."""
    return n_members * false / n_nonmembers


def pair(baseline: Scores, scores: Scores, fpr: float, *, resamples: int = 1000) -> Pair:
    """Compare what two attacks expose at the same FPR.

    The interval is a stratified bootstrap in which both thresholds are estimated anew; it is left out where fewer than
    ten false positives are allowed, or where all resamples agree, for it would be too narrow.

    Args:
        baseline: the same attack on the original alone.
        scores: of the attack.
        fpr: for either alone.
        resamples: of the bootstrap, seeded by the scores.

    Raises:
        ScoreError: they are not about the same examples, or see ``metrics.checked``.
    """
    old, new, member, _ = paired(baseline, scores)
    seen, found = exposed(baseline, fpr), exposed(scores, fpr)
    n_members, n_others = int(member.sum()), int((~member).sum())
    alone = found & ~seen
    tp, fp = int((alone & member).sum()), int((alone & ~member).sum())
    expected = by_chance(fp, n_members, n_others)
    low: float | None = None
    high: float | None = None
    if resolution(n_others, fpr) == "fine":
        rng = np.random.default_rng(bootstrap_seed(scores.sha256))
        drawn = _excesses(np.stack([old, new]), member, fpr, rng, resamples)
        ends = np.quantile(drawn, [0.025, 0.975])
        if ends[0] < ends[1]:
            low, high = float(ends[0]), float(ends[1])
    return Pair(
        only_attack=tp, only_baseline=int((seen & ~found & member).sum()), both=int((seen & found & member).sum()),
        false_only_attack=fp, expected=expected, excess=tp - expected, low=low, high=high,
    )  # fmt: skip


def times_exposed(rows: Sequence[Row], kept: Mapping[str, Scores], like: Scores, fpr: float) -> NDArray[np.int64]:
    """By how many of ``rows`` each example of ``like`` is exposed, int64 [examples].

    Args:
        rows: of one target.
        kept: scores by their hash.
        like: scores of the examples that are asked for, which all rows must be about.
        fpr: for each row alone.

    Raises:
        ScoreError: a row is about other examples; or see ``metrics.checked``.
    """
    count = np.zeros(len(like.example), dtype=np.int64)
    for row in rows:
        paired(like, scores := kept[row.scores_sha256])
        count += exposed(scores, fpr)
    return count


def _excesses(scores: Floats, member: Bools, fpr: float, rng: np.random.Generator, resamples: int) -> Floats:
    """Bootstrap distribution of ``Pair.excess``; ``scores`` is [baseline and attack, examples].

    Only how often the highest scored examples are drawn matters, so nothing else is drawn: no barrier falls so low in
    a resample that it would lie below the ``top``-th non-member (a chance of less than 1e-12).
    """
    others, members = scores[:, ~member], scores[:, member]
    n, m = others.shape[1], members.shape[1]
    allowed = _allowed(n, fpr)
    top = min(n, allowed + 20 + int(10 * np.sqrt(allowed + 1)))
    least = np.partition(others, n - top, axis=1)[:, [n - top]]
    others, members = others[:, (others >= least).any(axis=0)], members[:, (members > least).any(axis=0)]
    values = np.empty(resamples)
    step = max(1, _CELLS // (others.shape[1] + members.shape[1] + 1))
    for start in range(0, resamples, step):
        count = min(step, resamples - start)
        false, true = (_times_drawn(of, group.shape[1], count, rng) for of, group in ((n, others), (m, members)))
        found = [_found(o, t, false, allowed) for o, t in zip(others, members, strict=True)]
        fp, tp = (
            np.sum(drawn * (found[1][side] & ~found[0][side]), axis=1) for side, drawn in enumerate((false, true))
        )
        values[start : start + count] = tp - m * fp / n
    return values


def _allowed(n_nonmembers: int, fpr: float) -> int:
    """How many false positives keep within ``fpr``."""
    return int(np.count_nonzero(np.arange(1, n_nonmembers + 1) / n_nonmembers <= fpr))


def _times_drawn(of: int, kept: int, resamples: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """How often each of ``kept`` of ``of`` examples is drawn in a resample of ``of``, [resamples, kept]."""
    chances = np.full(kept + 1, 1 / of)
    chances[-1] = max(0.0, 1 - kept / of)
    return rng.multinomial(of, chances, size=resamples)[:, :-1]


def _found(others: Floats, members: Floats, false: NDArray[np.int64], allowed: int) -> tuple[Bools, Bools]:
    """Which non-members and members one attack exposes in each resample, two of bool [resamples, examples].

    As in ``exposed``; of a non-member all copies are held against the others.
    """
    order = np.argsort(-others)
    falling = others[order]
    as_high = np.cumsum(false[:, order], axis=1)[:, np.searchsorted(-falling, -falling, "right") - 1]
    barrier = falling[np.argmax(as_high > allowed, axis=1)]
    found = np.empty_like(false, dtype=np.bool_)
    found[:, order] = as_high - false[:, order] <= allowed
    return found, members > barrier[:, None]
