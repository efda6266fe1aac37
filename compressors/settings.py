"""Compression settings and their canonical, decodable names.

A setting is a sequence of steps joined by ``+``, always in the order prune, cluster, quantize::

    float32                                     conversion only, nothing compressed
    finetuned                                   the same, trained on for as long as pruning would: a control
    pruning-magnitude-0.6                       60 % of each layer's weights are zero
    pruning-magnitude-embeddings-0.6            the same, and of each embedding of a text network
    pruning-global-0.6                          60 % of all weights together are zero
    pruning-filter-l1-0.5, pruning-filter-l2-0.5   half of each layer's filters are zero
    clustering-k16                              at most 16 distinct values a layer
    quantization-dynamic                        int8 weights, float activations
    quantization-float16
    quantization-int8-static                    int8 weights and activations, calibrated
    quantization-int8-qat                       the same, after quantization-aware training
    quantization-int8-weights                   int8 weights, widened before they are used; float activations
    quantization-int4-weights                   the same with int4 weights
    pruning-magnitude-0.8+clustering-k16+quantization-int8-qat

The names are ours; the vocabulary is the field's.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from typing import Literal, get_args

PruningScope = Literal["magnitude", "magnitude-embeddings", "global", "filter-l1", "filter-l2"]
QuantizationKind = Literal["dynamic", "float16", "int8-static", "int8-qat", "int8-weights", "int4-weights"]


@dataclass(frozen=True)
class Pruning:
    """Zero a fraction of the weights.

    Attributes:
        scope: ``magnitude`` ranks weights within each layer, and leaves embeddings alone, which
            ``magnitude-embeddings`` does not; ``global`` over all layers,
            ``filter-l1`` and ``filter-l2`` rank whole filters of each layer by their norm.
        sparsity: fraction of weights (or filters) that become zero, in (0, 1).
    """

    scope: PruningScope
    sparsity: float

    @property
    def name(self) -> str:
        """Canonical name of this step."""
        return f"pruning-{self.scope}-{self.sparsity:g}"


@dataclass(frozen=True)
class Clustering:
    """Let the weights of each layer share at most ``clusters`` values (the centroids)."""

    clusters: int

    @property
    def name(self) -> str:
        """Canonical name of this step."""
        return f"clustering-k{self.clusters}"


@dataclass(frozen=True)
class Quantization:
    """Store the weights, and perhaps the activations, with fewer bits."""

    kind: QuantizationKind

    @property
    def name(self) -> str:
        """Canonical name of this step."""
        return f"quantization-{self.kind}"


Step = Pruning | Clustering | Quantization


@dataclass(frozen=True)
class Setting:
    """What is done to a model: at most one pruning, one clustering and one quantization step.

    Or none, and ``finetuned`` alone: it trains on for as long as pruning would, which tells what a compressed model
    owes to compression and what to the training that came with it.
    """

    pruning: Pruning | None = None
    clustering: Clustering | None = None
    quantization: Quantization | None = None
    finetuned: bool = False

    @property
    def steps(self) -> tuple[Step, ...]:
        """The steps, in the order in which they are applied."""
        return tuple(s for s in (self.pruning, self.clustering, self.quantization) if s is not None)

    @property
    def name(self) -> str:
        """Canonical name; ``parse_setting`` reads it back."""
        return "+".join(s.name for s in self.steps) or (FINETUNED if self.finetuned else "float32")

    @property
    def technique(self) -> str:
        """``pruning``, ``clustering``, ``quantization``, a ``+`` of them, ``finetuning`` or ``conversion``."""
        return "+".join(type(s).__name__.lower() for s in self.steps) or (
            "finetuning" if self.finetuned else "conversion"
        )


_PRUNING = re.compile(
    r"pruning-(?P<scope>magnitude|magnitude-embeddings|global|filter-l1|filter-l2)-(?P<sparsity>0?\.\d+)"
)
_CLUSTERING = re.compile(r"clustering-k(?P<k>\d+)")
FINETUNED = "finetuned"
_EXAMPLES = (
    "float32",
    FINETUNED,
    "pruning-magnitude-0.6",
    "pruning-magnitude-embeddings-0.6",
    "pruning-global-0.6",
    "pruning-filter-l1-0.5",
    "pruning-filter-l2-0.5",
    "clustering-k16",
    *(f"quantization-{kind}" for kind in get_args(QuantizationKind)),
)


class SettingError(ValueError):
    """A setting's name cannot be read, or its steps do not go together."""


def hidden_clusters(setting: Setting) -> str | None:
    """Why a file could not show that it is clustered, in one sentence; None where it can, or is not asked to."""
    kind = setting.quantization.kind if setting.quantization is not None else "float16"
    bits = {"float16": None, "int4-weights": 4}.get(kind, 8)
    clusters = setting.clustering.clusters if setting.clustering is not None else 0
    if bits is None or clusters < 2**bits - 1:
        return None
    return (
        f"{setting.name!r}: int{bits} weights have no more than {2**bits - 1} values anyway, so {clusters} clusters "
        "would show nothing; give fewer."
    )


def _parse_step(text: str) -> Step:
    if match := _PRUNING.fullmatch(text):
        sparsity = float(match["sparsity"])
        if not 0.0 < sparsity < 1.0:
            raise SettingError(f"{text!r}: the sparsity must lie between 0 and 1, exclusive.")
        scope: PruningScope = match["scope"]  # type: ignore[assignment]
        return Pruning(scope, sparsity)
    if match := _CLUSTERING.fullmatch(text):
        clusters = int(match["k"])
        if not 2 <= clusters <= 256:
            raise SettingError(f"{text!r}: the number of clusters must be 2 to 256.")
        return Clustering(clusters)
    for kind in get_args(QuantizationKind):
        if text == f"quantization-{kind}":
            return Quantization(kind)
    near = difflib.get_close_matches(text, _EXAMPLES, n=1, cutoff=0.3)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    raise SettingError(f"Unknown compression step {text!r}.{hint} Known forms: {', '.join(_EXAMPLES)}.")


def parse_setting(name: str) -> Setting:
    """Read a canonical setting name.

    Args:
        name: for example ``pruning-magnitude-0.6+quantization-int8-static``.

    Returns:
        The setting; ``parse_setting(name).name == name`` for every canonical name.

    Raises:
        SettingError: unknown step, value out of range, a technique given twice, or steps out of order.
    """
    if name in ("float32", FINETUNED):
        return Setting(finetuned=name == FINETUNED)
    steps = [_parse_step(part) for part in name.split("+")]
    order = [(Pruning, Clustering, Quantization).index(type(s)) for s in steps]
    if order != sorted(set(order)):
        raise SettingError(
            f"{name!r}: give each technique at most once, in the order pruning, clustering, quantization."
        )
    found: dict[str, Step] = {type(s).__name__.lower(): s for s in steps}
    return Setting(**found)  # type: ignore[arg-type]
