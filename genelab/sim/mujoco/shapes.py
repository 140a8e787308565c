"""The geoms of a MuJoCo model as meshes."""

from collections import defaultdict
from collections.abc import Callable
from typing import Any

import mujoco
import numpy as np
import trimesh

from genelab.config.env import EnvCfg
from genelab.sim.facts import SceneFacts
from genelab.sim.mujoco.model import GROUND, OBJECT, compile_scene
from genelab.sim.shape import Shape

mj: Any = mujoco  # its stubs name no classes
creation: Any = trimesh.creation
HIDDEN_GROUP = 3
"""From this group on, MuJoCo's own viewer hides geoms: model files keep what only collides there."""
SIDES = 12
"""Corners of a circle."""


def shapes(cfg: EnvCfg, facts: SceneFacts) -> list[Shape]:
    """One shape for every body and colour, without the ground. Planes and height fields are not drawn."""
    model = compile_scene(cfg, facts)
    objects = {OBJECT.format(name): name for name in facts.names.objects}
    parts: dict[tuple[str, tuple[int, int, int]], list[Any]] = defaultdict(list)
    for number in range(model.ngeom):
        geom = model.geom(number)
        make = _MESHES.get(int(geom.type[0]))
        if make is None or geom.group[0] >= HIDDEN_GROUP or geom.name.startswith(GROUND.format("")):
            continue
        mesh = make(model, geom)
        turn, pose = np.empty(9), np.eye(4)
        mj.mju_quat2Mat(turn, geom.quat)
        pose[:3, :3], pose[:3, 3] = turn.reshape(3, 3), geom.pos
        mesh.apply_transform(pose)
        rgba = geom.rgba if geom.matid[0] < 0 else model.mat_rgba[geom.matid[0]]
        red, green, blue = (round(255 * float(part)) for part in rgba[:3])
        parts[model.body(geom.bodyid[0]).name, (red, green, blue)].append(mesh)
    found: list[Shape] = []
    for (body, color), meshes in parts.items():
        whole: Any = trimesh.util.concatenate(meshes)
        link = body if body in facts.names.links else None
        found.append(Shape(link, objects.get(body), color, np.asarray(whole.vertices), np.asarray(whole.faces)))
    return found


def _capsule(_: Any, geom: Any) -> Any:
    radius, half = geom.size[:2]
    mesh = creation.capsule(height=2 * half, radius=radius, count=[SIDES, SIDES])
    # Centred, whichever end it starts from.
    return mesh.apply_translation(-mesh.bounds.mean(axis=0))


def _mesh(model: Any, geom: Any) -> Any:
    mesh = model.mesh(geom.dataid[0])
    vertices = model.mesh_vert[mesh.vertadr[0] : mesh.vertadr[0] + mesh.vertnum[0]]
    faces = model.mesh_face[mesh.faceadr[0] : mesh.faceadr[0] + mesh.facenum[0]]
    return trimesh.Trimesh(vertices, faces)


_MESHES: dict[int, Callable[[Any, Any], Any]] = {
    int(mj.mjtGeom.mjGEOM_SPHERE): lambda _, geom: creation.icosphere(subdivisions=2, radius=geom.size[0]),
    int(mj.mjtGeom.mjGEOM_ELLIPSOID): lambda _, geom: creation.icosphere(subdivisions=2).apply_scale(geom.size),
    int(mj.mjtGeom.mjGEOM_BOX): lambda _, geom: creation.box(2 * geom.size),
    int(mj.mjtGeom.mjGEOM_CYLINDER): lambda _, geom: creation.cylinder(geom.size[0], 2 * geom.size[1], sections=SIDES),
    int(mj.mjtGeom.mjGEOM_CAPSULE): _capsule,
    int(mj.mjtGeom.mjGEOM_MESH): _mesh,
}
