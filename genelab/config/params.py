"""The rules of the parameter names that mean the same in every term, whatever its function."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeGuard

from genelab.config.base import LOW_TO_HIGH, Choice, Param, broken_rule, known_names, no_name_twice

AXES = ("x", "y", "turn")
FRICTIONS = (1e-2, 5.0)
"""Lowest and highest friction that Genesis 1.4 takes."""
_LOWEST = {
    "width": (0.0, False),
    **dict.fromkeys(("force", "threshold", "margin", "forward_min"), (0.0, True)),
}
"""By name of a number: the lowest, and whether it may be that."""


@dataclass(frozen=True)
class Known:
    """What the parameters of an environment may name."""

    joints: tuple[str, ...]
    links: tuple[str, ...]
    objects: tuple[str, ...]
    commands: tuple[str, ...]
    ground_friction: float | None
    """Friction of the ground; None without one."""


def check_param(field: str, name: str, value: Param, known: Known) -> None:
    """Check one parameter. A null is the function's business.

    Args:
        field: its dotted path, for the message.
        name: the parameter.
        value: its value.
        known: what it may name.

    Raises:
        PydanticCustomError: if it breaks the rule of its name.
    """
    if value is None:
        return
    named = {
        **dict.fromkeys(("joint_a", "joint_b"), ("joint", known.joints)),
        "link": ("link", known.links),
        "object": ("object", known.objects),
        "command": ("command", known.commands),
    }
    listed = {"joints": ("joint", known.joints), "links": ("link", known.links), "axes": ("axis", AXES)}
    if name in named:
        known_names(field, value, [value], *named[name])
    elif name in listed:
        kind, names = listed[name]
        if not isinstance(value, list) or not value:
            raise broken_rule(field, value, f"must be a list of one or more {'axes' if kind == 'axis' else f'{kind}s'}")
        known_names(field, value, value, kind, names)
        no_name_twice(field, value)
    elif name in _LOWEST and not isinstance(value, Choice):
        lowest, inclusive = _LOWEST[name]
        if not _is_number(value) or value < lowest or (value == lowest and not inclusive):
            raise broken_rule(field, value, f"must be {'at least' if inclusive else 'above'} {lowest:g}")
    elif name.endswith("_share"):
        if not _is_number(value) or not 0.0 <= value <= 1.0:
            raise broken_rule(field, value, "must be a share from 0 to 1")
    elif name == "clip" and not isinstance(value, Choice):
        if not _rises(value) or value[0] == value[1]:
            raise broken_rule(field, value, "must be [low, high] with low below high")
    elif name.endswith("_range"):
        _check_range(field, name, value, known)


def _check_range(field: str, name: str, value: Param, known: Known) -> None:
    if not _rises(value):
        raise broken_rule(field, value, LOW_TO_HIGH)
    low = value[0]
    if name == "factor_range" and low <= 0.0:
        raise broken_rule(field, value, "must begin above 0")
    if name == "friction_range" and not FRICTIONS[0] <= low <= value[1] <= FRICTIONS[1]:
        raise broken_rule(field, value, f"must lie within {FRICTIONS[0]:g} to {FRICTIONS[1]:g}, the simulator's limits")
    if name == "friction_range" and known.ground_friction is not None and low < known.ground_friction:
        rule = f"must not begin below the ground's friction {known.ground_friction:g}: a contact takes the larger"
        raise broken_rule(field, value, rule)


def check_grid(field: str, params: Mapping[str, Param]) -> None:
    """Check that the extents of a grid are multiples of its resolution, or it would silently be another one.

    Raises:
        PydanticCustomError: if they are not.
    """
    if "resolution" not in params or "size" not in params:
        return
    resolution, size = params["resolution"], params["size"]
    if not _is_number(resolution) or resolution <= 0.0:
        raise broken_rule(f"{field}.params.resolution", resolution, "must be above 0")
    extents = [float(extent) for extent in size if _is_number(extent)] if isinstance(size, list) else []
    if not isinstance(size, list) or len(extents) != 2 or len(size) != 2 or min(extents) <= 0.0:
        raise broken_rule(f"{field}.params.size", size, "must be two lengths above 0")
    for extent in extents:
        if abs(extent / resolution - round(extent / resolution)) > 1e-6:
            raise broken_rule(f"{field}.params.size", size, f"must be multiples of the resolution {resolution:g}")


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _rises(value: Param) -> TypeGuard[list[float]]:
    match value:
        case [int() | float() as low, int() | float() as high]:
            return low <= high
        case _:
            return False
