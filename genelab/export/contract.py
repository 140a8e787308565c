"""Fills the contract of an exported policy from the run's snapshot and the checkpoint."""

import inspect
import platform
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

from genelab import __version__
from genelab.config.base import resolve_function
from genelab.config.env import EnvCfg
from genelab.config.task import TaskSpec
from genelab.envs.terms import layout_row
from genelab.errors import InputError
from genelab.export.onnx import OUTPUT
from genelab.learn.checkpoint import Checkpoint
from genelab.records.export import (
    Action,
    ActionJoint,
    ControlTiming,
    ExportedFile,
    ExportRecord,
    Observation,
    ObservationSlice,
    Parity,
    TensorSpec,
)
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
    rows: list[dict[str, Any]] = checkpoint.layout[name]
    spans = [(row["start"], row["stop"]) for row in rows]
    if rows != [layout_row(name, cfg, *span) for (name, cfg), span in zip(group.terms.items(), spans, strict=False)]:
        raise InputError(f"{source}: the observations it was trained on are laid out otherwise than the task's")
    return Observation(
        input=TensorSpec(name=input_name, dtype="float32", shape=("batch", rows[-1]["stop"])),
        formula="obs[start:stop] = scale * value",
        noise="none",
        normalization=task.agent.normalization,
        terms=tuple(
            ObservationSlice(
                **row,
                training_noise=group.terms[row["name"]].noise if group.noise else None,
                meaning=_first_line(row["func"]),
            )
            for row in rows
        ),
    )


def action(env: EnvCfg) -> Action:
    """What the output means."""
    groups = {joint: group for group in env.robot.actuators.values() for joint in group.joints}
    return Action(
        output=TensorSpec(name=OUTPUT, dtype="float32", shape=("batch", len(env.action.columns))),
        kind="joint_position_target",
        formula="target = default_pos + offset + scale * action",
        unit="m for a sliding joint, rad for a turning one",
        scale=env.action.scale,
        offset=env.action.offset,
        joints=tuple(
            ActionJoint(
                name=name,
                default_pos=env.robot.joints[name].default_pos,
                range=env.robot.joints[name].range,
                kp=groups[name].kp,
                kv=groups[name].kv,
                effort_limit=groups[name].effort_limit,
            )
            for name in env.action.joints
        ),
    )


def contract(
    run: RunRecord,
    env: EnvCfg,
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
        schema="genelab/export/1",
        task=run.task,
        task_version=run.task_version,
        seed=run.seed,
        config_sha256=run.config_sha256,
        checkpoint=checkpoint,
        file=file,
        observation=first,
        goals=tuple(goals),
        action=action(env),
        timing=ControlTiming(control_dt=env.control_dt, physics_dt=env.sim.dt, decimation=env.decimation),
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
