"""Stable-Baselines3 as a learning library: soft actor-critic with hindsight replay."""

from collections.abc import Mapping
from typing import Any, cast

from numpy.typing import NDArray
from torch import nn

from genelab.config.agent import AgentCfg, SacCfg
from genelab.config.task import TaskSpec
from genelab.envs.protocol import Env, GoalEnv
from genelab.learn.checkpoint import Checkpoint
from genelab.learn.policy import Layout
from genelab.learn.protocol import Networks, Trainer
from genelab.learn.sb3 import policy
from genelab.learn.sb3.policy import Deployable, GoalActor
from genelab.learn.sb3.trainer import SacTrainer
from genelab.records.contract import INPUTS

input_names: tuple[str, ...] = INPUTS["stable_baselines3"]
"""Names of the inputs of an exported policy, those of the observation groups in the order of `agent.actor_groups`."""
final_observations: bool = True
"""A time limit is bootstrapped from the value of the final state, and hindsight draws goals from it."""


def make_trainer(task: TaskSpec, config_sha256: str, env: Env, *, max_env_resets: int = 0) -> SacTrainer:
    """A trainer at its beginning, without demonstrations. Seed the global generators before.

    Raises:
        InputError: if the library or the environment cannot meet a setting.
    """
    # The config sees to it that there is a goal.
    return SacTrainer(_sac(task.agent), config_sha256, cast(GoalEnv, env), max_env_resets=max_env_resets)


def prefill(trainer: Trainer, demos: Mapping[str, NDArray[Any]]) -> int:
    """Fill the replay buffer with demonstrations; returns how many transitions were added, none after a resume."""
    assert isinstance(trainer, SacTrainer)
    return trainer.prefill(demos)


def warm_start(trainer: Trainer, checkpoint: Checkpoint, task: TaskSpec, source: str) -> None:
    """Refuse: without its replay buffer SAC would start anew with warm weights, and unlearn. No plan asks for it."""
    raise TypeError(f"{type(trainer).__name__} of '{task.id}' was to start from {checkpoint.iteration} of {source}")


def load_actor(checkpoint: Checkpoint, agent: AgentCfg, num_actions: int, source: str) -> GoalActor:
    """The policy network of a checkpoint, in evaluation mode on the CPU.

    Raises:
        InputError: if the weights do not fit the config, those of the critics included; names the first tensor that
            differs.
    """
    return policy.load_actor(checkpoint, _sac(agent), num_actions, source)


def networks(agent: AgentCfg, layout: Layout, num_actions: int, checkpoint: Checkpoint | None, source: str) -> Networks:
    """The policy network with the weights of a checkpoint, or as it is before training. No group is normalised.

    Raises:
        InputError: if the weights do not fit the config; names the first tensor that differs.
    """
    cfg = _sac(agent)
    if checkpoint is None:
        actor = policy.build_actor(cfg, layout, num_actions).eval()
    else:
        actor = load_actor(checkpoint, cfg, num_actions, source)
    return Networks(actor, dict.fromkeys(cfg.groups))


def action_std(checkpoint: Checkpoint) -> None:
    """None: the standard deviation of an action depends on the observation."""


def deployable(actor: nn.Module) -> Deployable:
    """What an export writes. Shapes: (rows, dim) of each group -> (rows, num_actions)."""
    assert isinstance(actor, GoalActor)
    return policy.deployable(actor)


def _sac(agent: AgentCfg) -> SacCfg:
    if not isinstance(agent, SacCfg):
        raise TypeError(f"Stable-Baselines3 trains SAC, not '{agent.algorithm}'")
    return agent
