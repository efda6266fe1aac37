"""GPT-2 as a language model: its logits, its loss, its training, and where it starts."""

import numpy as np
import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel

from compleak.models import pretrained
from compleak.models.checkpoints import save_checkpoint
from compleak.models.data import DataError
from compleak.models.inputs import Tokens
from compleak.models.likelihood import token_log_likelihoods
from compleak.models.networks import NetworkSpec, TextSpec, build
from compleak.models.networks.gpt2 import with_linear_layers
from compleak.models.objectives import next_token
from compleak.models.recipe import TrainingRecipe
from compleak.models.training import accuracy, predict_logits, train

SIZES = {"layers": 2, "width": 16, "heads": 2, "intermediate": 32, "vocabulary": 40, "length": 10, "classes": 3}
TOKENS = Tokens(vocabulary=40, length=10)
RECIPE = TrainingRecipe(epochs=2, batch_size=12, learning_rate=5e-3, weight_decay=0.01, optimizer="adamw")


def spec(name="gpt2-mini-lm", **changes):
    return TextSpec(**{"name": name, **SIZES, **changes})


def texts(n=60, seed=0):
    """Each token is followed by the next higher one; they begin anywhere and have 1 to 10 tokens."""
    rng = np.random.default_rng(seed)
    ids = (rng.integers(0, 39, (n, 1)) + np.arange(10)) % 39 + 1
    ids[np.arange(10) >= rng.integers(1, 11, (n, 1))] = 0
    return ids.astype(np.int32), np.full(n, -7)


def network(name="gpt2-mini-lm", **changes):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return build(spec(name, **changes)).eval()


def torch_ids(n=8):
    return torch.from_numpy(TOKENS(texts(n)[0]))


def test_it_is_the_librarys_language_model():
    """Whose last layer is its table of embeddings, as ours is before training."""
    ours = network()
    theirs = GPT2LMHeadModel(ours.model.config).eval()
    theirs.transformer.load_state_dict(ours.model.state_dict())
    theirs.tie_weights()
    ids = torch_ids()
    logits = ours(ids)
    assert logits.shape == (8, *spec().outputs)
    expected = theirs(input_ids=ids, attention_mask=(ids != 0).long()).logits
    torch.testing.assert_close(logits, expected, atol=1e-5, rtol=0)


def test_a_token_changes_no_logit_before_it_and_padding_changes_none():
    ids = torch_ids()
    ids[:, :6] = ids[:, :6].clamp(min=1)
    whole = network()(ids)
    other = ids.clone()
    other[:, 5] = 39 - other[:, 5] // 2
    torch.testing.assert_close(network()(other)[:, :5], whole[:, :5], atol=1e-6, rtol=0)
    assert (network()(other)[:, 5] - whole[:, 5]).abs().max() > 1e-3
    torch.testing.assert_close(network()(ids[:, :6]), whole[:, :6], atol=1e-6, rtol=0)


def test_it_is_traced_with_linear_layers():
    ids = torch_ids()
    plain = network()
    expected = plain(ids)
    changed = with_linear_layers(plain).requires_grad_(False)
    assert sum(isinstance(layer, torch.nn.Linear) for layer in changed.modules()) == 2 * 4 + 1
    traced = torch.jit.trace(changed, torch.zeros(2, 10, dtype=torch.long), check_trace=False)
    torch.testing.assert_close(traced(ids), expected, atol=1e-6, rtol=0)


def test_the_last_layer_is_a_weight_of_its_own():
    """Else pruning the one would prune the other, which is to be spared."""
    own = network()
    before = own.model.wte.weight.clone()
    own.head.weight.data.zero_()
    assert torch.equal(own.model.wte.weight, before)


def test_token_log_likelihoods_by_hand():
    """Choices are ids 1 to 3: padding, whatever its logit, is none. Softmax of (0, ln 2, ln 5) is 1/8, 2/8, 5/8."""
    odds = np.log([[[1e30, 1, 2, 5], [1e-30, 6, 1, 3], [1, 1, 1, 1]]] * 2)
    found = token_log_likelihoods(odds, np.array([[1, 3, 1], [2, 2, 0]]))
    np.testing.assert_allclose(found, np.log([[5 / 8, 6 / 10], [2 / 8, np.nan]]), rtol=1e-6)
    assert found.dtype == np.float32


