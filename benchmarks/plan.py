"""The plan: a suite turned into nodes. Train once, compress many; every node is named before anything runs."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ..attacks.observations import ORIGINAL
from ..attacks.registry import ATTACKS
from ..compressors.registry import COMPRESSORS
from ..compressors.settings import parse_setting
from ..models.data import DATASETS
from ..models.data.folder import key as content_key
from ..models.encoders.recipe import EncoderRecipe
from ..models.membership import BASE, NULL
from ..models.networks import AS_LANGUAGE_MODEL, OTHER_NETWORKS, module_of
from ..plugins import Registry
from .nodes import Node, make_node
from .schema import Suite

STAGES = ("data", "pretrain", "train", "compress", "observe", "collect", "attack", "evaluate", "latency")


@dataclass(frozen=True)
class Variant:
    """One version of a model: the original, or a framework's artifact at a setting."""

    framework: str
    setting: str

    @property
    def name(self) -> str:
        """``original`` or ``framework/setting``."""
        return ORIGINAL if self.framework == "none" else f"{self.framework}/{self.setting}"

    @property
    def technique(self) -> str:
        """What was done: ``none``, ``pruning``, ``quantization``, ``clustering``, or several."""
        return "none" if self.framework == "none" else parse_setting(self.setting).technique


@dataclass(frozen=True)
class Trial:
    """One attack on one set of variants: what becomes a row for each target.

    Attributes:
        attack: the attack's name.
        variants: what the attacker holds, the original first where held.
        shadows: models that the attacker trained, and uses.
        targets: models that are attacked.
        attack_node: scores.
        evaluate_node: metrics.
        baseline_node: the same attack with the original in the place of every compressed model, which this one is
            compared with; None where it is itself that.
    """

    attack: str
    variants: tuple[Variant, ...]
    shadows: tuple[str, ...]
    targets: tuple[str, ...]
    attack_node: Node
    evaluate_node: Node
    baseline_node: Node | None


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


def derived_seed(seed: int, *names: str) -> int:
    """A seed of one's own for each model, compression and attack, from the suite's one seed."""
    digest = hashlib.sha256("/".join((str(seed), *names)).encode()).digest()
    return int.from_bytes(digest[:4], "little") >> 1


def variants_of(suite: Suite) -> tuple[Variant, ...]:
    """The original, then every framework's settings in the suite's order."""
    compressed = (Variant(f, s) for f, settings in suite.compress.items() for s in settings)
    return (Variant("none", ORIGINAL), *compressed)


def variant_sets(suite: Suite, attack: str) -> Iterator[tuple[Variant, ...]]:
    """Each set of variants that ``attack``'s access allows: what one attacker could hold."""
    original, *compressed = variants_of(suite)
    access = ATTACKS[attack].access
    if access == "one-model":
        yield from ((v,) for v in (original, *compressed))
    elif access == "original+compressed":
        yield from ((original, v) for v in compressed)
    else:
        groups = [[v for v in compressed if v.framework == f] for f in suite.compress]
        groups = [group for group in groups if group]
        if len(groups) > 1:
            groups.append(compressed)
        for group in groups:
            if len(group) > 1:
                yield (original, *group) if access == "multiple+original" else tuple(group)


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
            {"data": data_config, "content": _content(suite), **_provider(DATASETS, suite.data.name)},
        )
    )
    network = {"network": suite.network.model_dump(mode="json")}
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
        start = {"pretrain": add(make_node("pretrain", learner, config, {"data": data}))}
    network_modules = [f"models.networks.{module}"] if (module := module_of(suite.network.name)) else []
    variants, models = variants_of(suite), suite.membership.models()
    asked = _asked(suite)

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
                    **_provider(OTHER_NETWORKS, suite.network.name),
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
                    **_provider(COMPRESSORS, variant.framework),
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
        observed[BASE] = add(make_node("observe", BASE, seen, {"data": data, "train": start["pretrain"]}))
    collect = add(
        make_node(
            "collect",
            "all",
            {
                **split,
                **network,
                "answers": _answers(suite),
                "membership": design,
                "models": list(models),
                "targets": list(suite.membership.target_models()),
                "variants": [v.name for v in variants],
            },
            {"data": data, **observed},
        )
    )
    trials = tuple(_trials(suite, collect))
    attacked = (n for t in trials for n in (t.baseline_node, t.attack_node, t.evaluate_node) if n is not None)
    nodes += [*{n.key: n for n in attacked}.values(), *latencies]
    return Plan(suite, tuple(nodes), variants, trials)


