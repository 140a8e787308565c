"""Unitree Go1: walk as commanded, on flat and on uneven ground.

Poses, gains, limits of effort, rewards and the learner are those of the published GeneLab; ranges, armature, damping
and friction loss of the joints are those of `unitree_go1` in the MuJoCo Menagerie (BSD-3-Clause).
"""

from genelab.config.actions import JointTargetsCfg
from genelab.config.agent import NetworkCfg, PpoCfg
from genelab.config.base import Param
from genelab.config.env import EnvCfg, FeetCfg
from genelab.config.scene import ActuatorCfg, FloatingBaseCfg, GroundCfg, JointCfg, MirrorCfg, RobotCfg, SiteCfg
from genelab.config.stage import TrainCfg
from genelab.config.task import TaskSpec
from genelab.config.terms import ObservationGroupCfg, ObservationTermCfg, TerminationCfg
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

PARTS = ("hip", "thigh", "calf")
JOINTS = [f"{leg}_{part}_joint" for leg in common.LEGS for part in PARTS]
DEFAULT = {"hip": 0.0, "thigh": 0.9, "calf": -1.8}
"""rad."""
RANGE = {"hip": (-0.863, 0.863), "thigh": (-0.686, 4.501), "calf": (-2.818, -0.888)}
"""rad."""
DAMPING = {"hip": 1.0, "thigh": 2.0, "calf": 2.0}
"""N m s/rad, in the joints themselves, beside the velocity gain of the actuators; from the MuJoCo Menagerie."""
THIGHS = [f"{leg}_thigh" for leg in common.LEGS]


def robot() -> RobotCfg:
    """The robot. A foot is the end of its shank, so the shank's link feels for it."""
    return RobotCfg(
        model="genelab_unitree:models/go1.xml",
        model_sha256="6769d62a9473f8e02e63e767ec146acb7e42410e79f0e7c33e261184bf9c0cf7",
        pos=(0.0, 0.0, 0.42),
        base=FloatingBaseCfg(link="trunk", mass=12.743),
        joints={
            f"{leg}_{part}_joint": JointCfg(
                default_pos=DEFAULT[part], range=RANGE[part], armature=0.01, damping=DAMPING[part], frictionloss=0.2
            )
            for leg in common.LEGS
            for part in PARTS
        },
        links=("trunk", *THIGHS, *(f"{leg}_calf" for leg in common.LEGS)),
        sites={f"{leg}_foot": SiteCfg(link=f"{leg}_calf", pos=(0.0, 0.0, -0.213)) for leg in common.LEGS},
        mirror=MirrorCfg(swap=(("FL_", "FR_"), ("RL_", "RR_")), flip=("hip_joint",)),
        actuators={
            "hips_and_thighs": ActuatorCfg(
                joints=tuple(name for name in JOINTS if "calf" not in name), kp=25.0, kv=0.5, effort_limit=23.7
            ),
            "calves": ActuatorCfg(
                joints=tuple(name for name in JOINTS if "calf" in name), kp=25.0, kv=0.5, effort_limit=35.55
            ),
        },
    )


def flat() -> TaskSpec:
    """Follow a velocity command on flat ground."""
    shared = common.bounded(common.observations(JOINTS))
    velocity = common.bounded({"base_lin_vel": common.observation("base_lin_vel")})
    rewards = {
        **common.rewards(JOINTS, base_height=0.34, forbidden=THIGHS),
        "air_time": common.air_time(0.25, common.ALL_AXES),
        "foot_slip": common.foot_slip(-0.1),
    }
    return TaskSpec(
        id="Genelab-Velocity-Flat-Unitree-Go1-v0",
        summary="Walk as commanded, forward, sideways and turning, on flat ground.",
        task_version=1,
        package="genelab_unitree",
        published_as="Genelab-Velocity-Flat-Unitree-Go1-v0",
        env=EnvCfg(
            decimation=common.DECIMATION,
            episode_length_s=common.EPISODE_S,
            sim=common.SIM,
            robot=robot(),
            ground=GroundCfg(),
            feet=FeetCfg(sites=tuple(f"{leg}_foot" for leg in common.LEGS)),
            action=JointTargetsCfg(scale=0.25),
            observations={
                "policy": ObservationGroupCfg(terms=shared, noise=True),
                "critic": ObservationGroupCfg(terms={**shared, **velocity}, noise=False),
            },
            commands=common.commands(),
            rewards=rewards,
            terminations=common.terminations(),
            reset_events=common.reset_events(),
            disturbances=common.disturbances(),
            measures=common.measures(),
        ),
        agent=agent(),
        train=TrainCfg(num_envs=4096, iterations=3000),
        overlay=common.OVERLAY,
        probe=common.probe(fastest=0.8, turn=1.0),
    )


