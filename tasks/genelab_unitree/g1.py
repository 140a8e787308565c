"""Unitree G1: walk as commanded, on flat and on uneven ground.

Rewards and the learner are those of the published GeneLab; docs/reference/g1-velocity.md lists the differences.
"""

from genelab.config.agent import NetworkCfg, PpoCfg
from genelab.config.base import Param
from genelab.config.env import EnvCfg, FeetCfg
from genelab.config.scene import GroundCfg
from genelab.config.stage import TrainCfg
from genelab.config.task import TaskSpec
from genelab.config.terms import (
    CommandCfg,
    FollowCfg,
    IntervalEventCfg,
    ObservationGroupCfg,
    ObservationTermCfg,
    PartCfg,
    RandomizationCfg,
    ResetEventCfg,
    RewardTermCfg,
    TerminationCfg,
)
from genelab.config.terrain import (
    DiscreteObstaclesCfg,
    PyramidStairsCfg,
    RandomRoughCfg,
    Range,
    SlopeCfg,
    SubTerrainCfg,
    TerrainCfg,
)
from genelab_unitree import common
from genelab_unitree.robots import g1
from genelab_unitree.robots.g1 import FEET, FOOT_LINKS, JOINTS, robot

FAMILY = "genelab.families.velocity"
TORSO = "torso_link"
MOVING: dict[str, Param] = {"command": common.COMMAND, "threshold": 0.05, "axes": common.ALL_AXES}
"""Where a term counts only if motion is asked for."""
LATER: list[list[float]] = [
    [120_000, -1.5, 2.0, -1.0, 1.0, -0.7, 0.7],
    [240_000, -2.0, 3.0, -1.0, 1.0, -0.7, 0.7],
]
"""Wider commands from 5,000 and from 10,000 iterations on: step, then lowest and highest x, y and turn."""
STANDING: dict[str, float] = {".*_joint": 0.05}
WALKING: dict[str, float] = {
    ".*_hip_pitch_joint": 0.30,
    ".*_hip_(roll|yaw)_joint": 0.15,
    ".*_knee_joint": 0.35,
    ".*_ankle_pitch_joint": 0.25,
    ".*_ankle_roll_joint": 0.10,
    "waist_yaw_joint": 0.20,
    "waist_roll_joint": 0.08,
    "waist_pitch_joint": 0.10,
    ".*_shoulder_(pitch|roll)_joint": 0.15,
    ".*_shoulder_yaw_joint": 0.10,
    ".*_elbow_joint": 0.15,
    ".*_wrist_.*_joint": 0.30,
}
RUNNING: dict[str, float] = {
    ".*_hip_pitch_joint": 0.50,
    ".*_hip_(roll|yaw)_joint": 0.20,
    ".*_knee_joint": 0.60,
    ".*_ankle_pitch_joint": 0.35,
    ".*_ankle_roll_joint": 0.15,
    "waist_yaw_joint": 0.30,
    "waist_roll_joint": 0.08,
    "waist_pitch_joint": 0.20,
    ".*_shoulder_pitch_joint": 0.50,
    ".*_shoulder_roll_joint": 0.20,
    ".*_shoulder_yaw_joint": 0.15,
    ".*_elbow_joint": 0.35,
    ".*_wrist_.*_joint": 0.30,
}
"""How far joints may be from the default pose, rad, by how fast the robot is to go."""
BOUNDS: common.Bounds = {
    **common.BOUNDS,
    "last_action": ((-3.0, 3.0),),
    "foot_height": ((-0.1, 0.2),),
    "foot_air_time": ((0.0, 0.5),),
    "foot_contact": ((0.0, 1.0),),
    "foot_force": ((-6.0, 6.0),),
    "height_scan": ((0.0, 1.6),),
}


