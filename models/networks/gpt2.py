"""GPT-2 for sequence classification (Radford et al. 2019), of the transformers library, over token ids alone."""

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
        self.model = GPT2Model(config)
        self.model.loss_type = "ForSequenceClassification"  # tracing asks for its loss, and without one it warns
        self.classifier = nn.Linear(spec.width, spec.classes, bias=False)
        nn.init.normal_(self.classifier.weight, std=config.initializer_range)

    def forward(self, ids: Tensor) -> Tensor:
        """Map token ids, int64 [batch, length], to logits [batch, classes]."""
        real = (ids != 0).long()
        states = self.model(input_ids=ids, attention_mask=real).last_hidden_state
        last = (real.sum(dim=1) - 1).clamp(min=0)
        pooled = torch.take_along_dim(states, last[:, None, None], dim=1).squeeze(1)
        logits: Tensor = self.classifier(pooled)
        return logits


def build(spec: TextSpec) -> nn.Module:
    """Build the network of ``spec`` with random weights."""
    return Gpt2Classifier(spec)


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
