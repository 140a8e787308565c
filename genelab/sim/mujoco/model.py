"""The MuJoCo model of a scene: the robot's file with what the config adds to it."""

import math
from typing import Any

import mujoco
import numpy as np

from genelab.config.env import EnvCfg
from genelab.config.scene import ActuatorCfg
from genelab.sim.facts import SceneFacts
from genelab.sim.terrain import Heightfield

mj: Any = mujoco  # its stubs name no classes

OWN_TIMECONST_S = 0.01
"""Time constant of contacts of the ground and of objects, s: the one that Genesis takes where a file names none. Those
of the robot are its file's."""
FORCE_SENSOR, SELF_CONTACT = "net contact force on {}", "self contact"
OBJECT, GROUND = "object {}", "ground {}"


def compile_scene(cfg: EnvCfg, facts: SceneFacts) -> Any:
    """The compiled `MjModel` of the scene."""
    model = scene_of(cfg, facts).compile()
    if cfg.randomizations:
        # Otherwise a centre of mass that is moved later would be taken for the link's origin where it is that now.
        model.body_sameframe[:] = 0
    return model


def scene_of(cfg: EnvCfg, facts: SceneFacts) -> Any:
    """The `MjSpec` of the scene."""
    spec = mj.MjSpec.from_file(str(facts.model_file))
    # Actuators, sensors and poses of the file are nobody's business: the config says how the robot is driven.
    for element in (*spec.actuators, *spec.sensors, *spec.keys):
        spec.delete(element)
    _options(spec, cfg)
    links = [body for body in spec.bodies if body.name in facts.names.links]
    for body in links:
        body.gravcomp = cfg.robot.gravity_compensation
        if body.parent == spec.worldbody:
            body.pos = np.asarray(body.pos) + cfg.robot.pos
        sensor = _force_sensor(spec, FORCE_SENSOR.format(body.name), NET)
        sensor.objtype, sensor.objname = mj.mjtObj.mjOBJ_BODY, body.name
    own = _force_sensor(spec, SELF_CONTACT, STRONGEST)
    # Of a body with all that it carries.
    own.objtype = own.reftype = mj.mjtObj.mjOBJ_XBODY
    own.objname = own.refname = links[0].name
    for joint in spec.joints:
        if joint.type != mj.mjtJoint.mjJNT_FREE:
            joint.armature = cfg.robot.armature_of(joint.name, joint.armature)
    for name in cfg.driven:
        _add_actuator(spec, name, cfg.robot.actuator_of(name))
    _exclude_what_touches(spec, facts.names.links)
    if cfg.ground is not None:
        before = len(spec.worldbody.geoms)
        _add_ground(spec, cfg.ground.friction, cfg, facts.heightfield)
        for number, geom in enumerate(spec.worldbody.geoms[before:]):
            geom.name = GROUND.format(number)
    for name, box in cfg.objects.items():
        body = spec.worldbody.add_body(name=OBJECT.format(name), pos=box.pos)
        body.add_freejoint()
        # Half the edges here.
        _own_contacts(
            body.add_geom(type=mj.mjtGeom.mjGEOM_BOX, size=[edge / 2 for edge in box.size], mass=box.mass),
            box.friction,
            cfg,
        )
    return spec


NET, STRONGEST = 3, 2
"""What a contact sensor tells of several contacts: all together, or the one of the largest force."""


def _force_sensor(spec: Any, name: str, reduction: int) -> Any:
    sensor = spec.add_sensor(name=name, type=mj.mjtSensor.mjSENS_CONTACT)
    sensor.intprm[:3] = 1 << int(mj.mjtConDataField.mjCONDATA_FORCE), reduction, 1
    return sensor


def _options(spec: Any, cfg: EnvCfg) -> None:
    option = mj.MjSpec().option
    option.timestep = cfg.sim.dt / cfg.sim.substeps
    option.gravity = cfg.sim.gravity
    integrators = mj.mjtIntegrator
    option.integrator = integrators.mjINT_EULER if cfg.sim.integrator == "Euler" else integrators.mjINT_IMPLICITFAST
    # What is not finite stays, and is seen, rather than being put back to the start without a word.
    option.disableflags = int(mj.mjtDisableBit.mjDSBL_AUTORESET)
    if not cfg.sim.collision:
        option.disableflags |= int(mj.mjtDisableBit.mjDSBL_CONTACT)
    spec.option = option


def _add_actuator(spec: Any, joint: str, group: ActuatorCfg) -> None:
    actuator = spec.add_actuator(name=joint, target=joint, trntype=mj.mjtTrn.mjTRN_JOINT)
    if group.effort_limit is not None:
        actuator.forcelimited, actuator.forcerange = True, [-group.effort_limit, group.effort_limit]
    if group.law == "explicit_pd":
        # The force itself is handed over, already limited.
        actuator.forcelimited, actuator.gainprm[0] = False, 1.0
        return
    actuator.biastype = mj.mjtBias.mjBIAS_AFFINE
    actuator.gainprm[0] = group.kv if group.law == "velocity" else group.kp
    actuator.biasprm[:3] = 0.0, -group.kp, -group.kv


def _exclude_what_touches(spec: Any, links: tuple[str, ...]) -> None:
    """Let links that touch in the neutral pose pass through each other, as Genesis does."""
    model = spec.compile()
    data = mj.MjData(model)
    mj.mj_forward(model, data)
    pairs = {tuple(sorted(int(model.geom_bodyid[geom]) for geom in contact.geom)) for contact in data.contact}
    for pair in sorted(pairs):
        names = [model.body(body).name for body in pair]
        if all(name in links for name in names):
            spec.add_exclude(bodyname1=names[0], bodyname2=names[1])


def _add_ground(spec: Any, friction: float, cfg: EnvCfg, heightfield: Heightfield | None) -> None:
    world = spec.worldbody
    if heightfield is None:
        _own_contacts(world.add_geom(type=mj.mjtGeom.mjGEOM_PLANE, size=[0.0, 0.0, 1.0]), friction, cfg)
        return
    # Turned by a quarter, its columns along the world's y and its rows against x: MuJoCo cuts the squares of a height
    # field along the other diagonal than `HeightMap` does.
    heights = heightfield.heights[::-1] * heightfield.vertical_scale
    low, span = float(heights.min()), max(float(np.ptp(heights)), 1e-3)
    (x, y), (length, width) = heightfield.corner, heightfield.size
    spec.add_hfield(
        name="terrain",
        nrow=heights.shape[0],
        ncol=heights.shape[1],
        size=[width / 2, length / 2, span, 1.0],
        userdata=((heights - low) / span).flatten(),
    )
    middle = [x + length / 2, y + width / 2, low]
    quarter = [math.sqrt(0.5), 0.0, 0.0, math.sqrt(0.5)]
    terrain = world.add_geom(type=mj.mjtGeom.mjGEOM_HFIELD, hfieldname="terrain", pos=middle, quat=quarter)
    _own_contacts(terrain, friction, cfg)
    for lower, upper in heightfield.floor:
        half, middle = np.subtract(upper, lower) / 2, np.add(upper, lower) / 2
        _own_contacts(world.add_geom(type=mj.mjtGeom.mjGEOM_BOX, size=half, pos=middle), friction, cfg)


def _own_contacts(geom: Any, friction: float, cfg: EnvCfg) -> None:
    geom.friction[0] = friction
    geom.solref[0] = max(OWN_TIMECONST_S, 2.0 * cfg.sim.dt / cfg.sim.substeps)
