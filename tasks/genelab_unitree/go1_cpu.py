"""Unitree Go1 within the reach of two CPU cores: a gait first, then the task itself.

The joints are so soft and damped that walking takes raw actions several times as large as the usual action noise. Noise
that large costs more in the task's own reward than following the command earns, so a small batch learns to stand.
The stages before make noise cheap and following pay in proportion, from the first centimetre per second.
"""

from genelab.config.agent import NetworkCfg, PpoCfg
from genelab.config.base import Param
from genelab.config.env import EnvCfg
from genelab.config.scene import SimCfg
from genelab.config.task import BudgetCfg, TaskSpec, WarmStartCfg
from genelab.config.terms import RewardTermCfg, TerminationCfg
from genelab.config.terrain import TerrainCurriculumCfg
from genelab_unitree import common, go1

FIND, SMOOTH = "Genelab-Velocity-Flat-Unitree-Go1-GaitStage1-v0", "Genelab-Velocity-Flat-Unitree-Go1-GaitStage2-v0"
CLIMB, SMOOTH_CLIMB = (
    "Genelab-Velocity-Rough-Unitree-Go1-GaitStage1-v0",
    "Genelab-Velocity-Rough-Unitree-Go1-GaitStage2-v0",
)
NUM_ENVS = 128


def find() -> TaskSpec:
    """First stage: find a gait, with the observations and actions of the task."""
    return _stage(
        FIND,
        "First stage of the Go1's variant cpu: find a gait, with cheap action noise.",
        _env(forward_share=FORWARD_SHARE, rewards=_finding()),
        _finder(),
        BudgetCfg(iterations=800),
    )


def smooth() -> TaskSpec:
    """Second stage: the same without relying on noise, smoothly."""
    task = _stage(
        SMOOTH,
        "Second stage of the Go1's variant cpu: the gait with little noise, smoothly.",
        _env(forward_share=0.1, rewards=_following()),
        _agent(init_std=0.6, desired_kl=0.04, use_clipped_value_loss=False),
        BudgetCfg(iterations=800),
    )
    return task.model_copy(update={"warm_start": WarmStartCfg(task=FIND, fresh_joints=tuple(go1.JOINTS))})


def flat() -> TaskSpec:
    """The task on flat ground with smaller networks and fewer environments, from the gait of the stages before."""
    return _small(go1.flat(), SMOOTH)


def climb() -> TaskSpec:
    """First stage of the rough task: find a gait on the terrain, from its flat level upward."""
    return _on_the_terrain(
        CLIMB,
        "First stage of the Go1's variant cpu on rough ground: find a gait, with cheap action noise.",
        _env(forward_share=FORWARD_SHARE, rewards=_finding()),
        _finder(),
        BudgetCfg(iterations=1200),
    )


def smooth_climb() -> TaskSpec:
    """Second stage of the rough task: the same without relying on noise, smoothly."""
    task = _on_the_terrain(
        SMOOTH_CLIMB,
        "Second stage of the Go1's variant cpu on rough ground: the gait with little noise, smoothly.",
        _env(forward_share=0.1, rewards=_following()),
        _agent(init_std=0.6, desired_kl=0.02, use_clipped_value_loss=False),
        BudgetCfg(iterations=600),
    )
    # Goes on where the stage before arrived.
    env = task.env.model_copy(update={"curriculum": _from_levels_up_to(7)})
    start = WarmStartCfg(task=CLIMB, fresh_joints=tuple(go1.JOINTS))
    return task.model_copy(update={"env": env, "warm_start": start})


def rough() -> TaskSpec:
    """The task on rough ground with smaller networks and fewer environments, from the gait of the stages before."""
    task = _small(go1.rough(), SMOOTH_CLIMB)
    # So short a training has no time to climb again.
    return task.model_copy(update={"env": task.env.model_copy(update={"curriculum": _from_levels_up_to(7)})})


def _from_levels_up_to(level: int) -> TerrainCurriculumCfg:
    return TerrainCurriculumCfg(command=common.COMMAND, max_start_level=level)


