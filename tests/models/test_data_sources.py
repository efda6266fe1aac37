"""From a name to a pool: configs, the order of sources, the hub, and errors that say how to get the data."""

import dataclasses
import io
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from pydantic import ValidationError

from compleak.models.data import DATASETS, DataConfig, DataError, fetch, hub, load_pool, package, status
from compleak.models.data.catalog import IMAGE_DATASETS, Hub
from compleak.models.data.pool import Examples, build_pool

RNG = np.random.default_rng(0)
FASHION = Examples(RNG.integers(0, 256, (20, 28, 28, 1), dtype=np.uint8), np.arange(20) % 10, "made up")


@pytest.fixture
def sources(monkeypatch):
    """Stand-ins for both readers, and the names of those that were called."""
    called: list[str] = []

    def reader(name, outcome):
        def load(*_):
            called.append(name)
            if isinstance(outcome, Exception):
                raise outcome
            return outcome

        monkeypatch.setattr({"package": package, "hub": hub}[name], "load", load)

    for name, info in DATASETS.items():
        monkeypatch.setitem(DATASETS, name, dataclasses.replace(info, pool_sha256=None))
    reader("package", FASHION)
    reader("hub", FASHION)
    return reader, called


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"name": "fashion-minst"}, "Did you mean 'fashion-mnist'"),
        ({"name": "mine"}, "Known: fashion-mnist, cifar10, cifar100.*give a path"),
        ({"name": "cifar10", "source": "dir"}, "needs a path"),
        ({"name": "cifar10", "source": "hub", "path": "d"}, "takes no path"),
        ({"name": "cifar10", "source": "package"}, "No package holds cifar10"),
        ({"name": "cifar10", "source": "s3"}, "'auto', 'package', 'dir' or 'hub'"),
        ({"name": "cifar10", "limit": 5}, "Extra inputs"),
        ({"name": ""}, "at least 1 character"),
    ],
)
def test_impossible_configs_are_refused(fields, complaint):
    with pytest.raises(ValidationError, match=complaint):
        DataConfig(**fields)


def test_auto_takes_the_package_and_then_its_cached_pool(tmp_path, sources):
    _, called = sources
    first = load_pool(DataConfig(name="fashion-mnist"), tmp_path)
    again = load_pool(DataConfig(name="fashion-mnist"), tmp_path)
    assert called == ["package"]
    assert (first.source, first.version, again.sha256) == ("package", "made up", first.sha256)


def test_auto_falls_on_to_the_hub_and_then_to_the_hubs_cached_pool(tmp_path, sources):
    reader, called = sources
    reader("package", DataError("no apt"))
    assert load_pool(DataConfig(name="fashion-mnist"), tmp_path).source == "hub"
    assert load_pool(DataConfig(name="fashion-mnist"), tmp_path).source == "hub"
    assert called == ["package", "hub"]


def test_a_source_asked_for_is_the_only_one_tried(tmp_path, sources):
    reader, called = sources
    load_pool(DataConfig(name="fashion-mnist", source="hub"), tmp_path)
    reader("package", DataError("no apt"))
    with pytest.raises(DataError, match="package: no apt"):
        load_pool(DataConfig(name="fashion-mnist", source="package"), tmp_path)
    assert called == ["hub", "package"]


def test_a_given_path_never_becomes_other_data(tmp_path, sources):
    _, called = sources
    with pytest.raises(DataError, match="mistyped does not exist"):
        load_pool(DataConfig(name="fashion-mnist", path=tmp_path / "mistyped"), tmp_path)
    assert called == []


def test_no_source_lists_what_was_tried_and_what_to_do(tmp_path, sources):
    reader, _ = sources
    reader("package", DataError("apt is away"))
    reader("hub", DataError("hub is away"))
    with pytest.raises(DataError) as raised:
        load_pool(DataConfig(name="fashion-mnist"), tmp_path)
    for words in (
        "package: apt is away",
        "hub: hub is away",
        "compleak data fetch fashion-mnist",
        "apt-get install dataset-fashion-mnist",
        "--repo-type dataset zalando-datasets/fashion_mnist",
        "uint8 [n, 28, 28, 1]",
    ):
        assert words in str(raised.value)
    reader("hub", DataError("hub is away"))
    with pytest.raises(DataError) as raised:
        load_pool(DataConfig(name="cifar100"), tmp_path)
    assert "apt" not in str(raised.value)


