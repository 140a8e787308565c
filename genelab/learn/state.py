"""States that a process goes on from: nested dicts and lists of tensors and plain data, in one file."""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from genelab.config.snapshot import one_line
from genelab.errors import InputError
from genelab.records.arrays import Arrays, encode, read
from genelab.runs.files import write_atomic

TENSOR = "$tensor"
"""Key of what stands in the document in place of a tensor."""
NUMBER = "#"
"""Stands before a name that is a number: an optimiser numbers its parameters, and JSON knows only text."""


def save_state(path: Path, schema: str, state: dict[str, Any]) -> None:
    """Write a state atomically.

    Args:
        path: the file.
        schema: name and version of what the state is.
        state: dicts by name or whole number, lists, tensors of any device, numbers, text and None. A tuple is read
            back as a list.
    """
    arrays: Arrays = {}
    document = _packed(state, "", arrays)
    write_atomic(path, encode(schema, {"state": document}, arrays))


def load_state(path: Path, schema: str) -> dict[str, Any]:
    """Read a state. Its tensors lie on the CPU and share no memory.

    Raises:
        InputError: if the file is missing, torn, damaged, of another schema, or misses a tensor or holds one too many.
    """
    document, arrays = read(path, schema)
    try:
        state = _unpacked(document["state"], arrays)
    except KeyError as error:
        raise InputError(f"'{path}' misses the tensor {one_line(str(error))}") from error
    except (TypeError, ValueError) as error:
        raise InputError(f"'{path}' is no state: {one_line(str(error))}") from error
    if arrays or not isinstance(state, dict):
        raise InputError(f"'{path}' is no state: no field is {one_line(repr([*arrays] or state))}")
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
    except (LookupError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        raise InputError(f"'{path}' holds no whole {what}: {one_line(repr(error), 300)}") from error


def require_like(expected: Any, found: Any, where: str = "state") -> None:
    """Check that a state has the names, dtypes and shapes of another. A dict that is empty there may hold anything.

    Args:
        expected: the state that something is in now.
        found: the state that it should take.
        where: path of both, for the message.

    Raises:
        ValueError: at the first difference.
    """
    if isinstance(expected, dict) and expected:
        if not isinstance(found, dict) or expected.keys() != found.keys():
            raise ValueError(f"{where}: must hold {', '.join(map(str, expected))}")
        for name, value in expected.items():
            require_like(value, found[name], f"{where}.{name}")
    elif isinstance(expected, Tensor) and not (isinstance(found, Tensor) and _form(found) == _form(expected)):
        told = _form(found) if isinstance(found, Tensor) else type(found).__name__
        raise ValueError(f"{where}: is {told}, must be {_form(expected)}")


def _form(tensor: Tensor) -> str:
    return f"{tensor.dtype} {tuple(tensor.shape)}"


def _packed(value: Any, name: str, arrays: Arrays) -> Any:
    """The document of a value, whose tensors are added to `arrays` under their paths."""
    if isinstance(value, Tensor):
        assert name not in arrays, f"two tensors are called '{name}'"
        arrays[name] = value.detach().cpu().numpy()
        return {TENSOR: name}
    if isinstance(value, dict):
        items: list[tuple[Any, Any]] = [*value.items()]
        assert not any(isinstance(key, str) and key.startswith(NUMBER) for key, _ in items), name
        named = [(f"{NUMBER}{key}" if isinstance(key, int) else key, item) for key, item in items]
        return {key: _packed(item, f"{name}/{key}".lstrip("/"), arrays) for key, item in named}
    if isinstance(value, list | tuple):
        entries: list[Any] = [*value]
        return [_packed(item, f"{name}/{number}", arrays) for number, item in enumerate(entries)]
    return value


def _unpacked(document: Any, arrays: Arrays) -> Any:
    """The value of a document. Takes its arrays out of `arrays`; raises KeyError for one that is not there."""
    if isinstance(document, list):
        return [_unpacked(item, arrays) for item in document]  # pyright: ignore[reportUnknownVariableType]
    if not isinstance(document, dict):
        return document
    if document.keys() == {TENSOR}:
        # A copy: torch aligns its memory, on which sums of vectors may depend.
        return torch.from_numpy(arrays.pop(document[TENSOR])).clone()
    items = [(int(key[1:]) if key.startswith(NUMBER) else key, item) for key, item in document.items()]
    return {key: _unpacked(item, arrays) for key, item in items}
