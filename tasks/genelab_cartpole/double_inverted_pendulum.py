"""The double inverted pendulum: a cart drives along x and balances two poles, one on top of the other.

The numbers are those of the published GeneLab task. Its model file gives no angle unit, so the hinge ranges of 1.2 and
1.5 were read as degrees: the poles lean against their stops and cannot fall. -v0 keeps that, to reproduce the published
rows. -v1 is the task as intended: ranges in radians, no armature, and rewards for the poles' absolute tilt. -v0 rewards
the angle of pole 2 relative to pole 1 as "upright", and equal joint angles as "aligned", which is not a straight chain.

Known differences of both from the published task:
- The armature is written down (0.1 in -v0, 0 in -v1). The published task took 0.1 from the loader's default unasked.
- Actions are not clipped to +-100 in training, as they never were in evaluation.
- Contacts are off, because nothing can touch.
- A non-finite reward term is an error; the published task counted it as 0.

Kept in both: the termination on pole 2 reads its angle relative to pole 1.
"""

from genelab.config.actions import JointTargetsCfg
from genelab.config.base import Param
from genelab.config.env import EnvCfg
from genelab.config.scene import ActuatorCfg, RobotCfg
from genelab.config.stage import TrainCfg
from genelab.config.task import TaskSpec
from genelab.config.terms import IntervalEventCfg, RewardTermCfg, TerminationCfg
from genelab_cartpole import common

CART: dict[str, Param] = {"joints": ["slider"]}
LIMITS = {"slider": 2.4, "hinge_1": 0.5, "hinge_2": 0.7}
"""Absolute positions at which an episode ends, m and rad."""
POLES: dict[str, Param] = {"joints": ["hinge_1", "hinge_2"]}


def v0() -> TaskSpec:
    """The task as published."""
    return _task(
        task_id="GeneLab-Double-Inverted-Pendulum-v0",
        robot=_robot(
            model="genelab_cartpole:models/double_inverted_pendulum_v0.xml",
            model_sha256="14068b8db144806cdd54e925af9c345edbc7c7615c6bf6d88b27f850ed6d4c97",
        ),
        upright=RewardTermCfg(func="genelab.mdp.rewards:joint_cos", weight=4.0, params=POLES),
        aligned=RewardTermCfg(
            func="genelab.mdp.rewards:joint_difference_square",
            weight=-0.5,
            params={"joint_a": "hinge_1", "joint_b": "hinge_2"},
        ),
    )


def v1() -> TaskSpec:
    """The task as intended."""
    return _task(
        task_id="GeneLab-Double-Inverted-Pendulum-v1",
        robot=_robot(
            model="genelab_cartpole:models/double_inverted_pendulum_v1.xml",
            model_sha256="f958c795d32570152d42e421ed2ca0d3ab544b32c1f5df2a475aa018ea63056a",
        ),
        upright=RewardTermCfg(func="genelab.mdp.rewards:chain_cos", weight=4.0, params=POLES),
        aligned=RewardTermCfg(func="genelab.mdp.rewards:joint_square", weight=-0.5, params={"joints": ["hinge_2"]}),
    )


def _robot(model: str, model_sha256: str) -> RobotCfg:
    return RobotCfg(
        model=model,
        model_sha256=model_sha256,
        pos=common.POS,
        actuators={
            "cart": ActuatorCfg(joints=("slider",), kp=100.0, kv=10.0),
            "passive": ActuatorCfg(joints=("hinge_1", "hinge_2"), kp=0.0, kv=0.0),
        },
    )


def _task(task_id: str, robot: RobotCfg, upright: RewardTermCfg, aligned: RewardTermCfg) -> TaskSpec:
    return TaskSpec(
        id=task_id,
        task_version=1,
        package="genelab_cartpole",
        # 1200 steps of 0.01 s at the two positive weights; the penalties can only lower it.
        return_ceiling=60.0,
        published_as="GeneLab-Double-Inverted-Pendulum-v0",
        env=EnvCfg(
            decimation=common.DECIMATION,
            episode_length_s=12.0,
            sim=common.SIM,
            robot=robot,
            action=JointTargetsCfg(joints=("slider",)),
            observations=common.observations(robot, LIMITS, hinge_speed=10.0, pole="pole_2"),
            rewards={
                "alive": RewardTermCfg(func="genelab.mdp.rewards:alive", weight=1.0),
                "poles_upright": upright,
                "poles_aligned": aligned,
                "cart_position": RewardTermCfg(func="genelab.mdp.rewards:joint_square", weight=-0.05, params=CART),
                "cart_velocity": RewardTermCfg(func="genelab.mdp.rewards:joint_vel_square", weight=-0.005, params=CART),
                "poles_velocity": RewardTermCfg(
                    func="genelab.mdp.rewards:joint_vel_square", weight=-0.005, params=POLES
                ),
                "action_rate": RewardTermCfg(func="genelab.mdp.rewards:action_rate", weight=-0.005),
            },
            terminations={
                "pole_1_angle": TerminationCfg(
                    func="genelab.mdp.terminations:joint_abs_above",
                    params={"joints": ["hinge_1"], "limit": LIMITS["hinge_1"]},
                ),
                "pole_2_angle": TerminationCfg(
                    func="genelab.mdp.terminations:joint_abs_above",
                    params={"joints": ["hinge_2"], "limit": LIMITS["hinge_2"]},
                ),
                "cart_position": TerminationCfg(
                    func="genelab.mdp.terminations:joint_abs_above", params={**CART, "limit": LIMITS["slider"]}
                ),
            },
            reset_events=common.RESET_EVENTS,
            disturbances={
                "push": IntervalEventCfg(
                    func="genelab.mdp.events:set_joint_velocity",
                    params={**CART, "velocity_range": [-0.3, 0.3]},
                    interval_s=(3.0, 6.0),
                )
            },
        ),
        agent=common.agent(hidden_dims=(256, 128), save_interval=50),
        train=TrainCfg(num_envs=4096, iterations=300),
    )
