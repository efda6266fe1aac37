"""The Keras form of BERT for sequence classification (Devlin et al. 2019)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..networks import TextSpec

if TYPE_CHECKING:
    import tf_keras


def build_bert(spec: TextSpec, config: Any) -> tf_keras.Model:
    """Build it, untrained: int32 ids [batch, length], right-padded with 0, to logits.

    Every layer with weights, and every dropout, is where ``BertForSequenceClassification`` has it, and layers with
    weights bear the names of its modules.

    Args:
        spec: the input's length, and the name.
        config: of the PyTorch network: its ``BertConfig``.
    """
    import tf_keras as keras

    from . import attention as a

    k = keras.layers
    epsilon, dropout = config.layer_norm_eps, config.hidden_dropout_prob

    def add_and_norm(name: str, x: Any, residual: Any) -> Any:
        x = k.Dropout(dropout, name=f"{name}.dropout")(k.Dense(config.hidden_size, name=f"{name}.dense")(x))
        x = k.Add(name=f"{name}.add")([x, residual])
        return k.LayerNormalization(epsilon=epsilon, name=f"{name}.LayerNorm")(x)

    ids = keras.Input((spec.length,), dtype="int32", name="ids")
    table = "model.bert.embeddings"
    words = k.Embedding(config.vocab_size, config.hidden_size, name=f"{table}.word_embeddings")(
        a.Line(name="line")(ids)
    )
    types = k.Embedding(config.type_vocab_size, config.hidden_size, name=f"{table}.token_type_embeddings")(
        a.Zeros(name="types")(ids)
    )
    places = k.Embedding(config.max_position_embeddings, config.hidden_size, name=f"{table}.position_embeddings")(
        a.Positions(name="positions")(ids)
    )
    x = a.Placed(name=f"{table}.placed")([words, k.Add(name=f"{table}.places")([types, places])])
    x = k.LayerNormalization(epsilon=epsilon, name=f"{table}.LayerNorm")(x)
    x = k.Dropout(dropout, name=f"{table}.dropout")(x)
    bias = a.PaddingBias(name="padding")(ids)
    for i in range(config.num_hidden_layers):
        block = f"model.bert.encoder.layer.{i}"
        own = f"{block}.attention.self"
        query, key, value = (k.Dense(config.hidden_size, name=f"{own}.{n}")(x) for n in ("query", "key", "value"))
        scores = a.Scores(config.num_attention_heads, spec.length, name=f"{own}.scores")([query, key, bias])
        attention = k.Softmax(name=f"{own}.softmax")(scores)
        attention = k.Dropout(config.attention_probs_dropout_prob, name=f"{own}.dropout")(attention)
        x = add_and_norm(f"{block}.attention.output", a.Mix(name=f"{own}.mix")([attention, value]), x)
        wide = k.Dense(config.intermediate_size, name=f"{block}.intermediate.dense")(x)
        wide = a.activation(config.hidden_act, name=f"{block}.intermediate.activation")(wide)
        x = add_and_norm(f"{block}.output", wide, x)
    first = a.First(name="first")([x, ids])
    pooled = k.Dense(config.hidden_size, activation="tanh", name="model.bert.pooler.dense")(first)
    last_dropout = dropout if config.classifier_dropout is None else config.classifier_dropout
    pooled = k.Dropout(last_dropout, name="model.dropout")(pooled)
    return keras.Model(ids, k.Dense(spec.classes, name="model.classifier")(pooled), name=spec.name)
