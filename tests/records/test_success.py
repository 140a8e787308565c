"""Success of tasks with a goal: ever in an episode, and in its final state."""

from pathlib import Path
from typing import Any

import pytest

from genelab.records.check import check_path
from genelab.records.derived import metrics_of, success_above_idle
from genelab.records.eval import Episodes
from tests.records.factory import episodes_of, make_sweep, set_at


def told(successes: int, n: int = 100) -> Episodes:
    return episodes_of([0.0] * n, (successes, 0))


def test_rates_are_shares_of_all_episodes() -> None:
    found = metrics_of(episodes_of([0.0] * 8, (6, 5)))
    assert (found.success_rate, found.success_at_end_rate) == (0.75, 0.625)


def test_without_a_goal_nothing_is_said_of_the_end() -> None:
    episodes = episodes_of([1.0, 2.0])
    assert (episodes.success, episodes.success_at_end) == (None, None)
    assert (metrics_of(episodes).success_rate, metrics_of(episodes).success_at_end_rate) == (None, None)


def test_columns_are_aligned() -> None:
    data: dict[str, Any] = episodes_of([1.0, 2.0], (1, 1)).model_dump(mode="json")
    with pytest.raises(ValueError, match="success_at_end has 1 entries for 2 episodes"):
        Episodes.model_validate(data | {"success_at_end": [True]})


@pytest.mark.parametrize(
    ("policy", "idle", "verdict"), [(98, 3, True), (15, 3, True), (11, 3, False), (3, 3, False), (0, 3, False)]
)
def test_success_that_luck_explains_is_not_above_idle(policy: int, idle: int, verdict: bool) -> None:
    assert success_above_idle(told(policy), told(idle)) is verdict
    assert success_above_idle(episodes_of([1.0]), episodes_of([1.0])) is None


def test_a_sweep_with_a_goal_is_in_order(tmp_path: Path) -> None:
    assert check_path(make_sweep(tmp_path / "sweep", success=(8, 7))).findings == []


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        ("episodes.success.7", False, "metrics.success_rate: 1.0 stored, 0.875 recomputed"),
        ("episodes.success.0", False, "episode 0 succeeded at its end, and never"),
        ("episodes.success_at_end.0", False, "metrics.success_at_end_rate: 0.875 stored, 0.75 recomputed"),
        ("episodes.success_at_end", None, "metrics.success_at_end_rate: 0.875 stored, None recomputed"),
        ("episodes.success", None, "episodes.success: null, beside a success_at_end"),
        ("metrics.success_at_end_rate", 0.9, "metrics.success_at_end_rate: 0.9 stored, 0.875 recomputed"),
        ("baselines.idle.metrics.success_rate", 0.0, "baselines.idle.metrics.success_rate: 0.0 stored"),
        ("baselines.idle.episodes.success", None, "of the policy or a baseline, and not of all"),
        ("baselines.random.metrics.success_at_end_rate", None, "baselines.random.metrics.success_at_end_rate"),
        ("metrics.success_at_end_rate", 1.5, "success_at_end_rate"),
    ],
)
def test_one_changed_value_is_found(tmp_path: Path, path: str, value: Any, expected: str) -> None:
    sweep = make_sweep(tmp_path / "sweep", success=(8, 7))
    set_at(sweep / "seed_1" / "eval.json", path, value)
    found = [str(finding) for finding in check_path(sweep).findings]
    assert any(expected in message for message in found), found
