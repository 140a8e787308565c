"""The robot, its objects and the ground as meshes in the page."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from genelab.draw.depiction import GREEN, rgb
from genelab.mdp.state import StateView
from genelab.mdp.terrain import HeightMap
from genelab.sim.shape import Shape

WORLD = "/world"
"""What moves against the camera, so that the robot stays in the picture."""
GROUND_COLOR, GRID_COLOR, SECTION_COLOR = (226, 229, 232), (196, 201, 206), (160, 167, 174)
TERRAIN_COLOR = (142, 151, 160)
"""Dark enough that lit and shaded sides of a step differ."""
OBJECT_COLOR, GHOST_COLOR = (214, 107, 38), rgb(GREEN)
FOLLOW = 0.15
"""Share of the way that the picture follows the base in each control step."""
WINDOW_M, MARGIN_M = 12.0, 6.0
"""Half the width of the piece of a terrain that is shown, and how near its edge a robot comes before the next, m."""


class Scene:
    """What there is to see. Positions are those of the world; the page's origin follows the robot's base."""

    def __init__(self, server: Any, shapes: Sequence[Shape], state: StateView, *, ground: bool) -> None:
        """Draw a state. `ground`: whether there is any."""
        self._scene, self._shapes = server.scene, shapes
        self._names = state.names
        self._world = self._scene.add_frame(WORLD, show_axes=False)
        self._center = _center(state)
        self._links = {name: self._body(f"link/{name}", link=name) for name in state.names.links}
        self._objects = {name: self._body(f"object/{name}", thing=name) for name in state.names.objects}
        self._body("fixed")
        self._terrain: HeightMap | None = state.terrain if ground and state.terrain.heights.numel() > 4 else None
        self._window: NDArray[np.float64] | None = None
        if ground and self._terrain is None:
            self._scene.add_grid(
                f"{WORLD}/ground",
                infinite_grid=True,
                cell_size=0.25,
                section_size=1.0,
                cell_color=GRID_COLOR,
                section_color=SECTION_COLOR,
                plane_color=GROUND_COLOR,
                plane_opacity=1.0,
                fade_distance=40.0,
            )

    def show(self, state: StateView, object_quat_w: Tensor, *, follow: bool, at_once: bool) -> None:
        """Draw a state.

        Args:
            state: it; the first environment is drawn.
            object_quat_w: orientations of the objects, w x y z. Shape: (num_envs, num_objects, 4).
            follow: whether the picture follows a floating base.
            at_once: whether it jumps there, as at the start of an episode.
        """
        _put(self._links.values(), state.link_pos_w, state.link_quat_w)
        _put(self._objects.values(), state.object_pos_w, object_quat_w)
        if follow:
            self._center += (1.0 if at_once else FOLLOW) * (_center(state) - self._center)
            self._world.position = -self._center
        self._show_terrain()

    def ghost(self, links: Sequence[str]) -> list[Any]:
        """Transparent copies of some links, as frames to be moved."""
        return [self._body(f"ghost/{link}", link=link, ghost=True) for link in links]

    def extent(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Lower and upper corner of robot and objects as they are now, relative to the page's origin, m."""
        corners: list[NDArray[np.float64]] = []
        for name, frame in (*self._links.items(), *self._objects.items()):
            meshes = [shape.vertices for shape in self._shapes if name in (shape.link, shape.object)]
            reach = max((float(np.linalg.norm(mesh, axis=1).max()) for mesh in meshes), default=0.0)
            corners += [frame.position - reach, frame.position + reach]
        return np.min(corners, axis=0) - self._center, np.max(corners, axis=0) - self._center

    def _body(self, name: str, link: str | None = None, thing: str | None = None, *, ghost: bool = False) -> Any:
        """A frame with all shapes of a body in it."""
        frame = self._scene.add_frame(f"{WORLD}/{name}", show_axes=False)
        for number, shape in enumerate(self._shapes):
            if (shape.link, shape.object) == (link, thing):
                self._scene.add_mesh_simple(
                    f"{WORLD}/{name}/{number}",
                    shape.vertices,
                    shape.faces,
                    color=GHOST_COLOR if ghost else OBJECT_COLOR if thing else shape.color,
                    opacity=0.25 if ghost else None,
                    flat_shading=True,
                    cast_shadow=not ghost,
                )
        return frame

    def _show_terrain(self) -> None:
        """Draw the piece of the terrain around the robot, if it is near the edge of the one that is drawn."""
        if self._terrain is None:
            return
        if self._window is not None and np.abs(self._center - self._window)[:2].max() < WINDOW_M - MARGIN_M:
            return
        self._window = self._center.copy()
        vertices, faces = piece_of(self._terrain, self._window[:2], WINDOW_M)
        self._scene.add_mesh_simple(
            f"{WORLD}/ground", vertices, faces, color=TERRAIN_COLOR, flat_shading=True, cast_shadow=False
        )


def piece_of(
    terrain: HeightMap, middle: NDArray[np.float64], half_width: float
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """The part of a terrain around a point as a mesh, cut into the triangles that bodies touch.

    Args:
        terrain: the whole of it.
        middle: world x and y of the point, m. Shape: (2,).
        half_width: how far the part goes along each axis, m.

    Returns:
        Vertices, world frame, m, and faces. Shapes: (vertices, 3), (faces, 3).
    """
    heights = terrain.heights.cpu().numpy()
    spans: list[NDArray[np.int64]] = []
    for axis in (0, 1):
        at, reach = (middle[axis] - terrain.corner[axis]) / terrain.scale, half_width / terrain.scale
        low, high = np.clip([round(at - reach), round(at + reach)], 0, heights.shape[axis] - 1)
        spans.append(np.arange(low, high + 1))
    i, j = np.meshgrid(*spans, indexing="ij")
    x, y = terrain.corner[0] + terrain.scale * i, terrain.corner[1] + terrain.scale * j
    number = np.arange(i.size).reshape(i.shape)
    near, along, across, far = (
        part.ravel() for part in (number[:-1, :-1], number[1:, :-1], number[:-1, 1:], number[1:, 1:])
    )
    faces = np.concatenate([np.stack([near, along, across], 1), np.stack([along, far, across], 1)])
    return np.stack([x, y, heights[i, j]], axis=-1).reshape(-1, 3).astype(np.float64), faces


def _put(frames: Any, pos_w: Tensor, quat_w: Tensor) -> None:
    for frame, pos, quat in zip(frames, pos_w[0].cpu().numpy(), quat_w[0].cpu().numpy(), strict=True):
        frame.position, frame.wxyz = pos.astype(np.float64), quat.astype(np.float64)


def _center(state: StateView) -> NDArray[np.float64]:
    """What the picture follows: the ground beneath a floating base, or the world's origin."""
    base = state.base
    if base is None:
        return np.zeros(3)
    ground = base.ground.height_at(base.pos_w[:1, :2])
    return np.array([*base.pos_w[0, :2].tolist(), float(ground[0])])
