"""Unitree Go2-W, a quadruped on wheels: velocity commands, learnt in two stages.

In the first the wheels are locked and the legs learn to step sideways and to turn; in the second the wheels roll.
Gains of the wheels, rewards, ranges of what is randomised and the learner are those of the published GeneLab.
"""

from dataclasses import dataclass

from genelab.config.actions import JointTargetsCfg
from genelab.config.agent import NetworkCfg, PpoCfg
from genelab.config.env import EnvCfg, FeetCfg
from genelab.config.scene import GroundCfg
from genelab.config.stage import StageCfg, StartCfg, TrainCfg
from genelab.config.task import TaskSpec
from genelab.config.terms import ObservationGroupCfg, RandomizationCfg, RewardTermCfg
from genelab_unitree import common
from genelab_unitree.robots.go2w import (
    JOINTS,
    LEG_JOINTS,
    LEGS,
    NUM_LEG_JOINTS,
    NUM_WHEELS,
    WHEEL_JOINTS,
    WHEELS,
    robot,
)

FORBIDDEN = [".*_(thigh|calf)"]
"""Links that are not to touch anything."""
FRICTION_FLOOR = 0.3
"""Friction of the ground: the lowest that a wheel is randomised to, since a contact takes the larger of the two."""
FRAMES = 5
NUM_ENVS, STEPS = 4096, 24
"""Parallel environments, and control steps of a rollout: together the rows that a normaliser is taken to have seen."""
_JOINT_BOUNDS: dict[str, tuple[tuple[float, float], ...]] = {
    term: ((-leg, leg),) * NUM_LEG_JOINTS + ((-wheel, wheel),) * NUM_WHEELS
    for term, leg, wheel in (("joint_pos", 1.0, 50.0), ("joint_vel", 15.0, 20.0))
}
BOUNDS: common.Bounds = {**common.BOUNDS, **_JOINT_BOUNDS}
"""Of the observation terms. A wheel turns by 50 rad in 4 m."""


@dataclass(frozen=True)
class Wheels:
    """How the wheels are driven in a stage."""

    kv: float
    """Velocity gain, N m s/rad."""
    effort_limit: float
    """N m."""
    scale: float
    """rad/s per unit of action; 0 locks them."""


LOCKED, ROLLING = Wheels(kv=20.0, effort_limit=50.0, scale=0.0), Wheels(kv=5.0, effort_limit=15.0, scale=20.0)


def flat() -> TaskSpec:
    """Roll and step as commanded, from a policy that learnt to step on locked wheels."""
    rewards = {
        "air_time": common.air_time(0.5, ["y", "turn"]),
        "lateral_error": common.reward("lateral_error", -0.5, command=common.COMMAND),
        "turn_error": common.reward("turn_error", -0.5, command=common.COMMAND),
    }
    return TaskSpec(
        id="Genelab-Velocity-Flat-Unitree-Go2W-v0",
        task_version=1,
        package="genelab_unitree",
        published_as="Genelab-Velocity-Flat-Unitree-Go2W-v0",
        stages={"locked": locked()},
        env=_env(ROLLING, rewards),
        agent=_agent(),
        # Published as 6000 and 4000 more in a second run.
        train=TrainCfg(num_envs=NUM_ENVS, iterations=10000),
        overlay=common.OVERLAY,
        # The wheels stood still before: what is known of their speed would blow up the least motion.
        start=StartCfg(fresh_joints=(WHEEL_JOINTS,), locked_joints=(WHEEL_JOINTS,), normalizer_count=NUM_ENVS * STEPS),
        probe=common.probe(fastest=0.8, turn=1.0, slow_turns=(0.2, 0.4, 0.6)),
    )


def locked() -> StageCfg:
    """Step as commanded on locked wheels."""
    rewards = {"air_time": common.air_time(0.25, common.ALL_AXES), "foot_slip": common.foot_slip(-0.1)}
    return StageCfg(env=_env(LOCKED, rewards), agent=_agent(), train=TrainCfg(num_envs=NUM_ENVS, iterations=6000))


def _env(wheels: Wheels, rewards: dict[str, RewardTermCfg]) -> EnvCfg:
    shared = common.bounded(common.observations(JOINTS), BOUNDS)
    velocity = common.bounded({"base_lin_vel": common.observation("base_lin_vel")}, BOUNDS)
    return EnvCfg(
        decimation=common.DECIMATION,
        episode_length_s=common.EPISODE_S,
        sim=common.SIM,
        robot=robot(wheels.kv, wheels.effort_limit),
        ground=GroundCfg(friction=FRICTION_FLOOR),
        feet=FeetCfg(sites=tuple(f"{leg}_wheel" for leg in LEGS)),
        action=JointTargetsCfg(
            joints=tuple(JOINTS),
            scale={LEG_JOINTS: 0.25, WHEEL_JOINTS: wheels.scale},
            latency=(0, 2),
            noise_std=0.05,
        ),
        observations={
            "policy": ObservationGroupCfg(terms=shared, noise=True, history=FRAMES),
            "critic": ObservationGroupCfg(terms={**shared, **velocity}, noise=False, history=FRAMES),
        },
        commands=common.commands(),
        rewards={**common.rewards(JOINTS, base_height=0.40, forbidden=FORBIDDEN), **rewards},
        terminations=common.terminations(),
        reset_events=common.reset_events(),
        disturbances=common.disturbances(),
        randomizations=_randomizations(),
        measures=common.measures(),
    )


def _randomizations() -> dict[str, RandomizationCfg]:
    return {
        "wheel_friction": common.randomization("link_friction", links=WHEELS, friction_range=[FRICTION_FLOOR, 1.5]),
        "base_mass": common.randomization("link_mass", link="base_link", mass_range=[-1.0, 2.0]),
        "base_com": common.randomization("link_com", link="base_link", shift_range=[-0.05, 0.05]),
        "gains": common.randomization("gains", factor_range=[0.8, 1.2]),
        "encoders": common.randomization("encoder_bias", bias_range=[-0.015, 0.015]),
    }


def _agent() -> PpoCfg:
    network = NetworkCfg(hidden_dims=(512, 256, 128), activation="elu")
    return PpoCfg(actor=network, critic=network, num_steps_per_env=STEPS, symmetry=True, save_interval=50)
