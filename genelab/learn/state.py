"""States that a process goes on from: read from a file, they must fit what they are loaded into."""

import math
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, optim

from genelab.config.snapshot import one_line
from genelab.errors import InputError
from genelab.learn.checkpoint import load_tensors


def load_state(path: Path) -> dict[str, Any]:
    """Read a saved state. Never runs code from the file.

    Raises:
        InputError: if the file is missing, torn, holds code or no fields by name, or a tensor in it claims more memory
            than the file has.
    """
    state = load_tensors(path)
    if not isinstance(state, dict):
        raise InputError(f"'{path}' holds no state: it has no fields by name")
    stack: list[Any] = [state]
    seen = set[int]()
    while stack:
        node = stack.pop()
        if isinstance(node, Tensor) and not _is_whole(node):
            raise InputError(f"'{path}' holds a tensor that is not stored as it was saved")
        # A pickle may hold one list a million times, or inside itself.
        if isinstance(node, dict | list | tuple) and id(node) not in seen:
            seen.add(id(node))
            stack += node.values() if isinstance(node, dict) else node
    return state  # pyright: ignore[reportUnknownVariableType]


@contextmanager
def whole_state(path: Path, what: str) -> Generator[None]:
    """Tell whatever is raised by data that do not fit as InputError.

    Args:
        path: the file that they come from.
        what: what it should hold.
    """
    try:
        yield
    # Whatever torch, numpy and the simulator say about data of another shape.
    except (LookupError, TypeError, ValueError, AttributeError, RuntimeError, ArithmeticError, MemoryError) as error:
        raise InputError(f"'{path}' holds no whole {what}: {one_line(repr(error), 300)}") from error


def require_like(expected: Any, found: Any, where: str = "") -> None:
    """Check that a state has the form of another: names, types, and shapes of tensors.

    A list of numbers may have another length, and a mapping that is empty in `expected` any content.

    Args:
        expected: the state that something is in now.
        found: the state that it should take.
        where: dotted path of both, for the message.

    Raises:
        ValueError: at the first difference, or if a number is not finite, or negative where it counts.
    """
    if isinstance(expected, Tensor):
        if not isinstance(found, Tensor) or found.dtype != expected.dtype or found.shape != expected.shape:
            told = f"{found.dtype} {tuple(found.shape)}" if isinstance(found, Tensor) else type(found).__name__
            raise ValueError(f"{where}: is {told}, must be {expected.dtype} {tuple(expected.shape)}")
    elif isinstance(expected, dict):
        if not isinstance(found, dict) or (expected and expected.keys() != found.keys()):
            raise ValueError(f"{where or 'state'}: must hold {[*expected] or 'fields by name'}")
        for name, value in expected.items():
            require_like(value, found[name], f"{where}.{name}" if where else str(name))
    elif isinstance(expected, list | tuple):
        _require_list(expected, found, where)
    elif isinstance(expected, bool | str):
        if type(found) is not type(expected):
            raise ValueError(f"{where}: must be a {type(expected).__name__}")
    elif isinstance(expected, int):
        if type(found) is not int or found < 0:
            raise ValueError(f"{where}: must be a whole number, not negative")
    elif isinstance(expected, float):
        _require_number(found, where)


def require_optimizer_fits(optimizer: optim.Optimizer) -> None:
    """Check what Adam holds; its own `load_state_dict` hardly does.

    Raises:
        ValueError: if a setting but the step size is another than it was made with, a parameter lacks what the others
            have, or a moment has another shape than its parameter or is not finite.
    """
    for group in optimizer.param_groups:
        for name, value in optimizer.defaults.items():
            if name != "lr" and group.get(name) != value:
                raise ValueError(f"optimizer: {name} must be {value}")
        if type(group["lr"]) not in (int, float) or not 0.0 < group["lr"] < math.inf:
            raise ValueError("optimizer: lr must be a finite number above 0")
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    if optimizer.state and {id(p) for p in optimizer.state} != {id(p) for p in parameters}:
        raise ValueError("optimizer: must hold the moments of every parameter, or none")
    for parameter, moments in optimizer.state.items():
        if moments.keys() != {"step", "exp_avg", "exp_avg_sq"}:
            raise ValueError("optimizer: must hold step, exp_avg and exp_avg_sq of each parameter")
        for name, value in moments.items():
            shape = torch.Size() if name == "step" else parameter.shape
            if not isinstance(value, Tensor) or value.shape != shape or not bool(value.isfinite().all()):
                raise ValueError(f"optimizer: {name} must be finite and of shape {tuple(shape)}")
        if not moments["step"] >= 0:
            raise ValueError("optimizer: step must not be negative")


def _require_list(expected: list[Any] | tuple[Any, ...], found: Any, where: str) -> None:
    if not isinstance(found, list | tuple):
        raise ValueError(f"{where}: must be a list")
    if all(isinstance(value, int | float) for value in expected):
        for number, value in enumerate(found):
            _require_number(value, f"{where}[{number}]")
        return
    if len(found) != len(expected):
        raise ValueError(f"{where}: has {len(found)} entries, must have {len(expected)}")
    for number, (ours, theirs) in enumerate(zip(expected, found, strict=True)):
        require_like(ours, theirs, f"{where}[{number}]")


def _require_number(value: Any, where: str) -> None:
    if not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{where}: must be a finite number")


def _is_whole(tensor: Tensor) -> bool:
    """Whether every element of a tensor is in the file. A view may claim more elements than any memory holds."""
    plain = tensor.layout is torch.strided and tensor.device.type == "cpu" and not tensor.is_quantized
    return plain and tensor.numel() * tensor.element_size() <= tensor.untyped_storage().nbytes()
