"""Recorded transitions against what the terms compute, without a simulator."""

import sys
from pathlib import Path

import numpy as np
import pytest

from genelab.cli import run
from genelab.envs.recorded import require_columns, require_rewards
from genelab.errors import InputError
from genelab.records.demos import DemoHeader, encode_demos
from tests.franka_demos import TASK, changed, chosen, demos

WHERE = "the file"


def test_what_the_environment_would_have_written_passes() -> None:
    require_columns(TASK.env, demos(), WHERE)
    require_rewards(TASK.env, demos(), WHERE)


@pytest.mark.parametrize("off", [0.001, np.nan])
def test_another_reward_is_named(off: float) -> None:
    rewards = demos().arrays["rewards"].copy()
    rewards[17] += off
    told = rf"^the file holds other rewards than those of the task: row 17 has {rewards[17]:g}, its goals give "
    with pytest.raises(InputError, match=told):
        require_rewards(TASK.env, changed(demos(), rewards=rewards), WHERE)


def _narrowed() -> DemoHeader:
    """The cube has a column less, the goal one more."""
    layout = demos().header.layout
    rows = {row.name: row for row in layout["observation"]}
    cube, goal = rows["cube_position"], rows["goal_position"]
    rows["cube_position"] = cube.model_copy(update={"stop": cube.stop - 1})
    rows["goal_position"] = goal.model_copy(update={"start": goal.start - 1})
    return demos().header.model_copy(update={"layout": {**layout, "observation": tuple(rows.values())}})


def test_another_width_is_named() -> None:
    told = "^the file has 2 columns of 'cube_position' in 'observation', the task has 3$"
    with pytest.raises(InputError, match=told):
        require_columns(TASK.env, demos(layout=_narrowed().layout), WHERE)


@pytest.mark.parametrize("bad", ["rewards", "columns"])
def test_training_refuses_them_before_anything_is_written(
    bad: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    what = demos(layout=_narrowed().layout) if bad == "columns" else demos()
    if bad == "rewards":
        what = changed(what, rewards=what.arrays["rewards"] + np.float32(0.5))
    path = tmp_path / "demos.safetensors"
    path.write_bytes(encode_demos(what))
    command = ["train", TASK.id, "--set", f"agent.demo_path={path}", "--log_dir", str(tmp_path / "runs")]
    monkeypatch.setattr(sys, "argv", ["genelab", *command])
    for more in ([], ["--dry-run"]):
        assert run([*command, *more]) == 2
        error = capsys.readouterr().err
        assert error.count("\n") == 1
        assert str(path) in error
    assert [each.name for each in tmp_path.iterdir()] == ["demos.safetensors"]


def test_training_plans_with_good_ones(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "demos.safetensors"
    chosen(path, demos())
    assert run(["train", TASK.id, "--set", f"agent.demo_path={path}", "--dry-run"]) == 0
    assert "train: new" in capsys.readouterr().out
