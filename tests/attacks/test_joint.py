"""The empirical-Bayes model of one or many variants: what it estimates, and what it is worth."""

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr
from scipy.stats import multivariate_normal, multivariate_t, norm
from sklearn.metrics import roc_auc_score

from compleak.attacks import hierarchy
from compleak.attacks.joint import joint_prior, joint_scores
from compleak.attacks.lira import lira_scores
from compleak.attacks.observations import Observations
from compleak.attacks.references import TooFewReferencesError
from compleak.attacks.registry import make_attack

VARIANCE = np.array([[1.0, 0.6, 0.3], [0.6, 1.5, 0.2], [0.3, 0.2, 0.8]])
LIFT = np.array([0.7, 0.4, 0.9])


def simulate(models, examples, seed, *, lift=LIFT, within=VARIANCE, spread=0.3, hardness=2.0):
    """Signals of shadows in balanced halves and of a target: a hard-or-easy level, a lift, and correlated noise."""
    rng = np.random.default_rng(seed)
    k = len(lift)
    root = np.linalg.cholesky(within)
    mean = hardness * rng.normal(size=(examples, 1)) + rng.normal(size=(examples, k))
    gain = lift + spread * rng.normal(size=(examples, k))
    member = np.argsort(rng.random((models, examples)), axis=0) < models // 2
    shadows = mean + gain * member[..., None] + rng.normal(size=(models, examples, k)) @ root.T
    answer = rng.random(examples) < 0.5
    target = mean + gain * answer[:, None] + rng.normal(size=(examples, k)) @ root.T
    return target, shadows, member, answer


def in_variants(prior: hierarchy.Prior, matrix: np.ndarray) -> np.ndarray:
    """A covariance along the prior's basis, back in the variants' own units."""
    back = np.linalg.inv(prior.basis)
    return back.T @ matrix @ back


def test_prior_is_estimated_as_simulated() -> None:
    _, shadows, member, _ = simulate(8, 20_000, seed=0)
    prior = joint_prior(shadows, member)
    for side in (0, 1):
        np.testing.assert_allclose(in_variants(prior, prior.within[side]), VARIANCE, atol=0.03)
    back = np.linalg.inv(prior.basis)
    np.testing.assert_allclose((prior.mean[1] - prior.mean[0]) @ back, LIFT, atol=0.02)
    three = slice(0, 3), slice(3, 6)
    blocks = {(i, j): prior.between[three[i], three[j]] for i in (0, 1) for j in (0, 1)}
    lift_variance = blocks[1, 1] - blocks[0, 1] - blocks[1, 0] + blocks[0, 0]
    np.testing.assert_allclose(in_variants(prior, lift_variance), 0.09 * np.eye(3), atol=0.03)
    np.testing.assert_allclose(in_variants(prior, blocks[0, 0]), 4 + np.eye(3), atol=0.15)
    assert (prior.freedom > 100).all()


def test_prior_of_spreads_is_estimated_as_simulated() -> None:
    """Scales drawn from a scaled inverse χ² of 6 degrees of freedom."""
    rng = np.random.default_rng(1)
    examples, models = 20_000, 16
    scale = 6 / rng.chisquare(6, size=examples)
    member = np.arange(models)[:, None] % 2 == np.zeros((1, examples))
    shadows = 3 * rng.normal(size=examples) + member + np.sqrt(scale) * rng.normal(size=(models, examples))
    prior = joint_prior(shadows[..., None], member)
    np.testing.assert_allclose(prior.freedom, 6, rtol=0.06)
    np.testing.assert_allclose(in_variants(prior, prior.within[0]), 1, rtol=0.05)


