"""Motion clips: what a robot is to do, frame by frame, in a safetensors file.

    joint_pos, joint_vel            float32, (frames, joints), rad and rad/s
    link_pos_w, link_lin_vel_w      float32, (frames, links, 3), origins of the links, m and m/s
    link_quat_w                     float32, (frames, links, 4), unit quaternions w x y z
    link_ang_vel_w                  float32, (frames, links, 3), rad/s

All in the world frame, the ground at z = 0. Joints and links are columns by the names in the document.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, JsonValue, PositiveFloat, ValidationError

from genelab.config.base import Sha256
from genelab.config.scene import RobotCfg
from genelab.errors import InputError
from genelab.records import arrays
from genelab.records.base import Record
from genelab.records.files import short_problem

SCHEMA = "genelab/motion/1"
ARRAYS = ("joint_pos", "joint_vel", "link_pos_w", "link_quat_w", "link_lin_vel_w", "link_ang_vel_w")
"""Names of the arrays."""

Floats = NDArray[np.float32]


class ClipInfo(Record):
    """What a clip is, and where it comes from."""

    name: str = Field(min_length=1)
    """What it shows, in a few words."""
    fps: PositiveFloat
    """Frames per second."""
    joints: tuple[str, ...] = Field(min_length=1)
    """Names of the joints, in the order of the columns."""
    links: tuple[str, ...] = Field(min_length=1)
    """Names of the links, in the order of the columns."""
    model: str
    """MJCF file of the robot, whose links these are."""
    model_sha256: Sha256
    """Its digest."""
    source: str
    """Where the motion comes from, as whoever imported or made it said."""
    licence: str
    """Licence of the motion, likewise."""
    input_sha256: Sha256 | None
    """Digest of the file that it was imported from; null for one that was made."""
    options: dict[str, JsonValue]
    """How it was imported or made."""

    @classmethod
    def of(cls, robot: RobotCfg, **told: Any) -> Self:
        """That of a clip of a robot. `told`: the other fields."""
        columns = {"joints": robot.joints, "links": robot.links}
        return cls(**columns, model=robot.model, model_sha256=robot.model_sha256, **told)


@dataclass(frozen=True)
class Clip:
    """A motion. Shapes and units are those of the file."""

    info: ClipInfo
    """What it is."""
    joint_pos: Floats
    joint_vel: Floats
    link_pos_w: Floats
    link_quat_w: Floats
    link_lin_vel_w: Floats
    link_ang_vel_w: Floats

    @property
    def frames(self) -> int:
        """Number of frames."""
        return len(self.joint_pos)

    @property
    def seconds(self) -> float:
        """From the first frame to the last, s."""
        return (self.frames - 1) / self.info.fps

    def encode(self) -> bytes:
        """Bytes of its file. Equal clips give equal bytes."""
        return arrays.encode(SCHEMA, self.info.model_dump(mode="json"), {n: getattr(self, n) for n in ARRAYS})

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a file.

        Raises:
            InputError: if it is missing, damaged or of another schema; names the file.
        """
        document, found = arrays.read(path, SCHEMA)
        document.pop("schema")
        try:
            info = ClipInfo.model_validate(document, strict=False)
        except ValidationError as error:
            raise InputError(f"clip '{path}': {short_problem(error)}") from error
        return cls(info, **found)


def clip_for(path: Path, robot: RobotCfg, control_dt: float) -> Clip:
    """A clip that this robot can follow, one frame for every control step.

    Args:
        path: the file.
        robot: the robot.
        control_dt: time of a control step, s.

    Raises:
        InputError: as `Clip.read`, if it is another robot's, or its frames are not those of the control steps.
    """
    clip = Clip.read(path)
    wanted: dict[str, tuple[Any, Any]] = {
        "joints": (clip.info.joints, robot.joints),
        "links": (clip.info.links, robot.links),
        "model_sha256": (clip.info.model_sha256, robot.model_sha256),
    }
    for field, (found, wants) in wanted.items():
        if found != wants:
            raise InputError(f"clip '{path}': {field} are not those of the robot: import it again for {robot.model}")
    if abs(clip.info.fps * control_dt - 1.0) > 1e-6:
        told = f"fps = {clip.info.fps:g}, must be {1.0 / control_dt:g}, one frame for every control step"
        raise InputError(f"clip '{path}': {told}")
    return clip
