"""rsl_rl as a learning library: PPO."""

from collections.abc import Mapping
from typing import Any, Literal

import torch
from numpy.typing import NDArray
from rsl_rl.models import MLPModel
from torch import Tensor, nn

from genelab.config.agent import AgentCfg, PpoCfg
from genelab.config.task import TaskSpec
from genelab.envs.environment import Environment
from genelab.learn.backend import Networks, Trainer
from genelab.learn.checkpoint import Checkpoint
from genelab.learn.linear import uses_onednn
from genelab.learn.policy import Layout, load_weights
from genelab.learn.rsl_rl.networks import build_actor, build_critic
from genelab.learn.rsl_rl.trainer import PpoTrainer
from genelab.records.contract import INPUTS

input_names: tuple[str, ...] = INPUTS["rsl_rl"]
"""Name of the input of an exported policy."""
final_observations: bool = False
"""A time limit is bootstrapped from the value of the state before, as in rsl_rl."""


def make_trainer(task: TaskSpec, config_sha256: str, env: Environment, *, max_env_resets: int = 0) -> PpoTrainer:
    """A trainer at its beginning. Seed the global generators before."""
    return PpoTrainer(_ppo(task.agent), config_sha256, env, max_env_resets=max_env_resets)


def prefill(trainer: Trainer, demos: Mapping[str, NDArray[Any]]) -> int:
    """Refuse: PPO learns from its own rollouts alone, and its config has no `demo_path`."""
    raise TypeError(f"{type(trainer).__name__} takes no demonstrations, and was given {', '.join(demos)}")


def load_actor(checkpoint: Checkpoint, agent: AgentCfg, num_actions: int, source: str) -> MLPModel:
    """The policy network of a checkpoint, in evaluation mode on the CPU.

    Raises:
        InputError: if the weights do not fit the config; names the first tensor that differs.
    """
    actor = build_actor(_ppo(agent), checkpoint.layout, num_actions)
    load_weights(actor, checkpoint.actor, f"{source}: actor")
    return actor.eval()


def networks(agent: AgentCfg, layout: Layout, num_actions: int, checkpoint: Checkpoint | None, source: str) -> Networks:
    """The networks with the weights of a checkpoint, or as they are before training.

    Raises:
        InputError: if the weights do not fit the config; names the first tensor that differs.
    """
    cfg = _ppo(agent)
    actor, critic = build_actor(cfg, layout, num_actions), build_critic(cfg, layout)
    if checkpoint is not None:
        load_weights(actor, checkpoint.actor, f"{source}: actor")
        load_weights(critic, checkpoint.critic, f"{source}: critic")
    readers = {"policy": actor.eval(), "critic": critic.eval()}
    return Networks(actor, {group: _normalizer(network) for group, network in readers.items()})


def action_std(checkpoint: Checkpoint) -> Tensor:
    """Standard deviation of each action in training, in action units. Shape: (num_actions,)."""
    return checkpoint.actor["distribution.std_param"]


def deployable(actor: nn.Module) -> nn.Module:
    """What an export writes. Shapes: (rows, obs_dim) -> (rows, num_actions)."""
    assert isinstance(actor, MLPModel)
    return actor.as_jit().eval()


def multiplier(device: torch.device) -> Literal["onednn", "torch"]:
    """What multiplies the matrices of a training update."""
    return "onednn" if uses_onednn(device) else "torch"


def _normalizer(network: MLPModel) -> nn.Module | None:
    return None if isinstance(network.obs_normalizer, nn.Identity) else network.obs_normalizer


def _ppo(agent: AgentCfg) -> PpoCfg:
    if not isinstance(agent, PpoCfg):
        raise TypeError(f"rsl_rl trains PPO, not '{agent.algorithm}'")
    return agent
