"""A scene on a lit, chequered ground, drawn without a display by MuJoCo's renderer."""

import math
import os
import sys
from collections.abc import Sequence
from typing import Any

import mujoco
import numpy as np

from genelab.config.env import EnvCfg
from genelab.draw.camera import FOV_Y, Camera
from genelab.draw.depiction import Arrow, Ball, Colour, Floats, Ghost, Mark, Picture, Pose
from genelab.errors import DrawError
from genelab.sim.facts import SceneFacts
from genelab.sim.mujoco.model import GROUND, OBJECT, scene_of

mj: Any = mujoco  # its stubs name no classes

LIT, DARK = (0.42, 0.46, 0.51), (0.34, 0.38, 0.43)
"""Colours of the ground's squares, which are half a metre wide."""
SKY, HORIZON = (0.45, 0.60, 0.80), (0.86, 0.90, 0.95)
ORANGE: Colour = (0.93, 0.45, 0.12, 1.0)
"""Colour of free objects."""
PLAIN = (0.5, 0.5, 0.5, 1.0)
"""What MuJoCo gives a shape whose file names no colour."""
LINKS: tuple[Colour, ...] = ((0.27, 0.33, 0.42, 1.0), (0.86, 0.72, 0.33, 1.0), (0.80, 0.36, 0.30, 1.0))
"""Colours of links without one of their own, in turn."""
GHOST: Colour = (0.20, 0.75, 0.35, 0.35)
RAIL: Colour = (0.62, 0.65, 0.70, 1.0)
RAIL_RADIUS, ARROW_RADIUS = 0.015, 0.012
"""m."""
SUN = np.array([0.35, 0.55, -1.0])
"""Direction of its light."""
GROUP_SEEN = 3
"""Shapes of this group and above are for collisions, by MuJoCo's habit."""


class Stage:
    """Draws the robot and the objects of a scene in any pose."""

    def __init__(self, spec: Any, size: tuple[int, int]) -> None:
        """Light a scene and prepare to draw it.

        Args:
            spec: the `MjSpec` of the scene, which is changed. Without a ground, it gets one to look at.
            size: width and height of the pictures, pixels.

        Raises:
            DrawError: if nothing can be drawn on this machine.
        """
        self.size = size
        self._floor = _dress(spec, size)
        self.model: Any = spec.compile()
        """The `MjModel` that is drawn."""
        self._data, self._ghost = mj.MjData(self.model), mj.MjData(self.model)
        self._option, self._perturb = mj.MjvOption(), mj.MjvPerturb()
        visible = (self.model.geom_group < GROUP_SEEN) & (self.model.geom_rgba[:, 3] > 0)
        self._moving = np.flatnonzero(visible & (self.model.geom_bodyid > 0))
        signs = np.array(np.meshgrid(*[(-1.0, 1.0)] * 3)).reshape(3, 8).T
        boxes = self.model.geom_aabb[self._moving].reshape(-1, 2, 3)
        self._corners = boxes[:, :1] + signs * boxes[:, 1:]
        try:
            # Kept: it owns what is drawn into.
            self._context = _gl_context(*size)
            self._context.make_current()
            self._renderer = mj.MjrContext(self.model, mj.mjtFontScale.mjFONTSCALE_100)
        except (AttributeError, ImportError, RuntimeError, mj.FatalError) as error:
            # As the several ways to draw without a screen fail.
            raise DrawError(
                f"nothing can be drawn on this machine: {error}. It takes EGL (Debian: libegl1, libgl1-mesa-dri), "
                "or MUJOCO_GL=osmesa and libosmesa6"
            ) from error
        mj.mjr_setBuffer(mj.mjtFramebuffer.mjFB_OFFSCREEN, self._renderer)
        self._scene = mj.MjvScene(self.model, maxgeom=10_000)
        self._scene.flags[mj.mjtRndFlag.mjRND_HAZE] = True

    def close(self) -> None:
        """Free what the renderer holds."""
        self._context.make_current()
        self._renderer.free()
        self._context.free()

    def stand_on(self, height: float) -> None:
        """Move a ground that is only looked at down to a height, m, if that is lower."""
        if self._floor is not None:
            pos = self.model.geom(self._floor).pos
            pos[2] = min(pos[2], height)

    def place(self, mocap_pos: Floats) -> None:
        """Put the bodies that nothing moves but the caller at positions, world frame, m. Shape: (nmocap, 3)."""
        self._data.mocap_pos[:] = mocap_pos

    def points(self, qpos: Floats) -> Floats:
        """Corners of boxes around everything that moves, world frame, m. Shape: (any, 3).

        `qpos`: positions of all joints as MuJoCo orders them. Shape: (nq,).
        """
        self._pose(self._data, qpos)
        return self._corners_w()

    def _corners_w(self) -> Floats:
        turns = self._data.geom_xmat[self._moving].reshape(-1, 3, 3)
        corners = self._data.geom_xpos[self._moving, None] + self._corners @ turns.transpose(0, 2, 1)
        return corners.reshape(-1, 3)

    def picture(
        self, qpos: Floats, camera: Camera, marks: Sequence[Ball | Arrow] = (), ghosts: Sequence[Floats] = ()
    ) -> Picture:
        """What a camera sees, with shapes, and the robot again with other positions of all joints."""
        self._pose(self._data, qpos)
        view = mj.MjvCamera()
        view.lookat[:], view.distance = camera.lookat_w, camera.distance
        view.azimuth, view.elevation = camera.azimuth, camera.elevation
        everything = mj.mjtCatBit.mjCAT_ALL
        # Or the ground would be laid out around the camera of the picture before.
        mj.mjv_updateCamera(self.model, self._data, view, self._scene)
        mj.mjv_updateScene(self.model, self._data, self._option, self._perturb, view, everything, self._scene)
        for light in self._scene.lights[: self._scene.nlight]:
            # A sun has no place, but MuJoCo draws shadows only near it.
            light.pos[:] = camera.lookat_w - 3.0 * SUN
        for ghost in ghosts:
            self._add_ghost(ghost)
        for mark in marks:
            self._add(mark)
        width, height = self.size
        rectangle, picture = mj.MjrRect(0, 0, width, height), np.empty((height, width, 3), dtype=np.uint8)
        self._context.make_current()
        mj.mjr_render(rectangle, self._scene, self._renderer)
        mj.mjr_readPixels(picture, None, rectangle, self._renderer)
        return np.flipud(picture)

    def _pose(self, data: Any, qpos: Floats) -> None:
        data.qpos[:] = qpos
        mj.mj_kinematics(self.model, data)
        mj.mj_camlight(self.model, data)

    def _add_ghost(self, qpos: Floats) -> None:
        scene, first = self._scene, self._scene.ngeom
        self._pose(self._ghost, qpos)
        moving = mj.mjtCatBit.mjCAT_DYNAMIC
        mj.mjv_addGeoms(self.model, self._ghost, self._option, self._perturb, moving, scene)
        for geom in scene.geoms[first : scene.ngeom]:
            geom.matid, geom.rgba[:] = -1, GHOST

    def _add(self, mark: Ball | Arrow) -> None:
        """Add a shape to the scene of the pose that is drawn."""
        scene = self._scene
        geom, turn = scene.geoms[scene.ngeom], np.eye(3).flatten()
        colour = np.array(mark.colour, dtype=np.float32)
        if isinstance(mark, Ball):
            mj.mjv_initGeom(geom, mj.mjtGeom.mjGEOM_SPHERE, np.full(3, mark.radius), mark.pos_w, turn, colour)
        else:
            arrow = mj.mjtGeom.mjGEOM_ARROW
            mj.mjv_initGeom(geom, arrow, np.zeros(3), np.zeros(3), turn, colour)
            mj.mjv_connector(geom, arrow, ARROW_RADIUS, *_ends(mark, self._corners_w()))
        scene.ngeom += 1


