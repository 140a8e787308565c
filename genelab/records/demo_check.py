"""Whether demonstrations fit the training that they are to fill."""

from typing import Any

import numpy as np

from genelab.config.agent import OffPolicyCfg
from genelab.config.snapshot import canonical_json, differences, dump, one_line
from genelab.config.task import TaskSpec
from genelab.errors import InputError
from genelab.records.demos import Demos, LayoutRow, read_demos
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
    where, header, collection = file_told(task), demos.header, demos.header.collection
    if collection is None:
        raise InputError(f"{where} holds observations and actions alone; a replay buffer needs whole transitions")
    if header.task != task.id:
        raise InputError(f"{where} was collected for task '{_told(header.task)}', not for '{task.id}'")
    if header.task_version != task.task_version:
        told = f"version {header.task_version} of the task, this is version {task.task_version}"
        raise InputError(f"{where} was collected for {told}; collect it again")
    if collection.num_envs != task.train.num_envs:
        rule = f"the training has {task.train.num_envs}; collect with --num-envs {task.train.num_envs}"
        raise InputError(f"{where} has num_envs = {collection.num_envs}, {rule}")
    if changed := differences(collection.env, dump(task.env)):
        name, old, new = changed[0]
        told = f"{_told(f'env.{name}')} = {_short(old)}, the training has {_short(new)}"
        how = "collect it again, with the --set env.* of the training"
        raise InputError(f"{where} was collected in another environment: {told}; {how}")
    _check_columns(where, demos, task)
    for name, array in demos.arrays.items():
        if not np.isfinite(array).all():
            raise InputError(f"{where} holds values in '{name}' that are not finite")
    actions = demos.arrays["actions"]
    if (largest := float(np.abs(actions).max())) > 1.0:
        raise InputError(f"{where} holds actions up to {largest:g}, they must lie between -1 and 1")
    rows, room = len(actions), task.agent.buffer_size
    if rows > room:
        raise InputError(f"{where} holds {rows} transitions, agent.buffer_size = {room} has no room for them")
    return demos


def file_told(task: TaskSpec) -> str:
    """How messages name the demonstrations that a task chose."""
    assert isinstance(task.agent, OffPolicyCfg)
    assert task.agent.demo_path is not None
    return f"demonstration file '{task.agent.demo_path.value}'"


def _check_columns(where: str, demos: Demos, task: TaskSpec) -> None:
    """Check what the columns hold. How wide a term is, its function knows: `genelab.envs.recorded`."""
    wanted = {group: list(cfg.terms) for group, cfg in task.env.observations.items()}
    found = {group: [row.name for row in rows] for group, rows in demos.header.layout.items()}
    if found != wanted:
        group = next(g for g in (*wanted, *found) if wanted.get(g) != found.get(g))
        told = f"the columns {found.get(group)} in '{group}', the task {wanted.get(group)}"
        raise InputError(f"{where} has {_told(told)}")
    for group, rows in demos.header.layout.items():
        for row in rows:
            _check_term(where, f"'{row.name}' in '{group}'", row, dump(task.env.observations[group].terms[row.name]))
    columns, width = len(task.env.action_columns), demos.arrays["actions"].shape[1]
    if width != columns:
        raise InputError(f"{where} has actions of {width} columns, the task {columns}")


def _check_term(where: str, name: str, row: LayoutRow, term: dict[str, Any]) -> None:
    # A writer may leave out the function, and the arguments with it.
    own = {"scale": row.scale} | ({} if row.func is None else {"func": row.func, "params": row.params})
    for field, value in own.items():
        if value != term[field]:
            told = f"{field} = {_short(value)} of {name}, the task has {_short(term[field])}"
            raise InputError(f"{where} has {told}")


def _told(text: str) -> str:
    """What a file says, as a part of one line."""
    return one_line(text, MAX_LINE)


def _short(value: Any) -> str:
    text = canonical_json(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
