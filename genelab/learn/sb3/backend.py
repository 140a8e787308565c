"""Stable-Baselines3 as a learning library: PPO, and the soft actor-critics SAC and TQC."""

from torch import Tensor

from genelab.config.agent import AgentCfg, PpoCfg
from genelab.config.task import TaskSpec
from genelab.envs.protocol import Env
from genelab.learn.checkpoint import Checkpoint
from genelab.learn.policy import Layout
from genelab.learn.protocol import Networks, Trainer
from genelab.learn.sb3.policy import build_actor
from genelab.learn.sb3.policy import deployable as deployable
from genelab.learn.sb3.policy import load_actor as load_actor
from genelab.learn.sb3.ppo import Sb3PpoTrainer
from genelab.learn.sb3.trainer import SacTrainer

final_observations: bool = True
"""A time limit is bootstrapped from the value of the final state, and hindsight draws goals from it."""


def make_trainer(
    task: TaskSpec, config_sha256: str, env: Env, *, max_env_resets: int = 0
) -> SacTrainer | Sb3PpoTrainer:
    """A trainer at its beginning, without demonstrations. Seed the global generators before.

    Raises:
        InputError: if the library or the environment cannot meet a setting.
    """
    if isinstance(task.agent, PpoCfg):
        return Sb3PpoTrainer(task.agent, config_sha256, env, max_env_resets=max_env_resets)
    return SacTrainer(task.agent, config_sha256, env, max_env_resets=max_env_resets)


def warm_start(trainer: Trainer, checkpoint: Checkpoint, task: TaskSpec, source: str) -> None:
    """Refuse: no plan asks for it. Without its replay buffer SAC would start with warm weights alone, and unlearn."""
    raise TypeError(f"{type(trainer).__name__} of '{task.id}' was to start from {checkpoint.iteration} of {source}")


def networks(agent: AgentCfg, layout: Layout, num_actions: int, checkpoint: Checkpoint | None, source: str) -> Networks:
    """The policy network with the weights of a checkpoint, or as it is before training.

    Raises:
        InputError: if the weights do not fit the config; names the first tensor that differs.
    """
    if checkpoint is None:
        actor = build_actor(agent, layout, num_actions).eval()
    else:
        actor = load_actor(checkpoint, agent, num_actions, source)
    normalizer = getattr(getattr(actor, "features_extractor", None), "normalizer", None)
    return Networks(actor, dict.fromkeys(agent.groups, normalizer))


def action_std(checkpoint: Checkpoint) -> Tensor | None:
    """Standard deviation of each action of PPO in training; None for the others, where it depends on the observation.

    Shape: (num_actions,).
    """
    log_std = checkpoint.actor.get("log_std")
    return None if log_std is None else log_std.exp()
