"""Suites with text targets: what fits together, and what is refused before anything runs."""

import pytest

from compleak.benchmarks.estimate import estimate
from compleak.benchmarks.plan import make_plan
from compleak.benchmarks.schema import SuiteError
from compleak.benchmarks.stages.pool import network_of, normalization_in
from compleak.benchmarks.store import Store
from compleak.benchmarks.suite_files import load_suite
from compleak.models.inputs import Normalization, Tokens
from compleak.models.networks import NetworkSpec

SUITES = ("text-quickstart/bert", "text-quickstart/gpt2", "text-quickstart/gpt2-lm")


@pytest.mark.parametrize(("name", "tokenizer"), zip(SUITES, ("minilm", "bpe-wordnet", "bpe-wordnet"), strict=True))
def test_texts_are_tokenised_for_the_network_and_the_plan_names_its_module(name, tokenizer, tmp_path):
    suite = load_suite(name)
    assert suite.examples().tokenizer == tokenizer
    plan = make_plan(suite)
    assert plan.node("train", "target-0").config["data"]["tokenizer"] == tokenizer
    assert all(line.seconds > 0 for line in estimate(plan, Store(tmp_path / "run")))


def test_what_another_part_makes_costs_nothing_here(tmp_path):
    """The two parts of `gpt2` share the data and the pre-training, and nothing else."""
    classifier, lm = (make_plan(load_suite(f"gpt2/{part}")) for part in ("classifier", "lm"))
    store = Store(tmp_path / "run")
    alone, shared = (
        {line.stage: line.seconds for line in estimate(lm, store, keys)}
        for keys in ((), {node.key for node in classifier.nodes})
    )
    assert {stage for stage in alone if shared[stage] != alone[stage]} == {"data", "pretrain"}
    assert shared["data"] == shared["pretrain"] == 0


def test_another_tokenizer_is_other_data_to_every_node():
    keys = [{n.key for n in make_plan(load_suite(SUITES[0], more)).nodes} for more in ([], ["data.length=16"])]
    assert not keys[0] & keys[1]


def test_a_classifier_and_a_language_model_share_their_pretraining():
    classifier, learner = (make_plan(load_suite(f"gpt2/{part}")).nodes for part in ("classifier", "lm"))
    keys = {node.key for node in learner}
    assert {node.stage for node in classifier if node.key in keys} == {"data", "pretrain"}


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["network.name=resnet8"], "resnet8 takes images, and wordnet-glosses holds texts"),
        (["data={name: fashion-mnist}"], "bert-minilm-2 takes texts, and fashion-mnist holds images"),
        (["network.name=bert"], "bert needs weights"),
        (["network.heads=5"], r"heads \(5\) must divide width \(384\)"),
        (["training.augmentation=flip"], "augmentation is for images"),
        (["attacks=[compleak-nr-samia]"], "noise cannot be added to token ids"),
        (["compress={pytorch-mobile: [quantization-int8-qat]}"], "with bert-minilm-2.*cannot read a transformer"),
        (["compress={pytorch-mobile: [pruning-filter-l1-0.5]}"], "no convolution"),
        (["network={name: resnet8, layers: 3}", "data={name: fashion-mnist}"], "are for text networks"),
    ],
)
def test_what_does_not_fit_is_refused(overrides, message):
    with pytest.raises(SuiteError, match=message):
        load_suite(SUITES[0], overrides)


def test_specs_take_their_shapes_from_the_data():
    data = {"classes": 4, "normalization": {"vocabulary": 50, "length": 12}}
    network = load_suite(SUITES[1], ["network.layers=3"]).network.model_dump(mode="json")
    spec = network_of({"network": network}, data)
    assert (spec.layers, spec.width, spec.vocabulary, spec.length, spec.classes) == (3, 128, 50, 12, 4)
    assert normalization_in(data) == Tokens(vocabulary=50, length=12)
    images = {"classes": 10, "image": [28, 28, 1], "normalization": {"mean": [0.5], "std": [0.5]}}
    network = load_suite("quickstart").network.model_dump(mode="json")
    assert network_of({"network": network}, images) == NetworkSpec(
        name="resnet8", width=16, image=(28, 28, 1), classes=10
    )
    assert isinstance(normalization_in(images), Normalization)
