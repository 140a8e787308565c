"""Terms: functions that say what their columns are, and configs of terms bound to them. Needs no torch.

    @term(PerJoint("joints"), unit="m or rad", mirror=BY_NAME)
    def joint_pos_rel(state: StateView, joints: Joints) -> Tensor: ...

Layout, mirror images, warm starts, inspection and exports read this declaration. A function without one works where
nobody asks what its columns mean. What its parameters may be, the types of `genelab.mdp.params` say.
"""

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeVar, runtime_checkable

from genelab.config.actions import DifferentialIkCfg
from genelab.config.base import Param
from genelab.config.env import EnvCfg
from genelab.config.scene import RobotCfg, mirror_name
from genelab.errors import InputError
from genelab.functions import resolve_function
from genelab.mdp.params import Arguments, arguments

Images = list[tuple[int, float]]
"""For each column of the mirror image, the column it comes from and its sign."""
Signs = tuple[float, ...]
"""Sign of each column in the mirror image, of columns that stay where they are."""

XYZ = ("x", "y", "z")
VECTOR: Signs = (1.0, -1.0, 1.0)
"""A velocity, a force, a direction or a position: y changes its sign."""
AXIAL: Signs = (-1.0, 1.0, -1.0)
"""An angular velocity or a torque: x and z change their signs."""
SCALAR: Signs = (1.0,)
"""A number without a side."""
NO_MIRROR = "env.robot.mirror = null: a mirror image needs it"
BY_NAME: Literal["by name"] = "by name"
"""The names of the columns tell it: left and right change places."""


@runtime_checkable
class Columns(Protocol):
    """The columns of a term in an environment, for given arguments."""

    def names(self, env: EnvCfg, args: Arguments) -> Sequence[str]:
        """One name for each column."""
        ...

    def images(self, env: EnvCfg, args: Arguments) -> Images:
        """Mirror images by name. Raises InputError if there are none."""
        ...


@dataclass(frozen=True)
class PerJoint:
    """One column for each joint that a parameter names."""

    param: str

    def names(self, env: EnvCfg, args: Arguments) -> Sequence[str]:  # noqa: D102 see `Columns`
        return args[self.param]

    def images(self, env: EnvCfg, args: Arguments) -> Images:  # noqa: D102
        return joint_images(env.robot, self.names(env, args))


@dataclass(frozen=True)
class PerFoot:
    """The same columns for each foot."""

    of_each: tuple[str, ...] = ()
    """Names of the columns of one foot; empty for one column."""
    signs: Signs = SCALAR
    """Sign of each in the mirror image, which is that of the foot on the other side."""

    def names(self, env: EnvCfg, args: Arguments) -> Sequence[str]:  # noqa: D102
        return [f"{foot} {name}".strip() for foot in env.feet_sites for name in self.of_each or ("",)]

    def images(self, env: EnvCfg, args: Arguments) -> Images:  # noqa: D102
        if env.robot.mirror is None:
            raise InputError(NO_MIRROR)
        feet = env.feet_sites
        other = [feet.index(mirror_name(env.robot.mirror, foot)[0]) for foot in feet]
        return [(foot * len(self.signs) + k, sign) for foot in other for k, sign in enumerate(self.signs)]


@dataclass(frozen=True)
class OfAction:
    """The columns of the action."""

    def names(self, env: EnvCfg, args: Arguments) -> Sequence[str]:  # noqa: D102
        return env.action_columns

    def images(self, env: EnvCfg, args: Arguments) -> Images:  # noqa: D102
        return action_images(env)


