"""Files of named arrays: safetensors, whose metadata hold one JSON document that says what they are.

Nothing in such a file is ever executed. Its document names a digest of itself and of all arrays, so that any damage
shows.
"""

import hashlib
import zipfile
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from genelab.config.snapshot import canonical_json, one_line
from genelab.errors import InputError
from genelab.records.files import MAX_LINE, parse_json

Arrays = dict[str, NDArray[Any]]
"""Arrays by name."""

KEY = "genelab"
"""Name of the document in the metadata, which hold nothing else: the library writes several entries in any order."""

# The library raises the last three for element types that numpy does not have, and for impossible shapes.
_BROKEN = (SafetensorError, OSError, ValueError, TypeError, AttributeError)


def arrays_sha256(arrays: Mapping[str, NDArray[Any]]) -> str:
    """SHA-256 over sorted (name, dtype, shape, bytes). The dtype is written as torch names it."""
    digest = hashlib.sha256()
    for name, array in sorted(arrays.items()):
        digest.update(f"{name} torch.{array.dtype.name} {array.shape}\n".encode())
        digest.update(np.asarray(array, order="C").reshape(-1).view(np.uint8).data)
    return digest.hexdigest()


def encode(schema: str, document: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """Bytes of a file. Equal data give equal bytes.

    Args:
        schema: name and version of what the file holds.
        document: plain JSON data; `schema` and `sha256` are added.
        arrays: of any shape and memory layout.
    """
    # The library writes the memory as it lies.
    whole = {name: np.asarray(array, order="C") for name, array in arrays.items()}
    told = {"schema": schema, **document}
    return save(whole, {KEY: canonical_json({**told, "sha256": _digest(told, whole)})})


def read(path: Path, schema: str) -> tuple[dict[str, Any], Arrays]:
    """Read a file that `encode` made: its document without the digest, and its arrays.

    Raises:
        InputError: if the file is missing, torn, damaged, of another schema, or of an earlier version of genelab.
    """
    if not path.is_file():
        raise InputError(f"'{path}' does not exist")
    try:
        with safe_open(path, framework="np") as file:
            text, arrays = (file.metadata() or {}).get(KEY), file.get_tensors()
    except _BROKEN as error:
        if zipfile.is_zipfile(path):
            told = "is of an earlier version of genelab or of another program: train or collect again"
            raise InputError(f"'{path}' {told}") from error
        raise InputError(f"'{path}' is torn or no safetensors file: {one_line(str(error), MAX_LINE)}") from error
    try:
        told = parse_json(text or "null")
    except (ValueError, RecursionError) as error:
        raise InputError(f"'{path}' is damaged: its metadata are no JSON: {one_line(str(error), MAX_LINE)}") from error
    if not isinstance(told, dict) or told.get("schema") != schema:
        found = told.get("schema") if isinstance(told, dict) else None
        raise InputError(f"'{path}' has the schema {one_line(repr(found), MAX_LINE)}, must be '{schema}'")
    if told.pop("sha256", None) != _digest(told, arrays):
        raise InputError(f"'{path}' is damaged: its content does not have the digest that it names")
    return told, arrays


@contextmanager
def whole(path: Path, what: str) -> Generator[None]:
    """Tell whatever is raised by data of another form as InputError.

    Args:
        path: the file that they come from.
        what: what it should hold.
    """
    try:
        yield
    # Whatever python, torch, numpy and the simulator say: of another version of a library, or made by hand.
    except (LookupError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        raise InputError(f"'{path}' holds no whole {what}: {one_line(repr(error), MAX_LINE)}") from error


def _digest(document: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> str:
    return hashlib.sha256(f"{canonical_json(document)} {arrays_sha256(arrays)}".encode()).hexdigest()
