"""Types of the parameters of terms. A function annotates its parameters with them, or with any that pydantic knows.

    def joint_torque(state: StateView, joints: Joints) -> Tensor: ...
    def track_lin_vel(state: StateView, command: Command, width: PositiveFloat) -> Tensor: ...

Values are checked when a term is bound, before anything is built. A parameter without a type takes any value.
"""

import functools
import inspect
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Annotated, Any, get_type_hints

from pydantic import AfterValidator, ConfigDict, Field, PositiveFloat, TypeAdapter, ValidationError, ValidationInfo

from genelab.config.base import Choice, Param, low_to_high, rising
from genelab.config.env import EnvCfg
from genelab.config.snapshot import one_line
from genelab.errors import InputError

Arguments = Mapping[str, Any]
"""Keyword arguments of a function."""
_ANY = ConfigDict(arbitrary_types_allowed=True)


def environment(info: ValidationInfo) -> EnvCfg:
    """The environment that a term belongs to, in a validator of a parameter's type."""
    assert isinstance(info.context, EnvCfg)
    return info.context


def _among(kind: str, known: Callable[[EnvCfg], tuple[str, ...]]) -> AfterValidator:
    def check(value: str | tuple[str, ...], info: ValidationInfo) -> str | tuple[str, ...]:
        names, there = (value,) if isinstance(value, str) else value, known(environment(info))
        unknown = next((name for name in names if name not in there), None)
        if unknown is not None:
            raise ValueError(f"unknown {kind} {unknown!r}; known: {', '.join(there) or 'none'}")
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise ValueError(f"{twice!r} stands in it twice")
        return value

    return AfterValidator(check)


_JOINT = _among("joint", lambda env: tuple(env.robot.joints))
_LINK = _among("link", lambda env: env.robot.links)

Joint = Annotated[str, _JOINT]
"""A joint of the robot."""
Joints = Annotated[tuple[str, ...], Field(min_length=1), _JOINT]
"""Joints of the robot."""
Link = Annotated[str, _LINK]
"""A link whose state is read."""
Links = Annotated[tuple[str, ...], Field(min_length=1), _LINK]
"""Links whose state is read."""
Object = Annotated[str, _among("object", lambda env: tuple(env.objects))]
"""A free body."""
Command = Annotated[str, _among("command", lambda env: tuple(env.commands))]
"""A command."""

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
    return {p.name: p.default for p in parameters if isinstance(p.default, bool | int | float | str | tuple | list)}


@functools.cache
def _types(function: Callable[..., Any]) -> Mapping[str, TypeAdapter[Any]]:
    # Those of the parameters alone: what else a function names may be imported for type checkers only.
    parameters = list(inspect.signature(function).parameters.values())[1:]
    annotations = {p.name: p.annotation for p in parameters if p.annotation is not inspect.Parameter.empty}
    scope = getattr(function, "__globals__", {})
    hints = get_type_hints(SimpleNamespace(__annotations__=annotations), globalns=scope, include_extras=True)
    return {name: TypeAdapter(hint, config=_ANY) for name, hint in hints.items()}
