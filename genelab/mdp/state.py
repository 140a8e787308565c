"""What terms read: the state after a control step, by joint and link name."""

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import torch
from torch import Tensor

from genelab.mdp.rotations import quat_apply_inverse
from genelab.mdp.terrain import HeightMap

Vector = tuple[float, float, float]


@dataclass(frozen=True)
class Names:
    """Column order of joints, links and objects in the state tensors."""

    joints: tuple[str, ...]
    links: tuple[str, ...]
    objects: tuple[str, ...] = ()

    def joint_ids(self, joints: Sequence[str]) -> list[int]:
        """Columns of the named joints. Raises ValueError on an unknown name."""
        return _ids(joints, self.joints, "joint")

    def joint_columns(self, joints: Sequence[str], device: torch.device) -> Tensor:
        """Columns of the named joints as an index tensor, int64. Raises ValueError on an unknown name."""
        return _columns(self, tuple(joints), device)

    def link_id(self, link: str) -> int:
        """Column of the named link. Raises ValueError on an unknown name."""
        return _ids([link], self.links, "link")[0]

    def link_columns(self, links: Sequence[str], device: torch.device) -> Tensor:
        """Columns of the named links as an index tensor, int64. Raises ValueError on an unknown name."""
        return _link_columns(self, tuple(links), device)

    def object_id(self, name: str) -> int:
        """Column of the named object. Raises ValueError on an unknown name."""
        return _ids([name], self.objects, "object")[0]


@functools.cache
def _columns(names: Names, joints: tuple[str, ...], device: torch.device) -> Tensor:
    # Kept: indexing with a list would copy it to the device in every step, and a GPU would wait for that.
    return torch.tensor(names.joint_ids(joints), device=device)


@functools.cache
def _link_columns(names: Names, links: tuple[str, ...], device: torch.device) -> Tensor:
    return torch.tensor([names.link_id(link) for link in links], device=device)


def _ids(wanted: Sequence[str], known: tuple[str, ...], kind: str) -> list[int]:
    unknown = [name for name in wanted if name not in known]
    if unknown:
        raise ValueError(f"unknown {kind} {unknown}; known: {list(known)}")
    return [known.index(name) for name in wanted]


class View:
    """What one part of an environment shows to terms. Suffix `_w`: world frame; `_b`: frame of the base link."""

    @property
    def checked(self) -> Mapping[str, Tensor]:
        """What must be finite, by name, or else the environment is broken. Shape of each: (num_envs, ...)."""
        return {}

    @property
    def speeds(self) -> Sequence[Tensor]:
        """Speeds, m/s or rad/s, that must not be absurd. Shape of each: (num_envs, ...)."""
        return ()


ViewT = TypeVar("ViewT", bound=View)


@dataclass(frozen=True)
class StateView:
    """State of all environments. Suffix `_w`: world frame, environment origin."""

    names: Names
    """Column order."""
    joint_pos: Tensor
    """Joint positions, m or rad. Shape: (num_envs, num_joints)."""
    joint_vel: Tensor
    """Joint velocities, m/s or rad/s. Shape: (num_envs, num_joints)."""
    default_joint_pos: Tensor
    """Default joint positions, m or rad. Shape: (num_joints,)."""
    link_pos_w: Tensor
    """Link positions, m. Shape: (num_envs, num_links, 3)."""
    link_quat_w: Tensor
    """Link orientations, unit quaternions w x y z. Shape: (num_envs, num_links, 4)."""
    link_ang_vel_w: Tensor
    """Link angular velocities, rad/s. Shape: (num_envs, num_links, 3)."""
    object_pos_w: Tensor
    """Positions of the objects' centres, m. Shape: (num_envs, num_objects, 3)."""
    object_lin_vel_w: Tensor
    """Linear velocities of the objects, m/s. Shape: (num_envs, num_objects, 3)."""
    commands: Mapping[str, Tensor]
    """What the policy is asked for, by name. Shape of each: (num_envs, dim)."""
    action: Tensor
    """Raw action of this step. Shape: (num_envs, num_actions)."""
    previous_action: Tensor
    """Raw action of the step before, zero at the start of an episode. Shape: (num_envs, num_actions)."""
    episode_step: Tensor
    """Control steps since the episode began, int64. Shape: (num_envs,)."""
    max_episode_steps: int
    """Control steps after which an episode is truncated."""
    terrain: HeightMap = field(default_factory=HeightMap.flat)
    """The ground."""

    views: Mapping[type[View], View] = field(default_factory=dict[type[View], View])
    """What the parts of the environment show, by class."""

    def of(self, kind: type[ViewT]) -> ViewT:
        """What a part shows. Raises ValueError if the environment has no such part."""
        found = self.views.get(kind)
        if not isinstance(found, kind):
            raise ValueError(f"this term needs {kind.__name__}, which no part of the environment shows")
        return found

    @property
    def base(self) -> "BaseState | None":
        """The state of a floating base; None for a robot without one."""
        return self.of(BaseState) if BaseState in self.views else None

    @property
    def floating(self) -> "BaseState":
        """The state of a floating base. Raises ValueError for a robot without one."""
        if BaseState not in self.views:
            raise ValueError("this term needs a robot with a floating base")
        return self.of(BaseState)

    @property
    def feet(self) -> "FeetState":
        """The state of the feet. Raises ValueError for a robot without feet."""
        if FeetState not in self.views:
            raise ValueError("this term needs a robot with feet (env.feet)")
        return self.of(FeetState)

    def joint_pos_of(self, joints: Sequence[str]) -> Tensor:
        """Positions of the named joints, m or rad. Shape: (num_envs, len(joints))."""
        return self.joint_pos.index_select(1, self.names.joint_columns(joints, self.joint_pos.device))

    def joint_vel_of(self, joints: Sequence[str]) -> Tensor:
        """Velocities of the named joints, m/s or rad/s. Shape: (num_envs, len(joints))."""
        return self.joint_vel.index_select(1, self.names.joint_columns(joints, self.joint_vel.device))


