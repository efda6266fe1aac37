"""The Keras form of GPT-2 (Radford et al. 2019): with a classifier on the last token, and as a language model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..networks import TextSpec

if TYPE_CHECKING:
    import tf_keras


def build_gpt2(spec: TextSpec, config: Any) -> tf_keras.Model:
    """Build it, untrained: int32 ids [batch, length], right-padded with 0, to logits.

    Every layer with weights, and every dropout, is where ``GPT2Model`` has it, and layers with weights bear the
    names of its modules.

    Args:
        spec: the input's length, and the name.
        config: of the PyTorch network: its ``GPT2Config``.
    """
    import tf_keras as keras

    from . import attention as a

    k = keras.layers
    width = config.n_embd

    def norm(name: str, x: Any) -> Any:
        return k.LayerNormalization(epsilon=config.layer_norm_epsilon, name=name)(x)

    def add(name: str, x: Any, residual: Any) -> Any:
        x = k.Dropout(config.resid_pdrop, name=f"{name}.dropout")(k.Dense(width, name=f"{name}.c_proj")(x))
        return k.Add(name=f"{name}.add")([x, residual])

    ids = keras.Input((spec.length,), dtype="int32", name="ids")
    words = k.Embedding(config.vocab_size, width, name="model.wte")(a.Line(name="line")(ids))
    places = k.Embedding(config.n_positions, width, name="model.wpe")(a.Positions(name="positions")(ids))
    x = k.Dropout(config.embd_pdrop, name="model.drop")(a.Placed(name="model.placed")([words, places]))
    language_model = spec.task == "language-model"
    bias = a.CausalPaddingBias(name="causal")(ids) if language_model else a.CausalBias(name="causal")(ids)
    for i in range(config.n_layer):
        block = f"model.h.{i}"
        own = f"{block}.attn"
        packed = k.Dense(3 * width, name=f"{own}.c_attn")(norm(f"{block}.ln_1", x))
        query, key, value = (a.Third(p, name=f"{own}.{n}")(packed) for p, n in enumerate(("query", "key", "value")))
        scores = a.Scores(config.n_head, spec.length, name=f"{own}.scores")([query, key, bias])
        attention = k.Softmax(name=f"{own}.softmax")(scores)
        attention = k.Dropout(config.attn_pdrop, name=f"{own}.attn_dropout")(attention)
        x = add(own, a.Mix(name=f"{own}.mix")([attention, value]), x)
        wide = k.Dense(config.n_inner or 4 * width, name=f"{block}.mlp.c_fc")(norm(f"{block}.ln_2", x))
        wide = a.activation(config.activation_function, name=f"{block}.mlp.activation")(wide)
        x = add(f"{block}.mlp", wide, x)
    states = norm("model.ln_f", x)
    if language_model:
        logits = a.ByExample(spec.length, name="logits")(k.Dense(spec.vocabulary, use_bias=False, name="head")(states))
    else:
        logits = k.Dense(spec.classes, use_bias=False, name="classifier")(a.Last(name="last")([states, ids]))
    return keras.Model(ids, logits, name=spec.name)
