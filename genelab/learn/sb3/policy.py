"""The policy as evaluation and deployment use it: plain modules without the library."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from rsl_rl.modules import EmpiricalNormalization
from torch import Tensor, nn

from genelab.config.agent import OffPolicyCfg, PpoCfg
from genelab.learn.checkpoint import Checkpoint
from genelab.learn.normalizer import FixedNormalizer
from genelab.learn.policy import Layout, layout_dim, load_weights

ACHIEVED, DESIRED, OBSERVATION = "achieved_goal", "desired_goal", "observation"
GROUPS = (ACHIEVED, DESIRED, OBSERVATION)
"""Observation groups with goals, in the order in which the networks read them: Stable-Baselines3 sorts them by name."""
PLAIN = ("policy",)
"""Observation group without goals."""

ACTIVATIONS: dict[str, type[nn.Module]] = {
    "elu": nn.ELU,
    "relu": nn.ReLU,
    "tanh": nn.Tanh,
    "selu": nn.SELU,
    "silu": nn.SiLU,
}


def groups_of(cfg: OffPolicyCfg) -> tuple[str, ...]:
    """Observation groups in the order in which the networks read them."""
    return PLAIN if cfg.her is None else GROUPS


def widths(layout: Layout, groups: Sequence[str] = GROUPS) -> dict[str, int]:
    """Width of each observation group, in order."""
    return {group: layout_dim(layout, group) for group in groups}


def concatenated(observations: dict[str, Tensor], groups: Sequence[str] = GROUPS) -> Tensor:
    """Input of the networks. Shapes: (rows, dim) each -> (rows, sum of dims)."""
    return torch.cat([observations[group] for group in groups], 1)


def _layers(inputs: int, hidden_dims: Sequence[int], activation: type[nn.Module]) -> nn.Sequential:
    layers: list[nn.Module] = []
    for width, units in pairwise((inputs, *hidden_dims)):
        layers += [nn.Linear(width, units), activation()]
    return nn.Sequential(*layers)


class SacActor(nn.Module):
    """The actor of Stable-Baselines3's SAC and TQC, with its names of tensors; returns the deterministic action."""

    def __init__(
        self,
        inputs: int,
        hidden_dims: tuple[int, ...],
        activation: type[nn.Module],
        outputs: int,
        groups: Sequence[str] = GROUPS,
    ) -> None:
        """Make the layers.

        Args:
            inputs: width of all groups together.
            hidden_dims: units of the hidden layers.
            activation: between layers.
            outputs: actions.
            groups: observation groups that it reads, in order.
        """
        super().__init__()
        self.groups = tuple(groups)
        self.latent_pi = _layers(inputs, hidden_dims, activation)
        self.mu = nn.Linear(hidden_dims[-1], outputs)
        self.log_std = nn.Linear(hidden_dims[-1], outputs)
        """Of the action noise in training. Not used here: a checkpoint has it, and so has this."""

    def forward(self, observations: dict[str, Tensor]) -> Tensor:
        """Mean action, squashed into (-1, 1). Shapes: (rows, dim) for each group -> (rows, num_actions)."""
        return torch.tanh(self.mu(self.latent_pi(concatenated(observations, self.groups))))


class GoalDeployable(nn.Module):
    """An actor with goals whose inputs are tensors, which TorchScript and ONNX know."""

    def __init__(self, actor: SacActor) -> None:
        super().__init__()
        self.latent_pi, self.mu = actor.latent_pi, actor.mu

    def forward(self, observation: Tensor, achieved_goal: Tensor, desired_goal: Tensor) -> Tensor:
        """Deterministic action. Shapes: (rows, dim) of each -> (rows, num_actions)."""
        rows = torch.cat([achieved_goal, desired_goal, observation], 1)
        return torch.tanh(self.mu(self.latent_pi(rows)))


class PpoActor(nn.Module):
    """The policy network of Stable-Baselines3's PPO, with its names of tensors; returns the mean action."""

    def __init__(self, cfg: PpoCfg, layout: Layout, outputs: int) -> None:
        """Make the layers. `outputs`: actions."""
        super().__init__()
        inputs = layout_dim(layout, PLAIN[0])
        self.features_extractor = build_normalizer(cfg.normalization, layout) or nn.Identity()
        # The library has one for both networks under three names.
        self.pi_features_extractor = self.vf_features_extractor = self.features_extractor
        own = _layers(inputs, cfg.actor.hidden_dims, ACTIVATIONS[cfg.actor.activation])
        self.mlp_extractor = nn.ModuleDict({"policy_net": own})
        self.action_net = nn.Linear(cfg.actor.hidden_dims[-1], outputs)
        self.log_std = nn.Parameter(torch.zeros(outputs))
        """Of the action noise in training. Not used here: a checkpoint has it, and so has this."""

    def deployable(self) -> nn.Sequential:
        """The layers in order. Shapes: (rows, dim) -> (rows, num_actions)."""
        return nn.Sequential(self.features_extractor, self.mlp_extractor["policy_net"], self.action_net)

    def forward(self, observations: dict[str, Tensor]) -> Tensor:
        """Mean action. Shapes: (rows, dim) of the group -> (rows, num_actions)."""
        return self.deployable()(observations[PLAIN[0]])


class Normalizer(nn.Module):
    """A normaliser under the name that it has in a checkpoint of PPO."""

    def __init__(self, normalizer: nn.Module) -> None:
        super().__init__()
        self.normalizer = normalizer

    def forward(self, rows: Tensor) -> Tensor:
        """Shapes: (rows, dim) -> (rows, dim)."""
        return self.normalizer(rows)


def build_normalizer(kind: str, layout: Layout) -> Normalizer | None:
    """The normaliser of the plain group, as `agent.normalization` names it; None for none."""
    rows: list[dict[str, Any]] = layout[PLAIN[0]]
    if kind == "none":
        return None
    return Normalizer(
        FixedNormalizer(rows) if kind == "fixed" else EmpiricalNormalization(layout_dim(layout, PLAIN[0]))
    )


def build_actor(cfg: OffPolicyCfg | PpoCfg, layout: Layout, num_actions: int) -> SacActor | PpoActor:
    """The policy network before training."""
    if isinstance(cfg, PpoCfg):
        return PpoActor(cfg, layout, num_actions)
    groups = groups_of(cfg)
    inputs = sum(widths(layout, groups).values())
    return SacActor(inputs, cfg.actor.hidden_dims, ACTIVATIONS[cfg.actor.activation], num_actions, groups)


def load_actor(
    checkpoint: Checkpoint, agent: OffPolicyCfg | PpoCfg, num_actions: int, source: str
) -> SacActor | PpoActor:
    """The policy network of a checkpoint, in evaluation mode on the CPU.

    Raises:
        InputError: if the weights do not fit the config; names the first tensor that differs.
    """
    # Whatever weights it begins with take no draws from the generator of a training that goes on.
    with torch.random.fork_rng(devices=[]):
        actor = build_actor(agent, checkpoint.layout, num_actions)
    load_weights(actor, checkpoint.actor, f"{source}: actor")
    return actor.eval()


def deployable(actor: nn.Module) -> nn.Module:
    """The same policy with one tensor per group, as an export writes it. Shares its weights."""
    if isinstance(actor, PpoActor):
        return actor.deployable().eval()
    assert isinstance(actor, SacActor)
    if actor.groups == GROUPS:
        return GoalDeployable(actor).eval()
    return nn.Sequential(actor.latent_pi, actor.mu, nn.Tanh()).eval()
