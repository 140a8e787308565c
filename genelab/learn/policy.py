"""Networks of the rsl_rl back end, and the policy as evaluation uses it."""

from typing import Any

import torch
from rsl_rl.models import MLPModel
from tensordict import TensorDict
from torch import Tensor, nn

from genelab.config.agent import PpoCfg
from genelab.errors import InputError
from genelab.learn.checkpoint import Checkpoint, Tensors

BLOCK_ROWS = 16
"""Rows of one forward pass in evaluation. A matrix product rounds differently for other row counts, so that a fixed
count, padded, makes an action independent of how many environments run."""


Layout = dict[str, Any]
"""Columns of the observation groups, as `Environment.layout` tells them."""


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
    """The policy network: mean by a multi-layer perceptron, state-independent standard deviation."""
    return _build(
        cfg.actor.hidden_dims,
        cfg.actor.activation,
        cfg,
        "policy",
        layout,
        num_actions,
        {"class_name": "GaussianDistribution", "init_std": cfg.init_std, "std_type": "scalar"},
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
        activation=activation,
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


def layout_dim(layout: Layout, group: str) -> int:
    """Width of an observation group according to its layout."""
    return layout[group][-1]["stop"]


def load_actor(checkpoint: Checkpoint, cfg: PpoCfg, num_actions: int, source: str) -> MLPModel:
    """The policy network of a checkpoint, in evaluation mode on the CPU.

    Raises:
        InputError: if the weights do not fit the config; names the first tensor that differs.
    """
    actor = build_actor(cfg, checkpoint.layout, num_actions)
    load_weights(actor, checkpoint.actor, f"{source}: actor")
    return actor.eval()


def load_weights(module: nn.Module, tensors: Tensors, source: str) -> None:
    """Copy tensors into a module after comparing names and shapes.

    Raises:
        InputError: if they differ.
    """
    expected = {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()}
    found = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    if expected != found:
        name = next(n for n in [*expected, *found] if expected.get(n) != found.get(n))
        raise InputError(f"{source} tensor '{name}': shape {found.get(name)}, the config needs {expected.get(name)}")
    module.load_state_dict(tensors)


class DeterministicPolicy:
    """The mean action of an actor, with its normaliser frozen, equal for any number of environments."""

    def __init__(self, actor: MLPModel, device: torch.device) -> None:
        """Hold the actor in evaluation mode."""
        self.actor = actor.to(device).eval()

    @torch.inference_mode()
    def __call__(self, observations: dict[str, Tensor]) -> Tensor:
        """Mean actions. Shapes: (num_envs, obs_dim) -> (num_envs, num_actions)."""
        rows = observations["policy"]
        count = rows.shape[0]
        padded = torch.nn.functional.pad(rows, (0, 0, 0, -count % BLOCK_ROWS))
        blocks = [self._block(block) for block in padded.split(BLOCK_ROWS)]
        return torch.cat(blocks)[:count]

    def _block(self, rows: Tensor) -> Tensor:
        return self.actor(TensorDict({"policy": rows}, batch_size=[rows.shape[0]]))
