"""Unitree Go1 within the reach of two CPU cores: a gait first, then the task itself."""

from genelab.config.agent import PpoCfg
from genelab.config.base import Param
from genelab.config.env import EnvCfg
from genelab.config.task import BudgetCfg, TaskSpec, WarmStartCfg
from genelab.config.terms import RewardTermCfg, TerminationCfg
from genelab.config.terrain import TerrainCurriculumCfg
from genelab_unitree import common, gait, go1

FIND, SMOOTH = "Genelab-Velocity-Flat-Unitree-Go1-GaitStage1-v0", "Genelab-Velocity-Flat-Unitree-Go1-GaitStage2-v0"
CLIMB = "Genelab-Velocity-Rough-Unitree-Go1-GaitStage3-v0"
FORWARD_SHARE = 0.5
"""Of the commands in the first stage: walking forward is found at once, and the other directions grow out of it."""


def find() -> TaskSpec:
    """First stage: find a gait, with the observations and actions of the task."""
    return _stage(
        FIND,
        "First stage of the Go1's variant cpu: find a gait, with cheap action noise.",
        _env(forward_share=FORWARD_SHARE, rewards=gait.finding(_terms())),
        gait.learner(init_std=2.0, desired_kl=0.02, entropy_coef=0.002),
        BudgetCfg(iterations=800),
    )


def smooth() -> TaskSpec:
    """Second stage: the same without relying on noise, smoothly."""
    task = _stage(
        SMOOTH,
        "Second stage of the Go1's variant cpu: the gait with little noise, smoothly.",
        _env(forward_share=0.1, rewards=gait.following(_terms())),
        gait.learner(init_std=0.6, desired_kl=0.04, use_clipped_value_loss=False),
        BudgetCfg(iterations=800),
    )
    return task.model_copy(update={"warm_start": WarmStartCfg(task=FIND, fresh_joints=tuple(go1.JOINTS))})


def flat() -> TaskSpec:
    """The task on flat ground with smaller networks and fewer environments, from the gait of the stages before."""
    return _small(go1.flat(), SMOOTH)


def climb() -> TaskSpec:
    """Third stage of the rough task: the smooth gait on the terrain, from its flat level upward."""
    own, base = _env(forward_share=0.1, rewards=gait.following(_terms())), go1.rough()
    learnt_on = {name: getattr(own, name) for name in ("num_envs", "sim", "decimation", "commands", "rewards")}
    return base.model_copy(
        update={
            "id": CLIMB,
            "summary": "Third stage of the Go1's variant cpu on rough ground: the gait on the terrain.",
            "published_as": None,
            "env": base.env.model_copy(update={**learnt_on, "disturbances": {}}),
            "agent": gait.learner(init_std=0.5, desired_kl=0.02, use_clipped_value_loss=False),
            "budget": BudgetCfg(iterations=400),
            "warm_start": WarmStartCfg(task=SMOOTH, fresh_joints=tuple(go1.JOINTS), new_terms=("height_scan",)),
        }
    )


def rough() -> TaskSpec:
    """The task on rough ground with smaller networks and fewer environments, from the stage before."""
    task = _small(go1.rough(), CLIMB)
    # So short a training has no time to climb again: its episodes begin on all levels that the stage before reached.
    curriculum = TerrainCurriculumCfg(command=common.COMMAND, max_start_level=6)
    return task.model_copy(update={"env": task.env.model_copy(update={"curriculum": curriculum})})


def _small(task: TaskSpec, before: str) -> TaskSpec:
    return task.model_copy(
        update={
            "variant": "cpu",
            "env": task.env.model_copy(update={"num_envs": gait.NUM_ENVS}),
            "agent": gait.learner(init_std=0.25, desired_kl=0.01, use_clipped_value_loss=False),
            # So few environments cannot tell what a smaller step is worth: after 50 iterations one seed of three stood
            # still where it was to walk backward.
            "budget": BudgetCfg(iterations=20),
            "warm_start": WarmStartCfg(task=before, fresh_joints=tuple(go1.JOINTS)),
        }
    )


def _stage(task_id: str, summary: str, env: EnvCfg, agent: PpoCfg, budget: BudgetCfg) -> TaskSpec:
    own = {"id": task_id, "summary": summary, "published_as": None, "env": env, "agent": agent, "budget": budget}
    return go1.flat().model_copy(update=own)


def _env(forward_share: float, rewards: dict[str, RewardTermCfg]) -> EnvCfg:
    """That of the task, except for commands, rewards and pushes, with a fall at the first touch of trunk or thigh."""
    env = go1.flat().env
    touching: dict[str, Param] = {"links": ["trunk", *go1.THIGHS], "force": 1.0}
    fell_down = TerminationCfg(func="genelab.mdp.terminations:touching", params=touching)
    return env.model_copy(
        update={
            "num_envs": gait.NUM_ENVS,
            "sim": gait.SIM,
            "decimation": gait.DECIMATION,
            "commands": common.commands(forward_share=forward_share, standing_share=0.05),
            "rewards": rewards,
            "terminations": {**env.terminations, "fell_down": fell_down},
            "disturbances": {},
        }
    )


def _terms() -> dict[str, RewardTermCfg]:
    return common.rewards(go1.JOINTS, base_height=0.34, forbidden=go1.THIGHS)
