"""Weights that a text network starts from: the packaged MiniLM, or any BERT or GPT-2 of the hub or a folder."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from .data.archives import read_members
from .data.pool import DataError
from .data.sources import default_cache
from .data.text_catalog import MINILM
from .networks import TextSpec


def initialise(network: nn.Module, spec: TextSpec) -> None:
    """Put the weights that ``spec.weights`` names into ``network``, in place; its classifier stays random.

    A network with fewer layers takes the first ones; one for shorter texts takes the first positions.

    Raises:
        DataError: the weights cannot be had, or are of another shape than ``spec`` says.
    """
    if spec.weights is None:
        return
    given = _minilm() if spec.weights == "minilm" else _of_hub(spec)
    body: Any = network.model.bert if spec.family == "bert" else network.model  # type: ignore[union-attr]
    wanted = body.state_dict()
    chosen = {}
    for name, tensor in wanted.items():
        if name not in given:
            raise DataError(f"{spec.weights} has no weight {name}; it is not a {spec.family} of {spec.layers} layers.")
        source = given[name]
        if "position_embeddings" in name or name == "wpe.weight":
            source = source[: spec.length]
        if source.shape != tensor.shape:
            raise DataError(
                f"{spec.weights}: {name} has the shape {list(source.shape)}, the network wants {list(tensor.shape)}. "
                "Take the tokenizer and sizes of these weights, and texts no longer than its positions."
            )
        chosen[name] = source
    body.load_state_dict(chosen)


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
