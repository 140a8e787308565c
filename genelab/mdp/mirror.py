"""Mirror images of observations and actions under reflection at the robot's x-z plane, derived from names.

A column of the image is a column of the original, with its sign kept or changed: y_new = sign * y_old[permutation].
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor

from genelab.config.actions import ActionCfg, DifferentialIkCfg
from genelab.config.base import Param
from genelab.config.env import EnvCfg
from genelab.config.scene import RobotCfg, mirror_name
from genelab.config.terms import ObservationGroupCfg
from genelab.errors import InputError
from genelab.functions import resolve_function

Columns = list[tuple[int, float]]
"""For each column of the image, the column it comes from and its sign."""

VECTOR: Columns = [(0, 1.0), (1, -1.0), (2, 1.0)]
"""A velocity, a force, a direction or a position: y changes its sign."""
AXIAL: Columns = [(0, -1.0), (1, 1.0), (2, -1.0)]
"""An angular velocity or a torque: x and z change their signs."""
PLANAR_COMMAND: Columns = [(0, 1.0), (1, -1.0), (2, -1.0)]
"""A velocity command (x, y, turn)."""

Rule = Columns | Callable[[EnvCfg, Mapping[str, Param]], Columns]
"""The columns, or what they are for an environment and the parameters of the term."""
Function = TypeVar("Function", bound=Callable[..., Tensor])

_RULES: dict[Callable[..., Tensor], Rule] = {}


def mirrored(rule: Rule) -> Callable[[Function], Function]:
    """Say of an observation term how its mirror image looks."""

    def note(function: Function) -> Function:
        _RULES[function] = rule
        return function

    return note


def of_joints(env: EnvCfg, params: Mapping[str, Param]) -> Columns:
    """Rule of a term with one column for each of its `joints`."""
    joints = params["joints"]
    assert isinstance(joints, list)
    return joint_columns(env.robot, [str(joint) for joint in joints])


def of_action(env: EnvCfg, _params: Mapping[str, Param]) -> Columns:
    """Rule of the raw action."""
    return action_columns(env.robot, env.action)


def of_scan(_env: EnvCfg, params: Mapping[str, Param]) -> Columns:
    """Rule of a grid of points that is symmetric across, across fastest: each row is read the other way round."""
    size, resolution = params["size"], params["resolution"]
    assert isinstance(size, list)
    assert isinstance(resolution, int | float)
    along, across = (round(float(extent) / resolution) + 1 for extent in size)
    return [(row * across + across - 1 - k, 1.0) for row in range(along) for k in range(across)]


def joint_columns(robot: RobotCfg, joints: Sequence[str]) -> Columns:
    """Columns of one value for each joint.

    Raises:
        InputError: if the robot is not symmetric, or the image of a joint is not among them.
    """
    if robot.mirror is None:
        raise InputError("env.robot.mirror = null: a mirror image needs it")
    images = [mirror_name(robot.mirror, joint) for joint in joints]
    for joint, (image, _) in zip(joints, images, strict=True):
        if image not in joints:
            raise InputError(f"mirror image of joint '{joint}' is '{image}', which is not among {list(joints)}")
    return [(list(joints).index(image), sign) for image, sign in images]


def action_columns(robot: RobotCfg, action: ActionCfg) -> Columns:
    """Columns of the action. Raises InputError as `joint_columns`, or for an action that moves a hand."""
    if isinstance(action, DifferentialIkCfg):
        raise InputError(f"env.action.kind = '{action.kind}': has no mirror image")
    return joint_columns(robot, action.columns)


def group_columns(env: EnvCfg, name: str, group: ObservationGroupCfg) -> Columns:
    """Columns of an observation group, all frames of its history.

    Raises:
        InputError: if the image of a term is not known.
    """
    found: Columns = []
    for term, cfg in group.terms.items():
        rule = _RULES.get(resolve_function(cfg.func))
        path = f"env.observations.{name}.terms.{term}"
        if rule is None:
            raise InputError(
                f"{path}.func = '{cfg.func}': has no mirror image; say it with genelab.mdp.mirror.mirrored"
            )
        try:
            columns = rule(env, cfg.params) if callable(rule) else rule
        except InputError as error:
            raise InputError(f"{path}: {error}") from error
        found += [(len(found) + column, sign) for column, sign in columns]
    width = len(found)
    return [(frame * width + column, sign) for frame in range(group.history) for column, sign in found]


@dataclass(frozen=True)
class Mirror:
    """The mirror image of a vector."""

    permutation: Tensor
    """Column that each column comes from, int64. Shape: (dim,)."""
    sign: Tensor
    """Its sign. Shape: (dim,)."""

    @classmethod
    def of(cls, columns: Columns, device: torch.device) -> "Mirror":
        """The image with these columns."""
        sources, signs = zip(*columns, strict=True)
        return cls(torch.tensor(sources, device=device), torch.tensor(signs, device=device))

    def __call__(self, rows: Tensor) -> Tensor:
        """Shapes: (..., dim) -> (..., dim)."""
        return rows.index_select(-1, self.permutation) * self.sign
