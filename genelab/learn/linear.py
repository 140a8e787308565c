"""Forward passes whose gradients are cheap on a CPU.

Torch multiplies float32 matrices on a CPU with MKL, which on some processors runs at half the speed of oneDNN, the
other library that torch ships. An update is mostly such products.
"""

from typing import Any

import torch
from torch import Tensor, nn

_NARROW = 16
"""Outputs below which oneDNN is no faster."""


def uses_onednn(device: torch.device) -> bool:
    """Whether training on this device multiplies matrices with oneDNN. Float sums depend on it; the record says so."""
    return device.type == "cpu" and torch.backends.mkldnn.is_available()


def forward(mlp: nn.Sequential, rows: Tensor) -> Tensor:
    """The output of a multi-layer perceptron, for training. Shapes: (rows, inputs) -> (rows, outputs)."""
    onednn = uses_onednn(rows.device)
    for layer in mlp:
        if onednn and isinstance(layer, nn.Linear) and layer.out_features >= _NARROW:
            rows = _OneDnnLinear.apply(rows, layer.weight, layer.bias)  # pyright: ignore[reportAssignmentType]
        else:
            rows = layer(rows)
    return rows


def _product(left: Tensor, right: Tensor, bias: Tensor | None = None) -> Tensor:
    """Compute left @ right.T + bias by oneDNN. Shapes: (m, k), (n, k), (n,) -> (m, n)."""
    return torch.ops.mkldnn._linear_pointwise(left, right, bias, "none", [], "")


class _OneDnnLinear(torch.autograd.Function):
    """A linear layer, all three of its matrix products by oneDNN."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        ctx.save_for_backward(rows, weight)
        return _product(rows, weight, bias)

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> tuple[Tensor | None, Tensor, Tensor]:
        rows, weight = ctx.saved_tensors
        (grad,) = grads
        grad_rows = _product(grad, weight.t().contiguous()) if ctx.needs_input_grad[0] else None
        if rows.shape[1] < grad.shape[1]:
            # The short side first: several times faster for a narrow input.
            grad_weight = _product(rows.t(), grad.t()).t()
        else:
            grad_weight = _product(grad.t(), rows.t())
        return grad_rows, grad_weight, grad.sum(0)