def test_data_that_is_not_the_published_one_is_refused(tmp_path, sources, monkeypatch):
    reader, _ = sources
    true = build_pool(FASHION, "fashion-mnist", "hub")
    info = dataclasses.replace(DATASETS["fashion-mnist"], pool_sha256=true.sha256)
    monkeypatch.setitem(DATASETS, "fashion-mnist", info)
    labels = FASHION.labels.copy()
    labels[0] = 5
    reader("package", Examples(FASHION.inputs, labels, "tampered"))
    pool = load_pool(DataConfig(name="fashion-mnist"), tmp_path)
    assert (pool.source, pool.sha256) == ("hub", true.sha256)
    with pytest.raises(DataError, match=f"not Fashion-MNIST .* as published.*expected {true.sha256}"):
        load_pool(DataConfig(name="fashion-mnist", source="package"), tmp_path)


def test_fetch_and_status(tmp_path, sources):
    assert status("fashion-mnist", tmp_path).startswith("not read yet: package dataset-fashion-mnist")
    assert "hub uoft-cs/cifar10" in status("cifar10", tmp_path)
    file = fetch("fashion-mnist", cache=tmp_path)
    assert file.is_file()
    assert file.is_relative_to(tmp_path)
    assert status("fashion-mnist", tmp_path) == "cached: 20 examples, package made up"
    with pytest.raises(ValueError, match="Unknown data set"):
        fetch("mnist", cache=tmp_path)


def test_the_cache_is_where_the_environment_says(tmp_path, sources, monkeypatch):
    monkeypatch.setenv("COMPLEAK_CACHE", str(tmp_path / "there"))
    assert fetch("fashion-mnist").is_relative_to(tmp_path / "there")


def test_the_hub_is_read_with_the_datasets_library(tmp_path, monkeypatch):
    """A local folder stands in for the hub's repository: the library takes either for an id."""
    import datasets

    def cell(image):
        stream = io.BytesIO()
        Image.fromarray(image).save(stream, "PNG")
        return {"bytes": stream.getvalue(), "path": None}

    images = RNG.integers(0, 256, (12, 32, 32, 3), dtype=np.uint8)
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    (tmp_path / "repo/data").mkdir(parents=True)
    for split, rows in (("train", slice(0, 8)), ("test", slice(8, 12))):
        columns = {
            "img": pa.array([cell(x) for x in images[rows]], kind),
            "fine_label": pa.array(range(100)[rows]),
            "coarse_label": pa.array([3] * len(images[rows])),
        }
        pq.write_table(pa.table(columns), tmp_path / f"repo/data/{split}-00000-of-00001.parquet")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "hf"))
    examples = hub.load(Hub(str(tmp_path / "repo"), "img", "fine_label"))
    by_label = np.argsort(examples.labels)
    assert examples.labels[by_label].tolist() == list(range(12))
    assert np.array_equal(examples.inputs[by_label], images)
    assert examples.version
    with pytest.raises(DataError, match="no label column; looked for label, found img, fine_label"):
        hub.load(Hub(str(tmp_path / "repo"), "img", "label"))


def test_a_hub_that_cannot_be_reached_is_a_data_error(monkeypatch):
    import datasets

    def unreachable(_):
        raise ConnectionError("Couldn't reach the Hub")

    monkeypatch.setattr(datasets, "load_dataset_builder", unreachable)
    with pytest.raises(DataError, match="uoft-cs/cifar10: ConnectionError: Couldn't reach the Hub"):
        hub.load(DATASETS["cifar10"].hub)


def test_the_catalog_imports_nothing_heavy():
    code = "import sys, compleak.models.data; print(*sys.modules)"
    modules = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"torch", "datasets", "pandas", "pyarrow", "PIL", "tensorflow"} & set(modules)


def test_catalog_is_consistent():
    for name, info in IMAGE_DATASETS.items():
        assert len(info.normalization.mean) == len(info.normalization.std) == info.image[2], name
        assert info.classes >= 2
