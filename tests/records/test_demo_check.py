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


def told_of_the_collection(**told: Any) -> Demos:
    made = demos().header.collection
    assert made is not None
    return demos(collection=made.model_copy(update=told))


def with_an_action(value: float) -> Demos:
    what = demos()
    what.arrays["actions"][3, 2] = value
    return what


def without_transitions() -> Demos:
    what = demos(collection=None)
    return replace(what, arrays={n: a for n, a in what.arrays.items() if n.startswith(("observations/", "actions"))})


@pytest.mark.parametrize(
    ("what", "told"),
    [
        (demos(num_envs=32), "has num_envs = 32, the training has 64; collect with --num-envs 64"),
        (
            demos(task=TASK.model_copy(update={"id": "Other-Task-v0"})),
            "was collected for task 'Other-Task-v0', not for 'GeneLab-Franka-Pick-And-Place-v0'",
        ),
        (demos(task_version=2), "was collected for version 2 of the task, this is version 1"),
        (with_an_action(1.5), "actions up to 1.5, they must lie between -1 and 1"),
        (without_transitions(), "a replay buffer needs whole transitions"),
        (told_of_the_collection(steps=3), "has 128 rows, its header tells of 3 steps of 64 environments"),
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


def test_words_of_the_file_do_not_break_the_line(tmp_path: Path) -> None:
    """Names in the configuration are the file's own; the refusal checks for one printable line."""
    made, bad = demos().header.collection, "a\n\x1b[2J" + "x" * 5000
    assert made is not None
    told = refusal(
        tmp_path / "demos.safetensors", demos(collection=made.model_copy(update={"env": {bad: 1, **made.env}}))
    )
    assert told.isprintable()
    assert len(told) < 1000


def test_where_the_file_lies_is_no_part_of_the_digest(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    here, there = chosen(tmp_path / "a.safetensors", demos()), chosen(tmp_path / "other" / "b.safetensors", demos())
    assert config_sha256(here) == config_sha256(there) != config_sha256(TASK)
    changed_file = chosen(tmp_path / "a.safetensors", changed(demos(), rewards=np.zeros(2 * NUM_ENVS, np.float32)))
    assert config_sha256(changed_file) != config_sha256(here)
