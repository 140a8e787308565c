"""The policy as evaluation and deployment use it: plain modules without the library."""

from itertools import pairwise

import torch
from torch import Tensor, nn

from genelab.config.agent import SacCfg
from genelab.learn.checkpoint import Checkpoint
from genelab.learn.policy import Layout, layout_dim, load_weights, require_shapes

ACHIEVED, DESIRED, OBSERVATION = "achieved_goal", "desired_goal", "observation"
GROUPS = (ACHIEVED, DESIRED, OBSERVATION)
"""Observation groups in the order in which the networks read them: Stable-Baselines3 sorts them by name."""

ACTIVATIONS: dict[str, type[nn.Module]] = {
    "elu": nn.ELU,
    "relu": nn.ReLU,
    "tanh": nn.Tanh,
    "selu": nn.SELU,
    "silu": nn.SiLU,
}


def widths(layout: Layout) -> dict[str, int]:
    """Width of each observation group, in the order of `GROUPS`."""
    return {group: layout_dim(layout, group) for group in GROUPS}


def concatenated(observations: dict[str, Tensor]) -> Tensor:
    """Input of the networks. Shapes: (rows, dim) each -> (rows, sum of dims)."""
    return torch.cat([observations[group] for group in GROUPS], 1)


class GoalActor(nn.Module):
    """The actor of Stable-Baselines3's SAC, with its names of tensors; returns the deterministic action."""

    def __init__(self, inputs: int, hidden_dims: tuple[int, ...], activation: type[nn.Module], outputs: int) -> None:
        """Make the layers.

        Args:
            inputs: width of all groups together.
            hidden_dims: units of the hidden layers.
            activation: between layers.
            outputs: actions.
        """
        super().__init__()
        layers: list[nn.Module] = []
        for width, units in pairwise((inputs, *hidden_dims)):
            layers += [nn.Linear(width, units), activation()]
        self.latent_pi = nn.Sequential(*layers)
        self.mu = nn.Linear(hidden_dims[-1], outputs)
        self.log_std = nn.Linear(hidden_dims[-1], outputs)
        """Of the action noise in training. Not used here: a checkpoint has it, and so has this."""

    def forward(self, observations: dict[str, Tensor]) -> Tensor:
        """Mean action, squashed into (-1, 1). Shapes: (rows, dim) for each group -> (rows, num_actions)."""
        return torch.tanh(self.mu(self.latent_pi(concatenated(observations))))


class Deployable(nn.Module):
    """An actor whose inputs are tensors, which TorchScript and ONNX know."""

    def __init__(self, actor: GoalActor) -> None:
        super().__init__()
        self.latent_pi, self.mu = actor.latent_pi, actor.mu

    def forward(self, observation: Tensor, achieved_goal: Tensor, desired_goal: Tensor) -> Tensor:
        """Deterministic action. Shapes: (rows, dim) of each -> (rows, num_actions)."""
        rows = torch.cat([achieved_goal, desired_goal, observation], 1)
        return torch.tanh(self.mu(self.latent_pi(rows)))


def build_actor(cfg: SacCfg, layout: Layout, num_actions: int) -> GoalActor:
    """The policy network before training."""
    inputs = sum(widths(layout).values())
    return GoalActor(inputs, cfg.actor.hidden_dims, ACTIVATIONS[cfg.actor.activation], num_actions)


def load_actor(checkpoint: Checkpoint, cfg: SacCfg, num_actions: int, source: str) -> GoalActor:
    """The policy network of a checkpoint, in evaluation mode on the CPU.

    Raises:
        InputError: if the weights do not fit the config, those of the critics included; names the first tensor that
            differs.
    """
    # Without initial weights: they would take draws from the generator of a training that goes on.
    with torch.device("meta"):
        actor = build_actor(cfg, checkpoint.layout, num_actions)
    actor.to_empty(device="cpu")
    load_weights(actor, checkpoint.actor, f"{source}: actor")
    sizes = (sum(widths(checkpoint.layout).values()) + num_actions, *cfg.critic.hidden_dims, 1)
    expected: dict[str, tuple[int, ...]] = {}
    for critic in ("critic.qf0", "critic.qf1", "critic_target.qf0", "critic_target.qf1"):
        for i, (width, units) in enumerate(pairwise(sizes)):
            # Activations stand between, and have numbers too.
            expected |= {f"{critic}.{2 * i}.weight": (units, width), f"{critic}.{2 * i}.bias": (units,)}
    require_shapes(expected, checkpoint.critic, f"{source}: critic")
    return actor.eval()


def deployable(actor: GoalActor) -> Deployable:
    """The same policy with one named tensor per group. Shares its weights."""
    return Deployable(actor).eval()
