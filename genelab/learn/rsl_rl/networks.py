"""Networks of PPO, with their normalisers."""

from typing import Any

import torch
from rsl_rl.models import MLPModel
from tensordict import TensorDict
from torch import Tensor, nn

from genelab.config.agent import PpoCfg
from genelab.learn.policy import Layout, layout_dim

STD = "distribution.std_param"
"""Tensor of an actor whose action noise does not go by state: its standard deviation by action."""


class FixedNormalizer(nn.Module):
    """Maps the bounds of every observation to -1 and 1. Has no weights: the layout holds the bounds."""

    offset: Tensor
    factor: Tensor

    def __init__(self, rows: list[dict[str, Any]]) -> None:
        """Take the bounds, given in the unit of the value, over to the scaled observation.

        Args:
            rows: layout of one observation group; every row has bounds.
        """
        super().__init__()
        scaled = [[row["scale"] * low, row["scale"] * high] for row in rows for low, high in row["bounds"]]
        low, high = torch.tensor(scaled, dtype=torch.float64).T
        # Not part of the state: a second copy of the bounds could drift from the layout in the same file.
        self.register_buffer("offset", ((high + low) / 2.0).float().unsqueeze(0), persistent=False)
        self.register_buffer("factor", (2.0 / (high - low)).float().unsqueeze(0), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Shapes: (rows, obs_dim) -> (rows, obs_dim)."""
        return (x - self.offset) * self.factor


def build_actor(cfg: PpoCfg, layout: Layout, num_actions: int) -> MLPModel:
    """The policy network: a multi-layer perceptron for the mean, and for the standard deviation if it goes by state."""
    noise: dict[str, Any] = {"class_name": "GaussianDistribution", "init_std": cfg.init_std, "std_type": "scalar"}
    if cfg.std_by_state is not None:
        own = {"class_name": "HeteroscedasticGaussianDistribution", "std_type": "log", "std_range": cfg.std_by_state}
        noise |= own
    return _build(
        cfg.actor.hidden_dims,
        cfg.actor.activation,
        cfg,
        "policy",
        layout,
        num_actions,
        noise,
    )


def build_critic(cfg: PpoCfg, layout: Layout) -> MLPModel:
    """The value network."""
    return _build(cfg.critic.hidden_dims, cfg.critic.activation, cfg, "critic", layout, 1, None)


def _build(
    hidden_dims: tuple[int, ...],
    activation: str,
    cfg: PpoCfg,
    group: str,
    layout: Layout,
    outputs: int,
    distribution: dict[str, Any] | None,
) -> MLPModel:
    example = TensorDict({group: torch.zeros(1, layout_dim(layout, group))}, batch_size=[1])
    model = MLPModel(
        example,
        {group: [group]},
        group,
        outputs,
        hidden_dims=hidden_dims,
        # rsl_rl calls it by its other name.
        activation="swish" if activation == "silu" else activation,
        obs_normalization=cfg.normalization == "running",
        distribution_cfg=distribution,
    )
    if cfg.normalization == "fixed":
        model.obs_normalizer = FixedNormalizer(layout[group])  # pyright: ignore[reportAttributeAccessIssue]
    for layer in model.mlp:
        if isinstance(layer, nn.ELU):
            # The gradient then comes from the result, without a second exponential.
            layer.inplace = True
    return model