def _asked(suite: Suite) -> dict[str, Any]:
    """What models are asked besides the plain question, as the suite's attacks need it; by name, with its settings."""
    infos = [ATTACKS[a] for a in suite.attacks]
    noise = max((info.queries - 1 for info in infos if info.sensitivity), default=0)
    if noise:
        return {"sensitivity": {"queries": noise, "seed": derived_seed(suite.seed, "noise")}}
    if not isinstance(suite.training, EncoderRecipe):
        return {}
    asked: dict[str, Any] = {}
    if any(info.answer == "view_cosines" for info in infos):
        asked["view_cosines"] = {
            "count": suite.encoder_queries.views,
            "recipe": suite.training.model_dump(mode="json", exclude_none=True),
            "seed": derived_seed(suite.seed, "views"),
        }
    if any(info.answer == "part_features" for info in infos):
        asked["part_features"] = {
            "count": suite.encoder_queries.crops,
            "scale": list(suite.encoder_queries.crop_scale),
            "seed": derived_seed(suite.seed, "crops"),
        }
    return {"queries": asked}


def _answers(suite: Suite) -> list[str]:
    """Names of the answers that observations are made of."""
    match suite.network.task:
        case "classification":
            return ["logits", *_asked(suite)]
        case "language-model":
            return ["log_likelihood"]
        case "encoder":
            return ["embedding", *_asked(suite)["queries"]]


def queries_of(suite: Suite, attack: str) -> int:
    """Outputs of each model that an attack of ``suite`` needs for an example."""
    asked = suite.encoder_queries
    of_answer = {"view_cosines": asked.views, "part_features": 1 + asked.crops}
    return of_answer.get(ATTACKS[attack].answer, ATTACKS[attack].queries)


def _provider(registry: Registry[Any], name: str) -> dict[str, str]:
    """Which package offers ``name``, where it is another's: its code cannot be hashed, so its version stands for it."""
    provider = registry.provider(name)
    return {"provider": provider} if provider else {}


def _content(suite: Suite) -> str | None:
    """Hash of a user's own files, which may change under the same path."""
    return content_key(suite.data.path.expanduser(), ()) if suite.data.path else None


def _trials(suite: Suite, collect: Node) -> Iterator[Trial]:
    membership = suite.membership
    parties: dict[tuple[str, ...], list[str]] = {}
    for count in suite.counts():
        for target in (*membership.target_models(), *((NULL,) if membership.null else ())):
            parties.setdefault(membership.shadow_models(target)[:count], []).append(target)
    for number, (shadows, targets) in enumerate(parties.items()):
        # Whoever knows part of the target's own membership has no shadows, however many others have.
        again = any(set(targets) & set(seen) for seen in list(parties.values())[:number])
        yield from _of_party(suite, collect, shadows, tuple(targets), partly_known=not again)