def test_token_log_likelihoods_are_pytorchs():
    rng = np.random.default_rng(0)
    for scale in (1, 30, 1000):
        logits = (scale * rng.normal(size=(5, 10, 40))).astype(np.float32)
        ids = texts(5, seed=1)[0]
        found = token_log_likelihoods(logits, ids)
        choices = torch.from_numpy(logits[:, :-1, 1:]).double().reshape(-1, 39)
        wanted = torch.from_numpy(ids[:, 1:].astype(np.int64) - 1).reshape(-1)
        expected = -torch.nn.functional.cross_entropy(choices, wanted, reduction="none", ignore_index=-1)
        expected = np.where(ids[:, 1:] == 0, np.nan, expected.reshape(5, 9).numpy())
        np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6)
        np.testing.assert_array_equal(token_log_likelihoods(logits[2:3], ids[2:3]), found[2:3])


@pytest.mark.parametrize("garbage", [np.nan, np.inf, 1e38])
def test_logits_at_padding_are_not_looked_at_and_others_must_be_finite(garbage):
    logits = np.zeros((1, 4, 5), dtype=np.float32)
    logits[:, 2:] = garbage
    np.testing.assert_allclose(
        token_log_likelihoods(logits, np.array([[1, 2, 3, 0]])), [[np.log(1 / 4), np.log(1 / 4), np.nan]], rtol=1e-6
    )
    if not np.isfinite(garbage):
        with pytest.raises(ValueError, match="diverged"):
            token_log_likelihoods(logits, np.array([[1, 2, 3, 4]]))


def test_texts_of_one_token_have_none_to_judge():
    assert np.isnan(token_log_likelihoods(np.zeros((2, 3, 5)), np.array([[1, 0, 0], [0, 0, 0]]))).all()
    assert token_log_likelihoods(np.zeros((0, 3, 5)), np.zeros((0, 3), dtype=int)).shape == (0, 2)


@pytest.mark.parametrize(
    ("logits", "ids", "message"),
    [
        ((1, 3, 5), [[1, 2]], "integer ids"),
        ((1, 3, 5), [[1, 2, 5]], "0 to 4"),
        ((1, 3, 5), [[1, 0, 2]], "padding before a token"),
        ((1, 3, 5), [[1.0, 2.0, 3.0]], "float64"),
    ],
)
def test_ids_that_do_not_fit_are_refused(logits, ids, message):
    with pytest.raises(ValueError, match=message):
        token_log_likelihoods(np.zeros(logits), np.array(ids))


def test_the_loss_is_minus_the_mean_log_likelihood_of_all_tokens():
    ids = torch_ids(12)
    logits = network()(ids) * 20
    found = next_token(logits, ids, torch.zeros(12))
    tokens = token_log_likelihoods(logits.detach().numpy(), ids.numpy())
    assert found.counted == np.isfinite(tokens).sum() == (ids[:, 1:] != 0).sum()
    assert found.loss.item() == pytest.approx(-np.nanmean(tokens.astype(np.float64)), rel=1e-5)
    best = logits[:, :-1, 1:].argmax(2) + 1
    assert found.right == ((best == ids[:, 1:]) & (ids[:, 1:] != 0)).sum()


def test_a_batch_without_a_token_to_foretell_has_no_loss():
    ids = torch.tensor([[3, 0, 0], [4, 0, 0]])
    logits = torch.randn(2, 3, 9, requires_grad=True)
    found = next_token(logits, ids, torch.zeros(2))
    found.loss.backward()
    assert found.loss == found.counted == 0
    assert not logits.grad.any()


def test_training_learns_is_the_same_each_time_and_looks_at_no_label():
    ids, labels = texts(200)
    recipe = RECIPE.model_copy(update={"epochs": 12})
    dev = texts(40, seed=1)
    one = train(spec(), recipe, ids, labels, TOKENS, dev=dev, seed=1)
    other = train(spec(), recipe, ids, labels + 1, TOKENS, seed=1)
    states = (model.module.state_dict().values() for model in (one, other))
    assert all(torch.equal(a, b) for a, b in zip(*states, strict=True))
    assert one.history[0].loss > 2 > 1 > one.history[-1].loss
    assert one.history[-1].accuracy > 0.9
    logits = predict_logits(one.module, dev[0], TOKENS)
    real = dev[0][:, 1:] != 0
    right = (logits[:, :-1, 1:].argmax(2) + 1 == dev[0][:, 1:])[real]
    assert one.dev_accuracy == right.mean() > 0.9
    assert accuracy(one.module, spec(), dev[0], dev[1], TOKENS, batch_size=7) == one.dev_accuracy
    assert other.dev_accuracy is None


