"""Data from a Debian package: found, downloaded and unpacked by stand-ins for apt-get and dpkg-deb on the PATH."""

import gzip
import hashlib
import struct
from pathlib import Path

import numpy as np
import pytest

from compleak.models.data import DATASETS, DataError, default_cache, package
from compleak.models.data.catalog import Package, PinnedFile

IMAGES = np.random.default_rng(0).integers(0, 256, (6, 28, 28), dtype=np.uint8)
LABELS = np.array([0, 1, 2, 3, 4, 9], np.uint8)
DEB = b"the package's file"


def idx(array: np.ndarray) -> bytes:
    header = struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
    return gzip.compress(header + array.tobytes(), mtime=0)


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


FILES = {"x0.gz": idx(IMAGES[:4]), "y0.gz": idx(LABELS[:4]), "x1.gz": idx(IMAGES[4:]), "y1.gz": idx(LABELS[4:])}


@pytest.fixture
def tiny(tmp_path) -> Package:
    x0, y0, x1, y1 = (PinnedFile(name, sha256(content)) for name, content in FILES.items())
    return Package("tiny-data", "1.0-1", sha256(DEB), str(tmp_path / "usr/share/tiny"), ((x0, y0), (x1, y1)))


@pytest.fixture
def machine(tmp_path, monkeypatch, tiny):
    """A machine with our own apt-get and dpkg-deb; calls to them are written to ``calls``."""
    tools, tree = tmp_path / "bin", tmp_path / "tree"
    tools.mkdir()
    tree.mkdir()
    for name, content in FILES.items():
        (tree / name).write_bytes(content)
    (tmp_path / "deb").write_bytes(DEB)
    monkeypatch.setenv("PATH", f"{tools}:/usr/bin:/bin")

    def install(tool: str, script: str) -> None:
        (tools / tool).write_text(f"#!/bin/sh\necho {tool} $* >> {tmp_path}/calls\n{script}\n")
        (tools / tool).chmod(0o755)

    install("apt-get", f"cp {tmp_path}/deb ./tiny-data_1.0-1_all.deb")
    # dpkg-deb -x DEB ROOT
    install("dpkg-deb", f'mkdir -p "$3/{tiny.folder}" && cp {tree}/* "$3/{tiny.folder}"')
    return install


def calls(tmp_path: Path) -> list[str]:
    return (tmp_path / "calls").read_text().splitlines()


def leftovers(cache: Path) -> list[str]:
    return [p.name for p in (cache / "packages").iterdir() if p.name.startswith(".")]


def test_download_unpacks_and_reads_all_splits(tmp_path, machine, tiny):
    examples = package.load(tiny, tmp_path / "cache")
    assert np.array_equal(examples.inputs[..., 0], IMAGES)
    assert examples.labels.tolist() == [0, 1, 2, 3, 4, 9]
    assert examples.version == "1.0-1"
    assert "download tiny-data=1.0-1" in calls(tmp_path)[0]
    assert leftovers(tmp_path / "cache") == []


def test_second_load_needs_no_apt(tmp_path, machine, tiny):
    package.load(tiny, tmp_path / "cache")
    machine("apt-get", "exit 100")
    package.load(tiny, tmp_path / "cache")
    assert sum(line.startswith("apt-get") for line in calls(tmp_path)) == 1


def test_the_installed_package_is_read_without_apt(tmp_path, machine, tiny):
    folder = Path(tiny.folder)
    folder.mkdir(parents=True)
    for name, content in FILES.items():
        (folder / name).write_bytes(content)
    assert package.load(tiny, tmp_path / "cache").labels.tolist() == [0, 1, 2, 3, 4, 9]
    assert not (tmp_path / "calls").exists()
    (folder / "y1.gz").write_bytes(idx(LABELS[4:] - 1))
    assert package.load(tiny, tmp_path / "cache").labels.tolist() == [0, 1, 2, 3, 4, 9]
    assert len(calls(tmp_path)) == 2


def test_a_damaged_copy_in_the_cache_is_replaced(tmp_path, machine, tiny):
    package.load(tiny, tmp_path / "cache")
    (package.unpacked(tiny, tmp_path / "cache") / "x0.gz").write_bytes(b"")
    assert len(package.load(tiny, tmp_path / "cache").labels) == 6


def test_another_build_is_not_unpacked(tmp_path, machine, tiny):
    (tmp_path / "deb").write_bytes(b"another build")
    with pytest.raises(DataError, match=f"sha256 {sha256(b'another build')}, expected {tiny.deb_sha256}"):
        package.load(tiny, tmp_path / "cache")
    assert not any(line.startswith("dpkg-deb") for line in calls(tmp_path))
    assert package.find(tiny, tmp_path / "cache") is None
    assert leftovers(tmp_path / "cache") == []


