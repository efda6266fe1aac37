"""SAMIA's noisy queries through the plan and the stages: made where an attack asks for them, and nowhere else."""

from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from sklearn.datasets import load_digits

from compleak.attacks.observations import Observations
from compleak.attacks.sensitivity import EPSILON, sensitivity
from compleak.benchmarks.executors import InProcessExecutor
from compleak.benchmarks.fields import Execution
from compleak.benchmarks.nodes import Node
from compleak.benchmarks.plan import Plan, make_plan
from compleak.benchmarks.runner import Failure, run_nodes
from compleak.benchmarks.schema import SuiteError
from compleak.benchmarks.store import Store
from compleak.benchmarks.suite_files import load_suite
from compleak.compressors.protocol import Finetuning, Target
from compleak.compressors.registry import make_compressor
from compleak.compressors.settings import parse_setting
from compleak.models.checkpoints import save_checkpoint
from compleak.models.inputs import Normalization, Normalized
from compleak.models.networks import NetworkSpec, build
from compleak.results.scores import read_scores

SAMIA = "attacks=[compleak-nr-entropy,compleak-nr-samia]"
PLAIN = "attacks=[compleak-nr-entropy]"
NEURAL = "attacks=[compleak-nr-entropy,compleak-nr-train2-nn]"
INT8 = "pytorch-mobile/quantization-int8-static"


def quickstart(*overrides: str) -> Plan:
    return make_plan(load_suite("quickstart", overrides))


def keys(plan: Plan, *stages: str) -> dict[str, str]:
    return {n.folder: n.key for n in plan.nodes if n.stage in stages}


def test_nobody_pays_for_what_nobody_asked() -> None:
    """Without SAMIA no node so much as mentions the noise, whatever other attacks there are."""
    plan = quickstart()
    assert not [n.name for n in plan.nodes if "sensitivity" in n.config]
    stages = ("data", "train", "compress", "observe", "collect")
    assert keys(quickstart(PLAIN), *stages) == keys(plan, *stages) == keys(quickstart(NEURAL), *stages)


def test_samia_adds_ten_queries_and_retrains_nothing() -> None:
    plain, samia = quickstart(PLAIN), quickstart(SAMIA)
    assert keys(plain, "data", "train", "compress", "latency") == keys(samia, "data", "train", "compress", "latency")
    asked = [n.config["sensitivity"] for n in samia.nodes if n.stage == "observe"]
    assert len(asked) == 4 * 9
    assert all(a == asked[0] for a in asked)  # one seed for all models and variants
    assert asked[0]["queries"] == 10
    assert not [n.name for n in samia.nodes if n.stage != "observe" and "sensitivity" in n.config]
    assert samia.node("collect", "all").config["answers"] == ["logits", "sensitivity"]
    other = next(n for n in quickstart(SAMIA, "seed=1").nodes if n.stage == "observe")
    assert other.config["sensitivity"]["seed"] != asked[0]["seed"]


def test_noise_is_for_images() -> None:
    with pytest.raises(SuiteError, match="compleak-nr-samia"):
        load_suite("quickstart", ("network.name=gpt2-mini", "data.name=20newsgroups", SAMIA))


def test_a_query_must_be_normalised_already() -> None:
    with pytest.raises(ValueError, match="normalised float32 inputs, got uint8"):
        Normalized()(np.zeros((1, 2, 2, 1), np.uint8))


