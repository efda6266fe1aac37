from pathlib import Path

import pytest
import yaml

from compleak.benchmarks.schema import SuiteError
from compleak.benchmarks.suite_files import built_in_suites, load_suite, load_suites


@pytest.fixture
def written(tmp_path: Path) -> Path:
    path = tmp_path / "mine.yaml"
    path.write_text(built_in_suites()["quickstart"].read_text())
    return path


@pytest.mark.parametrize("name", ["quickstart", "resnet-fashion", "resnet-cifar10", "power-fashion"])
def test_built_in_suites_are_valid(name: str) -> None:
    assert load_suite(name).name == name


PARTS = """
parts:
  small: {}
  wide: {network.width: 32, training.epochs: 2}
"""


def test_each_part_is_a_suite_of_its_own(written: Path) -> None:
    written.write_text(written.read_text() + PARTS)
    suites = load_suites(str(written), ["seed=3"])
    told = {part: (s.name, s.network.width, s.training.epochs, s.seed) for part, s in suites.items()}
    assert told == {"small": ("quickstart-small", 16, 30, 3), "wide": ("quickstart-wide", 32, 2, 3)}
    assert load_suites(f"{written}/wide", ["seed=3"]) == {"wide": suites["wide"]}
    assert list(load_suites("quickstart")) == [""]


@pytest.mark.parametrize(
    ("name", "parts", "says"),
    [
        ("", PARTS, "has the parts small, wide; name one of them, as .*/small"),
        ("/big", PARTS, "has no part 'big'. It has: small, wide"),
        ("/big", "", "has no part 'big'. It has: none"),
        ("/small", "\nparts: [small]", "parts must map each part's name"),
        ("/small", "\nparts: {../small: {}}", "a part's name must consist of small letters"),
        ("", "\nparts: {1: {name: one}, 2: {name: one}}", "its parts must differ in name"),
        ("/small", "\nparts: {small: {seed.x: 1}}", "part small: 'seed' is a value"),
        (
            "/small",
            "\nparts: {small: {training.epoch: 1}}",
            r"part small, is not a valid suite:\n  training\.epoch: no such",
        ),
    ],
)
def test_parts_that_are_none(written: Path, name: str, parts: str, says: str) -> None:
    written.write_text(written.read_text() + parts)
    with pytest.raises(SuiteError, match=says):
        load_suite(f"{written}{name}")


ENCODER = (
    "network.name=resnet8-encoder",
    "training={method: simclr, epochs: 1}",
    "attacks=[encodermi-t]",
    "compress={}",
)
PRETRAINED = ("pretraining={examples: 2, training: {epochs: 1}}", "compress={}", "training.augmentation=none")


def test_what_a_network_is_for_decides_who_attacks_it(written: Path) -> None:
    for overrides, says in (
        (["network.name=resnet8-encoder"], "resnet8-encoder is an encoder; give training.method"),
        (["training={method: simclr, epochs: 1}"], "resnet8 is no encoder; leave out training.method"),
        (["training={method: simclr, epoch: 1}"], r"training\.epoch: no such field\. Did you mean 'epochs'"),
        (["attacks=[lm-loss]"], "lm-loss: not for resnet8, whose task is classification"),
        (["pretraining={examples: 2, training: {epochs: 1}}"], "pretraining is for GPT-2"),
        (["encoder_queries.crop_scale=[0.2, 0.1]"], "crop_scale needs 0 < least"),
        (["network={name: bert-tiny}", "data={name: wordnet-glosses}", *PRETRAINED], "pretraining is for GPT-2"),
        ([*ENCODER, "membership.dev=0"], "probes need dev examples; give membership.dev 20"),
        ([*ENCODER, "training.method=moco"], r"training.queue \(4096\) cannot hold more than the 1000 images"),
        ([*ENCODER, "training.method=mae"], "mae hides patches, and resnet8-encoder has none"),
        ([*ENCODER, "network.name=vit-tiny", "attacks=[lpla-l2-kde-known]"], "LayerNorm, which fixes the 2-norm"),
        ([*ENCODER, "attacks=[encodermi-t-known]", "membership.evaluate=2"], "needs membership.evaluate 4 or more"),
        (
            [
                "network.name=resnet8-encoder",
                "training={method: simclr, epochs: 1}",
                "attacks=[encodermi-t]",
                "compress={tflite: [finetuned]}",
            ],
            "finetuned says nothing of an encoder",
        ),
    ):
        with pytest.raises(SuiteError, match=says):
            load_suite(str(written), overrides)


