"""rsl_rl as a learning library: PPO."""

import torch
from rsl_rl.models import MLPModel
from torch import Tensor, nn

from genelab.config.agent import AgentCfg, PpoCfg
from genelab.config.env import EnvCfg
from genelab.config.task import TaskSpec
from genelab.envs.protocol import Env
from genelab.errors import InputError
from genelab.learn.checkpoint import Checkpoint
from genelab.learn.policy import Layout, load_weights
from genelab.learn.protocol import Networks, Trainer
from genelab.learn.rsl_rl.networks import STD, build_actor, build_critic
from genelab.learn.rsl_rl.trainer import PpoTrainer
from genelab.learn.rsl_rl.widen import kept_columns, widened
from genelab.mdp.mirror import Mirror, group_images
from genelab.mdp.term import action_images, joint_columns

final_observations: bool = False
"""A time limit is bootstrapped from the value of the state before, as in rsl_rl."""


def make_trainer(task: TaskSpec, config_sha256: str, env: Env, *, max_env_resets: int = 0) -> PpoTrainer:
    """A trainer at its beginning. Seed the global generators before."""
    cfg = _ppo(task.agent)
    mirrors = _mirrors(task.scene, env) if cfg.symmetry else None
    return PpoTrainer(cfg, config_sha256, env, max_env_resets=max_env_resets, mirrors=mirrors)


def warm_start(trainer: Trainer, checkpoint: Checkpoint, task: TaskSpec, source: str) -> None:
    """Take over weights, normalisers and action noise.

    Raises:
        InputError: if the weights or the layout of the observations do not fit; names `source`.
    """
    assert isinstance(trainer, PpoTrainer)
    new = task.start.new_terms
    layout = trainer.env.layout()
    for group, part, model in (
        ("policy", "actor", trainer.algorithm.actor),
        ("critic", "critic", trainer.algorithm.critic),
    ):
        columns = kept_columns(layout[group], checkpoint.layout[group], new)
        if columns is None:
            raise InputError(f"{source}: the observations it was trained on are laid out otherwise than the task's")
        tensors = getattr(checkpoint, part)
        told = f"{source}: {part}"
        load_weights(model, widened(tensors, model, columns) if new else tensors, told)  # pyright: ignore
    _freshen(trainer, _ppo(task.agent), task)
    _forget_locked(trainer, task)


def _forget_locked(trainer: PpoTrainer, task: TaskSpec) -> None:
    """Start from 0 what the networks make of joints that the stage before held still."""
    joints = task.locked_joints
    if not joints:
        return
    actor: MLPModel = trainer.algorithm.actor  # pyright: ignore
    readers: dict[str, MLPModel] = {"policy": actor, "critic": trainer.algorithm.critic}  # pyright: ignore
    with torch.no_grad():
        for group, model in readers.items():
            _linear(model)[0].weight[:, joint_columns(task.scene, group, joints)] = 0.0
        rows = [list(task.env.action_columns).index(joint) for joint in joints]
        mean = _linear(actor)[-1]
        mean.weight[rows] = 0.0
        mean.bias[rows] = 0.0


def _linear(network: MLPModel) -> list[nn.Linear]:
    return [layer for layer in network.mlp if isinstance(layer, nn.Linear)]


def _freshen(trainer: PpoTrainer, agent: PpoCfg, task: TaskSpec) -> None:
    """Start anew action noise and statistics of some joints."""
    start = task.start
    actor: MLPModel = trainer.algorithm.actor  # pyright: ignore
    columns = [list(task.env.action_columns).index(joint) for joint in task.fresh_joints]
    with torch.no_grad():
        if columns:
            actor.distribution.std_param[columns] = agent.init_std  # pyright: ignore
        readers: dict[str, MLPModel] = {"policy": actor, "critic": trainer.algorithm.critic}  # pyright: ignore
        for group, model in readers.items():
            normalizer = _normalizer(model)
            if normalizer is None or agent.normalization != "running":
                continue
            columns = joint_columns(task.scene, group, task.fresh_joints) if task.fresh_joints else []
            for name, value in (("_mean", 0.0), ("_var", 1.0), ("_std", 1.0)):
                getattr(normalizer, name)[:, columns] = value
            if start.normalizer_count is not None:
                normalizer.count.clamp_(max=start.normalizer_count)  # pyright: ignore


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


def action_std(checkpoint: Checkpoint) -> Tensor | None:
    """Standard deviation of each action in training, in action units; None if it goes by state.

    Shape: (num_actions,).
    """
    return checkpoint.actor.get(STD)


def deployable(actor: nn.Module) -> nn.Module:
    """What an export writes. Shapes: (rows, obs_dim) -> (rows, num_actions)."""
    assert isinstance(actor, MLPModel)
    return actor.as_jit().eval()


def _normalizer(network: MLPModel) -> nn.Module | None:
    return None if isinstance(network.obs_normalizer, nn.Identity) else network.obs_normalizer


def _ppo(agent: AgentCfg) -> PpoCfg:
    if not isinstance(agent, PpoCfg):
        raise TypeError(f"rsl_rl trains PPO, not '{agent.algorithm}'")
    return agent


def _mirrors(cfg: EnvCfg, env: Env) -> dict[str, Mirror]:
    """Mirror images of the observation groups and of the action.

    Raises:
        InputError: if one is not known.
    """
    images = {name: group_images(cfg, name) for name in ("policy", "critic")} | {"action": action_images(cfg)}
    return {name: Mirror.of(found, env.device) for name, found in images.items()}