class EnvStage(Stage):
    """Draws an environment."""

    def __init__(self, cfg: EnvCfg, facts: SceneFacts, size: tuple[int, int]) -> None:
        """Raises DrawError as `Stage`."""
        super().__init__(scene_of(cfg, facts), size)
        model = self.model

        def free(body: str) -> list[int]:
            first = int(model.jnt_qposadr[model.body(body).jntadr[0]])
            return [*range(first, first + 7)]

        self._joints = [int(model.joint(name).qposadr[0]) for name in cfg.robot.joints]
        self._base = [] if cfg.robot.base is None else free(cfg.robot.base)
        self._objects = [free(OBJECT.format(name)) for name in cfg.objects]

    def qpos(self, pose: Pose) -> Floats:
        """Positions of all joints as MuJoCo orders them. Shape: (nq,)."""
        qpos = self.model.qpos0.copy()
        qpos[self._joints] = pose.joint_pos
        if pose.base_pose_w is not None:
            qpos[self._base] = pose.base_pose_w
        for columns, pose_w in zip(self._objects, pose.object_pose_w, strict=True):
            qpos[columns] = pose_w
        return qpos

    def points_of(self, pose: Pose, marks: Sequence[Mark]) -> Floats:
        """What must be in a picture of a pose, world frame, m. Shape: (any, 3)."""
        found = [self.points(self.qpos(pose))]
        for mark in marks:
            match mark:
                case Ghost():
                    found.append(self.points(self.qpos(mark.pose)))
                case Ball():
                    found.append(mark.pos_w + mark.radius * np.concatenate([np.eye(3), -np.eye(3)]))
                case Arrow():
                    found.append(np.stack(_ends(mark, found[0])))
        return np.concatenate(found)

    def picture_of(self, pose: Pose, camera: Camera, marks: Sequence[Mark]) -> Picture:
        """What a camera sees of a pose."""
        ghosts = [self.qpos(mark.pose) for mark in marks if isinstance(mark, Ghost)]
        return self.picture(self.qpos(pose), camera, [mark for mark in marks if not isinstance(mark, Ghost)], ghosts)


