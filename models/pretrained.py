"""Weights that a text network starts from: packaged MiniLM, a BERT or GPT-2 of the hub or a folder, or a local file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from .data.archives import read_members
from .data.pool import DataError
from .data.sources import default_cache
from .data.text_catalog import MINILM
from .networks import TextSpec

HEAD = "head.weight"
"""Name of a language model's last layer, in a network's state and in a file of pre-training."""


def initialise(network: nn.Module, spec: TextSpec, start: Path | None = None) -> None:
    """Put the weights that ``start`` holds, or else those that ``spec.weights`` names, into ``network``, in place.

    A network with fewer layers takes the first ones; one for shorter texts takes the first positions. A classifier's
    last layer stays random. A language model's is the table of embeddings, as in GPT-2 itself, unless ``start`` has
    one.

    Args:
        network: of ``spec``.
        spec: which family, and how large.
        start: a file that ``pretraining`` wrote.

    Raises:
        DataError: the weights cannot be had, or are of another shape than ``spec`` says.
    """
    if start is not None:
        given, source = _of_file(start, spec), str(start)
    elif spec.weights is not None:
        given, source = _minilm() if spec.weights == "minilm" else _of_hub(spec), spec.weights
    else:
        return
    body: Any = network.model.bert if spec.family == "bert" else network.model  # type: ignore[union-attr]
    wanted = body.state_dict()
    body.load_state_dict({name: _fitting(name, tensor, given, spec, source) for name, tensor in wanted.items()})
    if spec.task == "language-model":
        head: Any = network.head
        name = HEAD if HEAD in given else "wte.weight"
        head.load_state_dict({"weight": _fitting(name, head.weight, given, spec, source)})


def _fitting(name: str, wanted: Tensor, given: dict[str, Tensor], spec: TextSpec, source: str) -> Tensor:
    if name not in given:
        raise DataError(f"{source} has no weight {name}; it is not a {spec.family} of {spec.layers} layers.")
    found = given[name]
    if "position_embeddings" in name or name == "wpe.weight":
        found = found[: spec.length]
    if found.shape != wanted.shape:
        raise DataError(
            f"{source}: {name} has the shape {list(found.shape)}, the network wants {list(wanted.shape)}. "
            "Take the tokenizer and sizes of these weights, and texts no longer than its positions."
        )
    return found


def sizes(weights: str) -> dict[str, int]:
    """Layers, width, heads and intermediate width of the network of a hub id or folder.

    Raises:
        DataError: it cannot be read.
    """
    from transformers import AutoConfig

    try:
        config = AutoConfig.from_pretrained(weights)
    except (OSError, ValueError) as error:
        raise DataError(f"No network in {weights!r}, a hub id or folder: {error}") from error
    width = int(config.hidden_size)
    inner = getattr(config, "intermediate_size", None) or getattr(config, "n_inner", None) or 4 * width
    return {
        "layers": int(config.num_hidden_layers),
        "width": width,
        "heads": int(config.num_attention_heads),
        "intermediate": int(inner),
    }


def _minilm() -> dict[str, Tensor]:
    from safetensors.torch import load

    files = read_members(MINILM, default_cache(), lambda name: name.endswith("/model/model.safetensors"))
    (content,) = files.values()
    tensors: dict[str, Tensor] = load(content)
    return tensors


def _of_file(path: Path, spec: TextSpec) -> dict[str, Tensor]:
    try:
        state: dict[str, Tensor] = load_file(path)
    except (OSError, SafetensorError) as error:
        raise DataError(f"No weights in {path}: {error}") from error
    body = "model.bert." if spec.family == "bert" else "model."
    return {name.removeprefix(body): tensor for name, tensor in state.items() if name.startswith((body, HEAD))}


def _of_hub(spec: TextSpec) -> dict[str, Tensor]:
    from transformers import AutoTokenizer, BertModel, GPT2Model

    library: Any = {"bert": BertModel, "gpt2": GPT2Model}[spec.family]
    try:
        found = library.from_pretrained(spec.weights)
        padding = AutoTokenizer.from_pretrained(spec.weights).pad_token_id
    except (OSError, ValueError) as error:
        raise DataError(f"No weights of a {spec.family} in {spec.weights!r}, a hub id or folder: {error}") from error
    given: dict[str, Tensor] = dict(found.state_dict())
    if padding != 0:
        # Token ids were moved up by one to make room for padding at 0, which nothing ever attends to.
        name = "wte.weight" if spec.family == "gpt2" else "embeddings.word_embeddings.weight"
        given[name] = torch.cat([torch.zeros_like(given[name][:1]), given[name]])
    return given
