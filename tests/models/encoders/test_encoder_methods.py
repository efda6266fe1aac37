"""The methods' losses against closed forms and other libraries, and what moves without a gradient."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from compleak.models.encoders import dino, mae, moco, simclr
from compleak.models.encoders.method import build_method, cosine_distance, follow, follower_of, rising
from compleak.models.encoders.recipe import RECIPES, EncoderRecipe
from compleak.models.networks import EncoderSpec, build

VIT = EncoderSpec(name="vit-tiny", width=16, layers=1, image=(8, 8, 3))
RESNET = EncoderSpec(name="resnet8-encoder", width=4, image=(8, 8, 3))
SMALL = {
    "simclr": {"hidden": 8, "projection": 4},
    "moco": {"hidden": 8, "projection": 4, "queue": 6},
    "byol": {"hidden": 8, "projection": 4, "prediction_hidden": 8},
    "simsiam": {"hidden": 8, "projection": 4, "prediction_hidden": 4},
    "dino": {"hidden": 8, "projection": 4, "prototypes": 12},
    "mae": {"decoder_width": 8, "decoder_layers": 1},
}


def made(name: str, spec: EncoderSpec = VIT, **changes):
    torch.manual_seed(0)
    recipe = EncoderRecipe(method=name, epochs=2, **SMALL[name] | changes)
    return build_method(build(spec), spec, recipe).train()


def images(count: int = 4, seed: int = 1) -> torch.Tensor:
    return torch.randn(count, 3, 8, 8, generator=torch.Generator().manual_seed(seed))


# SimCLR


def test_nt_xent_of_views_that_agree_on_orthogonal_images():
    # The partner's cosine is 1, all 2 (n - 1) others' are 0: -log(e^(1/t) / (e^(1/t) + 2 (n - 1))).
    n, t = 5, 0.5
    z = torch.eye(n)
    expected = math.log(math.exp(1 / t) + 2 * (n - 1)) - 1 / t
    torch.testing.assert_close(simclr.nt_xent(z, 7 * z, temperature=t), torch.full((n,), expected))


def test_nt_xent_of_views_that_are_all_the_same():
    z = torch.ones(3, 4)
    torch.testing.assert_close(simclr.nt_xent(z, z, temperature=0.1), torch.full((3,), math.log(2 * 3 - 1)))


def test_nt_xent_worked_out_by_hand_on_the_circle():
    angles = {"a1": 0.0, "b1": 90.0, "a2": 60.0, "b2": 120.0}
    t = 0.5

    def cos(x: str, y: str) -> float:
        return math.cos(math.radians(angles[x] - angles[y]))

    def one(x: str, partner: str) -> float:
        others = [y for y in angles if y != x]
        return -math.log(math.exp(cos(x, partner) / t) / sum(math.exp(cos(x, y) / t) for y in others))

    expected = [(one("a1", "a2") + one("a2", "a1")) / 2, (one("b1", "b2") + one("b2", "b1")) / 2]
    points = {k: [math.cos(math.radians(v)), math.sin(math.radians(v))] for k, v in angles.items()}
    first, second = (torch.tensor([points[k] for k in names]) for names in (("a1", "b1"), ("a2", "b2")))
    torch.testing.assert_close(simclr.nt_xent(first, second, temperature=t), torch.tensor(expected))


@pytest.mark.parametrize("name", ["simclr", "moco", "byol"])
def test_a_projector_without_a_hidden_layer_is_one_dense_layer(name):
    projector = made(name, hidden=0).projector
    assert [type(layer) for layer in projector] == [nn.Linear]
    assert projector[0].weight.shape == (4, 16)


# MoCo


def test_info_nce_with_orthogonal_negatives():
    basis = torch.eye(6)
    losses = moco.info_nce(basis[:2], basis[:2], basis[2:], temperature=0.2)
    torch.testing.assert_close(losses, torch.full((2,), math.log(math.exp(5) + 4) - 5))


def test_the_queue_forgets_the_oldest_keys_first():
    method = made("moco")
    start, said = method.queue.clone(), []
    for step in range(2):
        method.losses(images(4, step), images(4, step + 9))
        said.append(method.keys)
        method.after_step(0.5)
        assert method.queue.shape == start.shape
    # 6 places, 4 keys a step: of the first step's keys the last two are left.
    torch.testing.assert_close(method.queue, torch.cat([said[0][2:], said[1]]))
    torch.testing.assert_close(method.queue.norm(dim=1), torch.ones(6))
    method = made("moco", queue=3)
    method.losses(images(4), images(4, 2))
    keys = method.keys
    method.after_step(0.5)
    torch.testing.assert_close(method.queue, keys[1:])


# Momentum encoders


def test_a_follower_is_an_exponential_average():
    leader = nn.Linear(2, 1, bias=False)
    follower = follower_of(leader)
    start = leader.weight.detach().clone()
    with torch.no_grad():
        leader.weight += 1
    for _ in range(10):
        follow(follower, leader, 0.9)
    torch.testing.assert_close(follower.weight, start + 1 - 0.9**10)
    assert not follower.weight.requires_grad
    assert leader.weight.requires_grad


def test_the_average_slows_to_a_stand_along_half_a_cosine():
    assert rising(0.99, 0) == pytest.approx(0.99)
    assert rising(0.99, 0.5) == pytest.approx(0.995)
    assert rising(0.99, 1) == 1


@pytest.mark.parametrize(("name", "copies"), [("moco", "key"), ("byol", "target"), ("dino", "teacher")])
def test_no_gradient_goes_into_a_momentum_encoder(name, copies):
    method = made(name)
    method.losses(images(), images(4, 2)).mean().backward()
    followers = [p for n, p in method.named_parameters() if n.startswith(copies)]
    assert followers
    assert all(p.grad is None for p in followers)
    assert all(p.grad is not None for p in method.encoder.parameters())
    before = [p.clone() for p in followers]
    with torch.no_grad():
        for parameter in method.encoder.parameters():
            parameter += 1
    method.after_step(0.0)
    keep = RECIPES[name]["ema"]
    moved = [p for p, old in zip(followers, before, strict=True) if not torch.equal(p, old)]
    assert len(moved) == sum(1 for _ in method.encoder.parameters())
    torch.testing.assert_close(moved[0], before[0] + (1 - keep), atol=1e-6, rtol=1e-4)


# BYOL and SimSiam


def test_cosine_distance_is_two_for_orthogonal_vectors_and_four_for_opposite_ones():
    p = torch.tensor([[2.0, 0.0], [0.0, 3.0], [1.0, 0.0]], requires_grad=True)
    z = torch.tensor([[0.5, 0.0], [1.0, 0.0], [-4.0, 0.0]], requires_grad=True)
    distance = cosine_distance(p, z)
    torch.testing.assert_close(distance, torch.tensor([0.0, 2.0, 4.0]))
    squared = (F.normalize(p, dim=1) - F.normalize(z, dim=1)).square().sum(dim=1)  # BYOL's equation 2
    torch.testing.assert_close(distance, squared)
    distance.sum().backward()
    assert p.grad is not None
    assert z.grad is None


@pytest.mark.parametrize(("name", "factor"), [("byol", 2), ("simsiam", 1)])
def test_what_foretells_constantly_and_orthogonally_costs_two_a_direction(name, factor):
    method = made(name)

    class Constant(nn.Module):
        def __init__(self, index: int) -> None:
            super().__init__()
            self.register_buffer("value", torch.eye(4)[index])

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.value.expand(len(x), 4)

    method.predictor = Constant(0)
    setattr(method, "target_projector" if name == "byol" else "projector", Constant(1))
    torch.testing.assert_close(method.losses(images(), images(4, 2)), torch.full((4,), 2.0 * factor))


# DINO


def test_distillation_is_cross_entropy_with_soft_targets():
    torch.manual_seed(0)
    student, teacher, centre = torch.randn(3, 5), torch.randn(3, 5), torch.randn(5)
    expected = F.cross_entropy(student / 0.1, F.softmax((teacher - centre) / 0.04, dim=1), reduction="none")
    torch.testing.assert_close(dino.distillation(student, teacher, centre, (0.1, 0.04)), expected)


def test_a_centred_teacher_that_says_the_same_of_all_says_nothing():
    outputs = torch.tensor([[3.0, 1.0, 0.0, 2.0]])
    same = dino.distillation(torch.zeros(1, 4), outputs, outputs[0], (0.1, 0.04))
    torch.testing.assert_close(same, torch.tensor([math.log(4)]))


def test_the_centre_is_an_average_of_what_the_teacher_said():
    method = made("dino")
    views = images(), images(4, 2)
    method.losses(*views)
    with torch.no_grad():
        said = torch.cat([method.teacher_head(method.teacher_encoder(view)[:, 0]) for view in views]).mean(dim=0)
    for _ in range(3):
        method.after_step(0.5)
    torch.testing.assert_close(method.centre, said * (1 - 0.9**3))
    assert not method.centre.requires_grad


def test_dino_s_head_answers_with_cosines():
    head = dino.Head(16, 8, 4, 12)
    x = torch.randn(5, 16)
    expected = F.cosine_similarity(head.layers(x)[:, None], head.prototypes.weight[None], dim=2)
    torch.testing.assert_close(head(x), expected)


# MAE


@pytest.mark.parametrize(("ratio", "kept"), [(0.75, 1), (0.5, 2), (0.25, 3), (0.9, 1)])
def test_the_encoder_sees_the_share_of_patches_that_is_not_hidden(ratio, kept):
    method = made("mae", mask_ratio=ratio)
    seen = []
    method.encoder.blocks[0].register_forward_pre_hook(lambda _, tokens: seen.append(tokens[0].shape))
    method.losses(images())
    assert seen == [(4, 1 + kept, 16)]  # of 4 patches; and the CLS token


def test_hidden_patches_alone_are_painted_and_the_shown_alone_are_seen():
    method = made("mae", mask_ratio=0.5).eval()
    kept = torch.tensor([[2, 0]])
    image = images(1)
    changed = image.clone()
    changed[:, :, :4, 4:] += 5  # patch 1, hidden
    with torch.no_grad():
        assert torch.equal(method.paint(image, kept), method.paint(changed, kept))
        changed[:, :, 4:, :4] += 5  # patch 2, shown
        assert not torch.equal(method.paint(image, kept), method.paint(changed, kept))
        torch.testing.assert_close(method.paint(image, kept), method.paint(image, kept.flip(1)))


def test_the_error_is_a_mean_over_hidden_patches():
    painted, truth = torch.zeros(1, 4, 2), torch.tensor([[[1.0, 3.0], [100.0, 100.0], [2.0, 0.0], [50.0, 50.0]]])
    hidden = torch.tensor([[1.0, 0.0, 1.0, 0.0]])
    torch.testing.assert_close(mae.masked_error(painted, truth, hidden), torch.tensor([(5.0 + 2.0) / 2]))


def test_targets_are_patches_row_by_row_each_standardised():
    image = torch.arange(8 * 12, dtype=torch.float32).view(1, 1, 8, 12)
    patch = np.arange(8 * 12).reshape(8, 12)[4:8, 8:12]
    expected = ((patch - patch.mean()) / patch.std(ddof=1)).ravel()
    np.testing.assert_allclose(mae.normalised_patches(image)[0, 5], expected, rtol=1e-5)


def test_mae_needs_a_vision_transformer():
    with pytest.raises(ValueError, match=r"MAE hides patches from a vision transformer; resnet8-encoder has none"):
        made("mae", RESNET)


# All


@pytest.mark.parametrize("name", list(RECIPES))
def test_a_loss_is_given_for_each_example_and_falls(name):
    method = made(name)
    views = [images(), images() + 0.1 * images(4, 2)][: method.views]
    optimizer = torch.optim.Adam([p for p in method.parameters() if p.requires_grad], lr=3e-3)
    history = []
    for step in range(30):
        torch.manual_seed(3)
        losses = method.losses(*views)
        assert losses.shape == (4,)
        optimizer.zero_grad()
        losses.mean().backward()
        optimizer.step()
        if name not in ("moco", "dino"):  # theirs changes what is asked for
            method.after_step(step / 30)
        history.append(losses.mean().item())
    assert history[-1] < 0.9 * history[0]