@dataclass(frozen=True)
class BaseState(View):
    """A robot with a floating base."""

    pos_w: Tensor
    """Position of the base link's origin, m. Shape: (num_envs, 3)."""
    quat_w: Tensor
    """Its orientation, unit quaternion w x y z. Shape: (num_envs, 4)."""
    lin_vel_w: Tensor
    """Velocity of its origin, m/s. Shape: (num_envs, 3)."""
    ang_vel_w: Tensor
    """Its angular velocity, rad/s. Shape: (num_envs, 3)."""
    link_lin_vel_w: Tensor
    """Velocities of the origins of all links, m/s. Shape: (num_envs, num_links, 3)."""
    default_pos: Tensor
    """Where an episode starts relative to `origin_w`, m. Shape: (3,)."""
    joint_range: Tensor
    """Lower and upper joint limits, m or rad, infinite where there is none. Shape: (2, num_joints)."""
    origin_w: Tensor
    """Where the environment's episodes start: a point on the terrain, m. Shape: (num_envs, 3)."""
    ground: HeightMap
    """Height of the ground."""
    contact_force_w: Tensor
    """Net contact force on each link, N. Shape: (num_envs, num_links, 3)."""
    joint_torque: Tensor
    """Torque or force of the actuators, N m or N. Shape: (num_envs, num_joints)."""
    previous_joint_vel: Tensor
    """Joint velocities one control step ago, or at the start of the episode, m/s or rad/s.

    Shape: (num_envs, num_joints).
    """
    control_dt: float
    """Time of a control step, s."""

    @property
    def checked(self) -> Mapping[str, Tensor]:
        """Velocity of the base and contact forces."""
        return {"base_lin_vel_w": self.lin_vel_w, "contact_force_w": self.contact_force_w}

    @property
    def speeds(self) -> Sequence[Tensor]:
        """Velocity of the base."""
        return (self.lin_vel_w,)

    @functools.cached_property
    def lin_vel_b(self) -> Tensor:
        """Velocity of the base, m/s. Shape: (num_envs, 3)."""
        return quat_apply_inverse(self.quat_w, self.lin_vel_w)

    @functools.cached_property
    def ang_vel_b(self) -> Tensor:
        """Angular velocity of the base, rad/s. Shape: (num_envs, 3)."""
        return quat_apply_inverse(self.quat_w, self.ang_vel_w)

    @functools.cached_property
    def gravity_b(self) -> Tensor:
        """Direction of gravity, a unit vector. Shape: (num_envs, 3)."""
        # The last row of the rotation matrix, negated: cheaper than a rotation of (0, 0, -1).
        w, x, y, z = self.quat_w.unbind(1)
        return torch.stack([2.0 * (w * y - x * z), -2.0 * (w * x + y * z), 2.0 * (x * x + y * y) - 1.0], dim=1)

    @functools.cached_property
    def height(self) -> Tensor:
        """Height of the base above the ground beneath it, m. Shape: (num_envs,)."""
        return self.pos_w[:, 2] - self.ground.height_at(self.pos_w[:, :2])