def _ends(arrow: Arrow, robot: Floats) -> tuple[Floats, Floats]:
    """Where an arrow begins and ends, with points of what moves."""
    start = np.append(arrow.start_w, robot[:, 2].max() + arrow.above)
    return start, start + arrow.vector_w


def try_to_draw() -> None:
    """Draw one picture. Raises DrawError if nothing can be drawn on this machine, or the picture is black."""
    stage = Stage(mj.MjSpec.from_string("<mujoco><worldbody><geom size='1'/></worldbody></mujoco>"), (16, 16))
    picture = stage.picture(np.empty(0), Camera(np.zeros(3), 5.0, 0.0, -20.0))
    stage.close()
    if not picture.any():
        raise DrawError("the picture is black")


def _gl_context(width: int, height: int) -> Any:
    """What MuJoCo draws with: on Linux EGL, whatever it took at its import, unless MUJOCO_GL says otherwise."""
    if sys.platform == "linux" and os.environ.get("MUJOCO_GL", "egl") == "egl":
        from mujoco.egl import GLContext
    else:
        GLContext = mj.GLContext  # noqa: N806 it is a class
    return GLContext(width, height)


def _dress(spec: Any, size: tuple[int, int]) -> str | None:
    """Add light, sky, colours, rails and a ground; returns the name of the ground if it is only to be looked at."""
    _add_rails(spec)
    spec.add_texture(
        name="squares",
        type=mj.mjtTexture.mjTEXTURE_2D,
        builtin=mj.mjtBuiltin.mjBUILTIN_CHECKER,
        rgb1=LIT,
        rgb2=DARK,
        width=256,
        height=256,
    )
    sky = {"builtin": mj.mjtBuiltin.mjBUILTIN_GRADIENT, "rgb1": SKY, "rgb2": HORIZON, "width": 64, "height": 384}
    spec.add_texture(name="sky", type=mj.mjtTexture.mjTEXTURE_SKYBOX, **sky)
    material = spec.add_material(name="ground", texrepeat=[1.0, 1.0], texuniform=True)
    material.textures[mj.mjtTextureRole.mjTEXROLE_RGB] = "squares"
    world, floor = spec.worldbody, None
    grounds = [geom for geom in world.geoms if geom.name.startswith(GROUND.format("")) or _level(geom)]
    if not grounds:
        floor = "floor"
        grounds = [world.add_geom(name=floor, type=mj.mjtGeom.mjGEOM_PLANE, size=[0.0, 0.0, 1.0])]
    for geom in grounds:
        geom.material, geom.rgba = "ground", PLAIN
        if _level(geom):
            # It has no end: what leaves it in a simulation walks on air.
            geom.size = [0.0, 0.0, 1.0]
    for number, body in enumerate(spec.bodies[1:]):
        for geom in body.geoms:
            if not geom.material and tuple(geom.rgba) == PLAIN:
                geom.rgba = ORANGE if body.name.startswith(OBJECT.format("")) else LINKS[number % len(LINKS)]
    world.add_light(type=mj.mjtLightType.mjLIGHT_DIRECTIONAL, dir=SUN, castshadow=True, diffuse=[0.55, 0.55, 0.55])
    visual = spec.visual
    visual.headlight.ambient, visual.headlight.diffuse = [0.35] * 3, [0.3] * 3
    visual.headlight.specular, visual.rgba.haze = [0.1] * 3, [*HORIZON, 1.0]
    visual.global_.offwidth, visual.global_.offheight = size
    visual.global_.fovy = math.degrees(FOV_Y)
    visual.quality.shadowsize = 4096
    # In units of `extent`, which otherwise is that of a terrain, and the camera would look through what is near.
    spec.stat.extent, visual.map.znear, visual.map.zfar, visual.map.shadowclip = 1.0, 0.02, 200.0, 4.0
    return floor


def _level(geom: Any) -> bool:
    """Whether a shape of the world is a level plane."""
    return geom.type == mj.mjtGeom.mjGEOM_PLANE and tuple(geom.quat) == (1.0, 0.0, 0.0, 0.0)


def _add_rails(spec: Any) -> None:
    """Draw what slides along a line fixed to the world on a rail as long as its range."""
    model = spec.compile()
    data = mj.MjData(model)
    mj.mj_kinematics(model, data)
    for joint in range(model.njnt):
        of_world = model.body_parentid[model.jnt_bodyid[joint]] == 0
        if model.jnt_type[joint] == mj.mjtJoint.mjJNT_SLIDE and model.jnt_limited[joint] and of_world:
            away = model.jnt_range[joint] - model.qpos0[model.jnt_qposadr[joint]]
            ends = data.xanchor[joint] + away[:, None] * data.xaxis[joint]
            spec.worldbody.add_geom(
                type=mj.mjtGeom.mjGEOM_CAPSULE,
                fromto=ends.flatten(),
                size=[RAIL_RADIUS, 0.0, 0.0],
                rgba=RAIL,
                contype=0,
                conaffinity=0,
            )
