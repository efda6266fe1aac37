"""Text networks: what the transformers library computes, from token ids alone, and where their weights come from."""

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from safetensors.torch import save
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import (
    BertConfig,
    BertModel,
    GPT2Config,
    GPT2ForSequenceClassification,
    GPT2Model,
    PreTrainedTokenizerFast,
)
from transformers.pytorch_utils import Conv1D

from compleak.models import pretrained
from compleak.models.checkpoints import load_network, save_checkpoint
from compleak.models.data import DataError
from compleak.models.data.tokenizers import load_tokenizer
from compleak.models.inputs import Tokens
from compleak.models.networks import TEXT_NETWORKS, TextSpec, build
from compleak.models.networks.gpt2 import with_linear_layers
from compleak.models.recipe import TrainingRecipe
from compleak.models.training import predict_logits, train

SIZES = {"layers": 2, "width": 16, "heads": 2, "intermediate": 32, "vocabulary": 40, "length": 10}
TOKENS = Tokens(vocabulary=40, length=10)


def spec(name, **changes):
    return TextSpec(**{"name": name, "classes": 3, **SIZES, **changes})


def texts(n=60, seed=0):
    """Three classes, told by the first token; lengths differ."""
    rng = np.random.default_rng(seed)
    ids = rng.integers(3, 40, (n, 10)).astype(np.int32)
    labels = rng.integers(0, 3, n)
    ids[:, 0] = labels + 5
    ids[np.arange(10) >= rng.integers(3, 11, (n, 1))] = 0
    return ids, labels.astype(np.int64)


def network(name, **changes):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return build(spec(name, **changes)).eval()


@pytest.mark.parametrize("name", ["bert-tiny", "gpt2-mini"])
def test_padding_changes_no_logit(name):
    ids = torch.from_numpy(TOKENS(texts(8)[0]))
    whole = network(name)(ids)
    for row, text in zip(whole, ids, strict=True):
        short = text[text != 0][None]
        torch.testing.assert_close(network(name)(short)[0], row, atol=1e-6, rtol=0)


@pytest.mark.parametrize("name", TEXT_NETWORKS)
def test_the_state_has_the_names_that_its_twins_and_tools_rely_on(name):
    state = network(name).state_dict()
    if spec(name).family == "bert":
        assert "model.bert.encoder.layer.1.attention.self.query.weight" in state
        assert state["model.classifier.weight"].shape == (3, 16)
    else:
        assert state["model.h.1.attn.c_attn.weight"].shape == (16, 48)
        last, outputs = ("head", 40) if spec(name).task == "language-model" else ("classifier", 3)
        assert state[f"{last}.weight"].shape == (outputs, 16)
        assert f"{last}.bias" not in state


def test_gpt2_classifies_as_the_librarys_own_class_does():
    ours = network("gpt2-mini")
    theirs = GPT2ForSequenceClassification(ours.model.config).eval()
    theirs.transformer.load_state_dict(ours.model.state_dict())
    theirs.num_labels, theirs.score = 3, ours.classifier
    ids = torch.from_numpy(TOKENS(texts(8)[0]))
    expected = theirs(input_ids=ids, attention_mask=(ids != 0).long()).logits
    torch.testing.assert_close(ours(ids), expected, atol=1e-6, rtol=0)


def test_linear_layers_in_the_place_of_conv1d_change_no_logit():
    ids = torch.from_numpy(TOKENS(texts(8)[0]))
    plain = network("gpt2-mini")
    expected = plain(ids)
    changed = with_linear_layers(plain)
    torch.testing.assert_close(changed(ids), expected, atol=1e-6, rtol=0)
    assert not any(isinstance(module, Conv1D) for module in changed.modules())
    assert sum(isinstance(module, torch.nn.Linear) for module in changed.modules()) == 2 * 4 + 1


@pytest.mark.parametrize("name", ["bert-tiny", "gpt2-mini"])
def test_training_learns_is_the_same_each_time_and_is_read_back(name, tmp_path):
    ids, labels = texts()
    recipe = TrainingRecipe(epochs=8, batch_size=12, learning_rate=5e-3, weight_decay=0.01, optimizer="adamw")
    one, other = (train(spec(name), recipe, ids, labels, TOKENS, seed=1).module for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), other.state_dict().values(), strict=True))
    logits = predict_logits(one, ids, TOKENS)
    assert (logits.argmax(1) == labels).mean() > 0.8
    save_checkpoint(one, tmp_path / "m.safetensors")
    assert np.array_equal(predict_logits(load_network(spec(name), tmp_path / "m.safetensors"), ids, TOKENS), logits)