def test_one_variant_with_shared_variance_is_the_textbook_posterior() -> None:
    """Written out for one variant, two-by-two, an example at a time; the prior's numbers alone are shared."""
    target, shadows, member, _ = simulate(6, 40, seed=2, lift=LIFT[:1], within=np.eye(1))
    prior = replace(joint_prior(shadows, member), freedom=np.full(2, np.inf))
    unit = prior.basis[0, 0]
    expected = []
    for j in range(40):
        x = shadows[:, j, 0] * unit
        groups = (x[~member[:, j]], x[member[:, j]])
        noise = np.diag([prior.within[s, 0, 0] / len(groups[s]) for s in (0, 1)])
        gain = prior.between @ np.linalg.inv(prior.between + noise)
        mean = prior.mean[:, 0] + gain @ (np.array([g.mean() for g in groups]) - prior.mean[:, 0])
        left = prior.between - gain @ prior.between
        scale = [np.sqrt(prior.within[s, 0, 0] + left[s, s]) for s in (0, 1)]
        t = target[j, 0] * unit
        expected.append(norm.logpdf(t, mean[1], scale[1]) - norm.logpdf(t, mean[0], scale[0]))
    np.testing.assert_allclose(joint_scores(target, shadows, member, prior=prior), expected, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("seed", [3, 4])
def test_one_variant_is_lira_bayes(seed) -> None:
    target, shadows, member, _ = simulate(6, 300, seed=seed, lift=LIFT[:1], within=np.eye(1))
    np.testing.assert_array_equal(
        joint_scores(target, shadows, member),
        lira_scores(target[:, 0], shadows[..., 0], member, variance="bayes"),
    )


def test_density_is_students_and_gauss() -> None:
    rng = np.random.default_rng(5)
    deviation, freedom = rng.normal(size=(4, 3)), np.array([1.5, 4.0, 50.0, np.inf])
    scale = np.broadcast_to(VARIANCE, (4, 3, 3))
    expected = [multivariate_t.logpdf(d, shape=VARIANCE, df=f) for d, f in zip(deviation[:3], freedom[:3], strict=True)]
    expected.append(multivariate_normal.logpdf(deviation[3], cov=VARIANCE))
    np.testing.assert_allclose(hierarchy._log_student(deviation, scale, freedom), expected, rtol=1e-7)


@pytest.mark.parametrize(("mode", "models"), [("online", 8), ("online", 64), ("offline", 8)])
def test_more_variants_never_cost_power(mode, models) -> None:
    """A plain Gaussian of each example loses with every variant, as the errors of its means add up."""
    target, shadows, member, answer = simulate(models, 6000, seed=6)
    auc = [roc_auc_score(answer, joint_scores(target[:, :k], shadows[..., :k], member, mode=mode)) for k in (1, 2, 3)]
    assert auc[1] > auc[0] - 0.005
    assert auc[2] > auc[1]


def test_many_shadows_reach_the_closed_form() -> None:
    """AUC = Φ(d'/√2) with d'² = δᵀ Σ⁻¹ δ, all three variants together."""
    target, shadows, member, answer = simulate(200, 8000, seed=7, spread=0.0)
    separation = np.sqrt(LIFT @ np.linalg.inv(VARIANCE) @ LIFT)
    auc = roc_auc_score(answer, joint_scores(target, shadows, member))
    assert auc == pytest.approx(norm.cdf(separation / np.sqrt(2)), abs=0.015)


@pytest.mark.parametrize("mode", ["online", "offline"])
def test_a_variant_given_twice_counts_once(mode) -> None:
    target, shadows, member, _ = simulate(6, 400, seed=8)
    twice = [0, 1, 2, 1]
    np.testing.assert_allclose(
        joint_scores(target[:, twice], shadows[..., twice], member, mode=mode),
        joint_scores(target, shadows, member, mode=mode),
        rtol=0.02,
        atol=0.02,
    )


@pytest.mark.parametrize("mode", ["online", "offline"])
def test_order_and_units_of_variants_are_immaterial(mode) -> None:
    target, shadows, member, _ = simulate(6, 300, seed=9)
    mix = np.array([2, 0, 1])
    unit = np.array([3.0, 0.5, 1.0])
    np.testing.assert_allclose(
        joint_scores((target * unit)[:, mix], (shadows * unit)[..., mix], member, mode=mode),
        joint_scores(target, shadows, member, mode=mode),
        rtol=1e-6,
        atol=1e-8,
    )


@pytest.mark.parametrize("mode", ["online", "offline"])
def test_nothing_is_found_in_nothing(mode) -> None:
    target, shadows, member, _ = simulate(8, 4000, seed=10)
    answer = np.random.default_rng(11).random(4000) < 0.5
    assert abs(roc_auc_score(answer, joint_scores(target, shadows, member, mode=mode)) - 0.5) < 0.037


def test_offline_does_not_look_at_the_examples_own_in_shadows() -> None:
    target, shadows, member, _ = simulate(6, 300, seed=12)
    prior = joint_prior(shadows, member)
    changed = np.where(member[..., None], 1e3, shadows)
    np.testing.assert_allclose(
        joint_scores(target, changed, member, mode="offline", prior=prior),
        joint_scores(target, shadows, member, mode="offline", prior=prior),
    )


def test_examples_without_a_needed_side_are_masked() -> None:
    target, shadows, member, _ = simulate(6, 300, seed=13)
    member[:, 0], member[:, 1] = True, False
    np.testing.assert_array_equal(np.flatnonzero(np.isnan(joint_scores(target, shadows, member))), [0, 1])
    offline = joint_scores(target, shadows, member, mode="offline")
    np.testing.assert_array_equal(np.flatnonzero(np.isnan(offline)), [0])


def test_one_shadow_on_either_side_tells_no_spread() -> None:
    target, shadows, member, _ = simulate(2, 300, seed=14)
    with pytest.raises(TooFewReferencesError, match="two shadows on one side"):
        joint_scores(target, shadows, member)


def test_no_example_with_both_sides_tells_no_lift() -> None:
    target, shadows, _, _ = simulate(4, 300, seed=15)
    with pytest.raises(TooFewReferencesError, match="both IN and OUT"):
        joint_scores(target, shadows, np.zeros((4, 300), dtype=bool))


@pytest.mark.parametrize("mode", ["online", "offline"])
def test_prior_is_learned_from_what_may_be_learned_from(mode, shadows, target) -> None:
    """What the shadows say of examples that are in no calibration pair moves the score of no other."""
    kept = shadows.examples[:300]
    calibration = shadows.data["calibration"] & shadows.data["example"].isin(kept)
    shadows = Observations(shadows.data.assign(calibration=calibration))
    logits = shadows.data["logits"]
    strange = Observations(shadows.data.assign(logits=logits.where(logits["example"].isin(kept), 5 * logits + 3)))
    asked = target.select(examples=kept).without_membership()
    scores = [make_attack(f"joint-{mode}-mr").fit(seen).score(asked) for seen in (shadows, strange)]
    np.testing.assert_array_equal(*scores)
    # It does where they are in one.
    strange = Observations(strange.data.assign(calibration=xr.ones_like(calibration)))
    assert not np.allclose(make_attack(f"joint-{mode}-mr").fit(strange).score(asked), scores[0], rtol=0.01)
