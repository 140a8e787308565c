from collections.abc import Sequence

import numpy as np
import pytest

from genelab.inspection.columns import Column
from genelab.inspection.groups import inspect_group
from genelab.inspection.statistics import GroupStatistics
from genelab.records.inspection import InspectedGroup

ROWS = 2000


def spread(mean: float, std: float, rows: int = ROWS) -> np.ndarray:
    """Half of the rows on either side of the mean: exactly this mean and standard deviation."""
    return np.where(np.arange(rows) % 2, mean + std, mean - std)


def group(columns: Sequence[Column], raw: Sequence[np.ndarray], network: Sequence[np.ndarray] | None = None, **how):
    statistics = GroupStatistics(columns)
    statistics.add(np.stack(raw, axis=1), None if network is None else np.stack(network, axis=1))
    return inspect_group("policy", statistics, **how)


def names(count: int) -> list[Column]:
    return [Column(f"x[{k}]") for k in range(count)]


def flags_of(found: InspectedGroup) -> list[tuple[str, ...]]:
    return [column.flags for column in found.columns]


@pytest.mark.parametrize(
    ("raw", "flags"),
    [
        (np.full(ROWS, 0.3), ("constant",)),
        # Two roundings apart is constant still, a thousandth is not.
        (np.float32(0.3) + np.where(np.arange(ROWS) % 2, 6e-8, 0.0), ("constant",)),
        (spread(0.3, 0.001), ("spread_far_from_one",)),
        (spread(0.9, 0.11), ()),
        (spread(1.1, 0.5), ("mean_far_from_zero",)),
        (spread(-40.0, 12.0), ("mean_far_from_zero", "spread_far_from_one")),
        (np.full(ROWS, np.nan), ("non_finite",)),
    ],
)
def test_a_network_without_a_normaliser(raw: np.ndarray, flags: tuple[str, ...]):
    found = group(names(1), [raw], normalization="none", seen="unnormalised")
    assert flags_of(found) == [flags]


def test_what_a_running_normaliser_would_make_of_a_rollout():
    found = group(
        names(2), [spread(40.0, 12.0), spread(0.0, 0.001)], normalization="running", seen="predicted", running_eps=0.01
    )
    assert flags_of(found) == [(), ("spread_far_from_one",)]
    # 12 / 12.01; and 0.001 / 0.011: the normaliser's own 0.01 hides a column that hardly moves.
    assert [column.seen_std for column in found.columns] == pytest.approx([12.0 / 12.01, 1.0 / 11.0])
    assert [column.seen_mean for column in found.columns] == pytest.approx([0.0, 0.0], abs=1e-12)


def test_a_group_that_no_known_network_reads_is_not_judged_by_mean_and_spread():
    assert flags_of(group(names(1), [spread(40.0, 12.0)])) == [()]


def test_noise_alone():
    half_width = 0.1
    noise = np.linspace(-half_width, half_width, ROWS)
    signal = spread(0.0, 0.02)
    columns = [Column("a", noise=half_width), Column("b", noise=half_width), Column("c")]
    assert flags_of(group(columns, [noise, noise + signal, noise])) == [("only_noise",), (), ()]


def test_bounds_that_do_not_fit():
    def some(share: float) -> np.ndarray:
        return np.where(np.arange(ROWS) < share * ROWS, 2.0, spread(0.0, 0.5))

    columns = [Column("a", bounds=(-1.0, 1.0)), Column("b", bounds=(-1.0, 1.0))]
    found = group(columns, [some(0.04), some(0.06)])
    assert [column.share_outside for column in found.columns] == [0.04, 0.06]
    assert flags_of(found) == [(), ("outside_bounds",)]


def test_a_saturated_action():
    # Target = 0.1 + 0.5 x action, range +-0.6: saturated from action 1.0 on, or -1.4.
    column = Column("arm", factor=0.5, shift=0.1, bounds=(-0.6, 0.6), is_action=True)
    good = np.where(np.arange(ROWS) % 2, 0.9, -1.3)
    bad = np.where(np.arange(ROWS) % 10, good, 1.0)
    found = group([column, column], [good, bad], seen="action")
    assert [c.share_saturated for c in found.columns] == [0.0, 0.1]
    # At the limit is not beyond it; and no network wants an action to have mean 0.
    assert [c.share_outside for c in found.columns] == [0.0, 0.0]
    assert flags_of(found) == [(), ("saturated",)]
    assert (found.columns[0].max, found.columns[0].seen_mean) == (pytest.approx(0.55), pytest.approx(-0.2))


RUNNING = {"normalization": "running", "seen": "normaliser"}


def test_standardised_numbers_under_statistics_of_others_are_normalised_twice():
    raw = [spread(0.05, 1.0), spread(0.0, 0.95), np.zeros(ROWS)]
    # A normaliser whose statistics are those of the quantity before: mean 3 and standard deviation 0.2.
    twice = [(column - 3.0) / 0.2 for column in raw]
    assert group(names(3), raw, twice, **RUNNING).flags == ("normalised_twice",)
    # One whose statistics are those of the numbers leaves them as they are.
    assert group(names(3), raw, raw, **RUNNING).flags == ()
    # Not all of the numbers are standardised: a coincidence.
    assert group(names(3), [*raw[:2], spread(0.0, 0.2)], twice, **RUNNING).flags == ()
    # Bounds are no statistics.
    assert group(names(3), raw, twice, normalization="fixed", seen="normaliser").flags == ()


@pytest.mark.parametrize(
    ("raw", "flags"),
    [
        ([spread(0.0, 1.0), spread(0.3, 0.8), np.zeros(ROWS)], ()),
        ([spread(0.0, 1.0), spread(0.0, 1.0), spread(0.0, 0.2)], ()),
        ([spread(0.0, 1.0), spread(0.0, 0.2), spread(4.0, 1.0)], ("never_normalised",)),
        # A constant that is not 0 was not normalised; one that is 0 says nothing.
        ([np.full(ROWS, 0.7), np.zeros(ROWS), np.zeros(ROWS)], ("never_normalised",)),
        ([np.zeros(ROWS)] * 3, ()),
        ([np.full(ROWS, np.nan)] * 3, ()),
    ],
)
def test_data_that_is_said_to_be_normalised(raw: list[np.ndarray], flags: tuple[str, ...]):
    assert group(names(3), raw, seen="declared", declared=True).flags == flags


def test_raw_data_that_is_standardised_already():
    standard, other = spread(0.02, 1.05), spread(0.0, 0.7)
    assert group(names(2), [standard, standard], declared=False).flags == ("already_normalised",)
    assert group(names(2), [standard, other], declared=False).flags == ()
    # One column alone may be so by chance, as random actions are.
    assert group(names(2), [standard, np.zeros(ROWS)], declared=False).flags == ()
