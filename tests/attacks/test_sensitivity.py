"""The noisy queries: their formula against a closed form, and the same noise for everybody."""

from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import expit

from compleak.attacks.observations import ObservationError, Observations
from compleak.attacks.sensitivity import EPSILON, noise, sensitivity

RNG = np.random.default_rng(0)
INPUTS = RNG.integers(0, 256, (20, 4, 4, 1)).astype(np.uint8)
IDS = 500 + RNG.permutation(20)


def normalize(inputs: np.ndarray) -> np.ndarray:
    return (inputs.astype(np.float32) / 255 - np.float32(0.5)) / np.float32(0.25)


def linear(weights: np.ndarray) -> object:
    """Logits (w·x, 0), so that p is a sigmoid."""

    def query(normalized: np.ndarray) -> np.ndarray:
        margin = normalized.reshape(len(normalized), -1).astype(np.float64) @ weights
        return np.stack([margin, np.zeros_like(margin)], axis=1)

    return query


def measured(query: object, rows: np.ndarray | slice = slice(None), queries: int = 10, seed: int = 3) -> np.ndarray:
    logits = query(normalize(INPUTS[rows]))
    return sensitivity(query, normalize, INPUTS[rows], IDS[rows], logits, queries=queries, seed=seed)


def test_a_linear_model_is_as_sensitive_as_theory_says() -> None:
    """Noise moves w·x by ε‖w‖ z, z standard normal, and p by p(1 − p) times that; E|z| = √(2/π)."""
    weights = np.random.default_rng(1).normal(size=16) / 4
    p = expit(normalize(INPUTS).reshape(20, -1).astype(np.float64) @ weights)
    expected = p * (1 - p) * np.linalg.norm(weights) * np.sqrt(2 / np.pi)
    got = measured(linear(weights), queries=4000)
    # |z| has a coefficient of variation of √(π/2 − 1) = 0.756; five standard errors of the mean of 4,000.
    assert_allclose(got[:, 0], expected, rtol=5 * 0.756 / np.sqrt(4000))
    assert_allclose(got[:, 0], got[:, 1], rtol=1e-5)


def test_a_model_that_looks_at_nothing_is_not_sensitive() -> None:
    assert_array_equal(measured(linear(np.zeros(16))), np.zeros((20, 2)))


def test_ten_queries_by_hand() -> None:
    weights = np.arange(16) / 10
    query = linear(weights)
    x = normalize(INPUTS[:1])
    moved = [x + np.float32(EPSILON) * u for u in noise(IDS[:1], (4, 4, 1), 10, 3)[0]]
    p = expit(float(query(x)[0, 0]))
    expected = np.mean([abs(expit(float(query(m)[0, 0])) - p) for m in moved]) / 1e-3
    assert measured(query, slice(0, 1))[0, 0] == pytest.approx(expected, rel=1e-5)


def test_every_model_gets_the_same_questions() -> None:
    """Noise is of the example: not of the model, its training set, or who else is asked."""
    asked: list[list[np.ndarray]] = [[], []]
    for model, questions in enumerate(asked):

        def query(normalized: np.ndarray, model: int = model, questions: list[np.ndarray] = questions) -> np.ndarray:
            questions.append(normalized)
            return np.full((len(normalized), 2), model)

        sensitivity(query, normalize, INPUTS, IDS, np.zeros((20, 2)), queries=10, seed=3)
    assert_array_equal(asked[0], asked[1])
    off = np.concatenate(asked[0]) - normalize(INPUTS).repeat(10, axis=0)
    assert off.std() == pytest.approx(1e-3, rel=0.06)  # five standard errors of 3,200 draws
    assert len(np.unique(off[:, 0, 0, 0])) > 190


def test_an_examples_sensitivity_does_not_depend_on_its_company() -> None:
    query = linear(np.arange(16) / 10)
    every = measured(query)
    rows = np.array([7, 2, 11])
    assert_array_equal(measured(query, rows), every[rows])
    assert not np.allclose(measured(query, seed=4), every)


def test_more_examples_than_fit_at_once_are_cut_nowhere() -> None:
    inputs = RNG.integers(0, 256, (300, 2, 2, 1)).astype(np.uint8)
    query = linear(np.ones(4))
    args = (inputs, np.arange(300), query(normalize(inputs)))
    whole = sensitivity(query, normalize, *args, queries=2, seed=0)
    for rows in (slice(0, 128), slice(120, 300)):
        assert_array_equal(sensitivity(query, normalize, *(a[rows] for a in args), queries=2, seed=0), whole[rows])


@pytest.mark.parametrize(("logits", "queries"), [(np.zeros((19, 2)), 10), (np.zeros((20, 2)), 0)])
def test_what_does_not_fit_is_an_error(logits: np.ndarray, queries: int) -> None:
    with pytest.raises(ValueError, match="at least one query; got 20 inputs"):
        sensitivity(linear(np.ones(16)), normalize, INPUTS, IDS, logits, queries=queries, seed=0)


def test_a_diverged_answer_is_an_error() -> None:
    with pytest.raises(FloatingPointError, match="400 logits"):
        sensitivity(
            lambda x: np.full((len(x), 2), np.nan), normalize, INPUTS, IDS, np.zeros((20, 2)), queries=10, seed=0
        )


def test_observations_carry_it_through_everything(target: Observations, tmp_path: Path) -> None:
    data = target.data["sensitivity"]
    assert target.sensitivity is not None
    assert target.sensitivity.dtype == np.float64
    chosen = target.examples[[5, 3]]
    part = target.select(variants=["b", "original"], examples=chosen)
    assert_array_equal(part.data["sensitivity"], data.sel(variant=["b", "original"], example=chosen))
    assert part.without_membership().sensitivity is not None
    copies = target.copies_of_original(2, keep=False).data["sensitivity"]
    assert_array_equal(copies.sel(variant="copy-2"), data.sel(variant="original"))
    target.save(tmp_path / "o.zarr")
    opened = Observations.open(tmp_path / "o.zarr")
    assert_array_equal(opened.sensitivity, target.sensitivity)
    assert opened.data["sensitivity"].dtype == np.float32


def test_records_are_lined_up_with_it(shadows: Observations, target: Observations) -> None:
    """Put the logits themselves in its place, and they must come out as one."""
    echo = Observations(shadows.data.assign(sensitivity=shadows.data["logits"])).calibration_records()
    assert_array_equal(echo.sensitivity, echo.logits)
    echo = Observations(target.data.assign(sensitivity=target.data["logits"])).target_records()
    assert_array_equal(echo.sensitivity, echo.logits)


def test_it_is_absent_where_nobody_asked(target: Observations, tmp_path: Path) -> None:
    without = Observations(target.data.drop_vars("sensitivity"))
    assert without.sensitivity is None
    assert without.target_records().sensitivity is None
    without.save(tmp_path / "o.zarr")
    assert Observations.open(tmp_path / "o.zarr").sensitivity is None


def test_one_that_is_not_finite_or_of_another_shape_is_refused(target: Observations) -> None:
    def remade(sensitivity: np.ndarray) -> Observations:
        return Observations.from_arrays(
            target.logits,
            target.labels,
            models=target.models,
            variants=target.variants,
            examples=target.examples,
            sensitivity=sensitivity,
        )

    assert remade(np.zeros(target.logits.shape)).sensitivity is not None
    with pytest.raises(ObservationError, match="Some values of sensitivity are not finite"):
        remade(np.full(target.logits.shape, np.inf))
    with pytest.raises(ObservationError, match="shapes disagree"):
        remade(np.zeros((1, 3, 1, 5)))
