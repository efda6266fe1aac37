"""GPT-2 (Radford et al. 2019) of the transformers library, over token ids alone: a classifier, and a language model."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from transformers import GPT2Config, GPT2Model
from transformers.pytorch_utils import Conv1D

from . import TextSpec


class Gpt2Classifier(nn.Module):
    """``GPT2Model`` with a linear classifier on the hidden state of the last token that is not padding.

    Attributes:
        model: the library's network.
        classifier: width to classes, without a bias, as ``GPT2ForSequenceClassification`` has it.
    """

    def __init__(self, spec: TextSpec) -> None:
        super().__init__()
        self.model = _body(spec)
        self.model.loss_type = "ForSequenceClassification"  # tracing asks for its loss, and without one it warns
        self.classifier = nn.Linear(spec.width, spec.classes, bias=False)
        nn.init.normal_(self.classifier.weight, std=self.model.config.initializer_range)

    def forward(self, ids: Tensor) -> Tensor:
        """Map token ids, int64 [batch, length], to logits [batch, classes]."""
        real = (ids != 0).long()
        states = self.model(input_ids=ids, attention_mask=real).last_hidden_state
        last = (real.sum(dim=1) - 1).clamp(min=0)
        # Not torch.take_along_dim, which would fix the batch's size when it is exported.
        pooled = torch.gather(states, 1, last[:, None, None].expand(-1, 1, states.shape[2])).squeeze(1)
        logits: Tensor = self.classifier(pooled)
        return logits


class Gpt2LanguageModel(nn.Module):
    """``GPT2Model`` with a linear layer to the vocabulary on every hidden state.

    The layer starts as the table of embeddings, as in GPT-2, and is then a weight of its own. GPT-2 shares the two;
    but a layer that is pruned, clustered or quantized is no longer the table that is spared, and a Keras model
    cannot share them. So they are two everywhere, and the original differs from its artifacts by compression only.

    Attributes:
        model: the library's network.
        head: width to vocabulary, without a bias.
    """

    def __init__(self, spec: TextSpec) -> None:
        super().__init__()
        self.model = _body(spec)
        self.model.loss_type = "ForCausalLM"  # as above
        self.head = nn.Linear(spec.width, spec.vocabulary, bias=False)
        self.head.weight = nn.Parameter(self.model.wte.weight.detach().clone())

    def forward(self, ids: Tensor) -> Tensor:
        """Map token ids, int64 [batch, length], to logits [batch, length, vocabulary], each for the token after.

        What stands at positions of padding means nothing.
        """
        states = self.model(input_ids=ids, attention_mask=(ids != 0).long()).last_hidden_state
        logits: Tensor = self.head(states)
        return logits


def build(spec: TextSpec) -> nn.Module:
    """Build the network of ``spec`` with random weights."""
    return Gpt2LanguageModel(spec) if spec.task == "language-model" else Gpt2Classifier(spec)


def _body(spec: TextSpec) -> GPT2Model:
    library: Any = GPT2Config  # its types leave out what every network's config takes
    config = library(
        vocab_size=spec.vocabulary,
        n_embd=spec.width,
        n_layer=spec.layers,
        n_head=spec.heads,
        n_inner=spec.intermediate,
        n_positions=spec.length,
        bos_token_id=None,
        eos_token_id=None,
        pad_token_id=0,
        use_cache=False,
        attn_implementation="eager",  # the fused kernel cannot be written for the lite interpreter
    )
    return GPT2Model(config)


def with_linear_layers(network: nn.Module) -> nn.Module:
    """Put ``nn.Linear`` in the place of each of the library's ``Conv1D``, in place; the output is the same.

    ``Conv1D`` keeps its weight as [inputs, outputs], and no quantization, pruning or export tool knows it.
    """
    for name, layer in list(network.named_modules()):
        if isinstance(layer, Conv1D):
            inputs, outputs = layer.weight.shape
            dense = nn.Linear(inputs, outputs)
            dense.weight = nn.Parameter(layer.weight.detach().t().contiguous())
            dense.bias = nn.Parameter(layer.bias.detach().clone())
            network.set_submodule(name, dense.train(layer.training))
    return network
