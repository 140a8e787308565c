"""The parts of an export's contract that follow from the task. An export writes them, `genelab check` compares them."""

from collections.abc import Callable, Sequence

from genelab.config.actions import DifferentialIkCfg, JointTargetsCfg
from genelab.config.base import Param
from genelab.config.env import EnvCfg
from genelab.config.scene import RobotCfg
from genelab.config.task import TaskSpec
from genelab.config.terms import Columns, layout_rows
from genelab.records.export import (
    Action,
    ActionJoint,
    ControlTiming,
    DifferentialIk,
    Goal,
    GoalTerm,
    Gripper,
    JointPositionTarget,
    JointTargets,
    Observation,
    ObservationSlice,
    TargetJoint,
    TensorSpec,
)

INPUTS = {"rsl_rl": ("obs",), "stable_baselines3": ("observation", "achieved_goal", "desired_goal")}
"""Names of the inputs of a policy file by `agent.trainer`, one for each of `agent.actor_groups`."""
OUTPUT = "actions"
"""Name of its output."""
TOLERANCE = 1e-5
"""Largest difference of an action, in units of the largest action if that is above 1: float32 sums in other orders."""

Meaning = Callable[[str], str | None]
"""What the function of a `module:name` reference returns, in a line; None if it does not say."""


def tolerance_of(largest_action: float) -> float:
    """Largest difference allowed between the actions of a policy file and those of the policy."""
    return TOLERANCE * max(1.0, largest_action)


def observation_of(
    task: TaskSpec, name: str, input_name: str, columns: Sequence[Columns], meaning: Meaning
) -> Observation:
    """How to fill an input.

    Args:
        task: the task.
        name: the observation group.
        input_name: its input.
        columns: of each term of each frame, which its function tells.
        meaning: tells what a term returns.

    Raises:
        ValueError: if they are those of another number of terms.
    """
    group = task.env.observations[name]
    rows = layout_rows(group, columns)
    return Observation(
        input=TensorSpec(name=input_name, dtype="float32", shape=("batch", rows[-1]["stop"])),
        formula="obs[start:stop] = scale * value",
        noise="none",
        normalization=task.agent.normalization,
        terms=tuple(
            ObservationSlice(
                **row,
                training_noise=group.terms[row["name"]].noise if group.noise else None,
                meaning=meaning(row["func"]),
            )
            for row in rows
        ),
    )


def action_of(env: EnvCfg) -> Action:
    """What the output means."""
    cfg = env.action
    output = TensorSpec(name=OUTPUT, dtype="float32", shape=("batch", len(cfg.columns)))
    if isinstance(cfg, DifferentialIkCfg):
        return _differential_ik(env, cfg, output)
    if isinstance(cfg, JointTargetsCfg):
        return _joint_targets(env, cfg, output)
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


def _joint_targets(env: EnvCfg, cfg: JointTargetsCfg, output: TensorSpec) -> JointTargets:
    scales = {joint: group.scale for group in cfg.groups.values() for joint in group.joints}
    return JointTargets(
        output=output,
        kind="joint_targets",
        formula=(
            "position target = default_pos + scale * action, of joints with law 'implicit_pd' or 'explicit_pd'",
            "velocity target = scale * action, of joints with law 'velocity'",
        ),
        unit="m or rad; m/s or rad/s of joints with law 'velocity'",
        joints=tuple(TargetJoint(**dict(joint), scale=scales[joint.name]) for joint in _joints(env.robot, cfg.joints)),
        training_latency=cfg.latency,
        training_noise_std=cfg.noise_std,
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
            velocity_limit=groups[name].velocity_limit,
            law=groups[name].law,
        )
        for name in names
    )


def goal_of(env: EnvCfg, meaning: Meaning) -> Goal | None:
    """What the goals are; None for an environment without."""
    if env.goal is None:
        return None
    command = env.commands[env.goal.command]

    def term(func: str, params: dict[str, Param]) -> GoalTerm:
        return GoalTerm(func=func, params=params, meaning=meaning(func))

    return Goal(
        achieved=term(env.goal.achieved, env.goal.params),
        desired=term(command.func, command.params),
        tolerance=env.goal.tolerance,
    )


def timing_of(env: EnvCfg) -> ControlTiming:
    """When to run the policy."""
    return ControlTiming(
        control_dt=env.control_dt,
        physics_dt=env.sim.dt,
        decimation=env.decimation,
        episode_steps=env.max_episode_steps,
    )
