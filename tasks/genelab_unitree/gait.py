"""Finding a gait within the reach of two CPU cores: what the stages of the Go1 and the Go2-W share.

The joints are so soft, and the Go1's so damped, that walking takes raw actions several times as large as the usual
action noise. Noise that large costs more in the tasks' own rewards than following the command earns, so a small batch
learns to stand.
The stages before make noise cheap and following pay in proportion, from the first centimetre per second.
"""

from collections.abc import Mapping, Sequence

from genelab.config.agent import NetworkCfg, PpoCfg
from genelab.config.base import Param
from genelab.config.env import EnvCfg
from genelab.config.scene import SimCfg
from genelab.config.stage import StageCfg, StartCfg, TrainCfg
from genelab.config.task import TaskSpec
from genelab.config.terms import RewardTermCfg, TerminationCfg
from genelab_unitree import common

NUM_ENVS = 128
"""Parallel environments."""
SIM, DECIMATION = SimCfg(engine="mujoco", dt=0.005), 4
"""Fewer and longer physics steps than the tasks', in the simulator that is quicker with them on a CPU: what is
learnt before the tasks is not the last word."""
POSTURE = {"ang_vel_xy": -0.02, "base_height": -5.0}
"""Weights: a trunk that may rock, and is to be held up."""
CHEAP = {**POSTURE, "joint_torques": -5e-5, "joint_acc": -2e-8, "action_rate": -0.001}
"""Weights of what limits the motion, far below the tasks'."""


def finding(terms: Mapping[str, RewardTermCfg]) -> dict[str, RewardTermCfg]:
    """The terms, but following pays in proportion, from the first centimetre per second, and noise costs little."""
    return _weighted(terms, width=4.0, tracking=(5.0, 2.0), errors=(-3.0, -1.5), costs=CHEAP)


def following(terms: Mapping[str, RewardTermCfg]) -> dict[str, RewardTermCfg]:
    """The terms, but following pays four times as much: at the tasks' pay a rough gait is given up again."""
    return _weighted(terms, width=0.5, tracking=(8.0, 4.0), errors=(-8.0, -4.0), costs=POSTURE)


def _weighted(
    terms: Mapping[str, RewardTermCfg],
    width: float,
    tracking: tuple[float, float],
    errors: tuple[float, float],
    costs: Mapping[str, float],
) -> dict[str, RewardTermCfg]:
    """The terms with errors that also count in proportion, and with other weights.

    Args:
        terms: of the task.
        width: of both tracking terms, (m/s)^2 and (rad/s)^2.
        tracking: weights of tracking the velocity and the turn.
        errors: weights of both absolute errors.
        costs: weights of other terms that are not the task's.
    """
    follow = {"command": common.COMMAND}
    return {
        **terms,
        **{name: terms[name].model_copy(update={"weight": weight}) for name, weight in costs.items()},
        "track_lin_vel": common.reward("track_lin_vel", tracking[0], width=width, **follow),
        "track_ang_vel": common.reward("track_ang_vel", tracking[1], width=width, **follow),
        "lin_vel_error": common.reward("lin_vel_error", errors[0], **follow),
        "turn_error": common.reward("turn_error", errors[1], **follow),
        "air_time": common.air_time(0.5, common.ALL_AXES),
        "foot_slip": common.foot_slip(-0.1),
    }


def environment(env: EnvCfg, rewards: dict[str, RewardTermCfg], untouched: Sequence[str], **shares: float) -> EnvCfg:
    """The environment of a stage: that of a task without pushes, which ends when one of the links touches anything.

    `shares`: of the commands, for `common.commands`.
    """
    touching: dict[str, Param] = {"links": list(untouched), "force": 1.0}
    fell_down = TerminationCfg(func="genelab.mdp.terminations:touching", params=touching)
    return env.model_copy(
        update={
            "sim": SIM,
            "decimation": DECIMATION,
            "commands": common.commands(standing_share=0.05, **shares),
            "rewards": rewards,
            "terminations": {**env.terminations, "fell_down": fell_down},
            "disturbances": {},
        }
    )


def small(task: TaskSpec, stages: Mapping[str, StageCfg], start: StartCfg) -> TaskSpec:
    """The variant of a task with smaller networks and fewer environments, trained in these stages before."""
    own = small_stage(task, start)
    changes = {"variant": "cpu", "agent": own.agent, "train": own.train, "start": start, "stages": dict(stages)}
    return task.model_copy(update=changes)


def small_stage(stage: StageCfg, start: StartCfg) -> StageCfg:
    """A stage of a task with smaller networks and fewer environments."""
    return StageCfg(
        env=stage.env,
        agent=learner(init_std=0.25, desired_kl=0.01, use_clipped_value_loss=False),
        # So few environments cannot tell what a smaller step is worth: after 50 iterations one seed of three of the
        # Go1 stood still where it was to walk backward.
        train=TrainCfg(num_envs=NUM_ENVS, iterations=20),
        start=start,
    )


def learner(
    init_std: float, *, desired_kl: float, entropy_coef: float = 0.0, use_clipped_value_loss: bool = True
) -> PpoCfg:
    """PPO with small networks, fixed normalisation and mirror images."""
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
