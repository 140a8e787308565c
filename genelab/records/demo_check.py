"""Whether demonstrations fit the training that they are to fill."""

from typing import Any

import numpy as np

from genelab.config.agent import OffPolicyCfg
from genelab.config.snapshot import canonical_json, differences, dump, one_line
from genelab.config.task import TaskSpec
from genelab.errors import InputError
from genelab.records.demos import Demos, read_demos
from genelab.records.files import MAX_LINE


def demonstrations_of(task: TaskSpec) -> Demos | None:
    """Read the demonstrations that a task's learner is filled with; None if it wants none.

    Raises:
        InputError: if none are chosen, the file is missing, was changed since or is broken, or was collected for
            another task, number of environments or environment; names the first difference.
    """
    if not isinstance(task.agent, OffPolicyCfg) or task.agent.demo_path is None:
        return None
    try:
        path = task.agent.demo_path.resolve()
    except InputError as error:
        raise InputError(f"agent.demo_path {error}") from error
    demos = read_demos(path)  # pyright: ignore[reportArgumentType] a file is a path
    where, header = f"demonstration file '{task.agent.demo_path.value}'", demos.header
    collection = header.collection
    if collection is None:
        raise InputError(f"{where} holds observations and actions alone; a replay buffer needs whole transitions")
    if header.task != task.id:
        raise InputError(f"{where} was collected for task '{header.task}', not for '{task.id}'")
    if header.task_version != task.task_version:
        told = f"version {header.task_version} of the task, this is version {task.task_version}"
        raise InputError(f"{where} was collected for {told}; collect it again")
    if collection.num_envs != task.train.num_envs:
        rule = f"the training has {task.train.num_envs}; collect with --num-envs {task.train.num_envs}"
        raise InputError(f"{where} has num_envs = {collection.num_envs}, {rule}")
    if changed := differences(collection.env, dump(task.env)):
        name, old, new = changed[0]
        told = one_line(f"env.{name} = {_short(old)}, the training has {_short(new)}", MAX_LINE)
        how = "collect it again, with the --set env.* of the training"
        raise InputError(f"{where} was collected in another environment: {told}; {how}")
    actions = demos.arrays["actions"]
    if (largest := float(np.abs(actions).max())) > 1.0:
        raise InputError(f"{where} holds actions up to {largest:g}, they must lie between -1 and 1")
    rows, room = len(actions), task.agent.buffer_size
    if rows > room:
        raise InputError(f"{where} holds {rows} transitions, agent.buffer_size = {room} has no room for them")
    return demos


def _short(value: Any) -> str:
    text = canonical_json(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
