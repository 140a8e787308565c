"""Name patterns: regular expressions that match whole names, resolved against those of a robot.

    joints=(".*_hip_joint", ".*_knee_joint")
    scale={".*_hip_joint": 0.125, ".*_knee_joint": 0.25}

Names are their own patterns. Those of one pattern come in the order of the model, those of several in the order of the
patterns.
"""

import functools
import re
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from typing import TypeVar

from genelab.config.base import broken_rule

V = TypeVar("V")


def matching(patterns: Iterable[str], known: Iterable[str], kind: str) -> tuple[str, ...]:
    """Names that patterns match.

    Args:
        patterns: the patterns.
        known: what exists, in the order of the model.
        kind: what the names name, for the message.

    Raises:
        ValueError: if a pattern is no regular expression or matches nothing, or two match one name.
    """
    return tuple(name for names in _matches(tuple(patterns), tuple(known), kind) for name in names)


def values_by_name(
    values: Mapping[str, V], known: Iterable[str], kind: str, *, all_of: Sequence[str] = ()
) -> dict[str, V]:
    """Values by name from values by pattern, in the order of the model.

    Args:
        values: by pattern.
        known: what exists, in the order of the model.
        kind: what the names name, for the message.
        all_of: names that must have a value.

    Raises:
        ValueError: as `matching`, or if one of `all_of` has no value.
    """
    known = tuple(known)
    found = {
        name: value
        for names, value in zip(_matches(tuple(values), known, kind), values.values(), strict=True)
        for name in names
    }
    if missing := [name for name in all_of if name not in found]:
        raise ValueError(f"no pattern matches {kind} {missing[0]!r}")
    return {name: found[name] for name in known if name in found}


@contextmanager
def rule_of(field: str, value: object) -> Generator[None]:
    """Turns a ValueError into the error of a field's rule, to raise in a model's validator."""
    try:
        yield
    except ValueError as error:
        raise broken_rule(field, value, str(error)) from error


@functools.lru_cache(maxsize=1024)
def _matches(patterns: tuple[str, ...], known: tuple[str, ...], kind: str) -> tuple[tuple[str, ...], ...]:
    """Names that each pattern matches."""
    pattern_of: dict[str, str] = {}
    found: list[tuple[str, ...]] = []
    for pattern in patterns:
        names = (pattern,) if pattern in known else tuple(name for name in known if _is_match(pattern, name))
        if not names:
            raise ValueError(f"unknown {kind} {pattern!r}; known: {', '.join(known) or 'none'}")
        for name in names:
            if name in pattern_of:
                raise ValueError(f"{kind} {name!r} is matched by {pattern_of[name]!r} and by {pattern!r}")
            pattern_of[name] = pattern
        found.append(names)
    return tuple(found)


def _is_match(pattern: str, name: str) -> bool:
    try:
        return re.fullmatch(pattern, name) is not None
    except re.error as error:
        raise ValueError(f"{pattern!r} is no regular expression: {error}") from error
