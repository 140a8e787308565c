"""What is known of a scene before any engine builds it."""

import math
import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

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
        """The robot's MJCF file, or a copy without the geoms that are left out."""
        if robot.left_out:
            # It lives as long as this.
            self._folder = TemporaryDirectory(prefix="genelab-")
            self.model_file = _without(self.model_file, robot.geoms_left_out, Path(self._folder.name))
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


def _without(model: Path, geoms: Sequence[str], folder: Path) -> Path:
    """A copy of a model in a folder without some geoms."""
    tree = ET.parse(model)
    for parent in list(tree.iter()):
        for child in [each for each in parent if each.tag == "geom" and each.get("name") in geoms]:
            parent.remove(child)
    tree.write(folder / model.name)
    return folder / model.name
