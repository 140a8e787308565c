"""Motion tracking with the Unitree G1 within the reach of two CPU cores.

A G1 falls within two seconds whatever clip its targets follow, and a small batch finds no way out of that from
actions about the default pose. So the targets are led by the clip first, with the torques that hold it, and the policy
only keeps the balance; then it takes over bit by bit, until it does all by itself, as the task has it.
"""

from genelab.config.actions import JointTargetsCfg
from genelab.config.base import Param
from genelab.config.env import EnvCfg
from genelab.config.names import matching
from genelab.config.scene import SimCfg
from genelab.config.stage import StageCfg, StartCfg, TrainCfg
from genelab.config.task import TaskSpec
from genelab_unitree import g1_tracking, gait
from genelab_unitree.robots import g1

ARMS = [".*_shoulder_.*_joint", ".*_elbow_joint", ".*_wrist_.*_joint"]
ALL = StartCfg(fresh_joints=tuple(g1.JOINTS))
NOISE = ("pos_noise", "rotation_noise", "lin_vel_noise", "ang_vel_noise", "joint_pos_noise")
FADE = 250
"""Iterations in which the policy takes over."""


def flat() -> TaskSpec:
    """The task with smaller networks and fewer environments."""
    task = g1_tracking.flat()
    stages = {"balance": balance(task.scene), "arms": arms(task.scene), "alone": alone(task.scene)}
    variant = gait.small(task, stages, ALL)
    train = variant.train.model_copy(update={"episode_length_s": g1_tracking.TRAINING_S})
    return variant.model_copy(update={"train": train})


def balance(task: EnvCfg) -> StageCfg:
    """Keep the balance with legs and waist, while the clip leads all joints."""
    joints = g1.robot().joints
    held = matching(ARMS, joints, "joint")
    scale = {joint: 0.0 if joint in held else size for joint, size in g1.action().scales(joints).items()}
    env = _env(task, SimCfg(engine="mujoco", dt=0.01), decimation=2, noise=0.3, lead=[1.0, 1.0])
    return _stage(
        env.model_copy(update={"action": JointTargetsCfg(scale=scale)}),
        iterations=120,
        init_std=0.3,
        desired_kl=0.04,
    )


def arms(task: EnvCfg) -> StageCfg:
    """The arms as well, from starts further off."""
    env = _env(task, gait.SIM, decimation=gait.DECIMATION, noise=0.5, lead=[1.0, 1.0])
    start = ALL.model_copy(update={"locked_joints": tuple(ARMS)})
    return _stage(env, iterations=120, init_std=0.2, desired_kl=0.02, start=start)


def alone(task: EnvCfg) -> StageCfg:
    """The clip leads less and less."""
    env = _env(task, gait.SIM, decimation=gait.DECIMATION, noise=0.5, lead=[1.0, 0.0], lead_steps=24 * FADE)
    return _stage(env, iterations=FADE + 100, init_std=0.2, desired_kl=0.02, start=ALL)


def _stage(env: EnvCfg, iterations: int, init_std: float, desired_kl: float, start: StartCfg | None = None) -> StageCfg:
    return StageCfg(
        env=env,
        agent=gait.learner(init_std=init_std, desired_kl=desired_kl, use_clipped_value_loss=False),
        train=TrainCfg(num_envs=gait.NUM_ENVS, iterations=iterations, episode_length_s=g1_tracking.TRAINING_S),
        start=start or StartCfg(),
    )


def _env(task: EnvCfg, sim: SimCfg, decimation: int, noise: float, **lead: Param) -> EnvCfg:
    """The environment of a stage: quick feet and an implicit law; `noise`: share of the task's at the start."""
    motion = task.parts["motion"]
    smaller: dict[str, Param] = {name: _times(noise, motion.params[name]) for name in NOISE}
    led = motion.model_copy(update={"params": {**motion.params, **smaller, **lead}})
    return task.model_copy(
        update={
            "disturbances": {},
            "robot": g1.robot(law="implicit_pd", left_out=g1.CAPSULES),
            "sim": sim,
            "decimation": decimation,
            "parts": {**task.parts, "motion": led},
        }
    )


def _times(share: float, width: Param) -> Param:
    if isinstance(width, list):
        return [share * float(each) for each in width if isinstance(each, int | float)]
    assert isinstance(width, int | float)
    return share * width
