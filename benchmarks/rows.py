"""From finished nodes to leaderboard rows: nothing is computed here, only gathered."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cached_property
from typing import Any

from ..attacks.observations import ORIGINAL
from ..attacks.registry import ATTACKS
from ..models.encoders.recipe import EncoderRecipe
from ..models.membership import NULL
from ..results.records import SCHEMA_VERSION, Row
from .nodes import Node, derived_seed
from .plan import Plan
from .questions import queries_of
from .schema import Suite
from .store import Store
from .trials import Trial
from .variants import Variant, several


class Gathered:
    """The finished parts of a run, read when asked for."""

    def __init__(self, plan: Plan, store: Store) -> None:
        """Gather from ``store`` what ``plan`` names."""
        self._plan, self._store = plan, store
        self._nodes = {(n.stage, n.name): n for n in plan.nodes}
        self._cache: dict[tuple[str, str, str], Any] = {}

    def rows(self, *, null: bool = False) -> list[Row]:
        """Rows of every finished trial: of the targets, or of the null control."""
        return [
            row
            for trial in self._plan.trials
            if self._store.is_complete(trial.evaluate_node)
            for row in self._rows_of(trial)
            if (row.target == NULL) == null
        ]

    def variant_line(self, variant: Variant) -> str:
        """One line on a finished variant of the first target: what it costs, and what it gives away."""
        target = self._plan.suite.membership.target_models()[0]
        facts = self._facts(target, variant)
        found = {
            t.attack: self._read(*_place(t.evaluate_node), "metrics.json")[target]["auc"]
            for t in self._plan.trials
            if t.variants[-1] == variant and not several(t.variants) and target in t.targets
        }
        alone = {attack for attack in found if ATTACKS[attack].access == "one-model"}
        nr = [auc for attack, auc in found.items() if attack in alone]
        sr = [auc for attack, auc in found.items() if attack not in alone]
        ranges = [f"{kind} AUC {min(a):.3f}-{max(a):.3f}" for kind, a in (("NR", nr), ("SR", sr)) if a]
        return (
            f"{variant.name:<42} accuracy {facts['accuracy']:.3f}, agreement {facts['agreement']:.3f}, "
            f"{facts['bytes_gzip'] / 1000:.0f} kB gzip; {', '.join(ranges)}"
        )

    def _rows_of(self, trial: Trial) -> Iterator[Row]:
        plan = self._plan
        metrics = self._read(*_place(trial.evaluate_node), "metrics.json")
        for target in trial.targets:
            facts = {} if several(trial.variants) else self._facts(target, trial.variants[-1])
            notes = [facts.pop("notes", ""), *self._read(*_place(trial.attack_node), "notes.json")]
            yield Row(
                schema_version=SCHEMA_VERSION,
                data=self._data["name"],
                data_source=self._data["source"],
                data_version=self._data["version"],
                data_sha256=self._data["sha256"],
                **planned_cells(plan, trial, target),
                **metrics[target],
                **facts,
                notes="; ".join(filter(None, notes)),
                recipe_sha256=plan.recipe_sha256,
                versions=self._versions,
                run_id=plan.run_id,
            )

    def _facts(self, target: str, variant: Variant) -> dict[str, Any]:
        """What a deployed variant of ``target`` is: utility, size, structure, latency."""
        utility = self._read("collect", "all", "utility.json")[target]
        original = self._read("train", target, "measured.json")
        worth = dict(utility[variant.name])
        said = [*self._data.get("notes", []), *worth.pop("notes", [])]
        facts: dict[str, Any] = {**worth, "accuracy_original": utility[ORIGINAL]["accuracy"]}
        if variant.framework == "none":
            facts |= {**original, "weight_dtypes": "float32", "compression_ratio": 1.0, "notes": "; ".join(said)}
        else:
            measured = dict(self._read("compress", f"{target}/{variant.name}", "measured.json"))
            facts |= {
                **{k: measured[k] for k in ("bytes", "bytes_gzip", "sparsity", "distinct_values")},
                "weight_dtypes": "+".join(measured["weight_dtypes"]),
                "compression_ratio": original["bytes_gzip"] / measured["bytes_gzip"],
                "notes": "; ".join([*measured["notes"], *said]),
            }
        latency = self._nodes.get(("latency", f"{target}/{variant.name}"))
        if latency is not None and self._store.is_complete(latency):
            by_batch = {int(b): ms for b, ms in self._read(*_place(latency), "latency.json").items()}
            best = min(by_batch, key=lambda b: by_batch[b])
            facts |= {"latency_ms": by_batch[1], "latency_best_ms": by_batch[best], "latency_best_batch": best}
        return facts

    @cached_property
    def _data(self) -> dict[str, Any]:
        content: dict[str, Any] = self._read("data", self._plan.suite.data.name, "data.json")
        return content

    @cached_property
    def _versions(self) -> str:
        """Versions of every library that any node ran with; more than one of a library are all named."""
        found: dict[str, set[str]] = {}
        for node in self._plan.nodes:
            if self._store.is_complete(node):
                for name, version in self._store.manifest(node)["versions"].items():
                    found.setdefault(name, set()).add(version)
        return " ".join(f"{name}={'|'.join(sorted(found[name]))}" for name in sorted(found))

    def _read(self, stage: str, name: str, file: str) -> Any:
        key = (stage, name, file)
        if key not in self._cache:
            path = self._store.path(self._nodes[stage, name]) / file
            self._cache[key] = json.loads(path.read_text(encoding="utf-8"))
        return self._cache[key]


def planned_cells(plan: Plan, trial: Trial, target: str) -> dict[str, Any]:
    """The cells of a row that are known before anything is run."""
    last, together = trial.variants[-1], several(trial.variants)
    frameworks = dict.fromkeys(v.framework for v in trial.variants if v.framework != "none")
    names = [v.name for v in trial.variants] if len(frameworks) > 1 else [v.setting for v in trial.variants]
    return {
        "suite": plan.suite.name,
        "model": model_name(plan.suite),
        "framework": "+".join(frameworks) or "none",
        "technique": "multiple" if together else last.technique,
        "setting": ";".join(names) if together else last.setting,
        "attack": trial.attack,
        "access": ATTACKS[trial.attack].stated_access,
        "queries": queries_of(plan.suite, trial.attack),
        "shadows": len(trial.shadows) if ATTACKS[trial.attack].known == "shadows" else 0,
        "target": target,
        "target_seed": derived_seed(plan.suite.seed, "train", target),
        "baseline": _baseline(trial),
    }


def model_name(suite: Suite) -> str:
    """The network, and of an encoder how it was trained: ``simclr-resnet8-encoder``."""
    method = suite.training.method if isinstance(suite.training, EncoderRecipe) else ""
    return "-".join(filter(None, (method, suite.network.name)))


def _baseline(trial: Trial) -> str:
    if trial.baseline_node is None:
        return ""
    if beside := ATTACKS[trial.attack].beside:
        return f"{beside} on the original"
    of = "on the original" if len(trial.variants) == 1 else "with the original in place of each compressed model"
    return f"{trial.attack} {of}"


def _place(node: Node) -> tuple[str, str]:
    return node.stage, node.name
