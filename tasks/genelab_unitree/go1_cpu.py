"""Unitree Go1 within the reach of two CPU cores: a gait first, then the task itself."""

from genelab.config.env import EnvCfg
from genelab.config.task import TaskSpec, TrainCfg, WarmStartCfg
from genelab.config.terms import RewardTermCfg
from genelab_unitree import common, gait, go1

FIND, SMOOTH = "Genelab-Velocity-Flat-Unitree-Go1-GaitStage1-v0", "Genelab-Velocity-Flat-Unitree-Go1-GaitStage2-v0"
CLIMB = "Genelab-Velocity-Rough-Unitree-Go1-GaitStage3-v0"
FORWARD_SHARE = 0.5
"""Of the commands in the first stage: walking forward is found at once, and the other directions grow out of it."""


def find() -> TaskSpec:
    """First stage: find a gait, with the observations and actions of the task."""
    return gait.stage(
        go1.flat(),
        FIND,
        "First stage of the Go1's variant cpu: find a gait, with cheap action noise.",
        _env(gait.finding(_terms()), forward_share=FORWARD_SHARE),
        gait.learner(init_std=2.0, desired_kl=0.02, entropy_coef=0.002),
        TrainCfg(num_envs=gait.NUM_ENVS, iterations=800),
    )


def smooth() -> TaskSpec:
    """Second stage: the same without relying on noise, smoothly."""
    task = gait.stage(
        go1.flat(),
        SMOOTH,
        "Second stage of the Go1's variant cpu: the gait with little noise, smoothly.",
        _env(gait.following(_terms())),
        gait.learner(init_std=0.6, desired_kl=0.04, use_clipped_value_loss=False),
        TrainCfg(num_envs=gait.NUM_ENVS, iterations=800),
    )
    return task.model_copy(update={"warm_start": WarmStartCfg(task=FIND, fresh_joints=tuple(go1.JOINTS))})


def flat() -> TaskSpec:
    """The task on flat ground with smaller networks and fewer environments, from the gait of the stages before."""
    return _small(go1.flat(), SMOOTH)


def climb() -> TaskSpec:
    """Third stage of the rough task: the smooth gait on the terrain, from its flat level upward."""
    own, base = _env(gait.following(_terms())), go1.rough()
    learnt_on = {name: getattr(own, name) for name in ("sim", "decimation", "commands", "rewards")}
    task = gait.stage(
        base,
        CLIMB,
        "Third stage of the Go1's variant cpu on rough ground: the gait on the terrain.",
        base.env.model_copy(update={**learnt_on, "disturbances": {}}),
        gait.learner(init_std=0.5, desired_kl=0.02, use_clipped_value_loss=False),
        base.train.model_copy(update={"num_envs": gait.NUM_ENVS, "iterations": 400}),
    )
    start = WarmStartCfg(task=SMOOTH, fresh_joints=tuple(go1.JOINTS), new_terms=("height_scan",))
    return task.model_copy(update={"warm_start": start})


def rough() -> TaskSpec:
    """The task on rough ground with smaller networks and fewer environments, from the stage before."""
    task = _small(go1.rough(), CLIMB)
    # So short a training has no time to climb again: its episodes begin on all levels that the stage before reached.
    curriculum = common.curriculum(max_start_level=6)
    return task.model_copy(update={"train": task.train.model_copy(update={"curriculum": curriculum})})


def _small(task: TaskSpec, before: str) -> TaskSpec:
    return gait.small(task, WarmStartCfg(task=before, fresh_joints=tuple(go1.JOINTS)))


def _env(rewards: dict[str, RewardTermCfg], **shares: float) -> EnvCfg:
    return gait.environment(go1.flat().env, rewards, ["trunk", *go1.THIGHS], **shares)


def _terms() -> dict[str, RewardTermCfg]:
    return common.rewards(go1.JOINTS, base_height=0.34, forbidden=go1.THIGHS)
