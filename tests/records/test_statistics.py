import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from genelab.records.statistics import (
    above_idle,
    mean,
    population_std,
    sample_std,
    seed_interval,
    wilson,
)

FINITE = st.floats(-1e6, 1e6, allow_nan=False)
RETURNS = st.lists(FINITE.map(lambda value: round(value, 6)), min_size=2, max_size=30)


def test_mean_and_both_standard_deviations_by_hand() -> None:
    values = [1.0, 2.0, 3.0, 4.0]
    assert mean(values) == 2.5
    assert population_std(values) == pytest.approx(math.sqrt(1.25))
    assert sample_std(values) == pytest.approx(math.sqrt(5.0 / 3.0))


def test_mean_does_not_depend_on_order() -> None:
    values = [1e16, 1.0, -1e16, 1.0]
    assert mean(values) == mean(sorted(values)) == 0.5


def test_seed_interval_by_hand() -> None:
    # s = 1, t(0.975, 2) = 4.30265, half width 4.30265 / sqrt(3).
    assert sample_std([1.0, 2.0, 3.0]) == pytest.approx(1.0)
    assert seed_interval([1.0, 2.0, 3.0]) == pytest.approx((2.0 - 2.484138, 2.0 + 2.484138), abs=1e-6)


def test_one_seed_has_no_interval() -> None:
    assert seed_interval([7.0]) is None
    assert sample_std([7.0]) is None


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_non_finite_values_are_refused_not_averaged(bad: float) -> None:
    for function in (mean, population_std, seed_interval):
        with pytest.raises(ValueError, match="non-finite"):
            function([1.0, bad, 2.0])
    with pytest.raises(ValueError, match="non-finite"):
        above_idle([1.0, bad], [1.0, 2.0])


def test_no_values_are_an_error() -> None:
    with pytest.raises(ValueError, match="no values"):
        mean([])


@pytest.mark.parametrize(("successes", "n"), [(0, 10), (10, 10), (5, 10), (99, 100), (1, 1)])
def test_wilson_against_scipy(successes: int, n: int) -> None:
    expected = stats.binomtest(successes, n).proportion_ci(0.95, "wilson")
    assert wilson(successes, n) == pytest.approx((expected.low, expected.high), abs=1e-12)


@pytest.mark.parametrize(("successes", "n"), [(-1, 3), (4, 3), (0, 0)])
def test_wilson_refuses_what_is_no_rate(successes: int, n: int) -> None:
    with pytest.raises(ValueError, match="no rate"):
        wilson(successes, n)


def test_significant_is_not_enough() -> None:
    policy = [39.994 + 0.001 * (-1) ** k for k in range(100)]
    idle = [39.991 + 0.001 * (-1) ** k for k in range(100)]
    found = above_idle(policy, idle)
    assert found.lower_bound is not None
    assert found.lower_bound > 0.0, "the difference is significant"
    assert not found.passed
    assert found.threshold == pytest.approx(0.05 * 39.994)


def test_far_but_noisy_is_not_enough() -> None:
    assert not above_idle([0.0, 100.0], [0.0, 1.0]).passed


@pytest.mark.parametrize(("idle", "passed"), [(9.4, True), (9.6, False), (10.0, False), (20.0, False)])
def test_margin_on_exact_returns(idle: float, passed: bool) -> None:
    found = above_idle([10.0] * 3, [idle] * 3)
    assert found.passed is passed
    assert found.lower_bound == pytest.approx(10.0 - idle)


def test_negative_returns_compare_too() -> None:
    assert above_idle([-6.0, -7.0, -8.0], [-50.0, -50.0, -49.0]).passed
    assert not above_idle([-50.0, -50.0, -49.0], [-6.0, -7.0, -8.0]).passed


def test_one_episode_proves_nothing() -> None:
    found = above_idle([100.0], [1.0, 2.0])
    assert found.lower_bound is None
    assert not found.passed


def test_lower_bound_is_welch() -> None:
    policy, idle = [12.0, 15.0, 11.0, 14.0, 9.0], [1.0, 2.5, 0.5]
    expected = stats.ttest_ind(policy, idle, equal_var=False, alternative="greater").confidence_interval(0.95).low
    assert above_idle(policy, idle).lower_bound == pytest.approx(expected)


@given(RETURNS, RETURNS, st.sampled_from([0.01, 2.0, 1000.0]))
def test_verdict_has_no_unit_and_is_one_sided(policy: list[float], idle: list[float], scale: float) -> None:
    found = above_idle(policy, idle)
    assert not (found.passed and above_idle(idle, policy).passed)
    scaled = above_idle([scale * x for x in policy], [scale * x for x in idle])
    assert found.lower_bound is not None
    if abs(found.lower_bound - found.threshold) > 1e-6 * (abs(found.lower_bound) + found.threshold):
        assert scaled.passed is found.passed
