"""What a simulator must do for everything above it."""

from typing import Protocol

import torch
from torch import Tensor

from genelab.mdp.state import Names, StateWrite
from genelab.mdp.terrain import HeightMap
from genelab.sim.properties import Properties


class Engine(Protocol):
    """A built scene of one robot and free objects, in as many copies as there are environments.

    Joints, links and objects are columns in the order of `names`, whatever their order in the model. Environments do
    not touch each other: the state of one depends on its own targets and writes alone, bit for bit, however many there
    are. The suffix `_w` says: world frame, origin of the environment. What is returned holds until the next step or
    write; whoever keeps it clones it.
    """

    num_envs: int
    """Parallel environments."""
    device: torch.device
    """Device of every tensor."""
    build_s: float
    """Time that the build took, s."""
    names: Names
    """Column order of the state tensors."""
    default_joint_pos: Tensor
    """Joint positions of the default pose, m or rad. Shape: (num_joints,)."""
    default_targets: Tensor
    """Those of the driven joints, in the order of the targets. Shape: (driven,)."""
    default_link_quat_w: Tensor
    """Orientations of the links in the default pose, w x y z. Shape: (num_links, 4)."""
    joint_range: Tensor
    """Lower and upper joint limits, m or rad, infinite where there is none. Shape: (2, num_joints)."""
    ground: HeightMap
    """Height of the ground."""
    cell_centers_w: Tensor | None
    """Centres of the terrain's cells, m; None without a terrain. Shape: (rows, columns, 3), on the CPU."""
    properties: Properties
    """What randomisations write, each environment its own."""

    def wants_velocity(self, joint: str) -> bool:
        """Whether the actuator of a joint takes velocities for targets."""
        ...

    def set_targets(self, targets: Tensor) -> None:
        """Set targets of the driven joints; they hold until set again. Shape: (num_envs, driven).

        Positions, m or rad, or velocities, m/s or rad/s, as the joints' actuators want.
        """
        ...

    def advance(self, steps: int, *, reset_failed: bool = False) -> Tensor:
        """Advance some physics steps, or fewer if an environment meets an error on the way.

        Args:
            steps: physics steps.
            reset_failed: reset environments that meet an error, and let the others go on.

        Returns:
            Where the engine met an error, such as forces that are not finite. Shape: (num_envs,) bool.

        Raises:
            DivergedError: if the engine gives up on the whole batch.
        """
        ...

    def joint_pos(self) -> Tensor:
        """Joint positions, m or rad. Shape: (num_envs, num_joints)."""
        ...

    def joint_vel(self) -> Tensor:
        """Joint velocities, m/s or rad/s. Shape: (num_envs, num_joints)."""
        ...

    def joint_torque(self) -> Tensor:
        """What the actuators exert within their limits, N or N m: in this state, or of explicit laws in the last step.

        Shape: (num_envs, num_joints).
        """
        ...

    def link_pos_w(self) -> Tensor:
        """Positions of the links' origins, m. Shape: (num_envs, num_links, 3)."""
        ...

    def link_quat_w(self) -> Tensor:
        """Link orientations, w x y z. Shape: (num_envs, num_links, 4)."""
        ...

    def link_lin_vel_w(self) -> Tensor:
        """Velocities of the links' origins, m/s. Shape: (num_envs, num_links, 3)."""
        ...

    def link_ang_vel_w(self) -> Tensor:
        """Angular velocities of the links, rad/s. Shape: (num_envs, num_links, 3)."""
        ...

    def contact_force_w(self) -> Tensor:
        """Net contact forces on the links in the last physics step, N. Shape: (num_envs, num_links, 3)."""
        ...

    def self_contact_force(self) -> Tensor:
        """Largest force of a contact between two links in the last physics step, N. Shape: (num_envs,)."""
        ...

    def jacobian(self, link: str) -> Tensor:
        """Linear (m) and angular (rad) motion of a link's origin in the world frame, per unit of each joint.

        Shape: (num_envs, 6, num_joints).
        """
        ...

    def object_pos_w(self) -> Tensor:
        """Positions of the objects' centres, m. Shape: (num_envs, num_objects, 3)."""
        ...

    def object_quat_w(self) -> Tensor:
        """Orientations of the objects, w x y z. Shape: (num_envs, num_objects, 4)."""
        ...

    def object_lin_vel_w(self) -> Tensor:
        """Linear velocities of the objects, m/s. Shape: (num_envs, num_objects, 3)."""
        ...

    def reset(self, mask: Tensor) -> None:
        """Forget everything about the masked environments, solver warm start included; properties stay.

        Shape: (num_envs,) bool.
        """
        ...

    def write(self, write: StateWrite, mask: Tensor) -> None:
        """Write parts of the state where masked; everything else stays, velocities too. Shape: (num_envs,) bool."""
        ...

    def state_dict(self) -> dict[str, Tensor]:
        """The exact state as named tensors: restored into an equally built scene, it goes on bit-equal.

        Properties are no part of it: they are drawn again from keys.
        """
        ...

    def load_state_dict(self, tensors: dict[str, Tensor]) -> None:
        """Restore what `state_dict` returned, also after an error.

        Raises:
            InputError: if the state was taken from another scene.
        """
        ...
