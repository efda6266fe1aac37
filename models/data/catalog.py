"""The data sets known by name: shapes, published constants, and where each can be had. Nothing is loaded here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from ...plugins import Registry
from ..inputs import Normalization
from .other import OtherDataset
from .text_catalog import TEXT_DATASETS, TextDatasetInfo


class PinnedFile(NamedTuple):
    """A file and the only content accepted under its name."""

    name: str
    sha256: str


@dataclass(frozen=True)
class Package:
    """A Debian package of gzipped idx files.

    Attributes:
        name, version: exactly this build is asked for.
        deb_sha256: of the ``.deb``, checked before it is unpacked.
        folder: absolute folder that holds the files where the package is installed.
        splits: an (images, labels) pair of files for each split; checked before they are read.
    """

    name: str
    version: str
    deb_sha256: str
    folder: str
    splits: tuple[tuple[PinnedFile, PinnedFile], ...]

    @property
    def files(self) -> tuple[PinnedFile, ...]:
        """All files of all splits."""
        return tuple(file for split in self.splits for file in split)


@dataclass(frozen=True)
class Hub:
    """A data set on the Hugging Face hub, and the columns that hold its images and labels."""

    id: str
    image: str
    label: str


@dataclass(frozen=True)
class DatasetInfo:
    """What is known of a data set before any of it is read.

    Attributes:
        title: for people.
        examples: in all official splits together, duplicates included.
        classes: number of classes.
        image: (height, width, channels).
        normalization: published statistics of the official training split.
        hub: where the hub has it.
        package: where Debian has it, if it does.
        pool_sha256: ``Pool.sha256`` of the true data, whatever its source; None where nobody has pinned it yet.
        licence: what its authors allow.
    """

    title: str
    examples: int
    classes: int
    image: tuple[int, int, int]
    normalization: Normalization
    hub: Hub
    package: Package | None
    pool_sha256: str | None
    licence: str


_CIFAR_LICENCE = "none stated; its authors ask to cite Krizhevsky, Learning Multiple Layers of Features, 2009"

IMAGE_DATASETS: dict[str, DatasetInfo] = {
    "fashion-mnist": DatasetInfo(
        title="Fashion-MNIST (Xiao et al. 2017)",
        examples=70_000,
        classes=10,
        image=(28, 28, 1),
        normalization=Normalization(mean=(0.2860,), std=(0.3530,)),
        hub=Hub("zalando-datasets/fashion_mnist", "image", "label"),
        package=Package(
            name="dataset-fashion-mnist",
            version="0.0~git20200523.55506a9-1",
            deb_sha256="39e172fe32dd318ebb3e512220c3beea2fa47d7e20bab348fb4e0922d6beefc0",
            folder="/usr/share/datasets/fashion-mnist",
            splits=(
                (
                    PinnedFile(
                        "train-images-idx3-ubyte.gz",
                        "b0564c3eedabfbf835052cff8503ea422014ce006caf5b757f851416ee8300c7",
                    ),
                    PinnedFile(
                        "train-labels-idx1-ubyte.gz",
                        "0ae29f65d86684f32d1b9c85147786c547b9c6aebcaf235f0400a0cce308b056",
                    ),
                ),
                (
                    PinnedFile(
                        "t10k-images-idx3-ubyte.gz",
                        "cc1d090a38ace84dfa1aa66e3ada7c336ef481a96936906477e6dd344da56eaa",
                    ),
                    PinnedFile(
                        "t10k-labels-idx1-ubyte.gz",
                        "8d3605d196f4be44669e46906da9733c8131fef761fdbfec72c424d5222f1a05",
                    ),
                ),
            ),
        ),
        pool_sha256="45171a9b69896380b95e60b0d5e3c6e7ed5b6237e1ef2f07c32ebd5bac936411",
        licence="MIT (Zalando SE)",
    ),
    "cifar10": DatasetInfo(
        title="CIFAR-10 (Krizhevsky 2009)",
        examples=60_000,
        classes=10,
        image=(32, 32, 3),
        normalization=Normalization(mean=(0.4914, 0.4822, 0.4465), std=(0.2470, 0.2435, 0.2616)),
        hub=Hub("uoft-cs/cifar10", "img", "label"),
        package=None,
        pool_sha256="9591b8ed29d6b77ae06b7f0c8d2169e358e5398ae81c3584f959a6c4078fa34f",
        licence=_CIFAR_LICENCE,
    ),
    "cifar100": DatasetInfo(
        title="CIFAR-100, fine labels (Krizhevsky 2009)",
        examples=60_000,
        classes=100,
        image=(32, 32, 3),
        normalization=Normalization(mean=(0.5071, 0.4865, 0.4409), std=(0.2673, 0.2564, 0.2762)),
        hub=Hub("uoft-cs/cifar100", "img", "fine_label"),
        package=None,
        pool_sha256=None,
        licence=_CIFAR_LICENCE,
    ),
}

DATASETS: Registry[DatasetInfo | TextDatasetInfo | OtherDataset] = Registry(
    "datasets", {**IMAGE_DATASETS, **TEXT_DATASETS}, OtherDataset
)
