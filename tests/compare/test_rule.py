import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats

from genelab.compare.rule import Welch, seeds_needed, verdicts, welch
from genelab.records.statistics import newcombe

VALUES = st.lists(st.floats(-1e3, 1e3).map(lambda value: round(value, 3)), min_size=2, max_size=8)


def judge(old: list[float], new: list[float], margin: float) -> str:
    return str(verdicts(welch(old, new), margin))


def test_equal_spread_by_hand() -> None:
    # s = 1 on both sides, so 4 degrees of freedom: t(0.975, 4) sqrt(2 / 3) = 2.776445 * 0.816497.
    found = welch([1.0, 2.0, 3.0], [5.0, 6.0, 7.0])
    assert found.difference == pytest.approx(4.0)
    assert found.half == pytest.approx(2.266958, abs=1e-6)


def test_unequal_spread_and_number_by_hand() -> None:
    # a = 1 / 3, b = 100 / 5 = 20, v = (a + b)^2 / (a^2 / 2 + b^2 / 4) = 4.1323.
    new = [0.0, 20.0, 10.0, 10.0, 10.0 + math.sqrt(200.0)]
    b = np.var(new, ddof=1) / 5
    degrees = (1 / 3 + b) ** 2 / ((1 / 3) ** 2 / 2 + b**2 / 4)
    found = welch([1.0, 2.0, 3.0], new)
    assert found.half == pytest.approx(stats.t.ppf(0.975, degrees) * math.sqrt(1 / 3 + b))


@given(VALUES, VALUES)
def test_interval_is_that_of_scipy(old: list[float], new: list[float]) -> None:
    assume(min(np.ptp(old), np.ptp(new)) > 0.0)
    found = welch(old, new)
    expected = stats.ttest_ind(new, old, equal_var=False).confidence_interval(0.95)
    assert found.difference - found.half == pytest.approx(expected.low, rel=1e-6, abs=1e-6)
    assert found.difference + found.half == pytest.approx(expected.high, rel=1e-6, abs=1e-6)


@pytest.mark.parametrize(
    ("difference", "half", "verdict"),
    [
        (-3.0, 1.0, "regression"),
        (-2.0, 1.9, "regression"),
        (3.0, 1.0, "improvement"),
        (0.5, 1.0, "equivalent"),
        (-0.5, 1.0, "equivalent"),
        (-3.0, 3.0, "undecided"),
        (3.0, 3.5, "undecided"),
        # Significant, and less than what counts; its interval reaches beyond the margin.
        (-1.9, 0.5, "undecided"),
        (1.9, 0.5, "undecided"),
        # Significant, and within the margin.
        (-1.0, 0.5, "equivalent"),
        (0.0, 2.5, "undecided"),
        (-2.0, 0.0, "regression"),
        (2.0, 0.0, "improvement"),
        (0.0, 0.0, "equivalent"),
    ],
)
def test_each_verdict_with_a_margin_of_two(difference: float, half: float, verdict: str) -> None:
    assert verdicts(Welch(np.asarray(difference), np.asarray(half)), 2.0) == verdict


def test_no_spread_on_either_side() -> None:
    assert welch([5.0] * 3, [7.0] * 3).half == 0.0
    assert judge([5.0] * 3, [7.0] * 3, 1.0) == "improvement"
    assert judge([5.0] * 3, [5.0] * 3, 0.0) == "equivalent"


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_is_an_error(bad: float) -> None:
    with pytest.raises(ValueError, match="not finite"):
        welch([1.0, 2.0], [1.0, bad])
    with pytest.raises(ValueError, match="not finite"):
        welch([bad, 2.0], [1.0, 2.0])


def test_one_seed_has_no_interval() -> None:
    with pytest.raises(ValueError, match="two seeds"):
        welch([1.0], [1.0, 2.0])


@given(VALUES, VALUES, st.floats(0.0, 100.0))
def test_to_swap_the_sides_swaps_the_verdict(old: list[float], new: list[float], margin: float) -> None:
    swapped = {"regression": "improvement", "improvement": "regression"}
    verdict = judge(old, new, margin)
    assert judge(new, old, margin) == swapped.get(verdict, verdict)


@given(VALUES, VALUES, st.floats(0.1, 100.0))
def test_the_seeds_asked_for_decide(old: list[float], new: list[float], margin: float) -> None:
    """With n seeds a side of the same means and spreads, and not with one less."""
    needed = seeds_needed(old, new, margin)
    difference = np.asarray(np.mean(new) - np.mean(old))

    def with_seeds(n: int) -> str:
        variance = (np.var(old, ddof=1) + np.var(new, ddof=1)) / n
        shares = np.array([np.var(old, ddof=1), np.var(new, ddof=1)]) / (n * variance)
        half = stats.t.ppf(0.975, (n - 1) / (shares**2).sum()) * math.sqrt(variance)
        return str(verdicts(Welch(difference, np.asarray(half)), margin))

    if needed is None or np.var(old) + np.var(new) == 0.0:
        return
    assert with_seeds(needed) != "undecided"
    assert needed == 2 or with_seeds(needed - 1) == "undecided"


def test_many_comparisons_at_once_are_those_one_by_one() -> None:
    random = np.random.default_rng(1)
    old, new = random.normal(size=(50, 3)), random.normal(-1.0, size=(50, 5))
    together = verdicts(welch(old, new), 0.5)
    assert together.tolist() == [judge(list(a), list(b), 0.5) for a, b in zip(old, new, strict=True)]


def test_newcombe_by_hand() -> None:
    # Wilson: 98 of 100 is 0.93002 to 0.99450, 95 of 100 is 0.88825 to 0.97846.
    low, high = -0.03 - math.hypot(0.06175, 0.01450), -0.03 + math.hypot(0.02846, 0.04998)
    assert newcombe((98, 100), (95, 100)) == pytest.approx((low, high), abs=1e-4)
    low, high = newcombe((294, 300), (285, 300))
    assert (low, high) == pytest.approx((-0.063, 0.0001), abs=5e-4)
