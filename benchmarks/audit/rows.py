"""Rows of an audit: what was measured, and empty or ``unknown`` what an audit cannot know."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...attacks.observations import ORIGINAL
from ...compressors.settings import SettingError, parse_setting
from ...results.records import SCHEMA_VERSION, Row, bootstrap_seed, compare_to, evaluate
from ...results.scores import Scores, paired
from ..runner import versions
from .attacked import TARGET, Attacked
from .subject import Subject

SUITE = "audit"
UNKNOWN = "unknown"
UNKNOWN_SEED = -1
_FIXED = "no shadows: a fixed formula with a fixed threshold, nothing calibrated"
_NAMED = "setting as the user named it, not read back"


@dataclass(frozen=True)
class Header:
    """What all rows of an audit share.

    Attributes:
        model: how the user calls the model.
        source: where the data came from: ``vectors``, ``files`` or ``functions``.
        data_sha256: hash of the outputs, labels and membership.
        recipe_sha256: hash of what was done with them.
        run_id: hash of both.
        resamples: of the bootstrap.
    """

    model: str
    source: str
    data_sha256: str
    recipe_sha256: str
    run_id: str
    resamples: int


def rows_of(
    attacked: Sequence[Attacked], subject: Subject, facts: Mapping[str, Mapping[str, Any]], header: Header
) -> list[Row]:
    """One row for each attack.

    Args:
        attacked: all of them.
        subject: the target.
        facts: by variant, cells that are known of its file.
        header: what they share.
    """
    utility = {variant: _utility(subject, variant, facts) for variant in subject.variants}
    return [_row(one, utility, facts, header) for one in attacked]


def cells_of(scores: Scores, header: Header) -> dict[str, Any]:
    """The cells that any audit's row has from its scores, and from what all rows share."""
    digest = scores.sha256
    found = evaluate(
        scores.score, scores.member, scores.threshold, seed=bootstrap_seed(digest), resamples=header.resamples
    )
    return {
        **found.cells,
        "schema_version": SCHEMA_VERSION,
        "suite": SUITE,
        "data": "own",
        "data_source": header.source,
        "data_version": "",
        "data_sha256": header.data_sha256,
        "model": header.model,
        "attack": scores.attack,
        "target": TARGET,
        "target_seed": UNKNOWN_SEED,
        "recipe_sha256": header.recipe_sha256,
        "scores_sha256": digest,
        "resamples": header.resamples,
        "versions": " ".join(f"{name}={version}" for name, version in sorted(versions().items())),
        "run_id": header.run_id,
    }


def framework_of(facts: Mapping[str, Mapping[str, Any]], variant: str) -> str:
    """The runtime of a compressed variant; ``unknown`` where only its outputs were seen."""
    return str(facts.get(variant, {}).get("framework", UNKNOWN))


def names_of(subject: Subject, facts: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """The compressed variants as scores state them: ``framework/setting``."""
    return {variant: f"{framework_of(facts, variant)}/{variant}" for variant in subject.compressed}


def _row(
    one: Attacked,
    utility: Mapping[str, dict[str, Any]],
    facts: Mapping[str, Mapping[str, Any]],
    header: Header,
) -> Row:
    scores = one.scores
    cells = cells_of(scores, header)
    if one.baseline is not None:
        cells |= compare_to(*paired(one.baseline, scores)).cells
        cells |= {"baseline": one.baseline_name, "baseline_sha256": one.baseline.sha256}
    compressed = [v for v in one.variants if v != ORIGINAL]
    frameworks = list(dict.fromkeys(framework_of(facts, v) for v in compressed))
    together = one.variants if len(frameworks) == 1 else scores.variant.split(";")
    notes = [] if one.shadows else [_FIXED]
    if len(compressed) <= 1:
        cells |= utility[one.variants[-1]]
        notes += [cells.pop("notes")] if cells.get("notes") else []
    cells.pop("framework", None)
    return Row(
        framework="+".join(frameworks) or "none",
        technique=_technique(compressed),
        setting=";".join(together) if len(compressed) > 1 else one.variants[-1],
        access=one.access,
        queries=1,
        shadows=one.shadows,
        notes="; ".join([*notes, *([_NAMED] if compressed else [])]),
        **cells,
    )


def _utility(subject: Subject, variant: str, facts: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Cells of one variant: how well it still works, and what its file is."""
    own: dict[str, Any] = dict(facts.get(variant, {}))
    if ORIGINAL in subject.logits:
        own |= {
            "accuracy_original": subject.accuracy(ORIGINAL, member=False),
            "agreement": subject.agreement(variant),
        }
        original = facts.get(ORIGINAL, {})
        if "bytes_gzip" in own and "bytes_gzip" in original:
            own["compression_ratio"] = original["bytes_gzip"] / own["bytes_gzip"]
    return own | {
        "accuracy": subject.accuracy(variant, member=False),
        "accuracy_members": subject.accuracy(variant, member=True),
    }


def _technique(compressed: Sequence[str]) -> str:
    """The technique that a setting's name states, as ``quantization-int8-static`` does."""
    if len(compressed) != 1:
        return "multiple" if compressed else "none"
    try:
        return parse_setting(compressed[0]).technique
    except SettingError:
        return UNKNOWN
