"""Comparison of what is stored with what was recomputed."""

import math
import textwrap
from collections.abc import Iterator
from typing import Any

from genelab.records.base import Record

RELATIVE = 1e-9
"""Relative difference of a recomputed number that is put down to rounding."""
MAX_VALUE = 100
"""Longest value shown in a finding, characters."""


def unequal(stored: Record, recomputed: Record, where: str) -> list[str]:
    """Values at which a stored record differs from the recomputed one by more than rounding, one line each."""
    found = changed(stored.model_dump(mode="json"), recomputed.model_dump(mode="json"), where)
    return [f"{path}: {shown(old)} stored, {shown(new)} recomputed" for path, old, new in found]


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
