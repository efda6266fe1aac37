"""What a plan would cost, before it runs: rough figures, replaced by the run's own as soon as it has some."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container
from dataclasses import dataclass
from statistics import fmean, mean

from ..models.encoders.recipe import EncoderRecipe
from ..models.networks import ENCODERS, TEXT_NETWORKS, NetworkName
from .nodes import Node
from .plan import STAGES, Plan
from .questions import queries_of
from .store import Store

# Seconds for one example forward, one thread of a 2.5 GHz server core, 32x32 px, default width; and parameters.
FORWARD_SECONDS: dict[NetworkName, float] = {
    "resnet8": 3e-4,
    "resnet20": 1e-3,
    "resnet18": 1.1e-2,
    "vgg16bn": 6e-3,
    "mobilenetv2": 4e-3,
}
PARAMETERS: dict[NetworkName, float] = {
    "resnet8": 8e4,
    "resnet20": 2.7e5,
    "resnet18": 1.1e7,
    "vgg16bn": 1.5e7,
    "mobilenetv2": 2.3e6,
}
USUAL_WIDTH: dict[NetworkName, int] = {
    "resnet8": 16,
    "resnet20": 16,
    "resnet18": 64,
    "vgg16bn": 64,
    "mobilenetv2": 32,
}
BASE_SIZES = (12, 768, 12, 3072)  # where a hub's text network has not been read yet
FLOPS = 2.5e10  # a second, one thread, in the dense layers of a transformer
SECONDS_A_RECORD = 1.1e-3  # of an attack model's table, with its refits, over the attacks of `quickstart`
TRAINING_STEP = 4.0  # forward, backward and update, in forwards
OVERHEAD_SECONDS = {"data": 5.0, "compress": 4.0, "observe": 0.5, "collect": 1.0, "evaluate": 0.05, "latency": 1.0}
CLASSES = 10


@dataclass(frozen=True)
class StageEstimate:
    """One line of ``compleak plan``.

    Attributes:
        stage: its name.
        nodes: how many there are.
        done: how many are complete.
        seconds: of work left, on one worker.
        megabytes: of disk still to be written.
    """

    stage: str
    nodes: int
    done: int
    seconds: float
    megabytes: float


def estimate(plan: Plan, store: Store, elsewhere: Container[str] = ()) -> list[StageEstimate]:
    """What is done and what is left, stage by stage.

    Args:
        plan: of one suite.
        store: of its run.
        elsewhere: keys of nodes that another part makes for this one, so that they cost nothing here.
    """
    by_stage: dict[str, list[Node]] = defaultdict(list)
    for node in plan.nodes:
        by_stage[node.stage].append(node)
    lines = []
    for stage in filter(by_stage.__contains__, STAGES):
        nodes = by_stage[stage]
        done = [n for n in nodes if store.is_complete(n)]
        seen = [float(store.manifest(n)["seconds"]) for n in done]
        each = mean(seen) if seen else _seconds(plan, stage)
        made = {node.key for node in done}
        left = sum(node.key not in made and node.key not in elsewhere for node in nodes)
        lines.append(StageEstimate(stage, len(nodes), len(done), left * each, left * _megabytes(plan, stage)))
    return lines


def _seconds(plan: Plan, stage: str) -> float:
    suite = plan.suite
    if stage == "attack":
        return SECONDS_A_RECORD * 2 * suite.membership.evaluate * fmean(suite.counts())
    forward, _ = _costs(plan)
    views = 2 if isinstance(suite.training, EncoderRecipe) else 1
    first = suite.pretraining
    passes = {
        "pretrain": TRAINING_STEP * first.training.epochs * first.examples if first else 0,
        "train": TRAINING_STEP * views * suite.training.epochs * suite.membership.train,
        "compress": TRAINING_STEP * suite.finetuning.epochs * suite.membership.train,
        "observe": _observed(plan) * max(queries_of(suite, attack) for attack in suite.attacks),
    }
    return OVERHEAD_SECONDS.get(stage, 0.0) + forward * passes.get(stage, 0)


def _costs(plan: Plan) -> tuple[float, float]:
    """Seconds of one example forward, and parameters."""
    network = plan.suite.network
    if network.name in TEXT_NETWORKS:
        usual = TEXT_NETWORKS[network.name].sizes or BASE_SIZES
        given = (network.layers, network.width, network.heads, network.intermediate)
        layers, width, _, inner = (g or u for g, u in zip(given, usual, strict=True))
        blocks = layers * (4 * width**2 + 2 * width * inner)
        vocabulary = 8192 if network.name.startswith("gpt2-mini") else 30_522
        return 2 * blocks * (plan.suite.data.length or 64) / FLOPS, float(blocks + vocabulary * width)
    if network.name == "vit-tiny":
        width = network.width or ENCODERS["vit-tiny"].width
        blocks = 12 * (network.layers or 12) * width**2
        return 2 * blocks * 65 / FLOPS, float(blocks)
    if network.name in ENCODERS:
        alike: NetworkName = "resnet8" if network.name == "resnet8-encoder" else "resnet18"
        scale = ((network.width or USUAL_WIDTH[alike]) / USUAL_WIDTH[alike]) ** 2
        return FORWARD_SECONDS[alike] * scale, PARAMETERS[alike] * scale
    # Nothing is known of another package's network; the smallest of ours stands for it until the run has figures.
    name: NetworkName = network.name if network.name in FORWARD_SECONDS else "resnet8"
    scale = ((network.width or USUAL_WIDTH[name]) / USUAL_WIDTH[name]) ** 2
    return FORWARD_SECONDS[name] * scale, PARAMETERS[name] * scale


def _megabytes(plan: Plan, stage: str) -> float:
    weights = 4e-6 * _costs(plan)[1]
    logits = 4e-6 * CLASSES * _observed(plan)
    models = len(plan.suite.membership.models())
    return {
        "train": weights,
        "compress": 0.6 * weights,
        "observe": logits,
        "collect": logits * models * len(plan.variants),
        "attack": 3e-5 * plan.suite.membership.evaluate,
    }.get(stage, 0.01)


def _observed(plan: Plan) -> int:
    membership = plan.suite.membership
    if plan.suite.network.task == "encoder":
        return 2 * membership.evaluate
    return 2 * membership.train if membership.design == "pool" else 2 * (membership.train + membership.evaluate)