def test_quickstart_has_four_settings_a_framework_and_every_family() -> None:
    suite = load_suite("quickstart")
    for settings in suite.compress.values():
        assert len(settings) >= 4
        assert sum(s.startswith("quantization") for s in settings) == 2
        assert any(s.startswith("pruning") for s in settings)
        assert any(s.startswith("clustering") for s in settings)
    for family in ("compleak-nr-", "compleak-sr1-", "compleak-sr2-", "compleak-mr"):
        assert any(a.startswith(family) for a in suite.attacks)


def test_overrides_reach_nested_fields(written: Path) -> None:
    suite = load_suite(str(written), ["training.epochs=3", "membership.shadows=5", "data.source=hub", "seed=9"])
    assert (suite.training.epochs, suite.membership.shadows, suite.data.source, suite.seed) == (3, 5, "hub", 9)


def test_the_field_null_is_a_name(written: Path) -> None:
    text = written.read_text()
    written.write_text(text.replace("membership:\n", "membership:\n  null: false\n"))
    assert load_suite(str(written)).membership.null is False
    assert load_suite(
        "quickstart", ["membership={design: disjoint, train: 9, evaluate: 9, null: false}"]
    ) != load_suite("quickstart", ["membership={design: disjoint, train: 9, evaluate: 9}"])


@pytest.mark.parametrize(
    ("override", "says"),
    [
        ("training.epoch=3", r"training\.epoch: no such field\. Did you mean 'epochs'\? Allowed here: .*momentum"),
        ("membership.design=pools", r"membership\.design: .*'disjoint' or 'pool'.*'pools'"),
        ("network.name=resnet9", r"network\.name: .*resnet8.*resnet20"),
        ("compress.tflite=[pruning-magnitude-6]", r"compress: .*pruning-magnitude-0\.6"),
        ("compress.tensorrt=[float32]", r"unknown framework 'tensorrt'\. Known: tflite, pytorch-mobile"),
        ("compress.tflite=[pruning-global-0.6]", "tflite cannot do 'pruning-global-0.6'"),
        ("attacks=[compleak-nr-entropi]", r"Did you mean 'compleak-nr-entropy'"),
        ("training.epochs=0", r"training\.epochs: .*greater than or equal to 1 \(got 0\)"),
        ("atacks=[x]", r"atacks: no such field\. Did you mean 'attacks'"),
        ("training", "--set takes key=value"),
        ("seed.x=1", "'seed' is a value and has no fields"),
    ],
)
def test_a_typo_names_the_place_the_allowed_and_the_nearest(written: Path, override: str, says: str) -> None:
    with pytest.raises(SuiteError, match=says):
        load_suite(str(written), [override])


def test_an_unknown_suite_names_the_nearest() -> None:
    with pytest.raises(SuiteError, match=r"No suite 'quickstrat'\. Did you mean 'quickstart'"):
        load_suite("quickstrat")


@pytest.mark.parametrize("text", ["- 1\n- 2\n", "a: [", "", "\x00"])
def test_what_is_no_suite_is_refused_without_a_traceback(tmp_path: Path, text: str) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(text)
    with pytest.raises(SuiteError):
        load_suite(str(path))


def test_yaml_cannot_run_code(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text("!!python/object/apply:os.system ['touch pwned']\n")
    with pytest.raises(SuiteError, match="not readable YAML"):
        load_suite(str(path))


def test_online_attacks_need_the_pool_design(written: Path) -> None:
    content = yaml.safe_load(written.read_text())
    content["attacks"] = ["lira-online"]
    written.write_text(yaml.safe_dump(content))
    with pytest.raises(SuiteError, match=r"membership\.design: pool"):
        load_suite(str(written))


@pytest.mark.parametrize(
    ("override", "says"),
    [
        ("shadow_counts=[1,20]", "rise from 1 to at most membership.shadows, 16"),
        ("shadow_counts=[4,2]", "rise"),
        ("shadow_counts=[2]", "needs at least 4 shadows in the pool design, and is given 2"),
        ("membership.shadows=2", "lira-online needs at least 4"),
    ],
)
def test_too_few_shadows_are_refused_before_anything_runs(override: str, says: str) -> None:
    overrides = [override] if "counts" in override else [override, "shadow_counts=[]"]
    with pytest.raises(SuiteError, match=says):
        load_suite("power-fashion", overrides)
