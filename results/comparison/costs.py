"""What artifacts cost: size, accuracy and time, averaged over the settings and targets of a group."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Literal

from ..artifacts import UNKNOWN, Artifact, artifact_of
from ..records import Cell, Row
from .effects import LEVEL
from .margins import most_lost

Size = Literal["gzip", "bytes"]


def shown_group(group: str) -> str:
    """A group's label for people: without a framework that nobody knows."""
    return group.removeprefix(f"{UNKNOWN} ")


@dataclass(frozen=True)
class Cost:
    """What the artifacts of one group are: means over settings and targets; None where a row does not say.

    Attributes:
        group: its label.
        artifacts: how many were averaged.
        bytes: size of the file.
        bytes_gzip: its size after gzip.
        ratio: gzip size of the original over the artifact's.
        accuracy: on the non-members.
        agreement: fraction of non-members that keep their class.
        latency_ms: median, a batch of one.
        lost: accuracy of the original less the artifact's, of the worst artifact.
        most_lost: upper end of that loss' interval, of the worst artifact; see ``margins.most_lost``.
        changed: fraction of non-members that change class, of the worst artifact.
        nonmembers: fewest that an accuracy was measured on.
        leakage: mean AUC of the attacks on the artifact alone.
    """

    group: str
    artifacts: int
    bytes: float | None
    bytes_gzip: float | None
    ratio: float | None
    accuracy: float | None
    agreement: float | None
    latency_ms: float | None
    lost: float | None
    most_lost: float | None
    changed: float | None
    nonmembers: int
    leakage: float | None = None

    def size(self, kind: Size) -> float | None:
        """Bytes, after gzip or as they are."""
        return self.bytes_gzip if kind == "gzip" else self.bytes


def cost(group: str, artifacts: Sequence[Row], judged: Mapping[Artifact, int], level: float = LEVEL) -> Cost:
    """The cost of a group.

    Args:
        group: its label.
        artifacts: one row for each artifact, of whatever attack.
        judged: non-members that each artifact's accuracy was measured on, see ``artifacts.judged_on``.
        level: of the interval behind ``most_lost``.
    """

    def mean(cell: Callable[[Row], Cell]) -> float | None:
        numbers = [value for row in artifacts if isinstance(value := cell(row), int | float)]
        return fmean(numbers) if len(numbers) == len(artifacts) else None

    losses = [_loss(row, judged[artifact_of(row)], level) for row in artifacts]
    known = [loss for loss in losses if loss is not None]
    whole = bool(known) and len(known) == len(artifacts)
    return Cost(
        group=group,
        artifacts=len(artifacts),
        bytes=mean(lambda r: r.bytes),
        bytes_gzip=mean(lambda r: r.bytes_gzip),
        ratio=mean(lambda r: r.compression_ratio),
        accuracy=mean(lambda r: r.accuracy),
        agreement=mean(lambda r: r.agreement),
        latency_ms=mean(lambda r: r.latency_ms),
        lost=max(lost for lost, _, _ in known) if whole else None,
        most_lost=max(bound for _, bound, _ in known) if whole else None,
        changed=max(changed for _, _, changed in known) if whole else None,
        nonmembers=min(judged[artifact_of(row)] for row in artifacts),
    )


def _loss(row: Row, nonmembers: int, level: float) -> tuple[float, float, float] | None:
    """Accuracy lost, at most lost, and fraction of classes changed; None where the row does not say."""
    before, after, agreement = row.accuracy_original, row.accuracy, row.agreement
    if not (isinstance(before, float) and isinstance(after, float) and isinstance(agreement, float)):
        return None
    lost, changed = before - after, 1 - agreement
    return lost, most_lost(lost, changed, nonmembers, level), changed
