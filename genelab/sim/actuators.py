"""Actuators: which joints stand under which law, and the force of the law that is computed here."""

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from genelab.config.env import EnvCfg
from genelab.config.scene import ActuatorLaw


class Driven:
    """The driven joints under one law."""

    def __init__(self, cfg: EnvCfg, law: ActuatorLaw, device: torch.device) -> None:
        """Find them."""
        driven = cfg.driven
        columns = [column for column, joint in enumerate(driven) if cfg.robot.actuator_of(joint).law == law]
        self.joints = tuple(driven[column] for column in columns)
        """Their names, in the order of the targets."""
        # A slice where they are all of them in order, so that nothing is copied.
        every = columns == list(range(len(driven)))
        self._columns: Any = slice(None) if every else torch.tensor(columns, device=device)

    def of(self, targets: Tensor) -> Tensor:
        """Their share of the targets. Shapes: (num_envs, driven) -> (num_envs, joints of the law)."""
        return targets[:, self._columns]


class ExplicitPd:
    """The law `explicit_pd`: a force that is computed before each physics step from the state at its beginning."""

    def __init__(self, cfg: EnvCfg, joints: tuple[str, ...], device: torch.device) -> None:
        """`joints`: those under this law."""
        groups = [cfg.robot.actuator_of(joint) for joint in joints]
        self._joints = torch.tensor([[*cfg.robot.joints].index(j) for j in joints], dtype=torch.int64, device=device)
        self._effort = torch.tensor([group.max_effort for group in groups], device=device)
        self._fastest = torch.tensor([group.velocity_limit or math.inf for group in groups], device=device)

    def force(self, targets: Tensor, pos: Tensor, speed: Tensor, gains: Mapping[str, Tensor]) -> Tensor:
        """What the motors exert, N or N m.

        Args:
            targets: positions, m or rad. Shape: (num_envs, joints of the law), as all but the gains.
            pos: positions.
            speed: velocities, m/s or rad/s.
            gains: `kp` and `kv` of all joints of the robot. Shape: (num_joints,) or (num_envs, num_joints).
        """
        kp, kv = (gains[gain].index_select(-1, self._joints) for gain in ("kp", "kv"))
        return limited(kp * (targets - pos) - kv * speed, speed, self._effort, self._fastest)


def limited(force: Tensor, speed: Tensor, effort_limit: Tensor, velocity_limit: Tensor) -> Tensor:
    """Force that a motor can give: within its effort limit, which falls with the speed in the force's direction.

    At `velocity_limit` nothing is left, as of a DC motor at its no-load speed. Braking is never weaker than at rest.

    Shapes: (num_envs, joints), (num_envs, joints), (joints,), (joints,) -> (num_envs, joints).
    """
    left = (1.0 - speed / velocity_limit).clamp(0.0, 1.0)
    right = (1.0 + speed / velocity_limit).clamp(0.0, 1.0)
    return torch.minimum(torch.maximum(force, -effort_limit * right), effort_limit * left)