@dataclass(frozen=True)
class PlaceState(View):
    """Where on a terrain the episodes start."""

    origin_w: Tensor
    """Centre of the cell, at the height of the ground, m. Shape: (num_envs, 3)."""
    level: Tensor
    """Level of the cell, int64. Shape: (num_envs,)."""


@dataclass(frozen=True)
class FeetState(View):
    """The feet of a robot with a floating base."""

    pos_w: Tensor
    """Positions, m. Shape: (num_envs, num_feet, 3)."""
    vel_w: Tensor
    """Velocities, m/s. Shape: (num_envs, num_feet, 3)."""
    contact: Tensor
    """Whether each foot is in contact, bool. Shape: (num_envs, num_feet)."""
    air_s: Tensor
    """Time for which each foot has been in the air, 0 in contact, s. Shape: (num_envs, num_feet)."""
    force_w: Tensor
    """Net contact force on the link of each foot, N. Shape: (num_envs, num_feet, 3)."""


@dataclass(frozen=True)
class Drawn:
    """What a command that follows the state is made of."""

    state: StateView
    """The current state. Its commands are what was drawn."""
    values: Tensor
    """What was drawn. Shape: (num_envs, dim)."""


@dataclass(frozen=True)
class EventContext:
    """What an event may read."""

    read: StateView | Callable[[], StateView]
    """The current state, or what reads it where an event asks for it: many only draw."""
    draw: Callable[[int], Tensor]
    """Draws of this event: dim -> (num_envs, dim) in [0, 1). The same ones whenever it is called."""
    training_step: int = 0
    """Control steps that the training has taken; 0 where episodes are numbered."""
    _asked: list[int] = field(default_factory=list[int], init=False)

    @functools.cached_property
    def state(self) -> StateView:
        """The current state."""
        return self.read if isinstance(self.read, StateView) else self.read()

    def uniform(self, dim: int) -> Tensor:
        """Draws of this event in [0, 1). Shape: (num_envs, dim).

        Raises:
            ValueError: if it is called a second time, which would give the same numbers again.
        """
        if self._asked:
            raise ValueError(f"an event draws once: {self._asked[0]} numbers were drawn, and now {dim} are asked for")
        self._asked.append(dim)
        return self.draw(dim)


@dataclass(frozen=True)
class StateWrite:
    """What an event wants written in the environments it applies to; None leaves a quantity as it is."""

    joint_pos: Tensor | None = None
    """Joint positions, m or rad. Shape: (num_envs, num_joints)."""
    joint_vel: Tensor | None = None
    """Joint velocities, m/s or rad/s. Shape: (num_envs, num_joints)."""
    object_pose_w: Mapping[str, Tensor] = field(default_factory=dict[str, Tensor])
    """Position (m) and orientation (w x y z) of objects by name; they come to rest. Shape of each: (num_envs, 7)."""
    base_pose_w: Tensor | None = None
    """Position (m) and orientation (w x y z) of a floating base. Shape: (num_envs, 7)."""
    base_vel_w: Tensor | None = None
    """Velocity of the origin of a floating base (m/s) and its angular velocity (rad/s), both in the world frame.
    Shape: (num_envs, 6)."""


@dataclass(frozen=True)
class ModelWrite:
    """What a randomisation wants written about the robot; None or absent leaves a property as the model has it."""

    link_friction: Mapping[str, Tensor] = field(default_factory=dict[str, Tensor])
    """Friction of links by name. A contact takes the larger of the two that touch. Shape of each: (num_envs,)."""
    link_mass_offset: Mapping[str, Tensor] = field(default_factory=dict[str, Tensor])
    """Mass added to links by name, kg. Shape of each: (num_envs,)."""
    link_com_offset: Mapping[str, Tensor] = field(default_factory=dict[str, Tensor])
    """Shift of links' centres of mass by name, link frame, m. Shape of each: (num_envs, 3)."""
    kp_factor: Tensor | None = None
    """Factor on the position gains. Shape: (num_envs, num_joints)."""
    kv_factor: Tensor | None = None
    """Factor on the velocity gains. Shape: (num_envs, num_joints)."""
    encoder_bias: Tensor | None = None
    """Subtracted from position targets, m or rad. Shape: (num_envs, num_joints)."""
