"""Two runs, row by row: what is new, what is gone, and what changed by more than chance.

Rows are matched by name: suite, data, network, framework, setting, attack, shadows and target. Scores of the same
examples are compared in pairs (DeLong); of other examples, or not kept, from the two intervals. The same goes for the
TPR, whose paired difference has no closed form, and for the accuracy, of which only rates are kept: there the interval
is conservative, for both runs mostly err on the same examples.

A regression is a growth of leakage (AUC, or TPR at 1 % FPR), or a fall of accuracy, that exceeds the margin
significantly: one-sided, at 2.5 % after Holm's correction over everything that could have changed. The test is about
the examples, with the models of both runs as they are. Training anew adds variance, which one model of each run cannot
show: a regression between two trainings need not be due to the code or the recipe.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ..artifacts import Artifact, artifact_of, judged_on
from ..delong import delong_paired_test, holm
from ..leaderboard import sort_rows
from ..metrics import ScoreError
from ..records import Row
from ..scores import paired
from ..store import Results
from .baselines import CompareError
from .margins import Delta, chance_within, difference_of, wilson

MATCHED_BY = ("suite", "data", "model", "framework", "setting", "attack", "shadows", "target")
_OF_ATTACK = ("attack", "shadows")
SIGNIFICANT = 0.025
Key = tuple[str, ...]


@dataclass(frozen=True)
class Change:
    """A row of both runs.

    Attributes:
        was: in the first run.
        now: in the second.
        same_scores: whether both have the very same scores; then nothing about the attack changed.
        paired: whether the AUCs are compared on the same examples.
        auc: second less first.
        tpr_at_1pct: second less first; None where either is undefined.
    """

    was: Row
    now: Row
    same_scores: bool
    paired: bool
    auc: Delta
    tpr_at_1pct: Delta | None

    @property
    def key(self) -> Key:
        """What the rows were matched by."""
        return key_of(self.now)

    @property
    def artifact(self) -> Key:
        """What the rows of its artifact are matched by: all of ``key`` but what is the attack's."""
        return tuple(str(getattr(self.now, name)) for name in MATCHED_BY if name not in _OF_ATTACK)


@dataclass(frozen=True)
class ArtifactChange:
    """An artifact of both runs.

    Attributes:
        key: what it was matched by, see ``Change.artifact``.
        was: one of its rows in the first run.
        now: one of its rows in the second.
        accuracy: second less first; None where either does not say.
        bytes: second less first; None likewise.
    """

    key: Key
    was: Row
    now: Row
    accuracy: Delta | None
    bytes: int | None


@dataclass(frozen=True)
class Regression:
    """Something that got worse by more than the margin.

    Attributes:
        row: of the second run.
        metric: ``auc``, ``tpr_at_1pct`` or ``accuracy``.
        delta: second less first.
        p_holm: one-sided, against the margin, corrected.
    """

    row: Row
    metric: str
    delta: Delta
    p_holm: float


@dataclass(frozen=True)
class Changes:
    """What two runs have in common, and what not."""

    changes: tuple[Change, ...]
    artifacts: tuple[ArtifactChange, ...]
    new: tuple[Row, ...]
    gone: tuple[Row, ...]
    regressions: tuple[Regression, ...]
    margin: float
    notes: tuple[str, ...]


def changes(first: Results, second: Results, *, attacks: Sequence[str] = (), margin: float = 0.01) -> Changes:
    """Compare two runs.

    Args:
        first: the earlier.
        second: the later.
        attacks: look at these only; at all, if empty.
        margin: how much worse a number may become, a fraction; 0 or more.

    Raises:
        CompareError: nothing in common, or rows that cannot be told apart.
        ScoreError: scores are unreadable.
    """
    if not margin >= 0:
        raise CompareError(f"The margin must be 0 or more, for example 0.01; got {margin:g}.")
    before, after = (_by_key(results, attacks) for results in (first, second))
    common = [key for key in after if key in before]
    if not common:
        raise CompareError(
            f"{first.path} and {second.path} have no row in common: none agrees in {', '.join(MATCHED_BY)}"
            + (f" among the attacks {', '.join(attacks)}." if attacks else ".")
        )
    matched = tuple(_change(first, second, before[key], after[key]) for key in common)
    artifacts = tuple(_artifacts(matched, judged_on(first.rows), judged_on(second.rows)))
    return Changes(
        changes=matched,
        artifacts=artifacts,
        new=tuple(row for key, row in after.items() if key not in before),
        gone=tuple(row for key, row in before.items() if key not in after),
        regressions=tuple(_regressions(matched, artifacts, margin)),
        margin=margin,
        notes=tuple(_notes(matched)),
    )


def key_of(row: Row) -> Key:
    """What a row is matched by."""
    return tuple(str(getattr(row, name)) for name in MATCHED_BY)


