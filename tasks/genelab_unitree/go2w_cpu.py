"""Unitree Go2-W within the reach of two CPU cores: a gait on locked wheels first, then both stages of the task.

Before each stage of the task stands one that pays more for following, since so small a batch gives up a rough gait at
the task's pay.
"""

from genelab.config.agent import PpoCfg
from genelab.config.task import TaskSpec, TrainCfg, WarmStartCfg
from genelab.config.terms import RewardTermCfg
from genelab_unitree import common, gait, go2w

FIND, SMOOTH, ROLL = (f"Genelab-Velocity-Flat-Unitree-Go2W-GaitStage{number}-v0" for number in (1, 2, 3))


def find() -> TaskSpec:
    """Find a gait on locked wheels, with the observations and actions of the task."""
    return _before(
        go2w.stage_1(),
        FIND,
        "First stage of the Go2-W's variant cpu: find a gait on locked wheels, with cheap action noise.",
        gait.finding(_terms()),
        gait.learner(init_std=2.0, desired_kl=0.02, entropy_coef=0.002),
        TrainCfg(num_envs=gait.NUM_ENVS, iterations=1500),
    )


def smooth() -> TaskSpec:
    """The same without relying on noise, smoothly."""
    task = _before(
        go2w.stage_1(),
        SMOOTH,
        "Second stage of the Go2-W's variant cpu: the gait with little noise, smoothly.",
        gait.following(_terms()),
        gait.learner(init_std=0.6, desired_kl=0.04, use_clipped_value_loss=False),
        TrainCfg(num_envs=gait.NUM_ENVS, iterations=800),
    )
    start = WarmStartCfg(task=FIND, fresh_joints=tuple(go2w.JOINTS))
    return task.model_copy(update={"warm_start": start})


def stage_1() -> TaskSpec:
    """The task's first stage with smaller networks and fewer environments, from the smooth gait."""
    return gait.small(go2w.stage_1(), WarmStartCfg(task=SMOOTH, fresh_joints=tuple(go2w.JOINTS)))


def roll() -> TaskSpec:
    """Unlock the wheels, and follow with them too."""
    base = go2w.stage_2()
    rewards = gait.following(_terms()) | {"air_time": base.env.rewards["air_time"]}
    # Wheels that roll would be feet that slip.
    del rewards["foot_slip"]
    task = _before(
        base,
        ROLL,
        "Stage of the Go2-W's variant cpu before its last one: unlock the wheels, and follow with them too.",
        rewards,
        # Of the wheels, which turn by 20 rad/s for one unit. The legs keep their noise.
        gait.learner(init_std=0.1, desired_kl=0.04, use_clipped_value_loss=False),
        TrainCfg(num_envs=gait.NUM_ENVS, iterations=300),
    )
    wheels = go2w.WHEEL_JOINTS
    start = WarmStartCfg(task=go2w.STAGE_1, variant="cpu", fresh_joints=wheels, locked_joints=wheels)
    return task.model_copy(update={"warm_start": start})


def stage_2() -> TaskSpec:
    """The task's second stage with smaller networks and fewer environments, from the rolling gait."""
    # With the action noise that the stage before ended with: there is none to start from.
    return gait.small(go2w.stage_2(), WarmStartCfg(task=ROLL))


def _before(
    task: TaskSpec, task_id: str, summary: str, rewards: dict[str, RewardTermCfg], agent: PpoCfg, train: TrainCfg
) -> TaskSpec:
    """A stage on the wheels of `task`, without randomisation, late or noisy actions."""
    quiet = {
        "action": task.env.action.model_copy(update={"latency": (0, 0), "noise_std": 0.0}),
        "randomizations": {},
    }
    untouched = ["base_link", *(f"{leg}_thigh" for leg in go2w.LEGS)]
    env = gait.environment(task.env, rewards, untouched).model_copy(update=quiet)
    return gait.stage(task, task_id, summary, env, agent, train)


def _terms() -> dict[str, RewardTermCfg]:
    return common.rewards(go2w.JOINTS, base_height=0.40, forbidden=go2w.FORBIDDEN)
