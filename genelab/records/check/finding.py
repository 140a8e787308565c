"""What a check finds, and the comparison of what is stored with what was recomputed."""

import math
import textwrap
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from genelab.config.snapshot import canonical_json, one_line
from genelab.errors import FileError, RunError
from genelab.records.base import Record

T = TypeVar("T")

RELATIVE = 1e-9
"""Relative difference of a recomputed number that is put down to rounding."""
MAX_VALUE = 100
"""Longest value shown in a finding, characters."""


class Finding(NamedTuple):
    """One thing that is not as claimed."""

    path: Path
    """File or directory."""
    message: str
    """One line on what is wrong."""
    missing_seed: bool = False
    """Whether it is the plain absence of a seed's result. An entry may declare those, nothing else."""

    def __str__(self) -> str:
        return one_line(f"{self.path}: {self.message}")


def attempt(findings: list[Finding], path: Path, read: Callable[..., T], *arguments: Any) -> T | None:
    """Read `path`; on failure add a finding and return None."""
    try:
        return read(path, *arguments)
    except FileError as error:
        findings.append(Finding(error.path, error.problem))
    except RunError as error:
        findings.append(Finding(path, str(error)))
    return None


def unequal(stored: Record, recomputed: Record, where: str) -> list[str]:
    """Values at which a stored record differs from the recomputed one by more than rounding, one line each."""
    # Nearly always equal, and text tells that quickly.
    if stored.model_dump_json() == recomputed.model_dump_json():
        return []
    found = changed(stored.model_dump(mode="json"), recomputed.model_dump(mode="json"), where)
    return [f"{path}: {shown(old)} stored, {shown(new)} recomputed" for path, old, new in found]


def mismatches(pairs: Mapping[str, tuple[Any, Any]], where: str) -> Iterator[str]:
    """Values that are claimed otherwise than they are stored elsewhere, one line each.

    Args:
        pairs: claimed and stored value by path, plain JSON or records.
        where: the other place, `run.json` for instance.
    """
    for name, pair in pairs.items():
        claimed, stored = (v.model_dump(mode="json") if isinstance(v, Record) else v for v in pair)
        if isinstance(claimed, dict) and canonical_json(claimed) == canonical_json(stored):
            continue
        for path, old, new in changed(claimed, stored, name):
            yield f"{path}: {shown(old)}, {where} has {shown(new)}"


def changed(old: Any, new: Any, path: str) -> Iterator[tuple[str, Any, Any]]:
    """Leaves at which two JSON values differ by more than rounding, as (path, old, new)."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in dict.fromkeys([*old, *new]):
            yield from changed(old.get(key), new.get(key), f"{path}.{key}" if path else key)
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for k, (a, b) in enumerate(zip(old, new, strict=True)):
            yield from changed(a, b, f"{path}[{k}]")
    elif isinstance(old, float) and isinstance(new, float):
        if not math.isclose(old, new, rel_tol=RELATIVE, abs_tol=1e-12):
            yield path, old, new
    elif type(old) is not type(new) or old != new:
        yield path, old, new


def shown(value: Any) -> str:
    """A value, shortened to fit a line."""
    return textwrap.shorten(repr(value), MAX_VALUE, placeholder=" ...")
