"""A normal distribution squashed by tanh, whose standard deviation goes by state, for rsl_rl."""

import math

import numpy as np
import torch
from rsl_rl.modules.distribution import HeteroscedasticGaussianDistribution
from torch import Tensor, nn

MARGIN = 1e-6
"""Distance that a drawn action keeps from -1 and 1, where its density has no finite logarithm in float32."""
NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(32)
"""Of the quadrature over a standard normal."""


class TanhNormal(HeteroscedasticGaussianDistribution):
    """Actions in (-1, 1): tanh of a normal draw.

    `mean`, `std` and `params` are those of the normal before it is squashed. The KL divergence of two of them is that
    of their normals, because both are squashed by the same function. The entropy has no closed form: that of the normal
    and the mean logarithm of the slope of tanh, by Gauss-Hermite quadrature, draws nothing and has a gradient.
    """

    def sample(self) -> Tensor:
        """Draw actions. Shape: (rows, num_actions)."""
        return torch.tanh(super().sample()).clamp(-1.0 + MARGIN, 1.0 - MARGIN)

    def log_prob(self, outputs: Tensor) -> Tensor:
        """Log-density of actions. Shapes: (rows, num_actions) -> (rows,)."""
        before = torch.atanh(outputs)
        return super().log_prob(before) - log_slope(before).sum(-1)

    @property
    def entropy(self) -> Tensor:
        """Entropy of the squashed actions, nats. Shape: (rows,)."""
        nodes, weights = (torch.as_tensor(a, dtype=self.mean.dtype, device=self.mean.device) for a in (NODES, WEIGHTS))
        slopes = log_slope(self.mean[..., None] + self.std[..., None] * nodes)
        return super().entropy + (slopes @ weights / math.sqrt(2.0 * math.pi)).sum(-1)

    def deterministic_output(self, mlp_output: Tensor) -> Tensor:
        """Tanh of the mean. Shapes: (rows, 2, num_actions) -> (rows, num_actions)."""
        return torch.tanh(mlp_output[..., 0, :])

    def as_deterministic_output_module(self) -> nn.Module:
        """The same as a module that can be exported."""
        return _TanhOfMean()


class _TanhOfMean(nn.Module):
    def forward(self, mlp_output: Tensor) -> Tensor:
        return torch.tanh(mlp_output[..., 0, :])


def log_slope(x: Tensor) -> Tensor:
    """log(1 - tanh(x)^2), exact where tanh rounds to 1. Shape: any -> the same."""
    return 2.0 * (math.log(2.0) - x - nn.functional.softplus(-2.0 * x))
