"""What is known of a scene before any engine builds it."""

import hashlib
import math
from pathlib import Path

import torch

from genelab.config.base import resolve_asset
from genelab.config.env import EnvCfg
from genelab.config.scene import RobotCfg
from genelab.errors import InputError
from genelab.mdp.state import Names
from genelab.mdp.terrain import HeightMap
from genelab.sim.session import Session
from genelab.sim.terrain import generate


class SceneFacts:
    """The part of `Engine` that a config alone decides. Engines inherit it."""

    def __init__(self, cfg: EnvCfg, num_envs: int, session: Session) -> None:
        """Read the config and its files, and generate its terrain.

        Raises:
            InputError: if the model file is not the one that the config names, or a joint has not one actuator.
        """
        robot = cfg.robot
        _require_one_actuator_each(robot)
        self.model_file = _checked_model(robot)
        """The robot's MJCF file."""
        self.num_envs = num_envs
        self.device = session.device
        self.names = Names(tuple(robot.joints), robot.links, tuple(cfg.objects))
        self.heightfield = generate(cfg.terrain) if cfg.terrain else None
        """The terrain; None for a plane or no ground."""
        self.ground = self.heightfield.height_map(self.device) if self.heightfield else HeightMap.flat(self.device)
        self.cell_centers_w = (
            torch.tensor(self.heightfield.cell_centers, dtype=torch.float32) if self.heightfield else None
        )
        self.default_joint_pos = torch.tensor(
            [joint.default_pos for joint in robot.joints.values()], dtype=torch.float32, device=self.device
        )
        endless = (-math.inf, math.inf)
        self.joint_range = torch.tensor(
            [joint.range or endless for joint in robot.joints.values()], dtype=torch.float32, device=self.device
        ).T
        self.default_targets = self.default_joint_pos[self.names.joint_ids(cfg.driven)]
        self._robot_cfg = robot

    def wants_velocity(self, joint: str) -> bool:
        """Whether the actuator of a joint takes velocities for targets."""
        return self._robot_cfg.actuator_of(joint).law == "velocity"


def _require_one_actuator_each(robot: RobotCfg) -> None:
    joints = [name for group in robot.actuators.values() for name in robot.joints_of(group)]
    if sorted(joints) != sorted(robot.joints):
        raise InputError(f"env.robot.actuators: joints {sorted(joints)} are not each of {sorted(robot.joints)} once")


def _checked_model(robot: RobotCfg) -> Path:
    path = resolve_asset(robot.model)
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != robot.model_sha256:
        raise InputError(f"env.robot.model '{robot.model}': the file has sha256 {found}, not {robot.model_sha256}")
    return path
