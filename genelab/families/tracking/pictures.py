"""Draws clips: a strip of pictures, or a film. Without a display, by EGL unless MUJOCO_GL says otherwise."""

import os
import sys
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

if sys.platform == "linux" and not os.environ.get("DISPLAY"):
    # MuJoCo reads it once, at its import.
    os.environ.setdefault("MUJOCO_GL", "egl")

import mujoco
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from genelab.config.model_file import model_path
from genelab.errors import RunError
from genelab.families.tracking.clip import Clip
from genelab.families.tracking.kinematics import motion_of
from genelab.runs.files import atomic_path
from genelab.runs.films import encode

mj: Any = mujoco  # its stubs name no classes
Picture = NDArray[np.uint8]

FILM, TILE = (640, 480), (270, 480)
"""Width and height of a film, and of a picture in a strip, pixels."""
TILES = 8
"""Pictures in a strip, spread over the clip."""
LARGEST_FPS = 25
"""Pictures a second of a film at most."""
CAMERA = (2.6, 135.0, -12.0)
"""Distance from the root, m, azimuth and elevation, degrees."""
LIT, DARK, SKY = (0.33, 0.36, 0.40), (0.24, 0.27, 0.31), (0.75, 0.82, 0.90)
"""Colours of the ground's squares and of the sky."""


def write_pictures(clip: Clip, out: Path) -> int:
    """Draw a clip into a file: one row of pictures (.png) or a film (.mp4) as fast as the robot.

    Returns:
        How many pictures it has.

    Raises:
        InputError: if the clip's model is not on this machine.
        RunError: if nothing can be drawn on this machine.
    """
    if out.suffix == ".mp4":
        every = max(round(clip.info.fps / LARGEST_FPS), 1)
        rate = Fraction(clip.info.fps).limit_denominator(1000) / every
        with atomic_path(out) as part:
            return encode(part, _drawn(clip, range(0, clip.frames, every), FILM), rate, FILM)
    frames = np.linspace(0, clip.frames - 1, TILES).round().astype(int).tolist()
    strip = np.concatenate([*_drawn(clip, frames, TILE)], axis=1)
    with atomic_path(out) as part:
        Image.fromarray(strip).save(part, format="png")
    return len(frames)


def _drawn(clip: Clip, frames: Sequence[int], size: tuple[int, int]) -> Iterator[Picture]:
    model = _scene(clip, size)
    data, qpos = mj.MjData(model), motion_of(clip).qpos
    try:
        renderer = mj.Renderer(model, height=size[1], width=size[0])
    except (AttributeError, RuntimeError, ImportError, mj.FatalError) as error:
        # As the several ways to draw without a screen fail.
        raise RunError(f"nothing can be drawn on this machine: {error}; try MUJOCO_GL=osmesa") from error
    camera = mj.MjvCamera()
    camera.distance, camera.azimuth, camera.elevation = CAMERA
    try:
        for frame in frames:
            data.qpos[:] = qpos[frame]
            mj.mj_forward(model, data)
            camera.lookat[:] = [*qpos[frame, :2], 0.65]
            renderer.update_scene(data, camera)
            yield renderer.render().copy()
    finally:
        renderer.close()


def _scene(clip: Clip, size: tuple[int, int]) -> Any:
    """The robot's model on a ground of squares."""
    spec = mj.MjSpec.from_file(str(model_path(clip.info.model, clip.info.model_sha256)))
    squares, sky = mj.mjtBuiltin.mjBUILTIN_CHECKER, mj.mjtBuiltin.mjBUILTIN_GRADIENT
    texture = {"type": mj.mjtTexture.mjTEXTURE_2D, "width": 256, "height": 256}
    spec.add_texture(name="squares", builtin=squares, rgb1=LIT, rgb2=DARK, **texture)
    spec.add_texture(type=mj.mjtTexture.mjTEXTURE_SKYBOX, builtin=sky, rgb1=SKY, rgb2=SKY, width=16, height=16)
    material = spec.add_material(name="ground", texrepeat=[1.0, 1.0], texuniform=True)
    material.textures[mj.mjtTextureRole.mjTEXROLE_RGB] = "squares"
    spec.worldbody.add_geom(type=mj.mjtGeom.mjGEOM_PLANE, size=[0.0, 0.0, 1.0], material="ground")
    # Without shadows, which cost most of the time where the CPU draws.
    sun = {"pos": [0.0, 0.0, 5.0], "dir": [0.3, 0.2, -1.0]}
    spec.worldbody.add_light(type=mj.mjtLightType.mjLIGHT_DIRECTIONAL, castshadow=False, **sun)
    spec.visual.global_.offwidth, spec.visual.global_.offheight = size
    return spec.compile()