def test_adamw_decays_matrices_and_spares_vectors():
    """Two steps at a rate of 1e-6 with a decay of 1e5: factors of 0.9 and, half a cosine down, 0.95."""
    ids, labels = texts(24)
    plain, decayed = (
        train(
            spec("bert-tiny"),
            TrainingRecipe(epochs=1, batch_size=12, learning_rate=1e-6, weight_decay=decay, optimizer="adamw"),
            ids, labels, TOKENS, seed=1,
        ).module.state_dict()
        for decay in (0.0, 1e5)
    )  # fmt: skip
    for name, factor in (
        ("model.classifier.weight", 0.9 * 0.95),
        ("model.bert.encoder.layer.0.output.LayerNorm.weight", 1),
    ):
        torch.testing.assert_close(decayed[name], factor * plain[name], atol=1e-5, rtol=0)


def test_texts_of_another_length_or_vocabulary_are_refused():
    ids, labels = texts(10)
    recipe = TrainingRecipe(epochs=1)
    with pytest.raises(ValueError, match="texts of length"):
        train(spec("bert-tiny", length=12), recipe, ids, labels, TOKENS, seed=0)
    with pytest.raises(ValueError, match="0 to 29"):
        Tokens(vocabulary=30, length=10)(ids)
    with pytest.raises(ValueError, match="Expected token ids"):
        TOKENS(ids.astype(np.float32))
    with pytest.raises(ValidationError, match="3 heads do not divide the width 16"):
        spec("bert-tiny", heads=3)


def test_minilm_is_cut_to_its_first_layers_and_positions(monkeypatch):
    whole = BertModel(BertConfig(vocab_size=40, hidden_size=16, num_hidden_layers=3, num_attention_heads=2,
                                 intermediate_size=32, max_position_embeddings=20))  # fmt: skip
    state = {name: tensor.contiguous() for name, tensor in whole.state_dict().items()}
    monkeypatch.setattr(pretrained, "read_members", lambda archive, cache, wanted: {"x": save(state)})
    cut = network("bert-minilm-2")
    head = cut.model.classifier.weight.detach().clone()
    pretrained.initialise(cut, spec("bert-minilm-2", weights="minilm"))
    found = cut.model.bert.state_dict()
    assert torch.equal(found["encoder.layer.1.output.dense.weight"], state["encoder.layer.1.output.dense.weight"])
    positions = "embeddings.position_embeddings.weight"
    assert torch.equal(found[positions], state[positions][:10])
    assert torch.equal(cut.model.classifier.weight, head)
    with pytest.raises(DataError, match=r"has the shape \[40, 16\], the network wants \[50, 16\]"):
        pretrained.initialise(network("bert-minilm-2", vocabulary=50), spec("bert-minilm-2", weights="minilm"))
    with pytest.raises(DataError, match="not a bert of 4 layers"):
        pretrained.initialise(network("bert-tiny", layers=4), spec("bert-tiny", layers=4, weights="minilm"))


def gpt2_folder(path):
    """A GPT-2 and its tokenizer as the hub has them: id 0 is a word, and there is no padding."""
    GPT2Model(GPT2Config(vocab_size=6, n_embd=16, n_layer=2, n_head=2, n_inner=32, n_positions=20)).save_pretrained(
        path
    )
    library = Tokenizer(
        models.WordLevel({w: i for i, w in enumerate(["a", "b", "c", "d", "e", "<u>"])}, unk_token="<u>")  # noqa: S106
    )
    library.pre_tokenizer = pre_tokenizers.Whitespace()
    PreTrainedTokenizerFast(tokenizer_object=library, unk_token="<u>").save_pretrained(path)  # noqa: S106
    return str(path)


def test_a_gpt2_from_a_folder_moves_its_words_up_and_gives_the_same_states(tmp_path):
    folder = gpt2_folder(tmp_path)
    assert pretrained.sizes(folder) == {"layers": 2, "width": 16, "heads": 2, "intermediate": 32}
    tokenizer = load_tokenizer(folder, tmp_path)
    ids = tokenizer.encode(["a b e"], 5).ids
    assert ids.tolist() == [[1, 2, 5, 0, 0]]
    own = spec("gpt2", vocabulary=tokenizer.vocabulary, length=5, weights=folder)
    ours = build(own).eval()
    pretrained.initialise(ours, own)
    theirs = GPT2Model.from_pretrained(folder).eval()
    expected = theirs(torch.tensor([[0, 1, 4]])).last_hidden_state[:, -1] @ ours.classifier.weight.T
    torch.testing.assert_close(ours(torch.from_numpy(ids.astype(np.int64))), expected, atol=1e-5, rtol=0)


def test_a_folder_without_a_network_or_a_tokenizer_is_a_data_error(tmp_path):
    for read in (pretrained.sizes, lambda name: load_tokenizer(name, tmp_path)):
        with pytest.raises(DataError, match="a hub id or folder"):
            read(str(tmp_path / "nothing"))
