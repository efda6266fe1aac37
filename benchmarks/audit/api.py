"""``compleak.audit``: the audit from Python, on functions that predict; and what every audit is made into."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ... import __version__
from ...attacks.observations import ORIGINAL
from ...results.publishing.provenance import recipe_sha256
from ...results.records import Row
from ...results.scores import Scores
from . import LEAST_RESAMPLES, AuditError
from .attacked import SHADOWED, Attacked, attack_by_formula, attack_with_shadows
from .blind import blind_test
from .folder import check_place, write_audit
from .formulas import FORMULAS
from .groups import check_inputs, check_outputs, shared_rows
from .independence import check_shadows
from .judgement import judge
from .names import checked_name
from .rows import SUITE, Header, names_of, rows_of
from .subject import Subject, make_subject
from .summary import summarise, warnings
from .tables import KINDS, Kind, Table, labels_of, table_of

Predict = Callable[[Any], Any]
Group = tuple[Any, Any]
BATCH = 256


@dataclass(frozen=True)
class Shadow:
    """A model like the audited one, trained by the attacker on data of their own.

    Attributes:
        members: its own (inputs, labels).
        nonmembers: (inputs, labels) that it was not trained on.
        original: predicts, as the audited one.
        compressed: predict, by the names of the audited model's compressed versions.
    """

    members: Group
    nonmembers: Group
    original: Predict | None = None
    compressed: Mapping[str, Predict] | Sequence[Predict] = ()


@dataclass(frozen=True, eq=False)
class Audit:
    """A finished audit.

    Attributes:
        rows: one for each attack on each set of models, as in any leaderboard.
        scores: what the rows were computed from, baselines included.
        summary: what leaks, what could not be concluded, what to do next; plain text.
        suite: how the rows were made, as ``suite.yaml`` has it.
        warnings: what speaks against believing it; ``compare`` and ``report`` repeat them, and recommend nothing then.
    """

    rows: tuple[Row, ...]
    scores: tuple[Scores, ...]
    summary: str
    suite: Mapping[str, Any]
    warnings: tuple[str, ...] = ()

    @property
    def run_id(self) -> str:
        """Hash of the data and of how the rows were made."""
        return self.rows[0].run_id

    def write(self, folder: str | Path) -> Path:
        """Write ``leaderboard.csv``, ``summary.txt``, ``suite.yaml`` and the scores, all or nothing.

        Returns:
            The folder, which ``compleak verify``, ``compare`` and ``report`` read.

        Raises:
            AuditError: the folder holds something else already.
        """
        path = Path(folder)
        write_audit(path, self.rows, self.scores, self.summary, self.suite, self.warnings)
        return path


def audit(
    original: Predict | None = None,
    compressed: Mapping[str, Predict] | Sequence[Predict] = (),
    *,
    members: Group,
    nonmembers: Group,
    outputs: Kind | Mapping[str, Kind],
    shadows: Sequence[Shadow] = (),
    name: str = "own-model",
    batch_size: int = BATCH,
    seed: int = 0,
    resamples: int = 1000,
) -> Audit:
    """Measure what a model and its compressed versions give away about who was in the training set.

    Args:
        original: maps a batch of inputs to outputs [examples, classes].
        compressed: the same for compressed versions, by name; a list of them is named ``compressed-1`` and so on.
        members: (inputs, labels) that the model was trained on.
        nonmembers: (inputs, labels) from the same source that it was not trained on.
        outputs: ``logits`` or ``probabilities``; of each model by name where they differ.
        shadows: models like it, for attacks that are fitted.
        name: how the rows call the model.
        batch_size: inputs given to a function at a time.
        seed: of the attacks that draw, and of the blind test's folds.
        resamples: of the bootstrap, at least 100.

    Returns:
        The audit: ``print(result.summary)``, ``result.rows``, ``result.write("audit")``.

    Raises:
        AuditError: what was given cannot be audited.
    """
    predictors = _named(original, compressed)
    kinds = kinds_of(outputs, tuple(predictors))
    _check_resamples(resamples)
    for what, group in (("members", members), ("non-members", nonmembers)):
        _check_group(what, group)
    raw = _arrays(members[0], nonmembers[0])
    if raw is not None:
        check_inputs(raw)
    target = _seen(predictors, kinds, members, nonmembers, batch_size)
    seen_by_shadows = []
    for shadow in shadows:
        of_shadow = _named(shadow.original, shadow.compressed)
        if set(of_shadow) != set(predictors):
            raise AuditError(
                f"A shadow has the models {', '.join(of_shadow)}, the audited one {', '.join(predictors)}. Give it the "
                "same."
            )
        seen_by_shadows.append(_seen(of_shadow, kinds, shadow.members, shadow.nonmembers, batch_size))
    return conduct(
        target, seen_by_shadows, inputs=raw, kinds=kinds, source="functions", name=name, seed=seed, resamples=resamples
    )


def conduct(
    subject: Subject,
    shadows: Sequence[Subject],
    *,
    kinds: Mapping[str, Kind],
    source: str,
    inputs: tuple[NDArray[np.generic], NDArray[np.generic]] | None = None,
    facts: Mapping[str, Mapping[str, Any]] | None = None,
    layouts: Mapping[str, str] | None = None,
    notes: Sequence[str] = (),
    name: str = "own-model",
    seed: int = 0,
    resamples: int = 1000,
    place: Path | None = None,
) -> Audit:
    """Attack, evaluate and conclude; what every way into an audit ends in.

    Args:
        subject: the target.
        shadows: none, or models like it.
        kinds: what the outputs were, by variant.
        source: ``vectors``, ``files`` or ``functions``.
        inputs: of the members and the non-members, as they were stored, for the blind test.
        facts: by variant, cells that are known of its file.
        layouts: by variant, how inputs were prepared, in words.
        notes: for the summary.
        name: how the rows call the model.
        seed: of whatever draws.
        resamples: of the bootstrap, at least 100.
        place: where it is to be written, which is looked at before anything is computed; None if not known.

    Raises:
        AuditError: both groups are the same; a shadow is the target, or cannot be attacked beside it; too few
            resamples; or something else is at ``place``.
    """
    _check_resamples(resamples)
    check_outputs(subject)
    for number, shadow in enumerate(shadows):
        check_outputs(shadow, f"Shadow {number}: ")
    check_shadows(subject, shadows)
    suite = {
        "name": SUITE,
        "description": "An audit of a model that was made elsewhere",
        "seed": seed,
        "network": {"name": checked_name(name)},
        "membership": {"shadows": len(shadows)},
        "attacks": list(SHADOWED if shadows else FORMULAS),
        "statistics": {"resamples": resamples},
        "audit": {
            "program": __version__,
            "source": source,
            "outputs": dict(kinds),
            "inputs": dict(layouts or {}),
            "shadows_sha256": [_digest(shadow) for shadow in shadows],
        },
    }
    data, recipe = _digest(subject), recipe_sha256(suite)
    run_id = hashlib.sha256(f"{data}/{recipe}".encode()).hexdigest()[:16]
    if place is not None:
        check_place(place, run_id)
    header = Header(name, source, data, recipe, run_id, resamples)
    named = names_of(subject, facts or {})
    found = attack_with_shadows(subject, shadows, seed, named) if shadows else attack_by_formula(subject, named)
    attacked = list(found)
    rows = rows_of(_grouped(attacked), subject, facts or {}, header)
    blind = blind_test(inputs, subject.labels, subject.member, seed)
    shared = shared_rows(subject) if blind.shared is None else 0
    with_shadows = f"{len(shadows) or 'no'} shadow model{'' if len(shadows) == 1 else 's'}"
    title = (
        f"Audit of {name}: {subject.members:,} members, {subject.nonmembers:,} non-members, {subject.classes} classes, "
        f"{' and '.join(sorted(set(kinds.values())))}, {with_shadows}"
    )
    kept = {s.sha256: s for one in attacked for s in (one.scores, one.baseline) if s is not None}
    judged = judge(rows, kept, subject, blind, shared)
    summary = summarise(judged, [*subject.notes, *notes], title)
    return Audit(tuple(rows), tuple(kept.values()), summary, suite, tuple(warnings(judged)))


def kinds_of(outputs: Kind | Mapping[str, Kind], names: Sequence[str]) -> dict[str, Kind]:
    """What each model's outputs are.

    Raises:
        AuditError: it is not stated, or is neither logits nor probabilities.
    """
    stated = dict(outputs) if isinstance(outputs, Mapping) else dict.fromkeys(names, outputs)
    for name in names:
        if stated.get(name) not in KINDS:
            raise AuditError(
                f"{name}: say what its outputs are: --outputs logits (before the softmax) or --outputs probabilities "
                f"(after it)" + ("." if stated.get(name) is None else f"; got {stated[name]!r}.")
            )
    return {name: stated[name] for name in names}


def _grouped(attacked: Sequence[Attacked]) -> list[Attacked]:
    """One model at a time, then pairs, then sets."""
    place = {variants: i for i, variants in enumerate(dict.fromkeys(one.variants for one in attacked))}
    return sorted(attacked, key=lambda one: (len(one.variants), place[one.variants]))


def _digest(subject: Subject) -> str:
    digest = hashlib.sha256(json.dumps(subject.variants).encode())
    for array in (*subject.logits.values(), subject.labels, subject.member):
        digest.update(f"{array.shape}".encode() + array.astype(array.dtype.newbyteorder("<")).tobytes())
    return digest.hexdigest()


def _named(original: Predict | None, compressed: Mapping[str, Predict] | Sequence[Predict]) -> dict[str, Predict]:
    if not isinstance(compressed, Mapping):
        compressed = {f"compressed-{i}": predict for i, predict in enumerate(compressed, start=1)}
    named = {**({ORIGINAL: original} if original is not None else {}), **compressed}
    for name, predict in named.items():
        if name == ORIGINAL and original is None:
            raise AuditError(f"A compressed model cannot be called {ORIGINAL!r}.")
        if not callable(predict):
            raise AuditError(
                f"{checked_name(name)} is a {type(predict).__name__}; give a function from inputs to outputs."
            )
        checked_name(name)
    return named


def _check_group(what: str, group: Any) -> None:
    if not isinstance(group, tuple | list) or len(group) != 2 or len(group[0]) != len(group[1]):
        raise AuditError(f"{what} must be a pair (inputs, labels) of equal lengths.")


def _check_resamples(resamples: int) -> None:
    if resamples < LEAST_RESAMPLES:
        raise AuditError(f"resamples must be {LEAST_RESAMPLES} or more, for an interval at 95 %; got {resamples}.")


def _seen(
    predictors: Mapping[str, Predict], kinds: Mapping[str, Kind], members: Group, nonmembers: Group, batch: int
) -> Subject:
    groups = (("members", members), ("non-members", nonmembers))
    for what, group in groups:
        _check_group(what, group)
    tables = {
        name: tuple(
            Table(_predicted(name, predict, group[0], batch), labels_of(group[1], what), f"{name} on the {what}")
            for what, group in groups
        )
        for name, predict in predictors.items()
    }
    return make_subject(tables, kinds)  # type: ignore[arg-type]


def _predicted(name: str, predict: Predict, inputs: Any, batch: int) -> NDArray[np.floating]:
    parts = []
    for start in range(0, len(inputs), batch):
        given = inputs[start : start + batch]
        try:
            output = np.asarray(predict(given))
        except (TypeError, RuntimeError, ValueError) as error:
            raise AuditError(
                f"{name}: predicting inputs {start} to {start + len(given) - 1} failed, or gave no array (of a PyTorch "
                f"tensor, return .detach().cpu().numpy()): {type(error).__name__}: {error}"
            ) from error
        if output.ndim == 0 or len(output) != len(given):
            raise AuditError(f"{name} gave an output of shape {list(output.shape)} for {len(given)} inputs.")
        parts.append(output)
    if not parts:
        raise AuditError(f"{name}: there are no inputs.")
    return table_of(np.concatenate(parts), name)


def _arrays(*inputs: Any) -> tuple[NDArray[np.generic], NDArray[np.generic]] | None:
    """The inputs as arrays of numbers, for the blind test; None where they are none."""
    try:
        inside, outside = (np.asarray(part) for part in inputs)
    except (TypeError, ValueError, RuntimeError):
        return None
    usable = all(part.dtype.kind in "iufb" and part.ndim > 1 for part in (inside, outside))
    return (inside, outside) if usable and inside.shape[1:] == outside.shape[1:] else None