class Silent:
    def finished(self, node: Node, seconds: float) -> None: ...

    def failed(self, failure: Failure) -> None:
        raise AssertionError(failure)


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> tuple[Plan, Store]:
    """One target and one shadow on handwritten digits, the original and an int8 artifact, attacked by SAMIA."""
    folder = tmp_path_factory.mktemp("samia")
    images, labels = load_digits(return_X_y=True)
    pixels = np.kron(images.reshape(-1, 8, 8) * (255 / 16), np.ones((2, 2))).round().astype(np.uint8)
    np.savez(folder / "digits.npz", images=pixels[..., None], labels=labels.astype(np.int64))
    content = {
        "name": "samia",
        "data": {"name": "digits", "source": "dir", "path": str(folder / "digits.npz")},
        "membership": {"train": 100, "evaluate": 100, "shadows": 1, "dev": 0, "null": False},
        "network": {"name": "resnet8", "width": 4},
        "training": {"epochs": 2, "batch_size": 32},
        "finetuning": {"epochs": 1, "batch_size": 32},
        "compress": {"pytorch-mobile": ["quantization-int8-static"]},
        "attacks": ["compleak-nr-samia"],
        "statistics": {"resamples": 100},
    }
    (folder / "samia.yaml").write_text(yaml.safe_dump(content))
    plan, store = make_plan(load_suite(str(folder / "samia.yaml"))), Store(folder / "nodes")
    nodes = [n for n in plan.nodes if n.stage != "latency"]
    assert len(run_nodes(nodes, store, InProcessExecutor(), Execution(), 1, Silent()).run) == len(nodes)
    return plan, store


def observed(ran: tuple[Plan, Store], variant: str, file: str) -> np.ndarray:
    plan, store = ran
    return np.load(store.path(plan.node("observe", f"target-0/{variant}")) / file)


def test_stages_carry_the_sensitivity_to_the_attack(ran: tuple[Plan, Store]) -> None:
    plan, store = ran
    observations = Observations.open(store.path(plan.node("collect", "all")) / "observations.zarr")
    for variant in ("original", INT8):
        alone = observations.select(models=["target-0"], variants=[variant])
        assert alone.sensitivity is not None
        np.testing.assert_array_equal(alone.sensitivity[0, 0], observed(ran, variant, "sensitivity.npy"))
    for trial in plan.trials:
        scores = read_scores(store.path(trial.attack_node) / "target-0.parquet")
        assert (scores.attack, len(scores.score)) == ("compleak-nr-samia", 200)


def test_the_original_is_moved_by_every_query(ran: tuple[Plan, Store]) -> None:
    moved, logits = observed(ran, "original", "sensitivity.npy"), observed(ran, "original", "logits.npy")
    assert moved.shape == logits.shape
    assert moved.dtype == np.float32
    assert (moved.max(axis=1) > 0).all()
    # ε = 1e-3 can move no probability by more than the network's slope allows; it must not look like another image.
    assert np.median(moved.max(axis=1)) * EPSILON < 0.01


@pytest.mark.parametrize(
    ("normalization", "zero", "amplified"),
    [
        # In int8 a pixel value is the middle of a step of 1/255, far from ε (all normalizations but the symmetric) ...
        (Normalization(mean=(0.286,), std=(0.353,)), True, False),
        # ... or it is the very edge between two steps, which any noise crosses: 127.5 steps from zero to either end.
        (Normalization(mean=(0.5,), std=(0.25,)), False, True),
    ],
)
def test_an_int8_artifact_sees_no_noise_or_whole_steps(
    normalization: Normalization, zero: bool, amplified: bool, tmp_path: Path
) -> None:
    network = NetworkSpec(name="resnet8", width=4, image=(12, 12, 1), classes=3)
    torch.manual_seed(0)
    save_checkpoint(build(network), tmp_path / "m.safetensors")
    images = np.random.default_rng(0).integers(0, 256, (64, 12, 12, 1)).astype(np.uint8)
    target = Target(network, tmp_path / "m.safetensors", normalization, images, np.arange(64) % 3)
    adapter, moved = make_compressor("pytorch-mobile"), {}
    for setting in ("float32", "quantization-int8-static"):
        path = tmp_path / f"{setting}.ptl"
        adapter.compress(target, parse_setting(setting), Finetuning(epochs=1), path, seed=0)
        logits = adapter.predictor(path, normalization)(images)
        np.testing.assert_array_equal(adapter.predictor(path, Normalized())(normalization(images)), logits)
        query = adapter.predictor(path, Normalized())
        all_classes = sensitivity(query, normalization, images, np.arange(64), logits, queries=10, seed=0)
        moved[setting] = all_classes.max(axis=1)
    assert (moved["float32"] > 0).all()
    assert ((moved["quantization-int8-static"] == 0).mean() > 0.9) == zero
    assert (np.median(moved["quantization-int8-static"]) > 5 * np.median(moved["float32"])) == amplified
