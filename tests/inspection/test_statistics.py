import numpy as np
import pytest

from genelab.inspection.columns import Column
from genelab.inspection.statistics import GroupStatistics, Moments


def added(columns: list[Column], rows: list[list[float]], batches: int = 1) -> GroupStatistics:
    statistics = GroupStatistics(columns)
    for batch in np.array_split(np.array(rows, dtype=np.float32), batches):
        statistics.add(batch)
    return statistics


@pytest.mark.parametrize("batches", [1, 2, 3, 4])
def test_moments_are_those_of_all_rows_however_they_come(batches: int):
    rows = [[1.0, 10.0], [2.0, 10.0], [3.0, 10.0], [6.0, 10.0]]
    first, second = added([Column("a"), Column("b")], rows, batches).results()
    # Mean 3; deviations -2, -1, 0, 3: squares sum to 14, over 4 rows.
    assert first.raw == Moments(pytest.approx(3.0), pytest.approx(3.5**0.5), 1.0, 6.0)
    assert second.raw == Moments(10.0, 0.0, 10.0, 10.0)


def test_a_large_offset_costs_no_precision():
    rows = [[8192.0 + k % 2] for k in range(1000)]
    [found] = added([Column("a")], rows, 10).results()
    assert found.raw is not None
    assert found.raw.std == pytest.approx(0.5, rel=1e-9)


def test_a_value_is_in_its_own_unit():
    # An observation of a term with the scale -0.5: factor -2.
    [found] = added([Column("a", factor=-2.0, shift=1.0)], [[0.0], [1.0]]).results()
    assert found.raw == Moments(0.5, 0.5, 0.0, 1.0)
    assert found.value == Moments(0.0, 1.0, -1.0, 1.0)


def test_shares_are_counted_in_the_unit_of_the_value():
    # Raw 0.1 x value: the values are -6, -5, 0, 5, 5.1.
    rows = [[-0.6], [-0.5], [0.0], [0.5], [0.51]]
    [bounded] = added([Column("a", factor=10.0, bounds=(-5.0, 5.0))], rows).results()
    # At a bound is not outside, whatever float32 made of 0.5 x 10.
    assert bounded.share_outside == 2 / 5
    assert (bounded.share_clipped, bounded.share_saturated) == (None, None)
    [cut] = added([Column("a", factor=10.0, clip=(-5.0, 5.1))], rows).results()
    assert (cut.share_outside, cut.share_clipped, cut.share_saturated) == (None, 3 / 5, None)
    [action] = added([Column("a", factor=10.0, bounds=(-5.0, 5.0), clip=(-8.0, 8.0), is_action=True)], rows).results()
    assert (action.share_outside, action.share_clipped, action.share_saturated) == (2 / 5, 0.0, 4 / 5)


def test_non_finite_numbers_are_counted_and_left_out():
    nan, inf = float("nan"), float("inf")
    rows = [[1.0, nan], [nan, inf], [3.0, -inf], [inf, nan]]
    first, second = added([Column("a", bounds=(0.0, 2.0)), Column("b", bounds=(0.0, 1.0))], rows, 2).results()
    assert (first.non_finite, first.raw) == (2, Moments(2.0, 1.0, 1.0, 3.0))
    assert first.share_outside == 1 / 2
    assert (second.non_finite, second.raw, second.value, second.share_outside) == (4, None, None, None)


def test_what_a_network_sees_is_added_up_beside():
    statistics = GroupStatistics([Column("a")])
    statistics.add(np.array([[0.0], [4.0]]), np.array([[-1.0], [1.0]]))
    [found] = statistics.results()
    assert (found.raw, found.seen) == (Moments(2.0, 2.0, 0.0, 4.0), Moments(0.0, 1.0, -1.0, 1.0))