def test_unpacked_files_of_another_content_are_refused(tmp_path, machine, tiny):
    (tmp_path / "tree/y1.gz").write_bytes(idx(LABELS[4:] - 1))
    with pytest.raises(DataError, match=r"y1\.gz is missing or has another sha256"):
        package.load(tiny, tmp_path / "cache")
    assert not package.unpacked(tiny, tmp_path / "cache").exists()


def test_without_package_lists_private_ones_are_fetched_into_the_cache(tmp_path, machine, tiny):
    machine(
        "apt-get",
        f"""case "$*" in
        *Dir::State::Lists=*update) touch lists/fetched ;;
        *Dir::State::Lists=*download*) test -e lists/fetched && cp {tmp_path}/deb ./tiny-data_1.0-1_all.deb ;;
        *) echo 'E: Unable to locate package tiny-data' >&2; exit 100 ;;
        esac""",
    )
    assert len(package.load(tiny, tmp_path / "cache").labels) == 6
    lists = [word for word in calls(tmp_path)[1].split() if word.startswith("Dir::State::Lists=")]
    assert lists[0].startswith(f"Dir::State::Lists={tmp_path}/cache/")
    assert leftovers(tmp_path / "cache") == []


def test_one_failing_source_in_the_update_does_not_matter(tmp_path, machine, tiny):
    machine(
        "apt-get",
        f"""case "$*" in
        *Dir::State::Lists=*download*) cp {tmp_path}/deb ./tiny-data_1.0-1_all.deb ;;
        *) exit 100 ;;
        esac""",
    )
    assert len(package.load(tiny, tmp_path / "cache").labels) == 6


def test_failures_of_apt_are_told_in_its_own_words(tmp_path, machine, tiny):
    machine("apt-get", "echo 'W: noise' >&2; echo 'E: no route to the archive' >&2; exit 100")
    with pytest.raises(DataError, match=r"no route to the archive.*with private package lists: apt-get update"):
        package.load(tiny, tmp_path / "cache")


def test_a_machine_without_apt(tmp_path, monkeypatch, tiny):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DataError, match="apt-get does not exist on this machine"):
        package.load(tiny, tmp_path / "cache")


def test_an_apt_that_hangs_is_stopped(tmp_path, machine, tiny, monkeypatch):
    machine("apt-get", "exec sleep 60")
    monkeypatch.setattr(package, "TIMEOUT", 0.2)
    with pytest.raises(DataError, match=r"no end after 0\.2 seconds"):
        package.load(tiny, tmp_path / "cache")


def test_a_cache_that_cannot_be_written(tmp_path, machine, tiny):
    (tmp_path / "cache").write_text("a file")
    with pytest.raises(DataError, match="cannot unpack tiny-data into the cache"):
        package.load(tiny, tmp_path / "cache")


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"no gzip", "not a readable gzip"),
        (idx(IMAGES)[:-40], "not a readable gzip"),
        (gzip.compress(b"\0\0\x0d\x01\0\0\0\x01\0\0\0\0"), "not an idx file"),
        (gzip.compress(b""), "not an idx file"),
        (
            gzip.compress(struct.pack(">BBBB2I", 0, 0, 8, 2, 3, 3) + bytes(8)),
            r"8 bytes for an array of the shape \[3, 3\]",
        ),
        (gzip.compress(b"\0\0\x08\x03\0\0\0\x01"), "cut short"),
        (gzip.compress(struct.pack(">BBBB2I", 0, 0, 8, 2, 2**31, 2**31) + bytes(4)), "cut short"),
    ],
)
def test_a_bad_idx_file_is_refused(tmp_path, content, complaint):
    (tmp_path / "bad.gz").write_bytes(content)
    with pytest.raises(DataError, match=complaint):
        package.read_idx(tmp_path / "bad.gz")


def test_idx_written_byte_by_byte(tmp_path):
    (tmp_path / "a.gz").write_bytes(gzip.compress(bytes([0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 3, 1, 2, 3, 4, 5, 255])))
    assert package.read_idx(tmp_path / "a.gz").tolist() == [[1, 2, 3], [4, 5, 255]]


def test_fashion_mnist_has_its_published_statistics():
    pinned = DATASETS["fashion-mnist"].package
    assert pinned is not None
    folder = package.find(pinned, default_cache())
    if folder is None:
        pytest.skip("Fashion-MNIST is not on this machine (compleak data fetch fashion-mnist)")
    train = package.read_idx(folder / "train-images-idx3-ubyte.gz")
    # Mean and standard deviation of the training images, as given all over the literature.
    assert train.shape == (60_000, 28, 28)
    assert (train.mean() / 255, train.std() / 255) == pytest.approx((0.28604, 0.35302), abs=5e-6)
    assert DATASETS["fashion-mnist"].normalization.mean == (round(train.mean() / 255, 4),)
