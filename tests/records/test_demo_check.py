from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from genelab.config.overrides import apply_overrides
from genelab.config.snapshot import config_sha256
from genelab.errors import InputError
from genelab.records.demo_check import demonstrations_of
from genelab.records.demos import Demos, encode_demos, read_demos
from tests.franka_demos import NUM_ENVS, TASK, changed, chosen, demos


def refusal(path: Path, what: Demos) -> str:
    with pytest.raises(InputError) as caught:
        demonstrations_of(chosen(path, what))
    told = str(caught.value)
    assert "\n" not in told
    assert str(path) in told
    return told


def test_transitions_are_read_as_they_were_written(tmp_path: Path) -> None:
    written, path = demos(), tmp_path / "demos.safetensors"
    path.write_bytes(encode_demos(written))
    read = read_demos(path)
    assert read.header == written.header
    assert read.arrays.keys() == written.arrays.keys()
    assert all(np.array_equal(read.arrays[name], array) for name, array in written.arrays.items())
    assert encode_demos(read) == path.read_bytes()


def test_fitting_demonstrations_are_returned(tmp_path: Path) -> None:
    found = demonstrations_of(chosen(tmp_path / "demos.safetensors", demos()))
    assert found is not None
    assert len(found.arrays["actions"]) == 2 * NUM_ENVS


ROWS = 2 * NUM_ENVS


def told_of_the_collection(**told: Any) -> Demos:
    made = demos().header.collection
    assert made is not None
    return demos(collection=made.model_copy(update=told))


def with_a_value(group: str, value: float) -> Demos:
    what = demos()
    what.arrays[group if group == "actions" else f"observations/{group}"][3, 2] = value
    return what


def without_transitions() -> Demos:
    what = demos(collection=None)
    return replace(what, arrays={n: a for n, a in what.arrays.items() if n.startswith(("observations/", "actions"))})


def with_another_goal_column() -> Demos:
    layout = demos().header.layout
    return demos(layout={**layout, "desired_goal": (layout["desired_goal"][0].model_copy(update={"name": "target"}),)})


@pytest.mark.parametrize(
    ("what", "told"),
    [
        (demos(num_envs=32), "has num_envs = 32, the training has 64; collect with --num-envs 64"),
        (
            demos(task=TASK.model_copy(update={"id": "Other-Task-v0"})),
            "was collected for task 'Other-Task-v0', not for 'GeneLab-Franka-Pick-And-Place-v0'",
        ),
        (demos(task_version=2), "was collected for version 2 of the task, this is version 1"),
        (with_a_value("observation", np.nan), "values in 'observations/observation' that are not finite"),
        (changed(demos(), rewards=np.full(ROWS, np.inf, np.float32)), "'rewards' that are not finite"),
        (with_a_value("actions", 1.5), "actions up to 1.5, they must lie between -1 and 1"),
        (changed(demos(actions=None), actions=np.zeros((ROWS, 3), np.float32)), "has actions of 3 columns, the task 4"),
        (with_another_goal_column(), "has the columns ['target'] in 'desired_goal', the task ['goal_position']"),
        (changed(demos(), truncated=np.zeros(ROWS, np.bool_)), "ends in the middle of an episode"),
        (
            changed(demos(), terminated=np.ones(ROWS, np.bool_), truncated=np.ones(ROWS, np.bool_)),
            "both 'terminated' and 'truncated'",
        ),
        (without_transitions(), "a replay buffer needs whole transitions"),
        (told_of_the_collection(steps=3), "has 128 rows, its header tells of 3 steps of 64 environments"),
        (told_of_the_collection(episodes=7), f"has {NUM_ENVS} ends of episodes, its header tells of 7"),
    ],
)
def test_demonstrations_that_do_not_fit_are_refused(tmp_path: Path, what: Demos, told: str) -> None:
    assert told in refusal(tmp_path / "demos.safetensors", what)


def test_num_envs_of_the_training_that_contradicts_the_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "demos.safetensors"
    path.write_bytes(encode_demos(demos()))
    task, _ = apply_overrides(TASK, [f"agent.demo_path={path}", "train.num_envs=16"])
    with pytest.raises(InputError, match="has num_envs = 64, the training has 16"):
        demonstrations_of(task)


