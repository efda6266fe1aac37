"""The Keras twins of BERT and GPT-2 compute what the transformers library computes, padding or not."""

import numpy as np
import pytest
import torch

from compleak.models.checkpoints import save_checkpoint
from compleak.models.keras_twins import TwinError, build_twin, transfer, twin_of
from compleak.models.networks import TextSpec, build

pytestmark = pytest.mark.tflite

TOLERANCE = 1e-4  # of logits, absolute
FAMILIES = ("bert-tiny", "gpt2-mini")


def spec_of(name, **sizes):
    usual = {"layers": 2, "width": 32, "heads": 4, "intermediate": 48, "vocabulary": 60, "length": 12, "classes": 5}
    return TextSpec(name=name, **(usual | sizes))


def texts(spec, n=24, seed=0):
    """Texts of every length from 1 token to no padding at all."""
    rng = np.random.default_rng(seed)
    ids = rng.integers(1, spec.vocabulary, (n, spec.length))
    lengths = 1 + np.arange(n) % spec.length
    return np.where(np.arange(spec.length) < lengths[:, None], ids, 0)


def random_network(spec, seed=0):
    """Every weight away from its default (biases from 0, gains from 1), so that a swapped or missing one shows."""
    torch.manual_seed(seed)
    network = build(spec)
    with torch.no_grad():
        for p in network.parameters():
            p.add_(0.2 * torch.randn_like(p))
    return network.eval()


def trained_network(spec, steps=60):
    """Taught to tell the first token's residue: weights that gradients have moved, and confident logits."""
    network = random_network(spec).train()
    optimizer = torch.optim.AdamW(network.parameters(), lr=3e-3)
    ids = torch.from_numpy(texts(spec, 96, seed=1))
    for _ in range(steps):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(network(ids), ids[:, 0] % spec.classes).backward()
        optimizer.step()
    return network.eval()


def torch_logits(network, ids):
    with torch.no_grad():
        return network(torch.from_numpy(ids)).numpy()


def twin_logits(twin, ids):
    return twin(ids.astype(np.int32), training=False).numpy()


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("name", FAMILIES)
def test_a_twin_of_random_weights_computes_the_same_logits(name, seed):
    spec = spec_of(name)
    network, ids = random_network(spec, seed), texts(spec, seed=seed)
    twin = build_twin(spec)
    transfer(network, twin)
    expected = torch_logits(network, ids)
    assert expected.std(axis=0).min() > 100 * TOLERANCE
    np.testing.assert_allclose(twin_logits(twin, ids), expected, rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("name", FAMILIES)
def test_a_twin_of_a_trained_checkpoint_computes_the_same_logits(name, tmp_path):
    spec = spec_of(name)
    network, ids = trained_network(spec), texts(spec, 48, seed=1)
    expected = torch_logits(network, ids)
    assert np.ptp(expected, axis=1).mean() > 2  # it has learnt something to be sure of
    save_checkpoint(network, tmp_path / "weights.safetensors")
    twin = twin_of(spec, tmp_path / "weights.safetensors")
    np.testing.assert_allclose(twin_logits(twin, ids), expected, rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize(
    "sizes",
    [
        {"layers": 1, "heads": 1, "length": 2},
        {"layers": 3, "width": 24, "heads": 3, "intermediate": 100, "length": 33, "classes": 2},
    ],
    ids=["least", "odd"],
)
@pytest.mark.parametrize("name", FAMILIES)
def test_a_twin_follows_every_size_of_its_spec(name, sizes):
    spec = spec_of(name, **sizes)
    network, ids = random_network(spec), texts(spec)
    twin = build_twin(spec)
    transfer(network, twin)
    np.testing.assert_allclose(twin_logits(twin, ids), torch_logits(network, ids), rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("name", FAMILIES)
def test_more_padding_does_not_change_the_logits(name):
    short, long = spec_of(name, length=9), spec_of(name, length=30)
    network, ids = random_network(long), texts(short)
    weights = network.state_dict()
    places = next(key for key in weights if "position_embeddings" in key or "wpe" in key)
    cut = build(short).eval()
    cut.load_state_dict({**weights, places: weights[places][: short.length]})
    logits = []
    for spec, module in ((short, cut), (long, network)):
        twin = build_twin(spec)
        transfer(module, twin)
        logits.append(twin_logits(twin, np.pad(ids, ((0, 0), (0, spec.length - short.length)))))
    np.testing.assert_allclose(logits[1], logits[0], rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", FAMILIES)
def test_what_the_padding_embeds_to_does_not_matter(name):
    spec = spec_of(name)
    twin = build_twin(spec)
    transfer(random_network(spec), twin)
    ids = texts(spec)
    before = twin_logits(twin, ids)
    table = next(layer for layer in twin.layers if layer.weights and layer.weights[0].shape == (60, 32))
    rows = table.get_weights()[0]
    rows[0] += 3.0
    table.set_weights([rows])
    np.testing.assert_allclose(twin_logits(twin, ids), before, rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", FAMILIES)
def test_each_token_matters_and_so_does_their_order(name):
    spec = spec_of(name)
    twin = build_twin(spec)
    transfer(random_network(spec), twin)
    ids = texts(spec, 12)[-1:]  # without padding
    logits = twin_logits(twin, ids)
    for place in range(spec.length):
        other = ids.copy()
        other[0, place] = other[0, place] % 59 + 1
        assert np.abs(twin_logits(twin, other) - logits).max() > 1e-4
    swapped = ids[:, [1, 0, *range(2, spec.length)]]
    assert np.abs(twin_logits(twin, swapped) - logits).max() > 1e-4


@pytest.mark.parametrize("name", FAMILIES)
def test_weights_are_in_layers_that_tfmot_knows_under_their_pytorch_names(name):
    import tf_keras

    network = build(spec_of(name))
    named = {n for n, module in network.named_modules() if module._parameters}
    holders = [layer for layer in build_twin(spec_of(name)).layers if layer.weights]
    assert {layer.name for layer in holders} == named
    plain = {tf_keras.layers.Dense, tf_keras.layers.Embedding, tf_keras.layers.LayerNormalization}
    assert {type(layer) for layer in holders} == plain


@pytest.mark.parametrize("name", FAMILIES)
def test_a_clone_computes_the_same(name):
    import tf_keras

    spec = spec_of(name)
    twin = build_twin(spec)
    transfer(random_network(spec), twin)
    clone = tf_keras.models.clone_model(twin)
    clone.set_weights(twin.get_weights())
    np.testing.assert_array_equal(twin_logits(clone, texts(spec)), twin_logits(twin, texts(spec)))


@pytest.mark.parametrize("name", FAMILIES)
def test_dropout_is_where_pytorch_has_it(name):
    import tf_keras

    layers = spec_of(name).layers
    rates = [layer.rate for layer in build_twin(spec_of(name)).layers if isinstance(layer, tf_keras.layers.Dropout)]
    # Both libraries' defaults, 0.1: embeddings; attention and two outputs in each block; BERT's classifier.
    assert rates == [0.1] * (1 + 3 * layers + (name == "bert-tiny"))


def test_a_network_of_another_depth_is_refused():
    with pytest.raises(TwinError, match=r"one side only: .*layer\.2"):
        transfer(build(spec_of("bert-tiny", layers=3)), build_twin(spec_of("bert-tiny")))


def test_an_activation_without_a_keras_form_is_named():
    from compleak.models.keras_twins.attention import activation

    with pytest.raises(ValueError, match="No Keras form of the activation 'silu'"):
        activation("silu")
