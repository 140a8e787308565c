"""The parts of an export's contract that follow from the task. An export writes them, `genelab check` compares them."""

from collections.abc import Callable, Sequence

from genelab.config.actions import JointTargetsCfg
from genelab.config.agent import AgentCfg
from genelab.config.base import Param
from genelab.config.model_file import load_model
from genelab.config.scene import RobotCfg
from genelab.config.stage import AnyEnvCfg
from genelab.config.task import TaskSpec
from genelab.config.terms import Columns, layout_rows
from genelab.config.vector import VectorEnvCfg
from genelab.records.export import (
    Action,
    ActionJoint,
    ControlTiming,
    Goal,
    GoalTerm,
    Observation,
    ObservationSlice,
    PassiveJoint,
    Robot,
    TensorSpec,
)

OUTPUT = "actions"
"""Name of its output."""
TOLERANCE = 1e-5
"""Largest difference of an action, in units of the largest action if that is above 1: float32 sums in other orders."""

Meaning = Callable[[str], str | None]
"""What the function of a `module:name` reference returns, in a line; None if it does not say."""


def input_names(agent: AgentCfg) -> tuple[str, ...]:
    """Names of the inputs of a policy file, one for each of `agent.actor_groups`."""
    return ("obs",) if len(agent.actor_groups) == 1 else agent.actor_groups


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


FORMULAS: dict[str, tuple[str, ...]] = {
    "vector": ("the action of the environment that `make` makes = clip(action, clip)",),
    "joint_targets": (
        "position target = default_pos + scale * action, of joints with law 'implicit_pd' or 'explicit_pd'",
        "velocity target = scale * action, of joints with law 'velocity'",
    ),
    "differential_ik": (
        "a = clip(action, clip)",
        "dx = (scale * a[0:3], orientation_gain * rotation_vector(held * inverse(orientation)))",
        "dq = transpose(J) * inverse(J * transpose(J) + damping^2 * identity) * dx",
        "target = clip(q + clip(dq, [-max_joint_step, max_joint_step]), range)",
        "finger target = clip(mean(finger q) + finger_scale * a[3], finger_range)",
    ),
}
"""From the output to the targets by kind of action."""
UNITS = {
    "joint_targets": "m or rad; m/s or rad/s of joints with law 'velocity'",
    "differential_ik": "m for a sliding joint, rad for a turning one",
}
"""Units of the targets."""
SYMBOLS = {
    "held": "orientation of the link with every joint at its default_pos, unit quaternion in the world frame",
    "orientation": "orientation of the link now, unit quaternion in the world frame",
    "rotation_vector": "axis times angle in rad, of the shorter way round",
    "J": "6 rows: velocity of the link's origin (x, y, z), then its angular velocity (x, y, z), both in the "
    "world frame, per unit of velocity of each of the joints",
    "q": "sensed joint positions, in the unit of the targets",
}
"""What the formula of `differential_ik` names. Targets refer to what is sensed: an action of zero asks to stay where
the robot is, not where it was told to be."""


def action_of(env: AnyEnvCfg) -> Action:
    """What the output means."""
    if isinstance(env, VectorEnvCfg):
        return Action(
            output=TensorSpec(name=OUTPUT, dtype="float32", shape=("batch", len(env.action))),
            kind="vector",
            columns=env.action,
            formula=FORMULAS["vector"],
            constants={"make": env.make, "clip": [-1.0, 1.0]},
            symbols={},
            unit="",
        )
    cfg, joints = env.action, env.robot.joints
    late = isinstance(cfg, JointTargetsCfg)
    if isinstance(cfg, JointTargetsCfg):
        moved, fingers = env.driven, ()
        constants: dict[str, Param] = {"scale": list(env.action_scale.values())}
    else:
        moved, fingers = cfg.arm(joints), cfg.fingers(joints)
        numbers = cfg.model_dump(include={"link", "scale", "damping", "orientation_gain", "max_joint_step"})
        constants = numbers | {
            "clip": [-1.0, 1.0],
            "finger_scale": cfg.gripper.scale,
            "finger_range": list(cfg.gripper.range),
        }
    return Action(
        output=TensorSpec(name=OUTPUT, dtype="float32", shape=("batch", len(env.action_columns))),
        kind=cfg.kind,
        columns=env.action_columns,
        formula=FORMULAS[cfg.kind],
        constants=constants,
        symbols={} if late else SYMBOLS,
        unit=UNITS[cfg.kind],
        joints=_joints(env.robot, moved),
        fingers=_joints(env.robot, fingers),
        gravity_compensation=env.robot.gravity_compensation,
        training_latency=cfg.latency if late else (0, 0),
        training_noise_std=cfg.noise_std if late else 0.0,
    )


def _joints(robot: RobotCfg, names: Sequence[str]) -> tuple[ActionJoint, ...]:
    return tuple(
        ActionJoint(
            name=name,
            default_pos=robot.default_of(name),
            range=robot.range_of(name),
            kp=group.kp,
            kv=group.kv,
            effort_limit=group.effort_limit,
            velocity_limit=group.velocity_limit,
            law=group.law,
        )
        for name, group in ((name, robot.actuator_of(name)) for name in names)
    )


def robot_of(env: AnyEnvCfg) -> Robot | None:
    """What moves, and what it stands on: the config's numbers, and MuJoCo's reading of the model file.

    None for an environment that is no scene.
    """
    if isinstance(env, VectorEnvCfg):
        return None
    cfg, model = env.robot, load_model(env.robot.model, env.robot.model_sha256)
    dofs = {joint: model.joint(joint).dofadr[0] for joint in cfg.joints}
    kept = [model.geom(geom).name not in cfg.geoms_left_out for geom in range(model.ngeom)]
    touching = kept & ((model.geom_contype | model.geom_conaffinity) != 0)
    frictions = {
        link: model.geom_friction[touching & (model.geom_bodyid == model.body(link).id), 0] for link in cfg.links
    }
    return Robot(
        model=cfg.model,
        model_sha256=cfg.model_sha256,
        left_out=cfg.geoms_left_out,
        pos=cfg.pos,
        default_pos={joint: cfg.default_of(joint) for joint in cfg.joints},
        passive={
            joint: PassiveJoint(
                armature=cfg.armature_of(joint, float(model.dof_armature[dof])),
                damping=float(model.dof_damping[dof]),
                friction_loss=float(model.dof_frictionloss[dof]),
            )
            for joint, dof in dofs.items()
        },
        friction={link: float(values.max()) for link, values in frictions.items() if len(values)},
        ground_friction=env.ground.friction if env.ground else None,
        gravity=env.sim.gravity,
    )


def goal_of(env: AnyEnvCfg, meaning: Meaning) -> Goal | None:
    """What the goals are; None for an environment without."""
    if isinstance(env, VectorEnvCfg) or env.goal is None:
        return None
    command = env.commands[env.goal.command]

    def term(func: str, params: dict[str, Param]) -> GoalTerm:
        return GoalTerm(func=func, params=params, meaning=meaning(func))

    return Goal(
        achieved=term(env.goal.achieved, env.goal.params),
        desired=term(command.func, command.params),
        tolerance=env.goal.tolerance,
    )


def timing_of(env: AnyEnvCfg) -> ControlTiming:
    """When to run the policy."""
    if isinstance(env, VectorEnvCfg):
        return ControlTiming(control_dt=env.control_dt, episode_steps=env.episode_steps)
    return ControlTiming(
        control_dt=env.control_dt,
        physics_dt=env.sim.dt,
        substeps=env.sim.substeps,
        decimation=env.decimation,
        episode_steps=env.max_episode_steps,
    )