def _on_the_terrain(task_id: str, summary: str, env: EnvCfg, agent: PpoCfg, budget: BudgetCfg) -> TaskSpec:
    """A stage with the terrain, observations and ends of episodes of the rough task, and the rest of `env`."""
    base = go1.rough()
    learnt_on = {name: getattr(env, name) for name in ("num_envs", "sim", "decimation", "commands", "rewards")}
    return base.model_copy(
        update={
            "id": task_id,
            "summary": summary,
            "published_as": None,
            "env": base.env.model_copy(update={**learnt_on, "disturbances": {}}),
            "agent": agent,
            "budget": budget,
        }
    )


def _small(task: TaskSpec, before: str) -> TaskSpec:
    return task.model_copy(
        update={
            "variant": "cpu",
            "env": task.env.model_copy(update={"num_envs": NUM_ENVS}),
            "agent": _agent(init_std=0.25, desired_kl=0.01, use_clipped_value_loss=False),
            # So few environments cannot tell what a smaller step is worth: after 50 iterations one seed of three stood
            # still where it was to walk backward.
            "budget": BudgetCfg(iterations=20),
            "warm_start": WarmStartCfg(task=before, fresh_joints=tuple(go1.JOINTS)),
        }
    )


POSTURE = {"ang_vel_xy": -0.02, "base_height": -5.0}
"""Weights: a trunk that may rock, and is to be held up."""
CHEAP = {**POSTURE, "joint_torques": -5e-5, "joint_acc": -2e-8, "action_rate": -0.001}
"""Weights of what limits the motion, far below the task's."""


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
            "num_envs": NUM_ENVS,
            # Fewer and longer physics steps: what is learnt here is not the last word.
            "sim": SimCfg(dt=0.005),
            "decimation": 4,
            "commands": common.commands(forward_share=forward_share, standing_share=0.05),
            "rewards": rewards,
            "terminations": {**env.terminations, "fell_down": fell_down},
            "disturbances": {},
        }
    )


FORWARD_SHARE = 0.5
"""Of the commands of a first stage: walking forward is found at once, and the other directions grow out of it."""


def _finding() -> dict[str, RewardTermCfg]:
    """Following pays in proportion, from the first centimetre per second, and noise costs little."""
    return _rewards(width=4.0, tracking=(5.0, 2.0), errors=(-3.0, -1.5), costs=CHEAP)


def _finder() -> PpoCfg:
    return _agent(init_std=2.0, desired_kl=0.02, entropy_coef=0.002)


def _following() -> dict[str, RewardTermCfg]:
    """What limits the motion costs as in the task, and following pays four times as much.

    At the task's pay the rough gait is given up again.
    """
    return _rewards(width=0.5, tracking=(8.0, 4.0), errors=(-8.0, -4.0), costs=POSTURE)


def _rewards(
    width: float, tracking: tuple[float, float], errors: tuple[float, float], costs: dict[str, float]
) -> dict[str, RewardTermCfg]:
    """Those of the task with errors that also count in proportion, and with other weights.

    Args:
        width: of both tracking terms, (m/s)^2 and (rad/s)^2.
        tracking: weights of tracking the velocity and the turn.
        errors: weights of both absolute errors.
        costs: weights of other terms that are not the task's.
    """
    terms = common.rewards(go1.JOINTS, base_height=0.34, forbidden=go1.THIGHS)
    terms |= {name: terms[name].model_copy(update={"weight": weight}) for name, weight in costs.items()}
    follow = {"command": common.COMMAND}
    return {
        **terms,
        "track_lin_vel": common.reward("track_lin_vel", tracking[0], width=width, **follow),
        "track_ang_vel": common.reward("track_ang_vel", tracking[1], width=width, **follow),
        "lin_vel_error": common.reward("lin_vel_error", errors[0], **follow),
        "turn_error": common.reward("turn_error", errors[1], **follow),
        "air_time": common.air_time(0.5, common.ALL_AXES),
        "foot_slip": common.foot_slip(-0.1),
    }


def _agent(
    init_std: float, *, desired_kl: float, entropy_coef: float = 0.0, use_clipped_value_loss: bool = True
) -> PpoCfg:
    network = NetworkCfg(hidden_dims=(128, 64, 32), activation="elu")
    return PpoCfg(
        actor=network,
        critic=network,
        # Running statistics move under the policy, and the step size follows the KL divergence that they cause.
        normalization="fixed",
        init_std=init_std,
        num_mini_batches=6,
        desired_kl=desired_kl,
        entropy_coef=entropy_coef,
        use_clipped_value_loss=use_clipped_value_loss,
        symmetry=True,
        save_interval=50,
    )
