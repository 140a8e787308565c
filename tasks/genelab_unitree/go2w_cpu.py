"""Unitree Go2-W within the reach of two CPU cores: a gait on locked wheels first, then both stages of the task.

Before each stage of the task stands one that pays more for following, since so small a batch gives up a rough gait at
the task's pay.
"""

from genelab.config.env import EnvCfg
from genelab.config.stage import StageCfg, StartCfg, TrainCfg
from genelab.config.task import TaskSpec
from genelab.config.terms import RewardTermCfg
from genelab_unitree import common, gait, go2w

START = StartCfg(fresh_joints=tuple(go2w.JOINTS))


def flat() -> TaskSpec:
    """The task with smaller networks and fewer environments."""
    stages = {"gait": find(), "smooth": smooth(), "locked": locked(), "rolling": roll()}
    # With the action noise that the stage before ended with: there is none to start from.
    return gait.small(go2w.flat(), stages, StartCfg())


def find() -> StageCfg:
    """Find a gait on locked wheels, with the observations and actions of the task and cheap action noise."""
    return StageCfg(
        env=_env(go2w.locked().scene, gait.finding(_terms())),
        agent=gait.learner(init_std=2.0, desired_kl=0.02, entropy_coef=0.002),
        train=TrainCfg(num_envs=gait.NUM_ENVS, iterations=1500),
    )


def smooth() -> StageCfg:
    """The same without relying on noise, smoothly."""
    return StageCfg(
        env=_env(go2w.locked().scene, gait.following(_terms())),
        agent=gait.learner(init_std=0.6, desired_kl=0.04, use_clipped_value_loss=False),
        train=TrainCfg(num_envs=gait.NUM_ENVS, iterations=800),
        start=START,
    )


def locked() -> StageCfg:
    """The task's own first stage, from the smooth gait."""
    return gait.small_stage(go2w.locked(), START)


def roll() -> StageCfg:
    """Unlock the wheels, and follow with them too."""
    task, wheels = go2w.flat(), (go2w.WHEEL_JOINTS,)
    rewards = gait.following(_terms()) | {"air_time": task.scene.rewards["air_time"]}
    # Wheels that roll would be feet that slip.
    del rewards["foot_slip"]
    return StageCfg(
        env=_env(task.scene, rewards),
        # Of the wheels, which turn by 20 rad/s for one unit. The legs keep their noise.
        agent=gait.learner(init_std=0.1, desired_kl=0.04, use_clipped_value_loss=False),
        train=TrainCfg(num_envs=gait.NUM_ENVS, iterations=300),
        start=StartCfg(fresh_joints=wheels, locked_joints=wheels),
    )


def _env(env: EnvCfg, rewards: dict[str, RewardTermCfg]) -> EnvCfg:
    """An environment without randomisation, late or noisy actions."""
    quiet = {"action": env.action.model_copy(update={"latency": (0, 0), "noise_std": 0.0}), "randomizations": {}}
    untouched = ["base_link", ".*_thigh"]
    return gait.environment(env, rewards, untouched).model_copy(update=quiet)


def _terms() -> dict[str, RewardTermCfg]:
    return common.rewards(go2w.JOINTS, base_height=0.40, forbidden=go2w.FORBIDDEN)