def _by_key(results: Results, attacks: Sequence[str]) -> dict[Key, Row]:
    found: dict[Key, Row] = {}
    for row in sort_rows(results.rows):
        if attacks and row.attack not in attacks:
            continue
        if key_of(row) in found:
            raise CompareError(
                f"{results.path} has several rows for {', '.join(key_of(row))}, which differ in seed or recipe only: "
                "it is not clear which to compare."
            )
        found[key_of(row)] = row
    return found


def _change(first: Results, second: Results, was: Row, now: Row) -> Change:
    same_data = was.data_sha256 == now.data_sha256
    if same_data and was.scores_sha256 == now.scores_sha256:
        nothing = Delta(0.0, 0.0, 0.0)
        return Change(was, now, True, True, nothing, None if isinstance(now.tpr_at_1pct, str) else nothing)
    found = _paired(first, second, was, now) if same_data else None
    auc = found or difference_of(now.auc, (now.auc_low, now.auc_high), was.auc, (was.auc_low, was.auc_high))
    return Change(was, now, False, found is not None, auc, _tpr(was, now))


def _paired(first: Results, second: Results, was: Row, now: Row) -> Delta | None:
    """The paired difference; None where scores are not kept, or are of other examples."""
    try:
        before, after, member, refits = paired(first.scores_of(was), second.scores_of(now))
    except ScoreError:
        return None
    test = delong_paired_test(after, before, member, refits=refits)
    return Delta(test.difference, test.low, test.high, test.freedom)


def _tpr(was: Row, now: Row) -> Delta | None:
    ends = [(r.tpr_at_1pct, r.tpr_at_1pct_low, r.tpr_at_1pct_high) for r in (now, was)]
    numbers = [[x for x in end if isinstance(x, int | float)] for end in ends]
    if any(len(n) < 3 for n in numbers):
        return None
    (new, new_low, new_high), (old, old_low, old_high) = numbers
    return difference_of(new, (new_low, new_high), old, (old_low, old_high))


def _artifacts(
    matched: Iterable[Change], before: Mapping[Artifact, int], after: Mapping[Artifact, int]
) -> Iterable[ArtifactChange]:
    """Each artifact once, however many attacks were made on it, with whatever number of shadows.

    Args:
        matched: rows of both runs.
        before: non-members that each accuracy of the first run was measured on.
        after: those of the second.
    """
    seen: set[Key] = set()
    for change in matched:
        was, now = change.was, change.now
        if change.artifact in seen or now.technique == "multiple":
            continue
        seen.add(change.artifact)
        accuracy = None
        if isinstance(was.accuracy, float) and isinstance(now.accuracy, float):
            accuracy = difference_of(
                now.accuracy,
                wilson(now.accuracy, after[artifact_of(now)]),
                was.accuracy,
                wilson(was.accuracy, before[artifact_of(was)]),
            )
        both = isinstance(was.bytes, int) and isinstance(now.bytes, int)
        size = int(now.bytes or 0) - int(was.bytes or 0) if both else None
        yield ArtifactChange(change.artifact, was, now, accuracy, size)


def _regressions(matched: Iterable[Change], artifacts: Iterable[ArtifactChange], margin: float) -> Iterable[Regression]:
    tested: list[tuple[Row, str, Delta, Delta]] = []
    for change in matched:
        if not change.same_scores:
            tested.append((change.now, "auc", change.auc, change.auc))
            if change.tpr_at_1pct is not None:
                tested.append((change.now, "tpr_at_1pct", change.tpr_at_1pct, change.tpr_at_1pct))
    for artifact in artifacts:
        if (d := artifact.accuracy) is not None and d.difference != 0:
            tested.append((artifact.now, "accuracy", d, Delta(-d.difference, -d.high, -d.low)))
    adjusted = holm([chance_within(margin, worse) for _, _, _, worse in tested])
    for (row, metric, delta, _), p_holm in zip(tested, adjusted, strict=True):
        if p_holm < SIGNIFICANT:
            yield Regression(row, metric, delta, p_holm)


def _notes(matched: Sequence[Change]) -> Iterable[str]:
    if any(c.was.data_sha256 != c.now.data_sha256 for c in matched):
        yield "The data are not the same: their hashes differ."
    if any(c.was.recipe_sha256 != c.now.recipe_sha256 for c in matched):
        yield "The recipes are not the same (their hashes differ): what changed may be due to that."
    if unpaired := sum(not c.paired for c in matched):
        rows = "row" if len(matched) == 1 else "rows"
        yield f"{unpaired} of {len(matched)} {rows} compared unpaired: other examples, or scores that are not kept."
    before = {version for c in matched for version in c.was.versions.split()}
    after = {version for c in matched for version in c.now.versions.split()}
    if before != after:
        old, new = (" ".join(sorted(names)) or "none" for names in (before - after, after - before))
        yield f"Versions: {old} became {new}."
