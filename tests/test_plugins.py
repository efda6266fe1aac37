"""Other packages add data sets, networks, adapters and attacks, without a change to this one."""

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from compleak import plugins
from compleak.attacks.registry import ATTACKS, AttackInfo, make_attack
from compleak.benchmarks.catalog import entries
from compleak.benchmarks.plan import make_plan
from compleak.benchmarks.schema import SuiteError
from compleak.benchmarks.suite_files import load_suite
from compleak.compressors.registry import COMPRESSORS
from compleak.models.data import DATASETS, DataConfig, DataError, OtherDataset, load_pool, normalization, status
from compleak.models.inputs import Normalization
from compleak.models.networks import OTHER_NETWORKS, NetworkSpec, build
from compleak.plugins import PluginError, Registry

EXAMPLE = Path(__file__).parents[1] / "docs" / "examples" / "compleak-example"
REGISTRIES = (DATASETS, OTHER_NETWORKS, COMPRESSORS, ATTACKS)
ROW = "from compleak.attacks.registry import AttackInfo\nROW = AttackInfo('other:make', 'mine', 'one-model')\n"


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Put packages where installed ones lie: metadata and modules in a folder of the import path."""
    monkeypatch.syspath_prepend(tmp_path)

    def put(name, version="1.0", modules=None, **groups):
        folder = tmp_path / f"{name.replace('-', '_')}-{version}.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        lines = [f"[compleak.{kind}]\n" + "\n".join(f"{k} = {v}" for k, v in of.items()) for kind, of in groups.items()]
        (folder / "entry_points.txt").write_text("\n".join(lines) + "\n")
        for module, text in (modules or {}).items():
            (tmp_path / f"{module}.py").write_text(text)
        forget()

    def forget():
        plugins.offers.cache_clear()
        for registry in REGISTRIES:
            registry._loaded.clear()
        for module in [m for m in sys.modules if m.startswith(("compleak_example", "other"))]:
            del sys.modules[module]

    yield put
    monkeypatch.undo()
    forget()


@pytest.fixture
def example(install, monkeypatch):
    """The example package, as if it were installed."""
    monkeypatch.syspath_prepend(EXAMPLE)
    project = tomllib.loads((EXAMPLE / "pyproject.toml").read_text())["project"]
    groups = {group.removeprefix("compleak."): of for group, of in project["entry-points"].items()}

    def put(version=project["version"]):
        install(project["name"], version, **groups)

    put()
    return put


def test_the_list_says_where_a_thing_comes_from(example):
    listed = {name: text for lines in entries().values() for name, text in lines}
    for name in ("stripes", "two-convolutions", "exported", "example-margin"):
        assert listed[name].endswith("(from compleak-example 0.1.0)")
    assert "(from" not in listed["resnet8"] + listed["fashion-mnist"] + listed["tflite"] + listed["compleak-mr"]


def test_listing_imports_no_framework(example, tmp_path):
    code = (
        "import sys; from compleak.benchmarks.catalog import entries; print('stripes' in dict(entries()['data']));"
        "print([m for m in ('torch', 'tensorflow', 'sklearn', 'xarray', 'pandas', 'datasets') if m in sys.modules])"
    )
    path = {"PYTHONPATH": f"{tmp_path}:{EXAMPLE}", "PATH": ""}
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True, env=path)
    assert shown.stdout == "True\n[]\n"


def test_a_suite_of_nothing_but_plugins_is_planned_and_keyed_by_their_version(example, install, tmp_path):
    suite = load_suite(str(EXAMPLE / "suite.yaml"))
    keys = {(n.stage, n.name): n.key for n in make_plan(suite).nodes}
    shutil.rmtree(tmp_path / "compleak_example-0.1.0.dist-info")
    example("0.2.0")
    after = {(n.stage, n.name): n.key for n in make_plan(load_suite(str(EXAMPLE / "suite.yaml"))).nodes}
    assert keys.keys() == after.keys()
    assert not any(keys[node] == after[node] for node in keys)


def test_only_what_a_plugin_decides_is_keyed_by_its_version(example, tmp_path):
    def nodes():
        suite = load_suite("quickstart", ["attacks=[example-margin, compleak-nr-entropy]"])
        return {(n.stage, n.name): n.key for n in make_plan(suite).nodes}

    before = nodes()
    shutil.rmtree(tmp_path / "compleak_example-0.1.0.dist-info")
    example("0.2.0")
    after = nodes()
    changed = {name for stage, name in before if stage == "attack" and before[stage, name] != after[stage, name]}
    assert changed
    assert all("example-margin" in name for name in changed)
    assert all(before[node] == after[node] for node in before if node[0] in ("data", "train", "compress", "observe"))


def test_the_pieces_work(example, tmp_path):
    pool = load_pool(DataConfig(name="stripes"), tmp_path)
    assert (pool.inputs.shape[1:], pool.source) == ((12, 12, 1), "other")
    assert pool.version == "compleak-example 0.1.0: 1"
    assert normalization(pool) == Normalization(mean=(0.5,), std=(0.3,))
    assert status("stripes") == "loaded by compleak-example 0.1.0"
    network = build(NetworkSpec(name="two-convolutions", image=(12, 12, 1), classes=4))
    assert network.head.classifier.out_features == 4
    with pytest.raises(ValueError, match="shrinks its images 2 times"):
        build(NetworkSpec(name="two-convolutions", image=(1, 1, 1), classes=4))
    assert make_attack("example-margin").name == "example-margin"


@pytest.mark.parametrize(
    ("override", "says"),
    [
        ("network.name=two-convolution", "Did you mean 'two-convolutions'"),
        ("attacks=[example-marginal]", "Did you mean 'example-margin'"),
        ("compress.exported=[quantization-float16]", "only float32 and pruning-magnitude"),
        ("data.path=/tmp", "loaded by the package that offers it"),
        ("data.source=hub", "loaded by the package that offers it"),
    ],
)
def test_mistakes_are_answered(example, override, says):
    with pytest.raises(SuiteError, match=says):
        load_suite(str(EXAMPLE / "suite.yaml"), [override])


def test_a_name_of_ours_is_nobody_elses(install):
    install("thief", "2.1", {"other": ROW}, attacks={"compleak-mr": "other:ROW"}, models={"resnet8": "other:ROW"})
    for kind, name in (("attacks", "compleak-mr"), ("models", "resnet8")):
        shown = dict(entries()[kind])[name]
        assert "compleak-bench and by thief 2.1" in shown
    with pytest.raises(SuiteError, match=r"compleak-bench and by thief 2\.1"):
        load_suite("quickstart")
    assert ATTACKS["compleak-nr-entropy"].access == "one-model"


def test_two_packages_with_one_name_are_both_named(install):
    install("one", "1.0", {"other": ROW}, attacks={"mine": "other:ROW"})
    install("two", "2.0", attacks={"mine": "other:ROW"})
    with pytest.raises(PluginError, match=r"one 1\.0 and by two 2\.0"):
        ATTACKS["mine"]


@pytest.mark.parametrize(
    ("module", "value", "says"),
    [
        ("raise RuntimeError('no luck')", "other:ROW", "RuntimeError: no luck"),
        ("import not_there", "other:ROW", "No module named 'not_there'"),
        ("", "other:ROW", "has no attribute 'ROW'"),
        ("ROW = 3", "other:ROW", r"is of type int, not compleak\.attacks\.info\.AttackInfo"),
    ],
)
def test_a_broken_package_is_named_and_breaks_nothing_else(install, module, value, says):
    install("broken", "0.3", {"other": module}, attacks={"mine": value})
    with pytest.raises(PluginError, match=says) as caught:
        ATTACKS["mine"]
    assert "broken 0.3 offers 'mine' in compleak.attacks as other:ROW" in str(caught.value)
    listed = dict(entries()["attacks"])
    assert listed["mine"].startswith("cannot be used: broken 0.3")
    assert listed["compleak-mr"].startswith("[multiple+original]")
    assert "mine" not in ATTACKS.loadable()
    with pytest.raises(SuiteError, match=says):
        load_suite("quickstart", ["attacks=[mine]"])


def test_data_that_are_not_as_described_are_refused(install, monkeypatch, tmp_path):
    module = (
        "import numpy as np\nfrom compleak.models.data import OtherDataset\n"
        "from compleak.models.inputs import Normalization\n"
        "def load(folder):\n    return np.arange(48, dtype=np.uint8).reshape(3, 4, 4, 1), np.array([0, 1, 2]), '1'\n"
        "def fails(folder):\n    raise OSError('no disk')\n"
        "N = Normalization(mean=(0.5,), std=(0.5,))\n"
        "GOOD = OtherDataset('x', 3, (4, 4, 1), N, load)\n"
        "FEW = OtherDataset('x', 2, (4, 4, 1), N, load)\n"
        "LARGE = OtherDataset('x', 3, (5, 5, 1), N, load)\n"
        "PINNED = OtherDataset('x', 3, (4, 4, 1), N, load, pool_sha256='00')\n"
        "FAILS = OtherDataset('x', 3, (4, 4, 1), N, fails)\n"
    )
    names = ("GOOD", "FEW", "LARGE", "PINNED", "FAILS")
    install("other-data", modules={"other": module}, datasets={n.lower(): f"other:{n}" for n in names})
    assert len(load_pool(DataConfig(name="good"), tmp_path).labels) == 3
    for name, says in (("few", "in 2 classes"), ("large", "images of"), ("pinned", "pinned to"), ("fails", "no disk")):
        with pytest.raises(DataError, match=says):
            load_pool(DataConfig(name=name), tmp_path)
    assert isinstance(DATASETS["good"], OtherDataset)


def test_a_registry_is_a_mapping():
    info = AttackInfo("a:b", "c", "one-model")
    registry = Registry("attacks", {"x": info}, AttackInfo)
    assert list(registry) == ["x"]
    assert (len(registry), "y" in registry, registry.get("y"), registry.provider("x")) == (1, False, None, "")
    with pytest.raises(KeyError):
        registry["y"]


@pytest.mark.slow
def test_the_example_is_installed_listed_and_run(tmp_path):
    source, target = tmp_path / "source", tmp_path / "target"
    shutil.copytree(EXAMPLE, source)
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*pip, "--target", str(target), str(source)], check=True)

    def compleak(*arguments):
        return subprocess.run(
            [sys.executable, "-m", "compleak", *arguments],
            capture_output=True, text=True, check=False, cwd=tmp_path, env={"PYTHONPATH": str(target), "PATH": ""},
        )  # fmt: skip

    assert "compleak-example 0.1.0" in compleak("list").stdout
    short = ["training.epochs=2", "membership.shadows=1", "compress={exported: [pruning-magnitude-0.5]}"]
    # In workers of their own, which must find the package as well.
    run = compleak(
        "run", "source/suite.yaml", "--out", "run", "--workers", "2", *(x for s in short for x in ("--set", s))
    )
    assert run.returncode == 0, run.stdout + run.stderr
    rows = (tmp_path / "run" / "leaderboard.csv").read_text()
    assert "example-margin" in rows
    assert "compleak-example=0.1.0" in rows
