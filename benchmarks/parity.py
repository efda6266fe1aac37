"""``python -m compleak.benchmarks.parity``: do a network's logits survive the way into each framework's float32 file?

Every network is trained a little on real data, and its logits on the same examples are compared with those of its
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
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from ..compressors.protocol import Finetuning, Target
from ..compressors.registry import COMPRESSORS, make_compressor
from ..compressors.settings import Setting
from ..models.data import DataConfig, class_count, load_pool, normalization
from ..models.networks import TEXT_NETWORKS, NetworkName
from ..models.recipe import TrainingRecipe
from .schema import Network
from .stages.pool import network_of

IMAGES = "fashion-mnist"
TEXTS = "wordnet-glosses"
LENGTH = 32
BY_NAME = (*get_args(NetworkName), *(name for name, info in TEXT_NETWORKS.items() if info.sizes is not None))


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

    yield parity("keras-twin", _twin_logits(target, examples))
    for framework in COMPRESSORS:
        compressor = make_compressor(framework)
        if compressor.refusal(Setting(), network.name) is not None:
            continue
        artifact = folder / f"{network.name}{compressor.suffix}"
        compressor.compress(target, Setting(), Finetuning(), artifact, seed=0)
        yield parity(framework, compressor.predictor(artifact, transform)(examples))


def _twin_logits(target: Target, examples: NDArray[np.generic]) -> NDArray[np.float32]:
    from ..compressors.tflite.runtime import prepare
    from ..models.keras_twins import twin_of

    prepare(0)
    twin = twin_of(target.network, target.checkpoint)
    inputs = target.normalization(examples).astype(twin.inputs[0].dtype.as_numpy_dtype)
    batches = [twin(inputs[i : i + 64], training=False).numpy() for i in range(0, len(inputs), 64)]
    logits: NDArray[np.float32] = np.concatenate(batches)
    return logits


def trained(name: str, folder: Path, examples: int, epochs: int) -> tuple[Target, NDArray[np.generic]]:
    """A network trained on ``examples`` examples, with as many others to compare it on."""
    from ..models.checkpoints import save_checkpoint
    from ..models.training import train

    chosen = Network.model_validate({"name": name})
    text = name in TEXT_NETWORKS
    config = DataConfig(name=TEXTS, length=LENGTH, tokenizer=chosen.tokenizer) if text else DataConfig(name=IMAGES)
    pool = load_pool(config)
    transform = normalization(pool)
    data = {"classes": class_count(pool), "normalization": transform.model_dump(), "image": pool.inputs.shape[1:]}
    spec = network_of({"network": chosen.model_dump()}, data)
    order = np.random.default_rng(0).permutation(len(pool.labels))[: 2 * examples]
    ids, others = np.sort(order[:examples]), np.sort(order[examples:])
    recipe = (
        TrainingRecipe(epochs=epochs, batch_size=16, learning_rate=3e-4, optimizer="adamw")
        if text
        else TrainingRecipe(epochs=epochs, batch_size=32, learning_rate=0.05)
    )
    module = train(spec, recipe, pool.inputs[ids], pool.labels[ids], transform, seed=0).module
    checkpoint = folder / f"{name}.safetensors"
    save_checkpoint(module, checkpoint)
    return Target(spec, checkpoint, transform, pool.inputs[ids], pool.labels[ids]), pool.inputs[others]


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
        "| network | form | std of the logits | largest difference | mean difference | same class |\n"
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
