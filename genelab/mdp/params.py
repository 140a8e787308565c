"""Types of the parameters of terms. A function annotates its parameters with them, or with any that pydantic knows.

    def joint_torque(state: StateView, joints: Joints) -> Tensor: ...
    def track_lin_vel(state: StateView, command: Command, width: PositiveFloat) -> Tensor: ...

Values are checked when a term is bound, before anything is built. A parameter without a type takes any value.
"""

import functools
import inspect
import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Annotated, Any, get_type_hints

from pydantic import AfterValidator, ConfigDict, Field, PositiveFloat, TypeAdapter, ValidationError, ValidationInfo

from genelab.config.base import Choice, Param, low_to_high, rising
from genelab.config.env import EnvCfg
from genelab.config.names import matching, values_by_name
from genelab.config.snapshot import one_line
from genelab.errors import InputError

Arguments = Mapping[str, Any]
"""Keyword arguments of a function."""
_ANY = ConfigDict(arbitrary_types_allowed=True)


def environment(info: ValidationInfo) -> EnvCfg:
    """The environment that a term belongs to, in a validator of a parameter's type."""
    assert isinstance(info.context, EnvCfg)
    return info.context


def _known(kind: str, known: Callable[[EnvCfg], Iterable[str]]) -> AfterValidator:
    """One of the names that an environment knows."""

    def check(name: str, info: ValidationInfo) -> str:
        if name not in (names := tuple(known(environment(info)))):
            raise ValueError(f"unknown {kind} {name!r}; known: {', '.join(names) or 'none'}")
        return name

    return AfterValidator(check)


def _all_joints(env: EnvCfg) -> tuple[str, ...]:
    return env.robot.joints


Joint = Annotated[str, _known("joint", _all_joints)]
"""A joint of the robot."""
Link = Annotated[str, _known("link", lambda env: env.robot.links)]
"""A link whose state is read."""
Object = Annotated[str, _known("object", lambda env: env.objects)]
"""A free body."""
Command = Annotated[str, _known("command", lambda env: env.commands)]
"""A command."""

Joints = Annotated[
    tuple[str, ...],
    Field(min_length=1),
    AfterValidator(lambda names, info: matching(names, _all_joints(environment(info)), "joint")),
]
"""Joints of the robot by name patterns; the function gets their names."""
Links = Annotated[
    tuple[str, ...],
    Field(min_length=1),
    AfterValidator(lambda names, info: matching(names, environment(info).robot.links, "link")),
]
"""Links whose state is read by name patterns; the function gets their names."""
JointValues = Annotated[
    dict[str, float],
    Field(min_length=1),
    AfterValidator(lambda values, info: values_by_name(values, _all_joints(environment(info)), "joint")),
]
"""A number for each of some joints by name patterns; the function gets numbers by name, in the order of the robot."""

Range = Annotated[tuple[float, float], AfterValidator(low_to_high)]
"""Lowest and highest value; they may be equal."""
Rising = Annotated[tuple[float, float], AfterValidator(rising)]
"""Lowest and highest value."""
Share = Annotated[float, Field(ge=0.0, le=1.0)]
"""A share of a whole."""
Extents = tuple[PositiveFloat, PositiveFloat]
"""Lengths along x and y, m."""


def arguments(path: str, function: Callable[..., Any], params: Mapping[str, Param], env: EnvCfg) -> Arguments:
    """Arguments of a function from the parameters of a term.

    Args:
        path: dotted path of the parameters, for messages.
        function: says by its annotations what they may be.
        params: the parameters.
        env: the environment, with the names that parameters may hold.

    Raises:
        InputError: if one is not what its type says, or a choice is not made, or its file is not the chosen one.
    """
    types, values = _types(function), {**_defaults(function), **params}
    return {name: _argument(f"{path}.{name}", types.get(name), value, env) for name, value in values.items()}


def _argument(path: str, type_: TypeAdapter[Any] | None, value: Param, env: EnvCfg) -> Any:
    if isinstance(value, Choice):
        try:
            chosen = value.resolve()
        except InputError as error:
            raise InputError(f"{path} {error}") from error
        if isinstance(chosen, Path):
            return chosen
        value = chosen
    if type_ is None:
        return value
    try:
        # Strict JSON, as configs are read: "64" is no number, but 2 is a float and a list a tuple.
        return type_.validate_json(json.dumps(value), strict=True, context=env)
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        where = ".".join([path, *(str(part) for part in problem["loc"])])
        rule = problem["msg"].removeprefix("Value error, ")
        raise InputError(one_line(f"{where} = {problem['input']!r}: {rule}")) from error


def _defaults(function: Callable[..., Any]) -> dict[str, Any]:
    """Defaults that a config could hold, which may name joints too."""
    parameters = inspect.signature(function).parameters.values()
    return {
        p.name: p.default for p in parameters if isinstance(p.default, bool | int | float | str | tuple | list | dict)
    }


@functools.cache
def _types(function: Callable[..., Any]) -> Mapping[str, TypeAdapter[Any]]:
    # Those of the parameters alone: what else a function names may be imported for type checkers only.
    parameters = list(inspect.signature(function).parameters.values())[1:]
    annotations = {p.name: p.annotation for p in parameters if p.annotation is not inspect.Parameter.empty}
    scope = getattr(function, "__globals__", {})
    hints = get_type_hints(SimpleNamespace(__annotations__=annotations), globalns=scope, include_extras=True)
    return {name: TypeAdapter(hint, config=_ANY) for name, hint in hints.items()}