def rough() -> TaskSpec:
    """Follow a velocity command on stairs, blocks, rough ground and slopes, seeing the heights around."""
    flat_task = flat()
    env, probe = flat_task.env, flat_task.probe
    assert probe is not None
    policy, critic = env.observations["policy"], env.observations["critic"]
    touching: dict[str, Param] = {"links": ["trunk"], "force": 1.0}
    ground = terrain()
    return flat_task.model_copy(
        update={
            "id": "Genelab-Velocity-Rough-Unitree-Go1-v0",
            "summary": "Walk as commanded on stairs, blocks, rough ground and slopes, seeing the heights around.",
            "published_as": "Genelab-Velocity-Rough-Unitree-Go1-v0",
            # One start on every cell.
            "probe": probe.model_copy(update={"num_envs": ground.rows * len(ground.columns)}),
            "train": flat_task.train.model_copy(update={"curriculum": common.curriculum()}),
            "env": EnvCfg(
                **env.model_dump(exclude={"terrain", "curriculum", "observations", "terminations", "measures"}),
                terrain=ground,
                observations={
                    "policy": _seeing(policy, noise=0.1),
                    "critic": _seeing(critic, noise=None),
                },
                terminations={
                    **env.terminations,
                    "trunk_contact": TerminationCfg(func="genelab.mdp.terminations:touching", params=touching),
                    "off_the_terrain": TerminationCfg(
                        func="genelab.mdp.terminations:off_the_terrain", params={"margin": 0.5}, truncates=True
                    ),
                },
                # So far as the curriculum wants to see a robot before it goes one level up.
                measures={**env.measures, "out_of_start_cell": common.away_from_start(ground.cell_size / 2)},
            ),
        }
    )


def terrain() -> TerrainCfg:
    """Ten levels of ten columns. The first level is flat."""
    platform = 2.0
    stairs: Range = (0.0, 0.13)
    kinds: list[SubTerrainCfg] = [
        PyramidStairsCfg(step_height=stairs, platform=platform),
        PyramidStairsCfg(step_height=stairs, platform=platform, inverted=True),
        DiscreteObstaclesCfg(height=(0.0, 0.11)),
        RandomRoughCfg(amplitude=(0.0, 0.07)),
    ]
    slopes: list[SubTerrainCfg] = [SlopeCfg(gradient=(0.0, 0.3)), SlopeCfg(gradient=(0.0, -0.3))]
    return TerrainCfg(rows=10, columns=(*(kind for kind in kinds for _ in range(2)), *slopes))


def _seeing(group: ObservationGroupCfg, noise: float | None) -> ObservationGroupCfg:
    """The group with the heights around the trunk behind everything else."""
    # Less what the trunk's height is when it stands: the published 0.2 to 2.6 m are far from zero.
    params: dict[str, Param] = {
        "link": "trunk",
        "size": [1.6, 1.0],
        "resolution": 0.1,
        "offset": 0.3,
        "clip": [-1.0, 1.0],
    }
    scan = ObservationTermCfg(func="genelab.mdp.observations:height_scan", noise=noise, params=params)
    return group.model_copy(update={"terms": {**group.terms, **common.bounded({"height_scan": scan})}})


def agent() -> PpoCfg:
    """The published learner."""
    network = NetworkCfg(hidden_dims=(512, 256, 128), activation="elu")
    return PpoCfg(actor=network, critic=network, save_interval=50)
