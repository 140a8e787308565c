"""When an exported policy is not the checkpoint's: each of the three rules by itself."""

import math

import pytest

from genelab.evaluation.episodes import EpisodeTable
from genelab.jobs.rollout_export import Comparison, larger


def _comparison(**changes: float) -> Comparison:
    def table(*returns: float) -> EpisodeTable:
        return EpisodeTable([*returns], [10] * len(returns), [False] * len(returns))

    exported = changes.pop("exported", 20.0)
    numbers = {"input_difference": 0.0, "action_difference": 1e-6, "action_tolerance": 1e-5} | changes
    return Comparison(table(10.0, 30.0), table(10.0, 2 * exported - 10.0), **numbers)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({}, []),
        ({"exported": 20.19}, []),
        ({"exported": 20.3}, ["the mean return differs by 1.50%, allowed 1%"]),
        ({"exported": math.nan}, None),
        ({"action_difference": 2e-5}, ["actions differ by up to 2e-05, allowed 1e-05"]),
        ({"action_difference": math.nan}, ["actions differ by up to nan, allowed 1e-05"]),
        ({"input_difference": 1e-9}, ["inputs put together from frames differ by up to 1e-09"]),
        ({"input_difference": math.nan}, ["inputs put together from frames differ by up to nan"]),
    ],
)
def test_each_difference_is_told(changes: dict[str, float], told: list[str] | None) -> None:
    found = _comparison(**changes)
    if told is None:
        with pytest.raises(ValueError, match="finite"):
            found.problems  # noqa: B018
    else:
        assert found.problems == told


def test_single_episodes_are_told_apart_from_the_mean() -> None:
    assert _comparison(exported=20.1).largest_return_difference == pytest.approx(0.2)


def test_nan_is_larger_than_everything() -> None:
    assert math.isnan(larger(0.0, math.nan))
    assert math.isnan(larger(math.nan, 1.0))
    assert larger(2.0, 1.0) == 2.0
