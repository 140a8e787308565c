"""Draws clips, without a display: a strip of pictures, or a film."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import mujoco

from genelab.config.model_file import model_path
from genelab.draw import films
from genelab.draw.camera import Followed, frame, smoothed
from genelab.draw.depiction import Picture
from genelab.draw.stage import Stage
from genelab.families.tracking.clip import Clip
from genelab.families.tracking.kinematics import motion_of
from genelab.runs.files import atomic_path

mj: Any = mujoco  # its stubs name no classes

LARGEST_FPS = 25
"""Pictures a second of a film at most."""


def write_pictures(clip: Clip, out: Path) -> int:
    """Draw a clip into a file, whose ending is a key of `films.SIZES`; a film is as fast as the robot.

    Returns:
        How many pictures it has.

    Raises:
        InputError: if the clip's model is not on this machine.
        RunError: if nothing can be drawn on this machine.
    """
    every = max(round(clip.info.fps / LARGEST_FPS), 1)
    rate = Fraction(clip.info.fps).limit_denominator(1000) / every
    with atomic_path(out) as part:
        return films.write(part, out.suffix, _drawn(clip, every, out.suffix), rate)


def _drawn(clip: Clip, every: int, suffix: str) -> Iterator[Picture]:
    size = films.SIZES[suffix]
    stage = Stage(mj.MjSpec.from_file(str(model_path(clip.info.model, clip.info.model_sha256))), size)
    poses = motion_of(clip).qpos[::every]
    followed = [Followed(pos, 0.0) for pos in smoothed(poses[:, :3], every / clip.info.fps)]
    cameras = frame([stage.points(qpos) for qpos in poses], followed, size[0] / size[1])
    try:
        for qpos, camera in films.shown([*zip(poses, cameras, strict=True)], suffix):
            yield stage.picture(qpos, camera)
    finally:
        stage.close()
