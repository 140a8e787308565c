"""Hands targets to Genesis, each as the law of its joint's actuator wants."""

from typing import Any

import torch
from torch import Tensor

from genelab.config.env import EnvCfg
from genelab.sim.actuators import Driven, ExplicitPd
from genelab.sim.properties import Properties


class Drives:
    """The actuators of a robot."""

    def __init__(
        self, robot: Any, cfg: EnvCfg, dofs: dict[str, int], properties: Properties, device: torch.device
    ) -> None:
        """Sort the driven joints by law.

        Args:
            robot: the entity in a built scene.
            cfg: the environment.
            dofs: local degrees of freedom of the robot's joints, by name.
            properties: where the gains are.
            device: of every tensor.
        """
        self._robot, self._properties = robot, properties
        self._driven = {law: Driven(cfg, law, device) for law in ("implicit_pd", "explicit_pd", "velocity")}
        self._dofs = {law: [dofs[joint] for joint in driven.joints] for law, driven in self._driven.items()}
        self._explicit_pd = ExplicitPd(cfg, self._driven["explicit_pd"].joints, device)
        self._targets: Tensor | None = None

    def set_targets(self, targets: Tensor) -> None:
        """Set the targets; they hold until set again. Shape: (num_envs, driven)."""
        if dofs := self._dofs["implicit_pd"]:
            self._robot.control_dofs_position(self._driven["implicit_pd"].of(targets), dofs)
        if dofs := self._dofs["velocity"]:
            self._robot.control_dofs_velocity(self._driven["velocity"].of(targets), dofs)
        if self._dofs["explicit_pd"]:
            self._targets = self._driven["explicit_pd"].of(targets)

    def before_step(self) -> None:
        """Exert the force of the explicit actuators for one physics step."""
        if self._targets is None:
            return
        dofs = self._dofs["explicit_pd"]
        speed = self._robot.get_dofs_velocity(dofs)
        pos = self._robot.get_dofs_position(dofs)
        force = self._explicit_pd.force(self._targets, pos, speed, self._properties.gains)
        self._robot.control_dofs_force(force, dofs)