@pytest.mark.parametrize(
    ("path", "value", "told"),
    [
        ("env.action.scale", "0.02", "env.action.scale = 0.02, the training has 0.05"),
        ("env.rewards.lifted.weight", "0.5", "env.rewards.lifted.weight = 0.5, the training has 0.2"),
        ("env.goal.tolerance", "0.1", "env.goal.tolerance = 0.1, the training has 0.05"),
        ("env.sim.substeps", "1", "env.sim.substeps = 1, the training has 2"),
    ],
)
def test_another_meaning_of_actions_or_rewards_is_refused(tmp_path: Path, path: str, value: str, told: str) -> None:
    other, _ = apply_overrides(TASK, [f"{path}={value}"])
    assert told in refusal(tmp_path / "demos.safetensors", demos(task=other))


def test_a_file_changed_after_it_was_chosen_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "demos.safetensors"
    task = chosen(path, demos())
    path.write_bytes(encode_demos(changed(demos(), rewards=np.zeros(2 * NUM_ENVS, np.float32))))
    with pytest.raises(InputError, match=r"agent\.demo_path .*was changed since it was chosen"):
        demonstrations_of(task)


def test_the_buffer_must_hold_them(tmp_path: Path) -> None:
    what = demos()
    path = tmp_path / "demos.safetensors"
    path.write_bytes(encode_demos(what))
    task, _ = apply_overrides(TASK, [f"agent.demo_path={path}"])
    small = task.model_copy(update={"agent": task.agent.model_copy(update={"buffer_size": 100})})
    with pytest.raises(InputError, match="holds 128 transitions, agent.buffer_size = 100 has no room"):
        demonstrations_of(small)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"scale": 0.5}, "has scale = 0.5 of 'joint_vel' in 'observation', the task has 0.1"),
        (
            {"func": "my.terms:speed"},
            "has func = \"my.terms:speed\" of 'joint_vel' in 'observation', the task has \"gen",
        ),
        ({"params": {"joints": ["joint2"]}}, 'has params = {"joints":["joint2"]} of \'joint_vel\''),
    ],
)
def test_columns_of_another_meaning_are_refused(tmp_path: Path, change: dict[str, Any], told: str) -> None:
    layout = demos().header.layout
    rows = [row.model_copy(update=change) if row.name == "joint_vel" else row for row in layout["observation"]]
    assert told in refusal(tmp_path / "demos.safetensors", demos(layout={**layout, "observation": tuple(rows)}))


def test_columns_whose_function_the_writer_does_not_tell_are_taken(tmp_path: Path) -> None:
    layout = demos().header.layout
    rows = tuple(row.model_copy(update={"func": None, "params": {}}) for row in layout["observation"])
    assert demonstrations_of(chosen(tmp_path / "demos.safetensors", demos(layout={**layout, "observation": rows})))


def test_words_of_the_file_do_not_break_the_line(tmp_path: Path) -> None:
    """Names in the configuration and in the layout are the file's own; the refusal checks for one printable line."""
    made, layout, bad = demos().header.collection, demos().header.layout, "a\n\x1b[2J" + "x" * 5000
    assert made is not None
    other = made.model_copy(update={"env": {bad: 1, **made.env}})
    row = layout["desired_goal"][0].model_copy(update={"name": bad})
    for header in ({"collection": other}, {"layout": {**layout, "desired_goal": (row,)}}):
        told = refusal(tmp_path / "demos.safetensors", demos(**header))
        assert told.isprintable()
        assert len(told) < 1000


def test_where_the_file_lies_is_no_part_of_the_digest(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    here, there = chosen(tmp_path / "a.safetensors", demos()), chosen(tmp_path / "other" / "b.safetensors", demos())
    assert config_sha256(here) == config_sha256(there) != config_sha256(TASK)
    changed_file = chosen(tmp_path / "a.safetensors", changed(demos(), rewards=np.zeros(2 * NUM_ENVS, np.float32)))
    assert config_sha256(changed_file) != config_sha256(here)