@dataclass(frozen=True)
class Grid:
    """Points of a level grid around the robot, from the back right to the front left, along y (left) fastest."""

    size: str
    """Parameter with its extents along x and y, m."""
    resolution: str
    """Parameter with the distance of two points, m."""

    def names(self, env: EnvCfg, args: Arguments) -> Sequence[str]:  # noqa: D102
        (along, across), step = self._intervals(args), args[self.resolution]
        return [
            f"x={(i - along / 2) * step:.3g} y={(k - across / 2) * step:.3g}"
            for i in range(along + 1)
            for k in range(across + 1)
        ]

    def images(self, env: EnvCfg, args: Arguments) -> Images:  # noqa: D102 Each row is read the other way round.
        along, across = self._intervals(args)
        return [(row * (across + 1) + across - k, 1.0) for row in range(along + 1) for k in range(across + 1)]

    def _intervals(self, args: Arguments) -> list[int]:
        size, resolution = args[self.size], args[self.resolution]
        intervals = [round(extent / resolution) for extent in size]
        for extent, count in zip(size, intervals, strict=True):
            # Or it would silently be another grid.
            if abs(extent / resolution - count) > 1e-6:
                rule = f"must be multiples of the {self.resolution} {resolution:g}"
                raise InputError(f"params.{self.size} = {list(size)}: {rule}")
        return intervals


@dataclass(frozen=True)
class OfCommand:
    """The columns of the command that a parameter names, with their unit and mirror images."""

    param: str

    def term(self, asking: "BoundTerm") -> "BoundTerm":
        """The term that makes the command."""
        name = asking.arguments[self.param]
        cfg = asking.env.commands[name]
        if cfg.follow is not None:
            return bind(f"env.commands.{name}.follow", cfg.follow, asking.env)
        return bind(f"env.commands.{name}", cfg, asking.env)


@dataclass(frozen=True)
class OfGoal:
    """The columns of what a goal-conditioned environment achieves, with their unit and mirror images."""

    def term(self, asking: "BoundTerm") -> "BoundTerm | None":
        """The term of what is achieved."""
        goal = asking.env.goal
        return goal and bind_function("env.goal", goal.achieved, goal.params, asking.env)


@dataclass(frozen=True)
class Declaration:
    """What a function declares."""

    columns: tuple[str, ...] | Columns | OfCommand | OfGoal
    """A name for each column, or what names them."""
    unit: str
    """Unit of the value; empty for a number without one."""
    mirror: Signs | Literal["by name"] | None
    """Mirror image of the value; None if there is none."""


Function = TypeVar("Function", bound=Callable[..., Any])
_DECLARED: dict[Callable[..., Any], Declaration] = {}


def term(
    columns: tuple[str, ...] | Columns | OfCommand | OfGoal,
    unit: str = "",
    mirror: Signs | Literal["by name"] | None = None,
) -> Callable[[Function], Function]:
    """Declare what the columns of a function's value are.

    Args:
        columns: a name for each, or what names them.
        unit: of the value. A command or a goal has its own.
        mirror: how the value looks under reflection at the robot's x-z plane; None if it has no image. A command or a
            goal has its own.
    """
    if isinstance(columns, tuple) and mirror is not None and len(mirror) != len(columns):
        raise ValueError(f"mirror = {mirror!r}: must have a sign for each of the columns {columns}")

    def declare(function: Function) -> Function:
        _DECLARED[function] = Declaration(columns, unit, mirror)
        return function

    return declare