def flat() -> TaskSpec:
    """Follow a velocity command on flat ground."""
    policy = common.observations(JOINTS)
    privileged: dict[str, ObservationTermCfg] = {
        "foot_height": _family("observations:foot_height"),
        "foot_air_time": common.observation("foot_air_time"),
        "foot_contact": common.observation("foot_contact"),
        "foot_force": common.observation("foot_force_log"),
    }
    imu = list(robot().points["imu_in_pelvis"].pos)
    critic = {"base_lin_vel": common.observation("point_lin_vel", offset=imu), **policy, **privileged}
    return TaskSpec(
        id="Genelab-Velocity-Flat-Unitree-G1-v0",
        task_version=1,
        package="genelab_unitree",
        published_as="Genelab-Velocity-Flat-Unitree-G1-v0",
        env=EnvCfg(
            decimation=common.DECIMATION,
            episode_length_s=common.EPISODE_S,
            sim=common.SIM,
            robot=robot(),
            # Below every friction that a foot may be given: a contact takes the larger of both.
            ground=GroundCfg(friction=0.3),
            feet=FeetCfg(sites=FEET),
            parts={
                "swing": PartCfg(func=f"{FAMILY}.sensors:swing"),
                "self_contact": PartCfg(func=f"{FAMILY}.sensors:self_contact", params={"force": 10.0, "steps": 4}),
                "momentum": PartCfg(func=f"{FAMILY}.sensors:momentum"),
            },
            action=g1.action(),
            observations={
                "policy": ObservationGroupCfg(terms=common.bounded(policy, BOUNDS), noise=True),
                "critic": ObservationGroupCfg(terms=common.bounded(critic, BOUNDS), noise=False),
            },
            commands=commands(),
            rewards=rewards(),
            terminations=common.terminations(),
            reset_events=reset_events(),
            disturbances=disturbances(),
            randomizations=randomizations(),
            measures=common.measures(),
        ),
        agent=agent(init_std=1.0, entropy_coef=0.01, desired_kl=0.01),
        train=TrainCfg(num_envs=4096, iterations=30_000),
        baselines=("frozen",),
        overlay=common.OVERLAY,
        probe=common.probe(fastest=0.5, turn=0.5),
    )


def rough() -> TaskSpec:
    """Follow a velocity command on stairs, blocks, rough ground and slopes, seeing the heights around."""
    task = flat()
    env, probe, ground = task.scene, task.probe, terrain()
    assert probe is not None
    groups = {name: _seeing(group) for name, group in env.observations.items()}
    leaves = TerminationCfg(func="genelab.mdp.terminations:off_the_terrain", params={"margin": 0.5}, truncates=True)
    # A foot that has to find its way over an edge may take another path.
    weights = {"foot_clearance": -0.5, "foot_swing_height": -0.25}
    lighter = {name: env.rewards[name].model_copy(update={"weight": weight}) for name, weight in weights.items()}
    return task.model_copy(
        update={
            "id": "Genelab-Velocity-Rough-Unitree-G1-v0",
            "published_as": "Genelab-Velocity-Rough-Unitree-G1-v0",
            # One start on every cell.
            "probe": probe.model_copy(update={"num_envs": ground.rows * len(ground.columns)}),
            "agent": agent(init_std=1.0, entropy_coef=0.0, desired_kl=0.02, std_by_state=(0.3, 2.0)),
            "train": TrainCfg(num_envs=4096, iterations=6000, curriculum=common.curriculum()),
            "env": EnvCfg(
                **env.model_dump(
                    exclude={"terrain", "observations", "rewards", "terminations", "reset_events", "measures"}
                ),
                terrain=ground,
                observations=groups,
                rewards={**env.rewards, **lighter},
                terminations={**env.terminations, "off_the_terrain": leaves},
                reset_events={**env.reset_events, "base": _start(z_range=[0.1, 0.1])},
                measures={**env.measures, "out_of_start_cell": common.away_from_start(ground.cell_size / 2)},
            ),
        }
    )


def commands() -> dict[str, CommandCfg]:
    """Velocities in all directions, wider later in a training."""
    return {common.COMMAND: CommandCfg(func=f"{FAMILY}.commands:velocity", params=_mix(), resample_s=(3.0, 8.0))}


def heading_commands() -> dict[str, CommandCfg]:
    """The older mix, for comparisons: three draws in ten turn to a heading in the world."""
    follow = FollowCfg(
        func=f"{FAMILY}.commands:turn_to_heading", params={"stiffness": 0.5, "yaw_rate_range": [-0.5, 0.5]}
    )
    drawn = CommandCfg(
        func=f"{FAMILY}.commands:velocity_or_heading",
        params={**_mix(), "heading_share": 0.3},
        resample_s=(3.0, 8.0),
        follow=follow,
    )
    return {common.COMMAND: drawn}


def _mix() -> dict[str, Param]:
    return {
        "x_range": [-1.0, 1.0],
        "y_range": [-1.0, 1.0],
        "yaw_rate_range": [-0.5, 0.5],
        "forward_share": 0.2,
        "forward_min": 0.3,
        "standing_share": 0.1,
        "widening": LATER,
    }


