"""Fills the contract of an exported policy from the run's snapshot and the checkpoint."""

import inspect
import platform
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

from genelab import __version__
from genelab.config.stage import AnyEnvCfg
from genelab.config.task import TaskSpec
from genelab.config.terms import layout_rows
from genelab.errors import InputError
from genelab.functions import resolve_function
from genelab.learn.checkpoint import Checkpoint
from genelab.records.contract import action_of, goal_of, observation_of, robot_of, timing_of
from genelab.records.export import ExportedFile, ExportRecord, Observation, Parity
from genelab.records.run import RunRecord, TrainedCheckpoint


def observation(task: TaskSpec, checkpoint: Checkpoint, name: str, input_name: str, source: str) -> Observation:
    """How to fill an input, from the layout in the checkpoint.

    Args:
        task: the task.
        checkpoint: the checkpoint.
        name: the observation group.
        input_name: its input.
        source: names the checkpoint in errors.

    Raises:
        InputError: if the layout is not that of the task's observations; names `source`.
    """
    group = task.env.observations[name]
    laid_out = f"{source}: the observations it was trained on are laid out otherwise than the task's"
    rows: list[dict[str, Any]] = checkpoint.layout[name]
    try:
        columns = [(row["columns"], row["unit"]) for row in rows]
        expected = layout_rows(group, columns)
    except (LookupError, TypeError, ValueError) as error:
        raise InputError(laid_out) from error
    if rows != expected:
        raise InputError(laid_out)
    return observation_of(task, name, input_name, columns, _first_line)


def contract(
    run: RunRecord,
    env: AnyEnvCfg,
    checkpoint: TrainedCheckpoint,
    file: ExportedFile,
    observations: Sequence[Observation],
    parity: Parity,
    packages: Sequence[str],
) -> ExportRecord:
    """The contract.

    Args:
        run: the run.
        env: its environment.
        checkpoint: what was exported.
        file: the policy file.
        observations: how to fill its inputs, in their order.
        parity: that it is the policy.
        packages: distributions that wrote and checked the file.
    """
    first, *goals = observations
    return ExportRecord(
        schema="genelab/export/2",
        task=run.task,
        task_version=run.task_version,
        seed=run.seed,
        config_sha256=run.config_sha256,
        checkpoint=checkpoint,
        file=file,
        observation=first,
        goals=tuple(goals),
        goal=goal_of(env, _first_line),
        action=action_of(env),
        robot=robot_of(env),
        timing=timing_of(env),
        parity=parity,
        versions={
            "python": platform.python_version(),
            "genelab": __version__,
            **{name: version(name) for name in packages},
        },
    )


def _first_line(ref: str) -> str | None:
    documentation = inspect.getdoc(resolve_function(ref))
    return documentation.splitlines()[0] if documentation else None
