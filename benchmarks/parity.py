"""``python -m compleak.benchmarks.parity``: do a network's answers survive the way into each framework's float32 file?

Every network is trained a little on real data, and its answers on the same examples are compared with those of its
Keras twin and of its float32 artifact in every framework: whatever a compressed artifact then leaks more or less
does not come from the conversion.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import numpy as np
from numpy.typing import NDArray

from ..compressors.protocol import Finetuning, Target
from ..compressors.registry import COMPRESSORS, make_compressor
from ..compressors.settings import Setting
from ..models.data import DataConfig, class_count, load_pool, normalization
from ..models.encoders.recipe import EncoderRecipe
from ..models.inputs import Transform
from ..models.networks import ENCODERS, TEXT_NETWORKS, EncoderSpec, NetworkName, Spec, TextSpec, is_transformer, task_of
from ..models.recipe import TrainingRecipe
from .fields import Network
from .stages.pool import network_of

if TYPE_CHECKING:
    from torch import nn

IMAGES = "fashion-mnist"
TEXTS = "wordnet-glosses"
LENGTH = 32
BY_NAME = (
    *get_args(NetworkName),
    *(name for name, info in TEXT_NETWORKS.items() if info.sizes is not None),
    *ENCODERS,
)
MOST_TEXTS = 64
"""That a language model is compared on: it answers each token with its whole vocabulary."""


@dataclass(frozen=True)
class Parity:
    """How far one form of a network is from the PyTorch network.

    Attributes:
        network: its name.
        form: ``keras-twin``, or a framework's name for its float32 artifact.
        spread: standard deviation of the PyTorch network's logits, to compare the differences with.
        largest, mean: absolute difference of logits, over all examples and classes.
        agreement: fraction of examples with the same top class; of a language model, of tokens with the same next one.
    """

    network: str
    form: str
    spread: float
    largest: float
    mean: float
    agreement: float


def compare(target: Target, examples: NDArray[np.generic], folder: Path) -> Iterator[Parity]:
    """Compare the forms of a trained network on ``examples``; the artifacts are written to ``folder``."""
    from ..models.checkpoints import load_network
    from ..models.training import predict_logits

    network, transform = target.network, target.normalization
    original = predict_logits(load_network(network, target.checkpoint), examples, transform)

    def parity(form: str, logits: NDArray[np.float32]) -> Parity:
        gap = np.abs(logits.astype(np.float64) - original)
        same = float(np.mean(logits.argmax(axis=-1) == original.argmax(axis=-1)))
        return Parity(network.name, form, float(original.std()), float(gap.max()), float(gap.mean()), same)

    yield parity("keras-twin", _twin_answers(target, examples))
    for framework in COMPRESSORS:
        compressor = make_compressor(framework)
        if compressor.missing() or compressor.refusal(Setting(), network.name):
            continue
        artifact = folder / f"{network.name}{compressor.suffix}"
        compressor.compress(target, Setting(), Finetuning(), artifact, seed=0)
        yield parity(framework, compressor.predictor(artifact, transform)(examples))


def _twin_answers(target: Target, examples: NDArray[np.generic]) -> NDArray[np.float32]:
    from ..compressors.tflite.runtime import prepare
    from ..models.keras_twins import twin_of

    prepare(0)
    twin = twin_of(target.network, target.checkpoint)
    inputs = target.normalization(examples).astype(twin.inputs[0].dtype.as_numpy_dtype)
    batches = [twin(inputs[i : i + 64], training=False).numpy() for i in range(0, len(inputs), 64)]
    answers: NDArray[np.float32] = np.concatenate(batches)
    return answers


def trained(name: str, folder: Path, examples: int, epochs: int) -> tuple[Target, NDArray[np.generic]]:
    """A network trained on ``examples`` examples, with as many others to compare it on."""
    from ..models.checkpoints import save_checkpoint

    chosen = Network.model_validate({"name": name})
    text = name in TEXT_NETWORKS
    config = DataConfig(name=TEXTS, length=LENGTH, tokenizer=chosen.tokenizer) if text else DataConfig(name=IMAGES)
    pool = load_pool(config)
    transform = normalization(pool)
    order = np.random.default_rng(0).permutation(len(pool.labels))[: 2 * examples]
    ids, others = np.sort(order[:examples]), np.sort(order[examples:])
    if task_of(name) == "language-model":
        others = others[:MOST_TEXTS]
    members, rest = pool.inputs[ids], pool.inputs[others]
    if name in ENCODERS:  # to 32 px, which every encoder's stride divides
        members, rest = (np.pad(images, ((0, 0), (2, 2), (2, 2), (0, 0))) for images in (members, rest))
    data = {"classes": class_count(pool), "normalization": transform.model_dump(), "image": members.shape[1:]}
    spec = network_of({"network": chosen.model_dump()}, data)
    checkpoint = folder / f"{name}.safetensors"
    save_checkpoint(_module(spec, members, pool.labels[ids], transform, epochs), checkpoint)
    return Target(spec, checkpoint, transform, members, pool.labels[ids]), rest


def _module(
    spec: Spec, inputs: NDArray[np.generic], labels: NDArray[np.int64], transform: Transform, epochs: int
) -> nn.Module:
    from ..models.encoders.train import train_encoder
    from ..models.training import train

    if isinstance(spec, EncoderSpec):
        method = "mae" if is_transformer(spec.name) else "simclr"
        recipe = EncoderRecipe.model_validate({"method": method, "epochs": epochs, "batch_size": 32})
        return train_encoder(spec, recipe, inputs.astype(np.uint8, copy=False), transform, seed=0).module
    usual = (
        TrainingRecipe(epochs=epochs, batch_size=16, learning_rate=3e-4, optimizer="adamw")
        if isinstance(spec, TextSpec)
        else TrainingRecipe(epochs=epochs, batch_size=32, learning_rate=0.05)
    )
    return train(spec, usual, inputs, labels, transform, seed=0).module


def main() -> None:
    """Print a table, one row for each network and form."""
    parser = argparse.ArgumentParser(prog="python -m compleak.benchmarks.parity", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NETWORK", help=f"which: {', '.join(BY_NAME)}; all if none")
    parser.add_argument("--examples", type=int, default=512, help="to train on, and as many to compare on")
    parser.add_argument("--epochs", type=int, default=5, help="of training")
    arguments = parser.parse_args()
    if unknown := sorted(set(arguments.names) - set(BY_NAME)):
        parser.error(f"no network {', '.join(unknown)}; there are {', '.join(BY_NAME)}")
    if arguments.examples < 2 or arguments.epochs < 1:
        parser.error("--examples must be 2 or more, and --epochs 1 or more")
    sys.stdout.write(
        "| network | form | std of the answers | largest difference | mean difference | same class |\n"
        "| --- | --- | --- | --- | --- | --- |\n"
    )
    for name in arguments.names or BY_NAME:
        with tempfile.TemporaryDirectory() as folder:
            target, examples = trained(name, Path(folder), arguments.examples, arguments.epochs)
            for row in compare(target, examples, Path(folder)):
                sys.stdout.write(
                    f"| {row.network} | {row.form} | {row.spread:.2f} | {row.largest:.1e} | {row.mean:.1e} | "
                    f"{row.agreement:.1%} |\n"
                )
                sys.stdout.flush()


if __name__ == "__main__":
    main()
