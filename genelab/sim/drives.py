"""Actuators: what becomes of the targets of the driven joints."""

import math
from typing import Any

import torch
from torch import Tensor

from genelab.config.env import EnvCfg
from genelab.sim.properties import Properties


class Drives:
    """Hands targets to the simulator, each as the law of its joint's actuator wants."""

    def __init__(
        self,
        robot: Any,
        cfg: EnvCfg,
        dofs: list[int],
        joints: tuple[str, ...],
        properties: Properties,
        device: torch.device,
    ) -> None:
        """Sort the driven joints by law.

        Args:
            robot: the entity in a built scene.
            cfg: the environment.
            dofs: local degrees of freedom of the robot's joints.
            joints: names of those joints.
            properties: where the gains are.
            device: of every tensor.
        """
        self._robot, self._properties = robot, properties
        driven = cfg.action.driven
        of_law = {
            law: [k for k, joint in enumerate(driven) if cfg.robot.law_of(joint) == law]
            for law in ("implicit_pd", "explicit_pd", "velocity")
        }
        all_dofs = [dofs[joints.index(joint)] for joint in driven]
        self._columns = {law: _columns(ks, len(driven), device) for law, ks in of_law.items()}
        self._dofs = {law: [all_dofs[k] for k in ks] for law, ks in of_law.items()}
        self._explicit = torch.tensor([joints.index(driven[k]) for k in of_law["explicit_pd"]], device=device)
        groups = [next(g for g in cfg.robot.actuators.values() if driven[k] in g.joints) for k in of_law["explicit_pd"]]
        self._effort = torch.tensor([g.effort_limit or math.inf for g in groups], device=device)
        self._fastest = torch.tensor([g.velocity_limit or math.inf for g in groups], device=device)
        self._wanted: Tensor | None = None

    def set_targets(self, targets: Tensor) -> None:
        """Set the targets; they hold until set again. Shape: (num_envs, driven)."""
        if self._dofs["implicit_pd"]:
            self._robot.control_dofs_position(targets[:, self._columns["implicit_pd"]], self._dofs["implicit_pd"])
        if self._dofs["velocity"]:
            self._robot.control_dofs_velocity(targets[:, self._columns["velocity"]], self._dofs["velocity"])
        if self._dofs["explicit_pd"]:
            self._wanted = targets[:, self._columns["explicit_pd"]]

    def before_step(self) -> None:
        """Exert the force of the explicit actuators for one physics step."""
        if self._wanted is None:
            return
        dofs = self._dofs["explicit_pd"]
        speed = self._robot.get_dofs_velocity(dofs)
        gains = {gain: value.index_select(-1, self._explicit) for gain, value in self._properties.gains.items()}
        force = gains["kp"] * (self._wanted - self._robot.get_dofs_position(dofs)) - gains["kv"] * speed
        self._robot.control_dofs_force(limited(force, speed, self._effort, self._fastest), dofs)


def limited(force: Tensor, speed: Tensor, effort_limit: Tensor, velocity_limit: Tensor) -> Tensor:
    """Force that a motor can give: within its effort limit, which falls with the speed in the force's direction.

    At `velocity_limit` nothing is left, as of a DC motor at its no-load speed. Braking is never weaker than at rest.

    Shapes: (num_envs, joints), (num_envs, joints), (joints,), (joints,) -> (num_envs, joints).
    """
    left = (1.0 - speed / velocity_limit).clamp(0.0, 1.0)
    right = (1.0 + speed / velocity_limit).clamp(0.0, 1.0)
    return torch.minimum(torch.maximum(force, -effort_limit * right), effort_limit * left)


def _columns(columns: list[int], count: int, device: torch.device) -> Any:
    """Columns as a slice where they are all of them in order, so that nothing is copied."""
    return slice(None) if columns == list(range(count)) else torch.tensor(columns, device=device)
