"""Fills the contract of an exported policy from the run's snapshot and the checkpoint."""

import inspect
import platform
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

from genelab import __version__
from genelab.config.actions import DifferentialIkCfg
from genelab.config.base import Param
from genelab.config.env import EnvCfg
from genelab.config.scene import RobotCfg
from genelab.config.task import TaskSpec
from genelab.envs.terms import layout_row
from genelab.errors import InputError
from genelab.export.onnx import OUTPUT
from genelab.functions import resolve_function
from genelab.learn.checkpoint import Checkpoint
from genelab.records.export import (
    Action,
    ActionJoint,
    ControlTiming,
    DifferentialIk,
    ExportedFile,
    ExportRecord,
    Goal,
    GoalTerm,
    Gripper,
    JointPositionTarget,
    Observation,
    ObservationSlice,
    Parity,
    TensorSpec,
)
from genelab.records.run import RunRecord, TrainedCheckpoint

TIME_LEFT = "genelab.mdp.observations:time_left"
"""The observation that needs to know how long an episode lasts."""


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
    cfg = env.action
    output = TensorSpec(name=OUTPUT, dtype="float32", shape=("batch", len(cfg.columns)))
    if isinstance(cfg, DifferentialIkCfg):
        return _differential_ik(env, cfg, output)
    return JointPositionTarget(
        output=output,
        kind="joint_position_target",
        formula="target = default_pos + offset + scale * action",
        unit="m for a sliding joint, rad for a turning one",
        scale=cfg.scale,
        offset=cfg.offset,
        joints=_joints(env.robot, cfg.joints),
        gravity_compensation=env.robot.gravity_compensation,
    )


def _differential_ik(env: EnvCfg, cfg: DifferentialIkCfg, output: TensorSpec) -> DifferentialIk:
    x, y, z, gripper = cfg.columns
    return DifferentialIk(
        output=output,
        kind="differential_ik",
        columns=(x, y, z, gripper),
        clip=(-1.0, 1.0),
        formula=(
            "a = clip(action, clip)",
            "dx = (scale * a[0:3], orientation_gain * rotation_vector(held * inverse(orientation)))",
            "dq = transpose(J) * inverse(J * transpose(J) + damping^2 * identity) * dx",
            "target = clip(q + clip(dq, [-max_joint_step, max_joint_step]), range)",
            "finger target = clip(mean(finger q) + gripper.scale * a[3], gripper.range)",
        ),
        symbols={
            "held": "orientation of the link with every joint at its default_pos, unit quaternion in the world frame",
            "orientation": "orientation of the link now, unit quaternion in the world frame",
            "rotation_vector": "axis times angle in rad, of the shorter way round",
            "J": "6 rows: velocity of the link's origin (x, y, z), then its angular velocity (x, y, z), both in the "
            "world frame, per unit of velocity of each of the joints",
            "q": "sensed joint positions, in the unit of the targets",
        },
        unit="m for a sliding joint, rad for a turning one",
        link=cfg.link,
        scale=cfg.scale,
        damping=cfg.damping,
        orientation_gain=cfg.orientation_gain,
        max_joint_step=cfg.max_joint_step,
        joints=_joints(env.robot, cfg.joints),
        gripper=Gripper(
            joints=_joints(env.robot, cfg.gripper.joints), scale=cfg.gripper.scale, range=cfg.gripper.range
        ),
        gravity_compensation=env.robot.gravity_compensation,
    )


def _joints(robot: RobotCfg, names: Sequence[str]) -> tuple[ActionJoint, ...]:
    groups = {joint: group for group in robot.actuators.values() for joint in group.joints}
    return tuple(
        ActionJoint(
            name=name,
            default_pos=robot.joints[name].default_pos,
            range=robot.joints[name].range,
            kp=groups[name].kp,
            kv=groups[name].kv,
            effort_limit=groups[name].effort_limit,
        )
        for name in names
    )


def goal(env: EnvCfg) -> Goal | None:
    """What the goals are; None for an environment without."""
    if env.goal is None:
        return None
    command = env.commands[env.goal.command]
    return Goal(
        achieved=_goal_term(env.goal.achieved, env.goal.params),
        desired=_goal_term(command.func, command.params),
        tolerance=env.goal.tolerance,
    )


def _goal_term(func: str, params: dict[str, Param]) -> GoalTerm:
    return GoalTerm(func=func, params=params, meaning=_first_line(func))


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
        goal=goal(env),
        action=action(env),
        timing=_timing(env, observations),
        parity=parity,
        versions={
            "python": platform.python_version(),
            "genelab": __version__,
            **{name: version(name) for name in packages},
        },
    )


def _timing(env: EnvCfg, observations: Sequence[Observation]) -> ControlTiming:
    counts_steps = any(term.func == TIME_LEFT for each in observations for term in each.terms)
    return ControlTiming(
        control_dt=env.control_dt,
        physics_dt=env.sim.dt,
        decimation=env.decimation,
        episode_steps=env.max_episode_steps if counts_steps else None,
    )


def _first_line(ref: str) -> str | None:
    documentation = inspect.getdoc(resolve_function(ref))
    return documentation.splitlines()[0] if documentation else None
