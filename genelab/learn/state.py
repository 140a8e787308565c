"""States that a process goes on from: nested dicts and lists of tensors and plain data, in one file."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from genelab.records.arrays import Arrays, encode, read, whole
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
        InputError: if the file is missing, torn, damaged, of another schema, or misses a tensor.
    """
    document, arrays = read(path, schema)
    with whole(path, "state"):
        return _unpacked(document["state"], arrays)


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
    """The value of a document."""
    if isinstance(document, list):
        return [_unpacked(item, arrays) for item in document]  # pyright: ignore[reportUnknownVariableType]
    if not isinstance(document, dict):
        return document
    if document.keys() == {TENSOR}:
        # A copy: torch aligns its memory, on which sums of vectors may depend.
        return torch.from_numpy(arrays[document[TENSOR]]).clone()
    items = [(int(key[1:]) if key.startswith(NUMBER) else key, item) for key, item in document.items()]
    return {key: _unpacked(item, arrays) for key, item in items}
