"""BERT for sequence classification (Devlin et al. 2019), of the transformers library, over token ids alone."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from transformers import BertConfig, BertForSequenceClassification

from . import TextSpec


class BertClassifier(nn.Module):
    """``BertForSequenceClassification`` that finds its padding by itself.

    Attributes:
        model: the library's network; its pooler and classifier read the first token.
    """

    def __init__(self, spec: TextSpec) -> None:
        super().__init__()
        library: Any = BertConfig  # its types leave out what every network's config takes
        config = library(
            vocab_size=spec.vocabulary,
            hidden_size=spec.width,
            num_hidden_layers=spec.layers,
            num_attention_heads=spec.heads,
            intermediate_size=spec.intermediate,
            max_position_embeddings=spec.length,
            num_labels=spec.classes,
            pad_token_id=0,
            attn_implementation="eager",  # the fused kernel cannot be written for the lite interpreter
        )
        self.model = BertForSequenceClassification(config)
        self.model.bert.loss_type = "ForSequenceClassification"  # tracing asks for its loss, and without one it warns

    def forward(self, ids: Tensor) -> Tensor:
        """Map token ids, int64 [batch, length], to logits [batch, classes]."""
        # The types are given, and whole: the library's expanded view of them cannot index an int8 table.
        types = torch.zeros_like(ids)
        logits: Tensor = self.model(input_ids=ids, attention_mask=(ids != 0).long(), token_type_ids=types).logits
        return logits


def build(spec: TextSpec) -> nn.Module:
    """Build the network of ``spec`` with random weights."""
    return BertClassifier(spec)
