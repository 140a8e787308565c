"""The numbers of the quadrupeds' tasks, written down a second time from what was published."""

import pytest

from genelab.config.env import EnvCfg
from tests.stage import stage

GO1, ROUGH = "Genelab-Velocity-Flat-Unitree-Go1-v0", "Genelab-Velocity-Rough-Unitree-Go1-v0"
STAGE_1, STAGE_2 = "Genelab-Velocity-Flat-Unitree-Go2W-v0/locked", "Genelab-Velocity-Flat-Unitree-Go2W-v0"
WEIGHTS = {
    "track_lin_vel": 2.0,
    "track_ang_vel": 1.0,
    "lin_vel_z": -2.0,
    "ang_vel_xy": -0.05,
    "flat_orientation": -1.0,
    "base_height": -1.0,
    "joint_torques": -0.0002,
    "joint_acc": -0.00001,
    "action_rate": -0.01,
    "joint_limits": -1.0,
    "undesired_contacts": -1.0,
}
"""Of every velocity task, per second."""
NOISE = {"base_ang_vel": 0.2, "projected_gravity": 0.05, "joint_pos": 0.01, "joint_vel": 1.5}
"""Half widths, in the policy's observations alone."""


@pytest.mark.parametrize(
    ("task", "more"),
    [
        (GO1, {"air_time": 0.25, "foot_slip": -0.1}),
        (ROUGH, {"air_time": 0.25, "foot_slip": -0.1}),
        (STAGE_1, {"air_time": 0.25, "foot_slip": -0.1}),
        (STAGE_2, {"air_time": 0.5, "lateral_error": -0.5, "turn_error": -0.5}),
    ],
)
def test_rewards(task: str, more: dict[str, float]) -> None:
    env = stage(task).env
    assert {name: term.weight for name, term in env.rewards.items()} == WEIGHTS | more
    assert env.reward_per == "second"
    wheeled = task in (STAGE_1, STAGE_2)
    params = {name: term.params for name, term in env.rewards.items()}
    assert params["track_lin_vel"]["width"] == params["track_ang_vel"]["width"] == 0.25
    assert params["base_height"]["target"] == (0.40 if wheeled else 0.34)
    assert len(params["joint_torques"]["joints"]) == (16 if wheeled else 12)  # type: ignore[arg-type]
    assert len(params["undesired_contacts"]["links"]) == (8 if wheeled else 4)  # type: ignore[arg-type]
    assert params["undesired_contacts"]["force"] == 1.0
    assert params["air_time"]["air_range"] == [0.1, 0.5]
    assert params["air_time"]["threshold"] == 0.1
    assert params["air_time"]["axes"] == (["y", "turn"] if task == STAGE_2 else ["x", "y", "turn"])
    if "foot_slip" in params:
        assert params["foot_slip"]["threshold"] == 0.05


@pytest.mark.parametrize("task", [GO1, ROUGH, STAGE_1, STAGE_2])
def test_time_commands_resets_and_pushes(task: str) -> None:
    spec = stage(task)
    env = spec.env
    assert (spec.train.num_envs, env.sim.dt, env.sim.substeps, env.decimation) == (4096, 0.002, 1, 10)
    assert env.max_episode_steps == 1000
    (command,) = env.commands.values()
    assert command.resample_s == (3.0, 8.0)
    assert command.params == {
        **{name: [-1.0, 1.0] for name in ("x_range", "y_range", "yaw_rate_range")},
        **dict.fromkeys(("forward_share", "standing_share"), 0.1),
        "forward_min": 0.3,
    }
    base = env.reset_events["base"].params
    assert base["x_range"] == base["y_range"] == [-0.5, 0.5]
    assert base["yaw_range"] == pytest.approx([-3.14159265, 3.14159265])
    assert env.reset_events["joints"].params == {"position_range": [0.0, 0.0], "velocity_range": [0.0, 0.0]}
    push = env.disturbances["push"]
    assert push.interval_s == (1.0, 3.0)
    assert push.params == {"speed_range": [-0.5, 0.5], "yaw_rate_range": [-0.5, 0.5]}
    # 70 degrees.
    assert env.terminations["fell_over"].params["limit"] == pytest.approx(1.22173, abs=1e-5)
    observed = env.observations["policy"].terms
    assert {name: term.noise for name, term in observed.items() if term.noise} == (
        NOISE | ({"height_scan": 0.1} if task == ROUGH else {})
    )
    assert env.observations["policy"].noise
    assert not env.observations["critic"].noise


def _actuators(env: EnvCfg) -> dict[str, tuple[str, float, float, float | None]]:
    """Law, gains and effort limit by joint, without the leg."""
    found = {
        joint[3:]: (group.law, group.kp, group.kv, group.effort_limit)
        for group in env.robot.actuators.values()
        for joint in group.joints
    }
    assert len(env.robot.joints) == 4 * len(found)
    return found