def rewards() -> dict[str, RewardTermCfg]:
    """Following pays, and so does keeping upright and near the default pose; the rest costs."""
    command: dict[str, Param] = {"command": common.COMMAND}
    pose: dict[str, Param] = {"standing": STANDING, "walking": WALKING, "running": RUNNING}
    paces: dict[str, Param] = {"walks_above": 0.05, "runs_above": 1.5}
    return {
        "track_lin_vel": common.reward("track_lin_vel", 2.0, width=0.25, **command),
        "track_ang_vel": common.reward("track_ang_vel", 2.0, width=0.5, **command),
        "upright": common.reward("link_upright", 1.0, link=TORSO, width=0.2),
        "pose": common.reward("pose", 1.0, **command, **pose, **paces),
        "air_time": common.reward("feet_in_the_air", 1.0, **{**MOVING, "threshold": 0.5}, air_range=[0.05, 0.5]),
        "body_ang_vel": common.reward("link_ang_vel_xy", -0.05, link=TORSO),
        "angular_momentum": _cost("angular_momentum", -0.02),
        "joint_limits": common.reward("beyond_joint_limits", -1.0, joints=JOINTS),
        "action_rate": RewardTermCfg(func="genelab.mdp.rewards:action_rate", weight=-0.1),
        "foot_clearance": common.reward("foot_clearance", -2.0, **MOVING, height=0.1),
        "foot_swing_height": common.reward("foot_swing_height", -1.0, **MOVING, height=0.1),
        "foot_slip": common.reward("foot_slip", -0.1, **MOVING),
        "soft_landing": common.reward("soft_landing", -1e-5, **MOVING),
        "self_collisions": _cost("self_collisions", -1.0),
    }


def _cost(func: str, weight: float) -> RewardTermCfg:
    """A term of the velocity family that does not ask for the command."""
    return RewardTermCfg(func=f"{FAMILY}.terms:{func}", weight=weight)


def reset_events() -> dict[str, ResetEventCfg]:
    """Anywhere within half a metre, facing anywhere, a little above the ground, at rest in the default pose."""
    return {**common.reset_events(), "base": _start(z_range=[0.01, 0.05])}


def _start(z_range: list[float]) -> ResetEventCfg:
    base = common.reset_events()["base"]
    return base.model_copy(update={"params": {**base.params, "z_range": z_range}})


def disturbances() -> dict[str, IntervalEventCfg]:
    """A push every one to three seconds."""
    params: dict[str, Param] = {
        "speed_range": [-0.5, 0.5],
        "yaw_rate_range": [-0.78, 0.78],
        "up_range": [-0.4, 0.4],
        "tilt_rate_range": [-0.52, 0.52],
    }
    return {"push": IntervalEventCfg(func="genelab.mdp.events:push_base", params=params, interval_s=(1.0, 3.0))}


def randomizations() -> dict[str, RandomizationCfg]:
    """Soles, the torso's load and encoders differ from robot to robot."""
    return {
        "foot_friction": common.randomization("link_friction", links=list(FOOT_LINKS), friction_range=[0.3, 1.2]),
        "torso_com": common.randomization("link_com", link=TORSO, shift_range=[-0.025, 0.025], up_range=[-0.03, 0.03]),
        "encoder_bias": common.randomization("encoder_bias", bias_range=[-0.015, 0.015]),
    }


def terrain() -> TerrainCfg:
    """Ten levels of ten columns, of which none is flat."""
    platform, width = 1.0, 0.2
    stairs: Range = (0.05, 0.23)
    kinds: list[SubTerrainCfg] = [
        PyramidStairsCfg(step_height=stairs, step_width=width, platform=platform),
        PyramidStairsCfg(step_height=stairs, step_width=width, platform=platform, inverted=True),
        DiscreteObstaclesCfg(height=(0.05, 0.20), platform=platform),
        RandomRoughCfg(amplitude=(0.02, 0.10), platform=platform),
    ]
    slopes: list[SubTerrainCfg] = [
        SlopeCfg(gradient=(0.0, 0.4), shape="incline", platform=platform),
        SlopeCfg(gradient=(0.0, -0.4), shape="incline", platform=platform),
    ]
    return TerrainCfg(rows=10, columns=(*(kind for kind in kinds for _ in range(2)), *slopes))


def _seeing(group: ObservationGroupCfg) -> ObservationGroupCfg:
    """The group with the heights around the torso behind everything else."""
    params: dict[str, Param] = {"link": TORSO, "size": [1.6, 1.0], "resolution": 0.1}
    noise = 0.1 if group.noise else None
    scan = ObservationTermCfg(func="genelab.mdp.observations:height_scan", noise=noise, params=params)
    return group.model_copy(update={"terms": {**group.terms, **common.bounded({"height_scan": scan}, BOUNDS)}})


def _family(func: str) -> ObservationTermCfg:
    return ObservationTermCfg(func=f"{FAMILY}.{func}")


def agent(
    init_std: float, entropy_coef: float, desired_kl: float, std_by_state: tuple[float, float] | None = None
) -> PpoCfg:
    """The published learner."""
    network = NetworkCfg(hidden_dims=(512, 256, 128), activation="elu")
    return PpoCfg(
        actor=network,
        critic=network,
        init_std=init_std,
        std_by_state=std_by_state,
        entropy_coef=entropy_coef,
        desired_kl=desired_kl,
        save_interval=50,
    )
