"""Networks of PPO, with their normalisers."""

from typing import Any

import torch
from rsl_rl.models import MLPModel
from tensordict import TensorDict
from torch import nn

from genelab.config.agent import PpoCfg
from genelab.learn.normalizer import FixedNormalizer
from genelab.learn.policy import Layout, layout_dim
from genelab.learn.rsl_rl.squashed import TanhNormal

STD = "distribution.std_param"
"""Tensor of an actor whose action noise does not go by state: its standard deviation by action."""


def build_actor(cfg: PpoCfg, layout: Layout, num_actions: int) -> MLPModel:
    """The policy network: a multi-layer perceptron for the mean, and for the standard deviation if it goes by state."""
    noise: dict[str, Any] = {"class_name": "GaussianDistribution", "init_std": cfg.init_std, "std_type": "scalar"}
    if cfg.std_by_state is not None:
        own = {"class_name": "HeteroscedasticGaussianDistribution", "std_type": "log", "std_range": cfg.std_by_state}
        noise |= own
    if cfg.squashed:
        noise["class_name"] = TanhNormal
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
