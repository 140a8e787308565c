"""Stages end to end, and what a picture of them tells."""

from pathlib import Path

import pytest

from genelab.config.stage import StageCfg, TrainCfg
from genelab.config.task import TaskSpec
from genelab.publish.store import add_entry
from genelab.records.check import check_entry
from genelab.show.curves import curve_data, draw
from genelab.show.segments import panels, segments_of
from tests.records.factory import make_sweep, make_task


def staged() -> TaskSpec:
    """20 iterations of 4 environments for other rewards, 10 of 8 for those of the task, and its own 3 of 16."""
    task = make_task()
    other = task.env.model_copy(
        update={"rewards": {"alive": task.env.rewards["alive"].model_copy(update={"weight": 9.0})}}
    )
    first = StageCfg(env=other, agent=task.agent, train=TrainCfg(num_envs=4, iterations=20))
    second = StageCfg(env=task.env, agent=task.agent, train=TrainCfg(num_envs=8, iterations=10))
    return make_task(stages={"first": first, "second": second}, train=TrainCfg(num_envs=16, iterations=3))


def test_stages_lie_end_to_end_in_iterations_and_steps() -> None:
    first, second, last = segments_of(staged())
    # An episode has 100 control steps, an iteration 24.
    assert (first.begin, first.end, first.first_step, first.steps_each, first.whole_from) == (0, 20, 0, 96, 4)
    assert (second.begin, second.end, second.first_step, second.steps_each, second.whole_from) == (
        20,
        30,
        1920,
        192,
        24,
    )
    assert (last.name, last.begin, last.end, last.first_step, last.whole_from) == ("the task", 30, 33, 3840, 34)
    assert [second.steps(20), second.steps(29)] == [2112, 3840]
    assert [segment.steps(segment.end - 1) for segment in (first, last)] == [
        staged().env_steps(20),
        staged().env_steps(33),
    ]
    assert [segment.differs for segment in (first, second, last)] == ["other rewards", "", ""]
    assert [[segment.name for segment in panel] for panel in panels([first, second, last])] == [
        ["first"],
        ["second", "the task"],
    ]


def test_shorter_episodes_than_those_of_the_evaluation_are_another_unit() -> None:
    (segment,) = segments_of(make_task(train=TrainCfg(num_envs=16, iterations=30, episode_length_s=0.5)))
    assert segment.differs == "episodes of 0.5 s, evaluated over 1 s"
    assert segment.whole_from == 2
    (judged_alike,) = segments_of(
        make_task(train=TrainCfg(num_envs=16, iterations=30, episode_length_s=0.5)), judged_steps=50
    )
    assert judged_alike.differs == ""


@pytest.mark.slow
def test_a_picture_shows_what_was_judged_even_if_no_episode_of_the_last_stage_ended(tmp_path: Path) -> None:
    sweep = make_sweep(
        tmp_path / "sweep", task=staged(), curve=lambda seed, i: None if seed == 3 else 500.0 if i < 20 else -1.3
    )
    entry, findings = check_entry(add_entry(sweep, "first", tmp_path / "reference"), None)
    assert entry is not None
    assert findings == []
    data = curve_data(entry)
    assert data["evaluated"] == [39.1, 39.2, 39.3]
    assert data["seeds"][2] == [3, [], []]
    text = draw(entry)
    for label in (
        "seed 1",
        "seed 3, of which no episode ended",
        "evaluated",
        "idle: 3.750",
        "ceiling: 40.000",
        "first: other rewards",
        "second, the task",
        "evaluation",
        "environment steps",
        "iterations",
        "only episodes that ended early so far",
        "mean return of the last 100 training episodes",
    ):
        assert f">{label}</text>" in text, label
