"""What is known of a scene before any engine builds it."""

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from genelab.config.env import EnvCfg
from genelab.config.model_file import model_path
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
            InputError: if the model file is not the one that the config names.
        """
        robot = cfg.robot
        self.model_file = model_path(robot.model, robot.model_sha256)
        """The robot's MJCF file."""
        self.num_envs = num_envs
        self.device = session.device
        self.names = Names(robot.joints, robot.links, tuple(cfg.objects))
        self.heightfield = generate(cfg.terrain) if cfg.terrain else None
        """The terrain; None for a plane or no ground."""
        self.ground = self.heightfield.height_map(self.device) if self.heightfield else HeightMap.flat(self.device)
        self.cell_centers_w = (
            torch.tensor(self.heightfield.cell_centers, dtype=torch.float32) if self.heightfield else None
        )
        self.default_joint_pos = torch.tensor(
            [robot.default_of(joint) for joint in robot.joints], dtype=torch.float32, device=self.device
        )
        endless = (-math.inf, math.inf)
        self.joint_range = torch.tensor(
            [robot.range_of(joint) or endless for joint in robot.joints], dtype=torch.float32, device=self.device
        ).T
        self.default_targets = self.default_joint_pos[self.names.joint_ids(cfg.driven)]
        self._robot_cfg = robot

    @staticmethod
    def require_arrays(tensors: Mapping[str, Tensor], shapes: Mapping[str, Sequence[int]]) -> None:
        """Raises InputError if a state to be loaded has other arrays, or others shapes, than these."""
        if differing := sorted(set(shapes) ^ set(tensors)):
            raise InputError(f"simulator state: arrays differ: {differing[:3]}")
        for name, shape in shapes.items():
            if tuple(tensors[name].shape) != tuple(shape):
                raise InputError(f"simulator state: {name} has shape {tuple(tensors[name].shape)}, not {tuple(shape)}")

    def wants_velocity(self, joint: str) -> bool:
        """Whether the actuator of a joint takes velocities for targets."""
        return self._robot_cfg.actuator_of(joint).law == "velocity"
