"""Unitree Go1 on flat ground within the reach of two CPU cores: a gait first, then the task itself.

The joints are so soft and damped that walking at 0.8 m/s takes raw actions of 5 and more. Action noise that large costs
more in the task's own reward than following the command earns, so that a small batch learns to stand still or to fall.
The first stage makes noise cheap and following pay in proportion, from the first centimetre per second.
"""

from genelab.config.agent import NetworkCfg, PpoCfg
from genelab.config.scene import SimCfg
from genelab.config.task import BudgetCfg, TaskSpec, WarmStartCfg
from genelab.config.terms import RewardTermCfg, TerminationCfg
from genelab_unitree import common, go1

GAIT = "Genelab-Velocity-Flat-Unitree-Go1-GaitStage1-v0"
NUM_ENVS = 128


def gait() -> TaskSpec:
    """First stage: find a gait, with the observations and actions of the task."""
    task = go1.flat()
    # A quarter of the physics steps: what is learnt here is not the last word.
    env = task.env.model_copy(
        update={
            "num_envs": NUM_ENVS,
            "sim": SimCfg(dt=0.005),
            "decimation": 4,
            # Forward walking alone is found within minutes, and the other directions grow out of it.
            "commands": common.commands(forward_share=0.5, standing_share=0.05),
            "rewards": _rewards(),
            "terminations": {
                **task.env.terminations,
                "fell_down": TerminationCfg(
                    func="genelab.mdp.terminations:touching", params={"links": ["trunk", *go1.THIGHS], "force": 1.0}
                ),
            },
            "disturbances": {},
        }
    )
    return task.model_copy(
        update={
            "id": GAIT,
            "summary": "First stage of the Go1's variant cpu: find a gait, with cheap action noise.",
            "published_as": None,
            "env": env,
            "agent": _agent(init_std=2.0),
            "budget": BudgetCfg(iterations=800),
        }
    )


def flat() -> TaskSpec:
    """The task on flat ground with smaller networks and fewer environments, from the gait of the first stage."""
    task = go1.flat()
    return task.model_copy(
        update={
            "variant": "cpu",
            "env": task.env.model_copy(update={"num_envs": NUM_ENVS}),
            "agent": _agent(init_std=0.5),
            "budget": BudgetCfg(iterations=500),
            # Noise is dear here: it starts small again.
            "warm_start": WarmStartCfg(task=GAIT, fresh_joints=tuple(go1.JOINTS)),
        }
    )


def _rewards() -> dict[str, RewardTermCfg]:
    """Errors count in proportion, and what limits the motion counts little.

    The sum stays positive, so that falling never pays.
    """
    terms = common.rewards(go1.JOINTS, base_height=0.34, forbidden=go1.THIGHS)
    weights = {
        "ang_vel_xy": -0.02,
        "base_height": -5.0,
        "joint_torques": -5e-5,
        "joint_acc": -2e-8,
        "action_rate": -0.001,
    }
    return {
        **{name: terms[name].model_copy(update={"weight": weights.get(name, terms[name].weight)}) for name in terms},
        "track_lin_vel": common.reward("track_lin_vel", 5.0, command=common.COMMAND, width=4.0),
        "track_ang_vel": common.reward("track_ang_vel", 2.0, command=common.COMMAND, width=4.0),
        "lin_vel_error": common.reward("lin_vel_error", -3.0, command=common.COMMAND),
        "turn_error": common.reward("turn_error", -1.5, command=common.COMMAND),
        "air_time": common.air_time(0.5, common.ALL_AXES),
        "foot_slip": common.foot_slip(-0.1),
    }


def _agent(init_std: float) -> PpoCfg:
    network = NetworkCfg(hidden_dims=(128, 64, 32), activation="elu")
    return PpoCfg(
        actor=network,
        critic=network,
        # Running statistics move under the policy, and the step size follows the KL divergence that they cause.
        normalization="fixed",
        init_std=init_std,
        num_mini_batches=6,
        desired_kl=0.02,
        entropy_coef=0.002,
        symmetry=True,
        save_interval=50,
    )
