"""Pre-training: on which texts, and that no text of a pool is among them."""

import numpy as np
import pytest
import torch

from compleak.models import pretraining
from compleak.models.checkpoints import load_network, save_checkpoint
from compleak.models.data import tokenizers
from compleak.models.inputs import Tokens
from compleak.models.networks import TextSpec
from compleak.models.pretraining import corpus, language_model_of, pretrain, without
from compleak.models.recipe import TrainingRecipe
from compleak.models.training import train

SIZES = {"layers": 1, "width": 8, "heads": 2, "intermediate": 16, "vocabulary": 30, "length": 6, "classes": 3}
TOKENS = Tokens(vocabulary=30, length=6)
RECIPE = TrainingRecipe(epochs=2, batch_size=8, learning_rate=1e-2, optimizer="adamw")


def spec(name="gpt2-mini-lm", **changes):
    return TextSpec(**{"name": name, **SIZES, **changes})


def texts(n, seed):
    return np.random.default_rng(seed).integers(1, 30, (n, 6)).astype(np.int32)


def test_texts_of_the_pool_are_left_out_whatever_their_type_and_order():
    ids = texts(20, 0)
    pool = np.concatenate([texts(5, 1), ids[[7, 3]]])
    np.testing.assert_array_equal(without(ids, pool.astype(np.int64)[::-1]), np.delete(ids, [3, 7], axis=0))
    np.testing.assert_array_equal(without(ids, pool[:0]), ids)
    with pytest.raises(ValueError, match="same tokenizer and length"):
        without(ids, pool[:, :5])


def test_what_is_excluded_has_no_say_in_the_weights(monkeypatch):
    """Not by its presence, and not by its content: training is handed the rest, and nothing else."""
    ids, pool = texts(30, 0), texts(12, 1)
    handed = []

    def listen(*arguments, **named):
        handed.append(arguments[2])
        return train(*arguments, **named)

    monkeypatch.setattr(pretraining, "train", listen)
    mixed = np.concatenate([ids[:10], pool, ids[10:]])
    with_pool = pretrain(spec(), RECIPE, mixed, TOKENS, excluded=pool, seed=1).module
    alone = pretrain(spec(), RECIPE, ids, TOKENS, excluded=pool[:0], seed=1).module
    for found in handed:
        np.testing.assert_array_equal(found, ids)
    for a, b in zip(with_pool.state_dict().values(), alone.state_dict().values(), strict=True):
        assert torch.equal(a, b)


def test_a_pool_of_all_texts_leaves_nothing_to_train_on():
    with pytest.raises(ValueError, match="two or more examples"):
        pretrain(spec(), RECIPE, texts(9, 0), TOKENS, excluded=texts(9, 0), seed=1)


@pytest.mark.parametrize("name", ["gpt2-mini-lm", "gpt2-mini"])
def test_its_checkpoint_is_a_language_model_and_a_start(name, tmp_path):
    path = tmp_path / "base.safetensors"
    base = pretrain(spec(name), RECIPE, texts(30, 0), TOKENS, excluded=texts(2, 3), seed=1)
    assert base.history[-1].loss < base.history[0].loss
    save_checkpoint(base.module, path)
    again = load_network(language_model_of(spec(name)), path)
    assert torch.equal(again.head.weight, base.module.head.weight)
    still = RECIPE.model_copy(update={"learning_rate": 1e-12})
    begun = train(spec(name), still, texts(8, 5), np.zeros(8, int), TOKENS, start=path, seed=2).module
    torch.testing.assert_close(begun.model.wte.weight, base.module.model.wte.weight, atol=1e-9, rtol=0)


def test_only_gpt2_is_pre_trained():
    assert language_model_of(spec("gpt2")).name == "gpt2-lm"
    assert language_model_of(spec()) == spec()
    with pytest.raises(ValueError, match="bert-tiny cannot be pre-trained"):
        language_model_of(spec("bert-tiny"))


def test_the_corpus_is_the_other_glosses_each_once(monkeypatch, tmp_path):
    glosses = ["to walk away", "of a colour", "to walk away", "", "to walk away quickly and quietly"]
    library = tokenizers.train_bpe(glosses * 5, vocabulary=300)
    tokenizer = tokenizers.TextTokenizer("bpe-wordnet", library)
    monkeypatch.setattr(pretraining, "load_tokenizer", lambda name, cache: tokenizer)
    monkeypatch.setattr(pretraining, "other_glosses", lambda cache: glosses)
    found = corpus("bpe-wordnet", 8, tmp_path)
    assert {library.decode(row[row != 0].tolist()) for row in found} == set(glosses) - {""}
    assert len(corpus("bpe-wordnet", 2, tmp_path)) < 3  # cut to their first token, some are the same
    assert (found[:, 0] == 1).all()
