"""The plan: a suite turned into nodes. Train once, compress many; every node is named before anything runs."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from ..compressors.registry import COMPRESSORS
from ..models.data import DATASETS
from ..models.data.folder import key as content_key
from ..models.membership import BASE, NULL
from ..models.networks import AS_LANGUAGE_MODEL, OTHER_NETWORKS, module_of
from .nodes import Node, derived_seed, make_node, provided_by
from .questions import answers_of, asked_of
from .schema import Suite
from .trials import Trial, trials_of
from .variants import Variant, variants_of

STAGES = ("data", "pretrain", "train", "compress", "observe", "collect", "attack", "evaluate", "latency")


@dataclass(frozen=True)
class Plan:
    """All nodes of a suite, parents before children, and what the rows are made of."""

    suite: Suite
    nodes: tuple[Node, ...]
    variants: tuple[Variant, ...]
    trials: tuple[Trial, ...]

    def node(self, stage: str, name: str) -> Node:
        """The node of this stage and name."""
        return next(n for n in self.nodes if (n.stage, n.name) == (stage, name))

    @property
    def recipe_sha256(self) -> str:
        """Hash of everything in the suite that decides a number: all but its name and text."""
        recipe = self.suite.model_dump_json(exclude={"name", "description"})
        return hashlib.sha256(recipe.encode()).hexdigest()

    @property
    def run_id(self) -> str:
        """Hash of all node keys: equal runs, with equal code, have equal ids."""
        return hashlib.sha256("".join(n.key for n in self.nodes).encode()).hexdigest()[:16]


def make_plan(suite: Suite) -> Plan:
    """Lay out every node of ``suite``; nothing is run and no framework is imported."""
    nodes: list[Node] = []

    def add(node: Node) -> Node:
        nodes.append(node)
        return node

    design = suite.membership.model_dump(mode="json")
    data_config = suite.examples().model_dump(mode="json")
    split: dict[str, Any] = {"data": data_config, "split_seed": suite.seed}
    # Threads and devices decide the last bits of sums, and training makes much of them.
    execution = {"execution": suite.execution.model_dump(mode="json")}
    data = add(
        make_node(
            "data",
            suite.data.name,
            {"data": data_config, "content": _content(suite), **provided_by(DATASETS, suite.data.name)},
        )
    )
    network = {"network": suite.network.model_dump(mode="json")}
    network_modules = [f"models.networks.{module}"] if (module := module_of(suite.network.name)) else []
    start: dict[str, Node] = {}
    if suite.pretraining is not None:
        # Classifier and language model start from the same weights, so that parts of a suite can share them.
        learner = AS_LANGUAGE_MODEL.get(suite.network.name, suite.network.name)
        config = {
            "data": data_config,
            "network": {**network["network"], "name": learner},
            **execution,
            **suite.pretraining.model_dump(mode="json"),
            "seed": derived_seed(suite.seed, "pretrain"),
        }
        start = {"pretrain": add(make_node("pretrain", learner, config, {"data": data}, modules=network_modules))}
    variants, models = variants_of(suite), suite.membership.models()
    asked = asked_of(suite)

    observed: dict[str, Node] = {}
    latencies: list[Node] = []
    for model in models:
        # The number of targets and shadows is left out, so that asking for more trains only the new ones.
        one = {k: v for k, v in design.items() if k not in ("targets", "shadows", "null")}
        of_model = {**split, **network, **execution, "membership": {**one, "null": model == NULL}, "model": model}
        train = add(
            make_node(
                "train",
                model,
                {
                    **of_model,
                    "training": suite.training.model_dump(mode="json"),
                    "seed": derived_seed(suite.seed, "train", model),
                    **provided_by(OTHER_NETWORKS, suite.network.name),
                },
                {"data": data, **start},
                modules=[*network_modules, *(["models.encoders"] if suite.network.task == "encoder" else [])],
            )
        )
        for variant in variants:
            name = f"{model}/{variant.name}"
            source = {"framework": variant.framework}
            parents = {"data": data, "train": train}
            modules = [*network_modules]
            if variant.framework != "none":
                if not COMPRESSORS.provider(variant.framework):
                    modules.append(f"compressors.{COMPRESSORS[variant.framework].module.partition('.')[0]}")
                modules.append("models.keras_twins" if variant.framework == "tflite" else "models.training")
                config = {
                    **of_model,
                    **source,
                    "setting": variant.setting,
                    "augmentation": suite.augmentation,
                    "finetuning": suite.finetuning.model_dump(mode="json"),
                    "seed": derived_seed(suite.seed, "compress", model, variant.name),
                    **provided_by(COMPRESSORS, variant.framework),
                }
                compress = add(make_node("compress", name, config, parents, modules=modules))
                parents = {"data": data, "compress": compress}
            seen = {**split, **network, **source, **execution, **asked, "membership": {**one, "null": False}}
            if suite.network.task == "encoder":
                seen |= {"model": model, "membership": {**one, "null": model == NULL}}
            observed[name] = add(make_node("observe", name, seen, parents, modules=modules))
            if model in suite.membership.target_models():
                config = {"data": data_config, **network, **source}
                latencies.append(make_node("latency", name, config, parents, modules=modules, exclusive=True))

    if start and suite.network.task == "language-model":
        # Asked as every model is: a reference for attacks, and a control, for it has seen neither side.
        seen = {**split, **network, "framework": "none", **execution, **asked, "membership": {**one, "null": False}}
        parents = {"data": data, "train": start["pretrain"]}
        observed[BASE] = add(make_node("observe", BASE, seen, parents, modules=network_modules))
    collect = add(
        make_node(
            "collect",
            "all",
            {
                **split,
                **network,
                "answers": answers_of(suite),
                "membership": design,
                "models": list(models),
                "targets": list(suite.membership.target_models()),
                "variants": [v.name for v in variants],
            },
            {"data": data, **observed},
        )
    )
    trials = tuple(trials_of(suite, collect))
    attacked = (n for t in trials for n in (t.baseline_node, t.attack_node, t.evaluate_node) if n is not None)
    nodes += [*{n.key: n for n in attacked}.values(), *latencies]
    return Plan(suite, tuple(nodes), variants, trials)


def _content(suite: Suite) -> str | None:
    """Hash of a user's own files, which may change under the same path."""
    return content_key(suite.data.path.expanduser(), ()) if suite.data.path else None
