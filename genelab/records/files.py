"""Strict reading of what a run left behind. Python's json takes NaN, infinity and a key given twice; this does not."""

import hashlib
import json
import math
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from pydantic import ValidationError

from genelab.config.base import LARGEST_FLOAT
from genelab.config.snapshot import first_problem, one_line
from genelab.errors import FileError
from genelab.records.base import Record

R = TypeVar("R", bound=Record)

MAX_LINE = 300
"""Longest message about a broken field, characters."""


def parse_json(text: str | bytes) -> Any:
    """Parse JSON in UTF-8.

    Raises:
        ValueError: on anything that is not strictly JSON in UTF-8, and on numbers too large to compute with: beyond
            LARGEST_FLOAT, or beyond 64 bits for an integer.
        RecursionError: if it is nested too deeply.
    """
    if isinstance(text, bytes):
        # Python's json would take UTF-16 and UTF-32 too.
        text = text.decode()
    return json.loads(
        text,
        parse_constant=_refuse_constant,
        parse_float=_finite_float,
        parse_int=_bounded_int,
        object_pairs_hook=_unique_keys,
    )


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Raises:
        FileError: if it is missing, unreadable or not strictly JSON.
    """
    return _parse(path, read_bytes(path), "")


def read_record(path: Path, model: type[R]) -> R:
    """Read a record. Strict: no number in quotes, no 1.0 for an integer.

    Raises:
        FileError: as `read_json`, or if the data breaks the schema; names field, value and rule.
    """
    data = read_bytes(path)
    _parse(path, data, "")
    try:
        return model.model_validate_json(data, strict=True)
    except ValidationError as error:
        raise FileError(path, short_problem(error)) from error


def read_rows(path: Path, *, growing: bool = False) -> list[dict[str, Any]]:
    """Read a file of one JSON object per line; of one that is `growing`, the lines that are whole.

    Raises:
        FileError: as `read_json`; names the line.
    """
    rows: list[dict[str, Any]] = []
    data = read_bytes(path)
    if growing:
        data = data[: data.rfind(b"\n") + 1]
    for number, line in enumerate(data.splitlines(), start=1):
        row = _parse(path, line, f"line {number} is ")
        if not isinstance(row, dict):
            raise FileError(path, f"line {number} is no JSON object")
        rows.append(row)  # pyright: ignore[reportUnknownArgumentType]
    return rows


def short_problem(error: ValidationError) -> str:
    """The first problem of a validation error, on a line of bounded length."""
    return one_line(first_problem(error), MAX_LINE)


def read_bytes(path: Path) -> bytes:
    """Read a file. Raises FileError if it is missing or unreadable."""
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise FileError(path, "missing") from error
    except OSError as error:
        raise FileError(path, f"unreadable: {error.strerror}") from error


def sha256_file(path: Path) -> str:
    """SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _parse(path: Path, data: bytes, where: str) -> Any:
    try:
        return parse_json(data)
    except (ValueError, RecursionError) as error:
        raise FileError(path, f"{where}not valid JSON: {one_line(str(error), MAX_LINE)}") from error


def _refuse_constant(constant: str) -> NoReturn:
    raise ValueError(f"holds {constant}")


def _finite_float(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"holds {text}, which no float can hold")
    if abs(value) > LARGEST_FLOAT:
        raise ValueError(f"holds {text}, beyond {LARGEST_FLOAT:g}")
    return value


def _bounded_int(text: str) -> int:
    # No digits beyond: sums and products of what a record holds must stay within a float.
    value = int(text) if len(text) <= 20 else None
    if value is None or not -(2**63) <= value < 2**63:
        raise ValueError(f"holds {text[:20]}..., which no 64-bit integer can hold")
    return value


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"holds the key '{twice}' twice")
    return found
