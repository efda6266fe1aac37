"""The trainer of encoders: repeatable, in evaluation mode at the end, early stops, private training."""

import math

import numpy as np
import pytest
import torch

from compleak.models.encoders.private import private_training
from compleak.models.encoders.recipe import RECIPES, EncoderRecipe
from compleak.models.encoders.train import learning_rate, train_encoder
from compleak.models.inputs import Normalization
from compleak.models.networks import EncoderSpec, build
from compleak.models.training import DivergedError

IMAGES = np.random.default_rng(0).integers(0, 256, (40, 8, 8, 3), dtype=np.uint8)
NORMALIZATION = Normalization(mean=(0.5,) * 3, std=(0.5,) * 3)
VIT = EncoderSpec(name="vit-tiny", width=8, layers=1, image=(8, 8, 3))
RESNET = EncoderSpec(name="resnet8-encoder", width=2, image=(8, 8, 3))
SMALL = {
    "simclr": {"hidden": 8, "projection": 4},
    "moco": {"hidden": 8, "projection": 4, "queue": 32},
    "byol": {"hidden": 8, "projection": 4, "prediction_hidden": 8},
    "simsiam": {"hidden": 8, "projection": 4, "prediction_hidden": 4},
    "dino": {"hidden": 8, "projection": 4, "prototypes": 12},
    "mae": {"decoder_width": 8, "decoder_layers": 1},
}


def trained(method: str, spec: EncoderSpec = VIT, *, seed: int = 0, images=IMAGES, on_epoch=None, **changes):
    recipe = EncoderRecipe(method=method, **{"epochs": 2, "batch_size": 16} | SMALL[method] | changes)
    return train_encoder(spec, recipe, images, NORMALIZATION, seed=seed, on_epoch=on_epoch)


def weights(module: torch.nn.Module) -> bytes:
    return b"".join(value.numpy().tobytes() for value in module.state_dict().values())


@pytest.mark.parametrize("method", list(RECIPES))
def test_the_same_seed_gives_the_same_bytes_and_leaves_the_random_state_alone(method):
    torch.manual_seed(5)
    before = torch.get_rng_state()
    first = trained(method)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(6)
    assert weights(trained(method).module) == weights(first.module)
    assert weights(trained(method, seed=1).module) != weights(first.module)
    assert len(first.history) == 2
    assert not first.module.training
    assert first.epsilon is None
    with torch.no_grad():
        answer = first.module(torch.zeros(3, 3, 8, 8))
    assert tuple(answer.shape) == (3, *VIT.outputs)
    assert list(first.module.state_dict()) == list(build(VIT).state_dict())


@pytest.mark.parametrize("method", [m for m in RECIPES if m != "mae"])
def test_residual_encoders_are_trained_by_all_but_mae(method):
    torch.manual_seed(0)
    out = trained(method, RESNET)
    assert int(out.module.bn.num_batches_tracked) in (4, 8)  # two views together, or one after the other
    assert np.isfinite(out.history).all()


def test_stopping_early_gives_the_checkpoint_of_the_longer_training():
    calls = []
    longer = trained("simclr", epochs=4, checkpoints=(2, 4), on_epoch=lambda *call: calls.append(call))
    stopped = trained("simclr", epochs=4, stop_epoch=2)
    assert weights(stopped.module) == weights(longer.checkpoints[2])
    assert weights(longer.checkpoints[4]) == weights(longer.module) != weights(longer.checkpoints[2])
    assert stopped.history == longer.history[:2]
    assert [call[:2] for call in calls] == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert [call[2] for call in calls] == list(longer.history)


def test_the_learning_rate_rises_and_falls():
    recipe = EncoderRecipe(method="mae", epochs=100, learning_rate=1.0, warmup_epochs=40)
    # Of 40 epochs of warm-up a tenth of all are taken: 10, here of two steps each.
    assert learning_rate(recipe, 0, 200) == pytest.approx(1 / 20)
    assert learning_rate(recipe, 19, 200) == pytest.approx(1)
    assert learning_rate(recipe, 20, 200) == pytest.approx(1)
    assert learning_rate(recipe, 110, 200) == pytest.approx(0.5)
    assert learning_rate(recipe, 199, 200) == pytest.approx((1 + math.cos(math.pi * 179 / 180)) / 2)