def _of_party(
    suite: Suite, collect: Node, shadows: tuple[str, ...], targets: tuple[str, ...], *, partly_known: bool
) -> Iterator[Trial]:
    """All trials of one attacker, who trained ``shadows`` and attacks ``targets``.

    Args:
        suite: what is planned.
        collect: the observations.
        shadows: of the attacker.
        targets: of the attacker.
        partly_known: whether attacks that know part of the targets' own membership are among them.
    """
    done: dict[tuple[str, str], Node] = {}

    def attack_node(attack: str, variants: tuple[Variant, ...], copies: dict[str, Any] | None = None) -> Node:
        info = ATTACKS[attack]
        names = [v.name for v in variants]
        if copies:
            names = [*([ORIGINAL] if copies["keep"] else []), *(f"copy-{i + 1}" for i in range(copies["count"]))]
        config: dict[str, Any] = {
            "factory": info.factory,
            "arguments": info.arguments(derived_seed(suite.seed, "attack", attack)),
            "variants": names,
            "copies": copies,
            "shadows": list(shadows),
            "targets": list(targets),
            **_provider(ATTACKS, attack),
        }
        if info.known == "partial":
            config |= {"shadows": [], "known_seed": derived_seed(suite.seed, "known")}
        # Where the attacks that this one stacks on are part of the plan, it need not do them again.
        held = [n for n in names if n != ORIGINAL]
        below = {n: done.get((info.stacks_on, ORIGINAL if copies else n)) for n in held}
        known = {} if None in below.values() else {n: node for n, node in below.items() if node is not None}
        short = f"copies-{len(names)}" if copies else _short(variants)
        few = f"{len(shadows)}-shadows" if suite.shadow_counts else ""
        name = "/".join(part for part in (targets[0], few, attack, short) if part)
        modules = [] if ATTACKS.provider(attack) else [f"attacks.{info.factory.partition(':')[0]}"]
        return make_node("attack", name, config, {"collect": collect, **known}, modules=modules)

    for attack, variants in _in_turn(suite, len(shadows)):
        if ATTACKS[attack].known == "partial" and not partly_known:
            continue
        access = ATTACKS[attack].access
        if (beside := ATTACKS[attack].beside) and (beside, ORIGINAL) not in done:
            done[beside, ORIGINAL] = attack_node(beside, (variants_of(suite)[0],))
        if access != "one-model" and not beside and (attack, ORIGINAL) not in done:
            copies = {"count": 1 if access == "original+compressed" else 2, "keep": access != "multiple"}
            done[attack, ORIGINAL] = attack_node(attack, variants, copies)
        node = attack_node(attack, variants)
        if not several(variants):
            done[attack, variants[-1].name] = node
        baseline = done[beside or attack, ORIGINAL]
        parents = {"attack": node} if baseline is node else {"attack": node, "baseline": baseline}
        statistics = suite.statistics.model_dump(mode="json")
        yield Trial(
            attack=attack,
            variants=variants,
            shadows=shadows,
            targets=targets,
            attack_node=node,
            evaluate_node=make_node("evaluate", node.name, {"targets": list(targets), **statistics}, parents),
            baseline_node=None if baseline is node else baseline,
        )


def _in_turn(suite: Suite, shadows: int) -> list[tuple[str, tuple[Variant, ...]]]:
    """Every attack that so many shadows allow, on every set of variants: the original, the variants, sets of several.

    So each comes after those that it stacks on or is compared with, and a variant is finished as soon as may be.
    """
    place = {v: i for i, v in enumerate(variants_of(suite))}
    able = [a for a in suite.attacks if ATTACKS[a].least_shadows(suite.membership.design) <= shadows]
    met = [(attack, variants) for attack in able for variants in variant_sets(suite, attack)]
    return sorted(met, key=lambda m: (several(m[1]), place[m[1][-1]], ATTACKS[m[0]].access != "one-model"))


def several(variants: tuple[Variant, ...]) -> bool:
    """Whether more than one compressed variant is held."""
    return sum(v.framework != "none" for v in variants) > 1


def _short(variants: tuple[Variant, ...]) -> str:
    """A folder name for a set of variants."""
    if not several(variants):
        return variants[-1].name
    frameworks = dict.fromkeys(v.framework for v in variants)
    return "+".join(f for f in frameworks if f != "none") + f"-{len(variants)}"
