"""Unitree Go1 within the reach of two CPU cores: a gait first, then the task itself."""

from genelab.config.env import EnvCfg
from genelab.config.stage import StageCfg, StartCfg, TrainCfg
from genelab.config.task import TaskSpec
from genelab.config.terms import RewardTermCfg
from genelab_unitree import common, gait, go1

START = StartCfg(fresh_joints=tuple(go1.JOINTS))
FORWARD_SHARE = 0.5
"""Of the commands in the first stage: walking forward is found at once, and the other directions grow out of it."""


def flat() -> TaskSpec:
    """The task on flat ground with smaller networks and fewer environments."""
    return gait.small(go1.flat(), {"gait": find(), "smooth": smooth()}, START)


def rough() -> TaskSpec:
    """The task on rough ground with smaller networks and fewer environments."""
    task = gait.small(go1.rough(), {"gait": find(), "smooth": smooth(), "terrain": climb()}, START)
    # So short a training has no time to climb again: its episodes begin on all levels that the stage before reached.
    curriculum = common.curriculum(max_start_level=6)
    return task.model_copy(update={"train": task.train.model_copy(update={"curriculum": curriculum})})


def find() -> StageCfg:
    """Find a gait, with the observations and actions of the task and cheap action noise."""
    return StageCfg(
        env=_env(gait.finding(_terms()), forward_share=FORWARD_SHARE),
        agent=gait.learner(init_std=2.0, desired_kl=0.02, entropy_coef=0.002),
        train=TrainCfg(num_envs=gait.NUM_ENVS, iterations=800),
    )


def smooth() -> StageCfg:
    """The same without relying on noise, smoothly."""
    return StageCfg(
        env=_env(gait.following(_terms())),
        agent=gait.learner(init_std=0.6, desired_kl=0.04, use_clipped_value_loss=False),
        train=TrainCfg(num_envs=gait.NUM_ENVS, iterations=800),
        start=START,
    )


def climb() -> StageCfg:
    """The smooth gait on the terrain, from its flat level upward."""
    own, task = _env(gait.following(_terms())), go1.rough()
    learnt_on = {name: getattr(own, name) for name in ("sim", "decimation", "commands", "rewards")}
    return StageCfg(
        env=task.env.model_copy(update={**learnt_on, "disturbances": {}}),
        agent=gait.learner(init_std=0.5, desired_kl=0.02, use_clipped_value_loss=False),
        train=task.train.model_copy(update={"num_envs": gait.NUM_ENVS, "iterations": 400}),
        start=START.model_copy(update={"new_terms": ("height_scan",)}),
    )


def _env(rewards: dict[str, RewardTermCfg], **shares: float) -> EnvCfg:
    return gait.environment(go1.flat().scene, rewards, ["trunk", *go1.THIGHS], **shares)


def _terms() -> dict[str, RewardTermCfg]:
    return common.rewards(go1.JOINTS, base_height=0.34, forbidden=go1.THIGHS)