def test_examples_of_a_small_set_are_one_batch():
    out = trained("simclr", images=IMAGES[:6], batch_size=16)
    assert np.isfinite(out.history).all()


def test_training_by_simclr_brings_views_of_an_image_together():
    """A training that works: after it, an image's views are nearer to each other than before, beside other images'."""
    out = trained("simclr", epochs=30, learning_rate=0.1, crop_scale=(0.5, 1.0), jitter=0.2, grey=0.0)
    assert np.mean(out.history[-5:]) < 0.9 * out.history[0]


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match=r"two or more images, uint8 \[8, 8, 3\]; got uint8 \[40, 4, 4, 3\]"):
        trained("simclr", images=IMAGES[:, ::2, ::2])
    with pytest.raises(ValueError, match="got float32"):
        trained("simclr", images=IMAGES.astype(np.float32))
    with pytest.raises(ValueError, match="A queue of 64 keys holds each of these 40 images"):
        trained("moco", queue=64)
    with pytest.raises(ValueError, match="Use vit-tiny"):
        trained("mae", RESNET)


def test_divergence_is_reported():
    with pytest.raises(DivergedError, match=r"by simclr diverged in epoch \d of 2"):
        trained("simclr", RESNET, learning_rate=1e30)


# Private training; opacus hooks layers whose inputs need no gradient, which PyTorch remarks on.

pytestmark = pytest.mark.filterwarnings("ignore:Full backward hook is firing")
PRIVATE = {"epsilon": 8.0, "delta": 1e-3}


def test_private_training_spends_what_it_was_given_and_can_be_repeated():
    pytest.importorskip("opacus")
    out = trained("mae", batch_size=32, epochs=3, dp=PRIVATE)
    assert 0.9 * 8 < out.epsilon <= 8
    assert weights(trained("mae", batch_size=32, epochs=3, dp=PRIVATE).module) == weights(out.module)
    early = trained("mae", batch_size=32, epochs=3, dp={"noise_multiplier": 1.0, "delta": 1e-3}, stop_epoch=1)
    late = trained("mae", batch_size=32, epochs=3, dp={"noise_multiplier": 1.0, "delta": 1e-3})
    assert 0 < early.epsilon < late.epsilon


def test_each_example_s_gradient_is_clipped_before_they_are_summed():
    pytest.importorskip("opacus")
    from compleak.models.encoders.method import build_method

    recipe = EncoderRecipe(
        method="mae", epochs=1, batch_size=32, dp={"noise_multiplier": 1e-12, "max_grad_norm": 0.5, "delta": 1e-3},
        **SMALL["mae"],
    )  # fmt: skip
    torch.manual_seed(0)
    method = build_method(build(VIT), VIT, recipe).train()
    parameters = [p for p in method.parameters() if p.requires_grad]
    images = torch.randn(5, 3, 8, 8)
    kept = torch.tensor([[0], [1], [2], [3], [0]])
    hidden = 1 - torch.nn.functional.one_hot(kept[:, 0], 4).float()

    def losses(rows: slice) -> torch.Tensor:
        from compleak.models.encoders.mae import masked_error, normalised_patches

        return masked_error(method.paint(images[rows], kept[rows]), normalised_patches(images[rows]), hidden[rows])

    expected = [torch.zeros_like(p) for p in parameters]
    for i in range(5):
        one = torch.autograd.grad(losses(slice(i, i + 1)).sum(), parameters)
        norm = torch.sqrt(sum(g.square().sum() for g in one))
        assert norm > 0.5
        for total, g in zip(expected, one, strict=True):
            total += g * 0.5 / norm / 32
    private = private_training(method, torch.optim.SGD(method.parameters(), lr=1.0), recipe, examples=64, batch_size=32)
    before = [p.detach().clone() for p in parameters]
    private.optimizer.zero_grad()
    losses(slice(None)).mean().backward()
    private.optimizer.step()
    for old, new, step in zip(before, parameters, expected, strict=True):
        torch.testing.assert_close(old - new, step, atol=1e-6, rtol=1e-3)


def test_private_training_of_too_few_examples_is_refused():
    with pytest.raises(ValueError, match=r"batches of 32 or more and a delta below 1 / 40; got batches of 16"):
        trained("mae", dp=PRIVATE)
    with pytest.raises(ValueError, match=r"a delta of 0\.1"):
        trained("mae", batch_size=32, dp={"epsilon": 8, "delta": 0.1})
