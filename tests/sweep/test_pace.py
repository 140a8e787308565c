import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from genelab.config.overrides import apply_overrides
from genelab.registry import get_task
from genelab.sweep.pace import Phase, read_phase, read_progress, schedule, stages_left

TASK, _ = apply_overrides(
    get_task("GeneLab-Inverted-Pendulum-v1"),
    ["train.iterations=600", "train.num_envs=10", "agent.num_steps_per_env=10"],
)
"""600 iterations of 100 control steps."""


def row(iteration: int, **changes: object) -> str:
    return json.dumps({"iteration": iteration, "episode_return": 7.25, "steps_per_s": 100.0, **changes}) + "\n"


def test_progress_is_the_last_whole_row(tmp_path: Path) -> None:
    curve = tmp_path / "curve.jsonl"
    assert read_progress(curve, TASK) is None
    curve.write_text('{"iteration": 0, "episode_re')
    assert read_progress(curve, TASK) is None
    rows = "".join(row(i, loss="x" * 100) for i in range(500))
    curve.write_text(rows + row(500)[:30])
    progress = read_progress(curve, TASK)
    assert progress
    assert (progress.done, progress.episode_return) == (500, 7.25)


def test_the_iteration_that_compiles_is_none_of_the_pace(tmp_path: Path) -> None:
    curve = tmp_path / "curve.jsonl"
    curve.write_text(row(0, steps_per_s=2.0))
    progress = read_progress(curve, TASK)
    assert progress
    assert progress.pace is None
    curve.write_text(row(0, steps_per_s=2.0) + row(1))
    progress = read_progress(curve, TASK)
    assert progress
    assert progress.pace == 100.0
    assert stages_left(TASK, progress.done, progress.pace) == [(None, 598.0)]


def test_a_resume_that_compiles_again_moves_the_pace_little(tmp_path: Path) -> None:
    curve = tmp_path / "curve.jsonl"
    curve.write_text("".join(row(i) for i in range(10)) + row(10, steps_per_s=2.0))
    progress = read_progress(curve, TASK)
    assert progress
    assert (progress.steps_per_s, progress.pace) == (2.0, 100.0)


@pytest.mark.parametrize(
    ("running", "waiting", "parallel", "seconds"),
    [
        ([], [10.0, 10.0, 10.0], 1, 30.0),
        ([], [10.0, 10.0, 10.0], 2, 20.0),
        ([4.0, 7.0], [10.0], 2, 14.0),
        ([3.0], [], 4, 3.0),
        ([], [], 1, 0.0),
    ],
)
def test_a_schedule(running: list[float], waiting: list[float], parallel: int, seconds: float) -> None:
    assert schedule(running, waiting, parallel) == seconds


def test_the_phase_is_that_of_the_newest_process(tmp_path: Path) -> None:
    log = tmp_path / "train.log"
    assert read_phase(log) is None
    old = "--- 2026-11-28T10:00:00Z train\n2026-11-28T10:00:01Z importing\n"
    log.write_text(old + "[Genesis] a warning\n")
    assert read_phase(log) == Phase("importing", datetime(2026, 11, 28, 10, 0, 1, tzinfo=UTC))
    log.write_text(old + "--- 2026-11-28T11:00:00Z train\n")
    assert read_phase(log) is None
    log.write_text(old + "iteration 1/150  return -  step reward 0.1  100 steps/s\n")
    assert read_phase(log) is None
