import math
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genelab.records.curve import (
    Curve,
    consistency,
    convergence_iteration,
    curve_of,
    final_average,
    stability,
    strength,
)

VALUES = st.lists(st.floats(-100.0, 100.0), min_size=2, max_size=40)


def dense(values: Sequence[float | None]) -> Curve:
    return curve_of(list(enumerate(values)), len(values))


def refined(curve: Curve) -> Curve:
    """The same piecewise straight curve over the same training, logged twice as often."""
    rows: list[tuple[int, float | None]] = []
    for k, (iteration, value) in enumerate(zip(curve.iterations, curve.returns, strict=True)):
        if k:
            rows.append((2 * iteration, (curve.returns[k - 1] + value) / 2))
        rows.append((2 * iteration + 1, value))
    return curve_of(rows, 2 * curve.budget)


def test_convergence_by_hand() -> None:
    # 0, then 100 for good. The mean of 10 reaches 95 only when all ten rows are 100: iterations 20..29.
    values = [0.0] * 20 + [100.0] * 80
    assert convergence_iteration(dense(values)) == 29


def test_convergence_counts_from_the_last_fall() -> None:
    values = [0.0] * 20 + [100.0] * 30 + [50.0] * 10 + [100.0] * 40
    # The last 50 is row 59. At iteration 68 it is one of ten rows, whose mean of 95 is the level itself.
    assert convergence_iteration(dense(values)) == 68


def test_convergence_ignores_iterations_without_an_episode() -> None:
    assert convergence_iteration(dense([None] * 5 + [0.0] * 15 + [100.0] * 80)) == 29


def test_final_is_the_mean_of_the_last_tenth_of_the_budget() -> None:
    # Final = 50 over iterations 90..99, so the level is 47.5: reached by the first ten-row mean of 48 or more.
    values = [0.0] * 10 + [50.0] * 90
    assert convergence_iteration(dense(values)) == 19


@pytest.mark.parametrize("values", [[5.0] * 30, [float(-k) for k in range(30)], [None] * 30, [1.0, 2.0] + [None] * 28])
def test_nothing_learnt_has_no_convergence(values: list[float | None]) -> None:
    assert convergence_iteration(dense(values)) is None


def test_unfinished_curve_has_no_convergence() -> None:
    assert convergence_iteration(curve_of([(k, float(k)) for k in range(50)], 100)) is None


def test_tiny_budget() -> None:
    assert convergence_iteration(dense([1.0])) is None
    assert convergence_iteration(dense([1.0, 3.0])) is None  # the trailing mean ends at 2, below 2.9
    assert final_average(dense([4.0])) == 4.0


def test_final_average_by_hand() -> None:
    # Straight line, return = iterations done: mean over [100, 200] is 150.
    assert final_average(dense([k + 1.0 for k in range(200)])) == pytest.approx(150.0)
    # Shorter than the window: flat 1 up to the first row, then straight to 3.
    assert final_average(dense([1.0, 2.0, 3.0])) == pytest.approx((1.0 + 1.5 + 2.5) / 3)


def test_strength_weighs_time_and_holds_the_first_value_back() -> None:
    # Nothing finished for half of the budget: that half counts with the first value, it is not skipped.
    values: list[float | None] = [None] * 5 + [2.0, 2.0, 2.0, 2.0, 2.0]
    assert strength(dense(values), 0.5) == pytest.approx(1.5)
    assert strength(dense([0.0, 10.0]), 0.0) == pytest.approx(2.5)


def test_strength_is_negative_below_idle() -> None:
    assert strength(dense([1.0, 1.0]), 3.0) == pytest.approx(-2.0)


def test_stability_by_hand() -> None:
    assert stability(dense([0.0, 5.0, 10.0])) == 1.0
    assert stability(dense([0.0, 10.0, 5.0, 8.0])) == pytest.approx(0.5)
    assert stability(dense([10.0, 0.0])) == 0.0
    assert stability(dense([3.0, 3.0])) is None


def test_unfinished_curves_have_no_metrics() -> None:
    unfinished = curve_of([(0, 1.0), (1, 2.0)], 100)
    assert final_average(unfinished) is None
    assert strength(unfinished, 0.0) is None
    assert stability(unfinished) is None


@given(VALUES)
def test_metrics_do_not_depend_on_how_often_the_curve_was_logged(values: list[float]) -> None:
    curve = dense(values)
    finer = refined(curve)
    assert strength(finer, 1.0) == pytest.approx(strength(curve, 1.0), abs=1e-9)
    assert final_average(finer) == pytest.approx(final_average(curve), abs=1e-9)
    coarse, fine = stability(curve), stability(finer)
    assert (coarse is None) == (fine is None)
    if coarse is not None:
        assert fine == pytest.approx(coarse, abs=1e-9)
        assert -1e-12 <= coarse <= 1.0


def test_consistency_by_hand() -> None:
    assert consistency([5.0, 5.0, 5.0]) == 1.0
    assert consistency([4.0, 6.0]) == pytest.approx(1.0 - 2.0 * math.sqrt(2.0) / 5.0)


@pytest.mark.parametrize("strengths", [[], [5.0], [-4.0, -6.0], [0.0, 0.0], [1.0, -1.0]])
def test_consistency_is_undefined_rather_than_nonsense(strengths: list[float]) -> None:
    assert consistency(strengths) is None


@pytest.mark.parametrize("rows", [[(0, 1.0), (0, 2.0)], [(1, 1.0), (0, 1.0)], [(5, 1.0)], [(-1, 1.0)]])
def test_iterations_must_rise_within_the_budget(rows: list[tuple[int, float | None]]) -> None:
    with pytest.raises(ValueError, match="iteration"):
        curve_of(rows, 3)


def test_non_finite_return_is_refused() -> None:
    with pytest.raises(ValueError, match="nan"):
        curve_of([(0, math.nan)], 3)