def test_the_go1() -> None:
    env = stage(GO1).env
    pd = ("implicit_pd", 25.0, 0.5)
    assert _actuators(env) == {
        "hip_joint": (*pd, 23.7),
        "thigh_joint": (*pd, 23.7),
        "calf_joint": (*pd, 35.55),
    }
    assert (env.action.scale, env.robot.pos) == (0.25, (0.0, 0.0, 0.42))  # type: ignore[union-attr]
    joints = {name[3:]: joint for name, joint in env.robot.joints.items()}
    assert {name: joint.default_pos for name, joint in joints.items()} == {
        "hip_joint": 0.0,
        "thigh_joint": 0.9,
        "calf_joint": -1.8,
    }
    assert {name: (joint.armature, joint.damping, joint.frictionloss) for name, joint in joints.items()} == {
        "hip_joint": (0.01, 1.0, 0.2),
        "thigh_joint": (0.01, 2.0, 0.2),
        "calf_joint": (0.01, 2.0, 0.2),
    }


@pytest.mark.parametrize(("task", "kv", "limit", "scale"), [(STAGE_1, 20.0, 50.0, 0.0), (STAGE_2, 5.0, 15.0, 20.0)])
def test_the_go2w(task: str, kv: float, limit: float, scale: float) -> None:
    env = stage(task).env
    pd = ("implicit_pd", 25.0, 0.5)
    assert _actuators(env) == {
        "hip_joint": (*pd, 23.7),
        "thigh_joint": (*pd, 23.7),
        "calf_joint": (*pd, 45.43),
        "wheel_joint": ("velocity", 0.0, kv, limit),
    }
    legs = [f"{leg}_{part}_joint" for leg in ("FL", "FR", "RL", "RR") for part in ("hip", "thigh", "calf")]
    assert env.action_columns == (*legs, "FL_wheel_joint", "FR_wheel_joint", "RL_wheel_joint", "RR_wheel_joint")
    assert list(env.action_scale.values()) == [0.25] * 12 + [scale] * 4
    assert (env.action.latency, env.action.noise_std) == ((0, 2), 0.05)  # type: ignore[union-attr]
    assert {(joint.armature, joint.damping, joint.frictionloss) for joint in env.robot.joints.values()} == {
        (0.01, 0.1, 0.2)
    }
    ranges = {
        name: value for term in env.randomizations.values() for name, value in term.params.items() if "range" in name
    }
    assert ranges == {
        "friction_range": [0.3, 1.5],
        "mass_range": [-1.0, 2.0],
        "shift_range": [-0.05, 0.05],
        "factor_range": [0.8, 1.2],
        "bias_range": [-0.015, 0.015],
    }
    assert [env.observations[group].history for group in ("policy", "critic")] == [5, 5]


@pytest.mark.parametrize(("task", "iterations"), [(GO1, 3000), (ROUGH, 3000), (STAGE_1, 6000), (STAGE_2, 10000)])
def test_the_learner(task: str, iterations: int) -> None:
    spec = stage(task)
    agent = spec.agent
    assert agent.algorithm == "ppo"
    assert spec.train.iterations == iterations
    assert agent.actor.hidden_dims == agent.critic.hidden_dims == (512, 256, 128)
    assert (agent.num_steps_per_env, agent.num_learning_epochs, agent.num_mini_batches) == (24, 5, 4)
    assert (agent.learning_rate, agent.gamma, agent.lam, agent.clip_param) == (1e-3, 0.99, 0.95, 0.2)
    assert (agent.entropy_coef, agent.desired_kl, agent.init_std) == (0.005, 0.01, 1.0)
    assert (agent.max_grad_norm, agent.value_loss_coef, agent.normalization) == (1.0, 1.0, "running")


def test_the_terrain_at_its_last_level() -> None:
    terrain = stage(ROUGH).env.terrain
    assert terrain is not None
    assert (terrain.rows, len(terrain.columns), terrain.cell_size) == (10, 10, 8.0)
    assert (terrain.horizontal_scale, terrain.vertical_scale) == (0.1, 0.005)
    kinds = [(column.kind, getattr(column, "inverted", False)) for column in terrain.columns]
    assert kinds == [
        *[("pyramid_stairs", False)] * 2,
        *[("pyramid_stairs", True)] * 2,
        *[("discrete_obstacles", False)] * 2,
        *[("random_rough", False)] * 2,
        *[("slope", False)] * 2,
    ]
    steepest = [next(getattr(column, name) for name in ("step_height", "height", "amplitude", "gradient")
                     if hasattr(column, name)) for column in terrain.columns]  # fmt: skip
    assert [last for _, last in steepest] == [0.13, 0.13, 0.13, 0.13, 0.11, 0.11, 0.07, 0.07, 0.3, -0.3]
