"""The single checks of ``verify``, each a function from rows and what they are held against to problems."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from ..leaderboard import cell_text, leaderboard_csv, sort_rows
from ..metrics import ScoreError
from ..null_control import outside_together
from ..records import ORIGINAL, SCHEMA_VERSION, Cell, Row, bootstrap_seed, compare_to, evaluate
from ..scores import Scores, paired
from .problem import Placed, Problem
from .provenance import recipe_sha256

NULL = "null"
COMPARED = ("auc_minus_original", "auc_minus_original_low", "auc_minus_original_high", "auc_minus_original_p")
OF_ARTIFACT = (
    "accuracy_original", "accuracy", "accuracy_members", "agreement", "sparsity", "distinct_values", "weight_dtypes",
    "bytes", "bytes_gzip", "compression_ratio", "latency_ms", "latency_best_ms", "latency_best_batch", "notes",
)  # fmt: skip
_OF_SUITE = {
    "suite": ("name",),
    "model": ("network", "name"),
    "shadows": ("membership", "shadows"),
    "resamples": ("statistics", "resamples"),
    "n_members": ("membership", "evaluate"),
    "n_nonmembers": ("membership", "evaluate"),
}

RowName = tuple[str, str, str, str, int]
Facts = Mapping[str, str | Cell]


def row_name(row: Row) -> RowName:
    """Attack, framework, setting, target and number of shadows: what tells the rows of one leaderboard apart."""
    return row.attack, row.framework, row.setting, row.target, row.shadows


def check_text(text: str, placed: Sequence[Placed], file: str) -> Iterator[Problem]:
    """Whether the rows are written as this program writes them, each once."""
    lines = csv.reader(io.StringIO(text, newline=""))
    next(lines)
    tidy = True
    first: dict[tuple[str | int, ...], int] = {}
    for one, line in zip(placed, lines, strict=True):
        wanted = {name: cell_text(name, value) for name, value in one.row.cells().items()}
        if line != list(wanted.values()):
            tidy = False
            yield from _disagreements(one, dict(zip(wanted, line, strict=True)), wanted, "must be written")
        key = row_name(one.row)
        if key in first:
            yield one.problem(f"states the same attack on the same model as row {first[key]}")
        first.setdefault(key, one.line)
    rows = [one.row for one in placed]
    if tidy and not all(a is b for a, b in zip(rows, sort_rows(rows), strict=True)):
        yield Problem(file, "the rows are not in the order that this program writes")
    elif tidy and len(first) == len(rows) and leaderboard_csv(rows) != text:
        yield Problem(file, "lines end, or text is quoted, in another way than this program writes")


def check_statistics(
    placed: Iterable[Placed], scores: Mapping[str, Scores], agreed: set[bytes] | None = None
) -> Iterator[Problem]:
    """Every statistical cell of every row against the scores that the row names, in the digits of the file.

    Args:
        placed: the rows.
        scores: by the hash of their content.
        agreed: fingerprints of rows that were recomputed already; those of rows that agree are added.
    """
    agreed = set() if agreed is None else agreed
    for one in placed:
        row = one.row
        stated = {name: cell_text(name, value) for name, value in row.cells().items()}
        if missing := [n for n in ("scores_sha256", "baseline_sha256") if stated[n] and stated[n] not in scores]:
            yield from (one.problem("among the kept scores there is", name, stated[name], "none") for name in missing)
            continue
        own, baseline = scores[row.scores_sha256], scores.get(row.baseline_sha256)
        yield from _named_alike(one, own, baseline)
        fingerprint = hashlib.sha256("\n".join(stated.values()).encode()).digest()
        if fingerprint in agreed:
            continue
        try:
            found = recompute(row, own, baseline)
        except ScoreError as error:
            yield one.problem(f"cannot be recomputed: {error}")
            continue
        wrong = list(_disagreements(one, stated, found, "recomputed from its scores"))
        yield from wrong
        if not wrong:
            agreed.add(fingerprint)


def recompute(row: Row, own: Scores, baseline: Scores | None) -> dict[str, str]:
    """The statistical cells of ``row`` as the file should have them.

    Raises:
        ScoreError: the scores are not usable, or the baseline's are about other examples.
    """
    seed = bootstrap_seed(row.scores_sha256)
    cells = evaluate(own.score, own.member, own.threshold, seed=seed, resamples=row.resamples).cells
    cells = cells | (dict.fromkeys(COMPARED) if baseline is None else compare_to(*paired(baseline, own)).cells)
    return {name: cell_text(name, value) for name, value in cells.items()}


def check_cells(placed: Iterable[Placed], expected: Callable[[Row], Facts], source: str) -> Iterator[Problem]:
    """Cells of every row against what ``expected`` says they are; ``source`` names where that comes from."""
    for one in placed:
        cells = one.row.cells()
        facts = {name: cell_text(name, value) for name, value in expected(one.row).items() if name in cells}
        stated = {name: cell_text(name, cells[name]) for name in facts}
        yield from _disagreements(one, stated, facts, source)


def check_shadows(
    placed: Iterable[Placed], shadows: Callable[[Row], Collection[int]], source: str
) -> Iterator[Problem]:
    """The number of shadows of every row against those that ``shadows`` says its very scores were made with."""
    for one in placed:
        counts = shadows(one.row)
        if one.row.shadows not in counts:
            said = " or ".join(map(str, sorted(counts))) or "nothing"
            yield one.problem(source, "shadows", str(one.row.shadows), said)


def suite_cells(suite: Mapping[str, Any], row: Row) -> dict[str, str | Cell]:
    """Cells that a suite alone decides.

    They are the same in all its rows, but for attackers who know half of the target's own members and non-members
    (``access``): those have no shadows, and half of the examples to be judged on.
    """
    cells: dict[str, str | Cell] = {"schema_version": SCHEMA_VERSION, "recipe_sha256": recipe_sha256(suite)}
    several_attackers = bool(suite.get("shadow_counts"))
    for name, path in _OF_SUITE.items():
        if name == "shadows" and several_attackers:
            continue
        value: Any = suite
        for part in path:
            value = value.get(part) if isinstance(value, Mapping) else None
        if value is not None:
            cells[name] = value
    training = suite.get("training")
    if isinstance(training, Mapping) and "method" in training:
        cells["model"] = f"{training['method']}-{cells.get('model')}"
    if row.partly_known:
        halves = {n: v - v // 2 for n in ("n_members", "n_nonmembers") if isinstance(v := cells.get(n), int)}
        cells |= {"shadows": 0, **halves}
    return cells


def without_artifact() -> dict[str, str | Cell]:
    """The cells of a row over several models, which have no single artifact."""
    return {name: "" if name in ("weight_dtypes", "notes") else None for name in OF_ARTIFACT}


def with_notes(facts: Facts, of_attack: Iterable[str]) -> Facts:
    """An artifact's cells with the attack's notes after its own, as a row has them."""
    return {**facts, "notes": "; ".join(filter(None, [str(facts.get("notes") or ""), *of_attack]))}


def check_null(placed: Sequence[Placed], null: Sequence[Placed], wanted: bool, file: str) -> Iterator[Problem]:
    """Whether each row has its control, each control its row, and the controls hold."""
    for one in (*placed, *null):
        if (one.row.target == NULL) != (one.file == file):
            yield one.problem("of the null control in the wrong file", "target", one.row.target, "another")
    attacked = {(*row_name(one.row)[:3], one.row.shadows): one for one in reversed(placed)}
    controlled = {(*row_name(one.row)[:3], one.row.shadows): one for one in reversed(null)}
    if wanted:
        for name in attacked.keys() - controlled.keys():
            yield attacked[name].problem(f"has no null control in {file}")
    for name in controlled.keys() - attacked.keys():
        yield controlled[name].problem("controls a row that is not there")
    broken = {id(row) for row in outside_together([one.row for one in null])}
    for one in null:
        if id(one.row) in broken:
            auc = f"{one.row.auc:.6g}"
            yield one.problem("the null control fails: corrected for the number of rows it excludes", "auc", auc, "0.5")


def check_whole(
    placed: Sequence[Placed], null: Sequence[Placed], expected: Mapping[RowName, Facts], files: tuple[str, str]
) -> Iterator[Problem]:
    """Whether there are exactly the rows that the suite calls for, and they say what it says of them.

    Args:
        placed: rows of the targets.
        null: rows of the null control.
        expected: by name, the cells that a row must show.
        files: names of the two files.
    """
    stated = {row_name(one.row) for one in (*placed, *null)}
    for name in sorted(expected.keys() - stated):
        attack, framework, setting, target, shadows = name
        what = f"{attack} on {framework} {setting} of {target} with {shadows} shadows"
        yield Problem(files[target == NULL], f"the suite calls for a row that is not there: {what}")
    for one in (*placed, *null):
        if row_name(one.row) not in expected:
            yield one.problem("the suite calls for no such row")
    known = [one for one in (*placed, *null) if row_name(one.row) in expected]
    yield from check_cells(known, lambda row: expected[row_name(row)], "the suite says")


def check_unused(rows: Iterable[Row], scores: Mapping[str, Scores], file: str) -> Iterator[Problem]:
    """Scores that no row states: a row was taken away."""
    used = {sha256 for row in rows for sha256 in (row.scores_sha256, row.baseline_sha256)}
    for sha256 in sorted(scores.keys() - used):
        kept = scores[sha256]
        yield Problem(file, f"holds scores that no row states: {kept.attack} on {kept.variant} of {kept.target}")


def _named_alike(one: Placed, own: Scores, baseline: Scores | None) -> Iterator[Problem]:
    """Whether the scores say that they are of the row's attack, variant and target."""
    names = own.variant.split(";")
    held = [name.partition("/") for name in names if name != ORIGINAL]
    frameworks = dict.fromkeys(framework for framework, _, _ in held)
    if len(held) > 1:
        setting = own.variant if len(frameworks) > 1 else ";".join(n.partition("/")[2] or n for n in names)
    else:
        setting = held[0][2] if held else ORIGINAL
    own_names = {"attack": own.attack, "target": own.target, "framework": "+".join(frameworks) or "none"}
    yield from check_cells([one], lambda _: {**own_names, "setting": setting}, "its scores are of")
    if not baseline:
        if held or len(names) > 1:
            yield one.problem("a compressed model must be compared with", "baseline_sha256", "", "the original")
        return
    if any(name != ORIGINAL and not name.startswith("copy-") for name in baseline.variant.split(";")):
        yield one.problem("its scores are of", "baseline", one.row.baseline, f"{baseline.variant}, not the original")
    # An attack whose copies say nothing is compared with another, which the row names and the suite decides.
    if baseline.target != own.target or not one.row.baseline.startswith(f"{baseline.attack} "):
        yield one.problem("its scores are of", "baseline", one.row.baseline, f"{baseline.attack} of {baseline.target}")


def _disagreements(one: Placed, stated: Mapping[str, str], found: Mapping[str, str], source: str) -> Iterator[Problem]:
    for name, text in found.items():
        if stated[name] != text:
            yield one.problem(source, name, stated[name], text)
