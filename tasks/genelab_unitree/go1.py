"""Unitree Go1: walk as commanded, on flat and on uneven ground.

Rewards and the learner are those of the published GeneLab.
"""

from genelab.config.actions import JointTargetsCfg
from genelab.config.agent import NetworkCfg, PpoCfg
from genelab.config.base import Param
from genelab.config.env import EnvCfg, FeetCfg
from genelab.config.scene import GroundCfg
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
from genelab_unitree.robots.go1 import JOINTS, LEGS, THIGHS, robot


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
        task_version=1,
        package="genelab_unitree",
        published_as="Genelab-Velocity-Flat-Unitree-Go1-v0",
        env=EnvCfg(
            decimation=common.DECIMATION,
            episode_length_s=common.EPISODE_S,
            sim=common.SIM,
            robot=robot(),
            ground=GroundCfg(),
            feet=FeetCfg(sites=LEGS),
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
    env, probe = flat_task.scene, flat_task.probe
    assert probe is not None
    policy, critic = env.observations["policy"], env.observations["critic"]
    touching: dict[str, Param] = {"links": ["trunk"], "force": 1.0}
    ground = terrain()
    return flat_task.model_copy(
        update={
            "id": "Genelab-Velocity-Rough-Unitree-Go1-v0",
            "published_as": "Genelab-Velocity-Rough-Unitree-Go1-v0",
            # One start on every cell.
            "probe": probe.model_copy(update={"num_envs": ground.rows * len(ground.columns)}),
            "train": flat_task.train.model_copy(update={"curriculum": common.curriculum()}),
            "env": EnvCfg(
                **env.model_dump(exclude={"terrain", "observations", "terminations", "measures"}),
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