def test_training_on_texts_of_one_token_changes_no_number_to_nan():
    ids = np.zeros((6, 10), dtype=np.int32)
    ids[:, 0] = 3
    trained = train(spec(), RECIPE, ids, np.zeros(6, int), TOKENS, dev=(ids, np.zeros(6, int)), seed=1)
    assert trained.history[-1].loss == trained.history[-1].accuracy == trained.dev_accuracy == 0
    assert all(torch.isfinite(weight).all() for weight in trained.module.parameters())


def test_a_hubs_gpt2_gives_the_same_likelihoods_as_there(tmp_path):
    """It has no padding, and its ids move up by one; the new padding's logit is 0, which would be a likely word."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    torch.manual_seed(3)
    theirs = GPT2LMHeadModel(
        GPT2Config(vocab_size=6, n_embd=16, n_layer=2, n_head=2, n_inner=32, n_positions=20, initializer_range=0.5)
    ).eval()
    theirs.save_pretrained(tmp_path)
    library = Tokenizer(models.WordLevel({w: i for i, w in enumerate("abcdef")}))
    library.pre_tokenizer = pre_tokenizers.Whitespace()
    PreTrainedTokenizerFast(tokenizer_object=library).save_pretrained(tmp_path)
    own = spec("gpt2-lm", vocabulary=7, length=5, weights=str(tmp_path))
    ours = build(own).eval()
    pretrained.initialise(ours, own)
    ids = torch.tensor([[0, 3, 5, 1]])
    expected = torch.log_softmax(theirs(ids).logits[:, :-1], 2).gather(2, ids[:, 1:, None])[..., 0].detach().numpy()
    moved = np.array([[1, 4, 6, 2, 0]])
    found = token_log_likelihoods(ours(torch.from_numpy(moved)).detach().numpy(), moved)
    np.testing.assert_allclose(found[:, :3], expected, atol=1e-5)


def test_a_language_model_starts_from_a_file_and_so_does_a_classifier(tmp_path):
    base = network(layers=3)
    base.head.weight.data += 1
    save_checkpoint(base, tmp_path / "base.safetensors")
    own = network(length=6)
    pretrained.initialise(own, spec(length=6), tmp_path / "base.safetensors")
    assert torch.equal(own.head.weight, base.head.weight)
    assert torch.equal(own.model.wpe.weight, base.model.wpe.weight[:6])
    assert torch.equal(own.model.h[1].mlp.c_fc.weight, base.model.h[1].mlp.c_fc.weight)
    classifier = network("gpt2-mini")
    last = classifier.classifier.weight.detach().clone()
    pretrained.initialise(classifier, spec("gpt2-mini"), tmp_path / "base.safetensors")
    assert torch.equal(classifier.model.wte.weight, base.model.wte.weight)
    assert torch.equal(classifier.classifier.weight, last)


def test_training_begins_where_the_file_says(tmp_path):
    ids, labels = texts(24)
    base = train(spec(), RECIPE.model_copy(update={"epochs": 10}), ids, labels, TOKENS, seed=5).module
    save_checkpoint(base, tmp_path / "base.safetensors")
    still = RECIPE.model_copy(update={"epochs": 1, "learning_rate": 1e-12})
    found = train(spec(), still, ids, labels, TOKENS, start=tmp_path / "base.safetensors", seed=1).module
    for a, b in zip(found.state_dict().values(), base.state_dict().values(), strict=True):
        torch.testing.assert_close(a, b, atol=1e-9, rtol=0)


def test_a_start_that_does_not_fit_is_refused(tmp_path):
    save_checkpoint(network(), tmp_path / "base.safetensors")
    with pytest.raises(DataError, match=r"wte.weight has the shape \[40, 16\], the network wants \[50, 16\]"):
        pretrained.initialise(network(vocabulary=50), spec(vocabulary=50), tmp_path / "base.safetensors")
    with pytest.raises(DataError, match="not a gpt2 of 5 layers"):
        pretrained.initialise(network(layers=5), spec(layers=5), tmp_path / "base.safetensors")
    for content in (None, b"nothing"):
        path = tmp_path / f"bad-{content is None}.safetensors"
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(DataError, match="No weights in"):
            pretrained.initialise(network(), spec(), path)
    image = NetworkSpec(name="resnet8", width=4, image=(12, 12, 1), classes=2)
    with pytest.raises(ValueError, match="only text networks start from a file"):
        train(
            image, RECIPE, np.zeros((4, 12, 12, 1), np.uint8), np.zeros(4, int), TOKENS,
            start=tmp_path / "base.safetensors", seed=0,
        )  # fmt: skip