@dataclass(frozen=True)
class BoundTerm:
    """A term of an environment: a function with its arguments."""

    path: str
    """Dotted path of its config, for messages."""
    func: str
    """Reference of the function."""
    function: Callable[..., Any]
    """The function."""
    arguments: Arguments
    """Its keyword arguments: checked, with what was chosen in place of choices."""
    env: EnvCfg
    """The environment."""

    def __call__(self, view: Any) -> Any:
        """The value. `view` is the state view, the goal or the event context, as the function wants."""
        return self.function(view, **self.arguments)

    def columns(self) -> tuple[str, ...] | None:
        """Names of the columns; None if the function does not say."""
        owner, declared = self._declaration()
        return None if declared is None else owner._names(declared)

    def unit(self) -> str | None:
        """Unit of the value, empty for a number without one; None if the function does not say."""
        _, declared = self._declaration()
        return None if declared is None else declared.unit

    def joints(self) -> tuple[str, ...]:
        """Joints whose values the columns are, in their order; empty if they are no values of joints.

        Raises:
            InputError: if the function does not say what its columns are.
        """
        owner, declared = self._declaration()
        if declared is None:
            raise self._undeclared("what its columns are")
        return owner._names(declared) if isinstance(declared.columns, PerJoint) else ()

    def images(self) -> Images:
        """Mirror images of the columns.

        Raises:
            InputError: if the function does not say, or the robot has none.
        """
        owner, declared = self._declaration()
        if declared is None or declared.mirror is None:
            raise self._undeclared("how its mirror image looks")
        if declared.mirror != BY_NAME:
            return list(enumerate(declared.mirror))
        assert isinstance(declared.columns, Columns)
        try:
            return declared.columns.images(self.env, owner.arguments)
        except InputError as error:
            raise InputError(f"{self.path}: {error}") from error

    def _declaration(self) -> "tuple[BoundTerm, Declaration | None]":
        """The declaration that holds, and the term that it is of: of a command, that which draws it."""
        owner: BoundTerm | None = self
        # A goal may be a command; a config that goes round in circles says nothing.
        for _ in range(3):
            declared = _DECLARED.get(owner.function)
            if declared is None or not isinstance(declared.columns, OfCommand | OfGoal):
                return owner, declared
            owner = declared.columns.term(owner)
            if owner is None:
                break
        return self, None

    def _names(self, declared: Declaration) -> tuple[str, ...]:
        if isinstance(declared.columns, tuple):
            return declared.columns
        assert isinstance(declared.columns, Columns)
        try:
            return tuple(declared.columns.names(self.env, self.arguments))
        except InputError as error:
            raise InputError(f"{self.path}.{error}") from error

    def _undeclared(self, what: str) -> InputError:
        return InputError(f"{self.path}.func = '{self.func}': does not say {what} (genelab.mdp.term)")


class TermCfg(Protocol):
    """What every term config has."""

    @property
    def func(self) -> str:
        """Reference of the function."""
        ...

    @property
    def params(self) -> dict[str, Param]:
        """Keyword arguments of the function."""
        ...


def bind(path: str, cfg: TermCfg, env: EnvCfg) -> BoundTerm:
    """The term of a config.

    Raises:
        InputError: if the function cannot be imported, does not take exactly these parameters, or says that one may not
            have its value; or a choice among them is not made, or its file is not the chosen one.
    """
    return bind_function(path, cfg.func, cfg.params, env)


def bind_function(path: str, func: str, params: Mapping[str, Param], env: EnvCfg) -> BoundTerm:
    """A function with its parameters as a term. Raises InputError as `bind`."""
    function = resolve_function(func)
    try:
        inspect.signature(function).bind(None, **params)
    except TypeError as error:
        raise InputError(f"{path}.params = {dict(params)!r}: {func} {error}") from error
    return BoundTerm(path, func, function, arguments(f"{path}.params", function, params, env), env)


def observed(env: EnvCfg, group: str) -> list[BoundTerm]:
    """The terms of an observation group. Raises InputError as `bind`."""
    return [bind(f"env.observations.{group}.terms.{t}", cfg, env) for t, cfg in env.observations[group].terms.items()]


def joint_columns(env: EnvCfg, group: str, joints: Sequence[str]) -> list[int]:
    """Columns of an observation group that hold a value of one of the joints, all frames of its history.

    Raises:
        InputError: if a term does not say what its columns are, and there are joints to look for.
    """
    frame: list[str | None] = []
    for term in observed(env, group) if joints else ():
        frame += term.joints() or [None] * len(term.columns() or ())
    return [k for k, joint in enumerate(frame * env.observations[group].history) if joint in joints]


def joint_images(robot: RobotCfg, joints: Sequence[str]) -> Images:
    """Mirror images of one value for each joint.

    Raises:
        InputError: if the robot is not symmetric, or the image of a joint is not among them.
    """
    if robot.mirror is None:
        raise InputError(NO_MIRROR)
    images = [mirror_name(robot.mirror, joint) for joint in joints]
    for joint, (image, _) in zip(joints, images, strict=True):
        if image not in joints:
            raise InputError(f"mirror image of joint '{joint}' is '{image}', which is not among {list(joints)}")
    return [(list(joints).index(image), sign) for image, sign in images]


def action_images(env: EnvCfg) -> Images:
    """Mirror images of the action. Raises InputError as `joint_images`, or for an action that moves a hand."""
    if isinstance(env.action, DifferentialIkCfg):
        raise InputError(f"env.action.kind = '{env.action.kind}': has no mirror image")
    return joint_images(env.robot, env.action_columns)
