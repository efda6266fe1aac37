"""Bounds and sample sizes, against published examples and closed forms."""

import pytest

from compleak.results.comparison.margins import (
    Delta,
    chance_within,
    difference_of,
    examples_needed,
    examples_to_bound,
    most_lost,
    wilson,
)
from compleak.results.metrics import ScoreError


def test_most_lost_gives_the_published_intervals():
    # Airway hyper-responsiveness before and after stem cell transplantation (Bentur et al. 2009), 21 pairs of which
    # 1 and 7 are discordant: Tango's interval is -0.517 to -0.026 (Fagerland, Lydersen and Laake 2014).
    assert most_lost(-6 / 21, 8 / 21, 21) == pytest.approx(-0.026, abs=5e-4)
    assert -most_lost(6 / 21, 8 / 21, 21) == pytest.approx(-0.517, abs=5e-4)


@pytest.mark.parametrize("n", [10, 1000])
def test_where_nothing_changed_little_may_be_lost(n):
    # Without discordant pairs, Tango's score equation is n d^2 = z^2 d (1 - d), so d = z^2 / (n + z^2).
    assert most_lost(0.0, 0.0, n) == pytest.approx(3.841459 / (n + 3.841459), rel=1e-5)


def test_more_changes_and_fewer_examples_leave_more_room():
    assert most_lost(0.002, 0.004, 1000) < most_lost(0.002, 0.02, 1000) < most_lost(0.002, 0.02, 200)
    assert most_lost(0.002, 0.02, 1000, 0.95) < most_lost(0.002, 0.02, 1000, 0.99)
    assert most_lost(1.0, 1.0, 10) == 1.0


def test_rates_that_no_models_have_are_refused():
    with pytest.raises(ScoreError, match="changed class"):
        most_lost(0.1, 0.05, 100)


def test_the_difference_of_two_proportions_gives_newcombes_example():
    # Newcombe 1998, table II (a): 56/70 and 48/80, method 10.
    found = difference_of(56 / 70, wilson(56 / 70, 70), 48 / 80, wilson(48 / 80, 80))
    assert found.difference == pytest.approx(0.2)
    assert (found.low, found.high) == (pytest.approx(0.0524, abs=5e-5), pytest.approx(0.3339, abs=5e-5))


def test_wilson_stays_within_zero_and_one():
    assert wilson(0.0, 10) == pytest.approx((0.0, 3.841459 / 13.841459), rel=1e-5)
    assert wilson(0.0, 10)[0] >= 0.0
    assert wilson(1.0, 10)[1] <= 1.0


def test_the_chance_within_a_margin_is_that_of_the_intervals_law():
    delta = Delta(0.03, 0.03 - 1.959964 * 0.01, 0.05)
    assert chance_within(0.01, delta) == pytest.approx(0.022750, abs=1e-5)  # 2 standard errors beyond
    assert chance_within(0.03, delta) == pytest.approx(0.5)
    assert chance_within(0.0, Delta(0.0, 0.0, 0.0)) == 1.0
    # Student's t of 4 degrees of freedom: 97.5 % below 2.776445, 95 % below 2.131847 (any table).
    delta = Delta(0.03, 0.03 - 2.776445 * 0.01, 0.06, freedom=4)
    assert chance_within(0.03 - 0.02131847, delta) == pytest.approx(0.05, abs=1e-5)


def test_the_number_of_examples_is_that_of_the_textbook():
    # Chow, Shao and Wang, Sample Size Calculations in Clinical Research, section 3.2: two groups, standard deviation
    # 0.1, margin 0.05, one-sided 5 %, power 80 %: 50 a group. The difference of two means has variance 2 s^2 / n.
    assert examples_needed((2 * 0.1**2) ** 0.5, 1, 0.05, level=0.9) == 50
    # (1.959964 + 0.841621)^2 = 7.8489: half the margin takes four times as many.
    assert [examples_needed(0.01, 100, margin) for margin in (0.01, 0.005)] == [785, 3140]


def test_examples_to_bound_a_loss():
    # Nothing changed: z^2 / (n + z^2) < 0.01, so n > 99 z^2 = 380.3.
    assert examples_to_bound(0.0, 0.01) == 381
    # Much changed: nearly (z + z_power)^2 * changed / limit^2, as for any difference.
    assert examples_to_bound(0.2, 0.01) == pytest.approx(7.8489 * 0.2 / 0.01**2, rel=0.03)
