"""Forward passes of the networks of Stable-Baselines3."""

import math

import torch
from stable_baselines3.common.policies import ContinuousCritic
from stable_baselines3.sac.policies import LOG_STD_MAX, LOG_STD_MIN, Actor
from torch import Tensor, nn

from genelab.learn.sb3.groups import GROUPS

EPSILON = 1e-6
"""Keeps the logarithm in the density of a squashed action finite, as in Stable-Baselines3."""


def concatenated(observations: dict[str, Tensor]) -> Tensor:
    """Input of the networks. Shapes: (rows, dim) each -> (rows, sum of dims)."""
    return torch.cat([observations[group] for group in GROUPS], 1)


def sample_action(actor: Actor, rows: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """A squashed Gaussian action, its log-density, and the logarithm of its standard deviation before it is clamped.

    Shapes: (rows, inputs) -> (rows, num_actions), (rows,), (rows, num_actions).

    Uses that the noise is known: the library recovers it by a division that cancels out.
    """
    latent: Tensor = actor.latent_pi(rows)
    mean = actor.mu(latent)
    assert isinstance(actor.log_std, nn.Linear)
    raw: Tensor = actor.log_std(latent)
    log_std = raw.clamp(LOG_STD_MIN, LOG_STD_MAX)
    noise = torch.randn_like(mean)
    action = torch.tanh(mean + log_std.exp() * noise)
    normal = -0.5 * noise.square() - log_std - 0.5 * math.log(2.0 * math.pi)
    return action, (normal - torch.log(1.0 - action.square() + EPSILON)).sum(1), raw


def dead(log_std: Tensor) -> Tensor:
    """Which actions have a standard deviation on or beyond a bound in every row, where its gradient is exactly 0.

    Shapes: (rows, num_actions) -> (num_actions,) bool.
    """
    return ((log_std <= LOG_STD_MIN) | (log_std >= LOG_STD_MAX)).all(0)


def q_values(critic: ContinuousCritic, rows: Tensor) -> Tensor:
    """Values of all critics. Shapes: (rows, inputs with action) -> (critics, rows)."""
    return torch.stack([network(rows).squeeze(1) for network in _networks(critic)])


def frozen_q_values(critic: ContinuousCritic, rows: Tensor) -> Tensor:
    """As `q_values`, with a gradient for `rows` alone: none is computed for the weights."""
    return torch.stack([_frozen(network, rows).squeeze(1) for network in _networks(critic)])


def _networks(critic: ContinuousCritic) -> list[nn.Sequential]:
    return critic.q_networks  # pyright: ignore[reportReturnType]


def _frozen(mlp: nn.Sequential, rows: Tensor) -> Tensor:
    for layer in mlp:
        if isinstance(layer, nn.Linear):
            rows = nn.functional.linear(rows, layer.weight.detach(), layer.bias.detach())
        else:
            rows = layer(rows)
    return rows
