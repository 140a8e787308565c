import hashlib
import subprocess
import sys
import xml.etree.ElementTree as ET
import zipfile
from typing import TYPE_CHECKING, Any, NamedTuple

import mujoco
import numpy as np
import pytest

from genelab.config.base import resolve_asset

if TYPE_CHECKING:
    from genelab.sim.session import Session

GO1, GO2W = "go1", "go2w"
FREE_JOINT = "floating_base_joint"
WHEEL_JOINTS = [f"{leg}_wheel_joint" for leg in ("FL", "FR", "RL", "RR")]
UNLIMITED = (0.0, 0.0)


class Body(NamedTuple):
    mass: float
    com: tuple[float, float, float]
    inertia: tuple[float, float, float]


class Joint(NamedTuple):
    axis: tuple[float, float, float]
    range: tuple[float, float]
    damping: float


X, Y = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0)

# Per robot: base, legs in file order, parts of a leg in file order, total mass.
LAYOUT = {
    GO1: ("trunk", ("FR", "FL", "RR", "RL"), ("hip", "thigh", "calf"), 12.743448),
    GO2W: ("base_link", ("FL", "FR", "RL", "RR"), ("hip", "thigh", "calf", "wheel"), 19.126408),
}

# Key values, from the published description of each robot.
BODIES = {
    (GO1, "trunk"): Body(5.204, (0.0223, 0.002, -0.0005), (0.0716565, 0.0630105, 0.0168101)),
    (GO1, "FR_hip"): Body(0.68, (-0.0049166, 0.00762615, -8.865e-05), (0.000734064, 0.000468438, 0.000398719)),
    (GO1, "RL_hip"): Body(0.68, (0.0049166, -0.00762615, -8.865e-05), (0.000734064, 0.000468438, 0.000398719)),
    (GO1, "RR_thigh"): Body(1.009, (-0.00304722, 0.019315, -0.0305004), (0.00478717, 0.00460903, 0.000709268)),
    (GO1, "FL_calf"): Body(0.195862, (0.00429862, 0.000976676, -0.146197), (0.00149767, 0.00148468, 3.58427e-05)),
    (GO2W, "base_link"): Body(6.921, (0.021112, 0.0, -0.005366), (0.107027, 0.0980771, 0.0244531)),
    (GO2W, "RL_hip"): Body(0.678, (0.0054, 0.00194, -0.000105), (0.00088403, 0.000596003, 0.000479967)),
    (GO2W, "FL_thigh"): Body(1.152, (-0.00374, -0.0223, -0.0327), (0.00594973, 0.00584149, 0.000878787)),
    (GO2W, "RR_calf"): Body(0.241352, (0.00629595, 0.000622121, -0.141417), (0.0014901, 0.00146356, 5.31397e-05)),
    (GO2W, "FR_wheel_link"): Body(0.98, (0.0, -0.04, 0.0), (0.003, 0.0016, 0.0016)),
}

JOINTS = {
    (GO1, "hip"): Joint(X, (-0.863, 0.863), 1.0),
    (GO1, "thigh"): Joint(Y, (-0.686, 4.501), 2.0),
    (GO1, "calf"): Joint(Y, (-2.818, -0.888), 2.0),
    (GO2W, "hip"): Joint(X, (-1.0472, 1.0472), 0.1),
    (GO2W, "thigh"): Joint(Y, (-1.5708, 3.4907), 0.1),
    (GO2W, "rear thigh"): Joint(Y, (-0.5236, 4.5379), 0.1),
    (GO2W, "calf"): Joint(Y, (-2.7227, -0.83776), 0.1),
    (GO2W, "wheel"): Joint(Y, UNLIMITED, 0.1),
}

# Joint origins in the parent's frame, for the leg in front on the left. The others mirror it.
ORIGINS = {
    GO1: [(0.1881, 0.04675, 0.0), (0.0, 0.08, 0.0), (0.0, 0.0, -0.213)],
    GO2W: [(0.1934, 0.0465, 0.0), (0.0, 0.0955, 0.0), (0.0, 0.0, -0.213), (0.0, 0.0, -0.2264)],
}

ARMATURE, FRICTIONLOSS = 0.01, 0.2
DEFAULT_POS = {"hip": 0.0, "thigh": 0.9, "calf": -1.8}
DROP = {GO1: 0.42, GO2W: 0.45}


def joint_names(robot: str) -> list[str]:
    _, legs, parts, _ = LAYOUT[robot]
    return [f"{leg}_{part}_joint" for leg in legs for part in parts]


def link_names(robot: str) -> list[str]:
    base, legs, parts, _ = LAYOUT[robot]
    return [base, *(f"{leg}_{part}{'_link' if part == 'wheel' else ''}" for leg in legs for part in parts)]


def joint_facts(robot: str, joint: str) -> Joint:
    leg, part, _ = joint.split("_")
    rear = JOINTS.get((robot, f"rear {part}"))
    return rear if rear is not None and leg[0] == "R" else JOINTS[robot, part]


def compiled(robot: str) -> mujoco.MjModel:
    return mujoco.MjModel.from_xml_path(str(resolve_asset(f"genelab_unitree:models/{robot}.xml")))


@pytest.fixture(params=[GO1, GO2W])
def robot(request: pytest.FixtureRequest) -> str:
    return request.param


def test_bodies_in_depth_first_order(robot: str):
    model = compiled(robot)
    names = [model.body(k).name for k in range(1, model.nbody)]
    assert names == link_names(robot)
    parts = len(LAYOUT[robot][2])
    for k, name in enumerate(names):
        body = model.body(name)
        if k == 0:
            # The start height belongs to the task, and Genesis adds it to what the file says.
            assert (body.pos.tolist(), model.body(body.parentid[0]).name) == ([0.0, 0.0, 0.0], "world")
            continue
        place = (k - 1) % parts
        assert model.body(body.parentid[0]).name == names[0 if place == 0 else k - 1]
        x, y, z = ORIGINS[robot][place]
        front, left = name[0] == "F", name[1] == "L"
        assert body.pos.tolist() == [x if front else -x, y if left else -y, z]
        assert body.quat.tolist() == [1.0, 0.0, 0.0, 0.0]


def test_masses_and_inertias(robot: str):
    model = compiled(robot)
    assert model.body_mass.sum() == pytest.approx(LAYOUT[robot][3], rel=1e-9)
    checked = {name: facts for (owner, name), facts in BODIES.items() if owner == robot}
    assert len(checked) == 5
    for name, facts in checked.items():
        body = model.body(name)
        assert body.mass[0] == pytest.approx(facts.mass, rel=1e-9)
        assert body.ipos.tolist() == pytest.approx(facts.com, rel=1e-9, abs=1e-12)
        assert body.inertia.tolist() == pytest.approx(facts.inertia, rel=1e-9)
    # What one kind of body weighs, it weighs on each leg.
    for part in LAYOUT[robot][2]:
        masses = {model.body(name).mass[0] for name in link_names(robot) if f"_{part}" in name}
        assert len(masses) == 1


def test_joints(robot: str):
    model = compiled(robot)
    names = joint_names(robot)
    assert [model.joint(k).name for k in range(model.njnt)] == [FREE_JOINT, *names]
    assert (model.nq, model.nv, model.nu) == (7 + len(names), 6 + len(names), 0)
    assert model.jnt_type[0] == mujoco.mjtJoint.mjJNT_FREE
    # The base moves freely: passive terms are for the joints alone.
    for terms in (model.dof_damping, model.dof_armature, model.dof_frictionloss):
        assert terms[:6].tolist() == [0.0] * 6
    for name in names:
        joint, facts = model.joint(name), joint_facts(robot, name)
        assert joint.type[0] == mujoco.mjtJoint.mjJNT_HINGE
        assert joint.pos.tolist() == [0.0, 0.0, 0.0]
        assert joint.axis.tolist() == list(facts.axis)
        assert joint.range.tolist() == list(facts.range)
        assert bool(joint.limited[0]) == (facts.range != UNLIMITED)
        dof = joint.dofadr[0]
        assert model.dof_damping[dof] == facts.damping
        assert (model.dof_armature[dof], model.dof_frictionloss[dof]) == (ARMATURE, FRICTIONLOSS)


def test_what_collides_and_what_is_seen(robot: str):
    model = compiled(robot)
    geoms = [model.geom(k) for k in range(model.ngeom)]
    assert all(geom.name for geom in geoms)
    assert model.nmesh == 0
    # Genesis draws groups 0 to 2 and takes the others for collision alone.
    colliding = [geom for geom in geoms if "_collision" in geom.name]
    for geom in geoms:
        expected = (3, 1, 1) if geom in colliding else (2, 0, 0)
        assert (geom.group[0], geom.contype[0], geom.conaffinity[0]) == expected
        assert geom.friction.tolist() == [1.0, 0.005, 0.0001]
    assert len(colliding) == {GO1: 2 + 4 * 7, GO2W: 3 + 4 * 5}[robot]
    # Every body is seen.
    assert {geom.bodyid[0] for geom in geoms if geom not in colliding} == set(range(1, model.nbody))


def test_feet_of_the_go1():
    model = compiled(GO1)
    for leg in LAYOUT[GO1][1]:
        foot, site = model.geom(f"{leg}_foot_collision"), model.site(leg)
        assert foot.type[0] == mujoco.mjtGeom.mjGEOM_SPHERE
        assert foot.size[0] == 0.023
        assert foot.pos.tolist() == site.pos.tolist() == [0.0, 0.0, -0.213]
        assert model.body(foot.bodyid[0]).name == model.body(site.bodyid[0]).name == f"{leg}_calf"


def test_wheels_of_the_go2w():
    model = compiled(GO2W)
    data = mujoco.MjData(model)
    mujoco.mj_kinematics(model, data)
    for leg in LAYOUT[GO2W][1]:
        (wheel,) = [k for k in range(model.ngeom) if model.geom(k).name == f"{leg}_wheel_collision"]
        assert model.geom_type[wheel] == mujoco.mjtGeom.mjGEOM_CYLINDER
        assert model.geom_size[wheel][:2].tolist() == pytest.approx([0.086, 0.026])
        outboard = 0.0508 if leg[1] == "L" else -0.0508
        assert model.geom_pos[wheel].tolist() == pytest.approx([0.0, outboard, 0.0])
        # The axis of the cylinder is that of the joint.
        assert abs(data.geom_xmat[wheel].reshape(3, 3)[:, 2]).tolist() == pytest.approx([0.0, 1.0, 0.0])


def test_rigid_stance():
    """Height of the base over the ground in the default pose, from the geometry alone."""
    for robot, height in ((GO1, 0.288), (GO2W, 0.359)):
        model = compiled(robot)
        data = mujoco.MjData(model)
        for name in joint_names(robot):
            data.qpos[model.joint(name).qposadr[0]] = DEFAULT_POS.get(name.split("_")[1], 0.0)
        mujoco.mj_kinematics(model, data)
        end, radius = ("foot", 0.023) if robot == GO1 else ("wheel", 0.086)
        lowest = min(data.geom(f"{name}_{end}_collision").xpos[2] for name in LAYOUT[robot][1]) - radius
        assert -lowest == pytest.approx(height, abs=0.001)


# The official Go1.

WHEEL = "mjlab-1.6.0-py3-none-any.whl"
WHEEL_SHA256 = "03d003854e2f44c48330c6dcf4c2253ff7641bb569747846825a21b9efa8540b"
OFFICIAL_XML = "mjlab/asset_zoo/robots/unitree_go1/xmls/go1.xml"


@pytest.fixture(scope="session")
def official_go1(tmp_path_factory: pytest.TempPathFactory) -> mujoco.MjModel:
    """The Go1 of the mjlab wheel (Apache-2.0), without its meshes. 14 MB, which pip keeps in its cache."""
    folder = tmp_path_factory.mktemp("mjlab")
    pip = [sys.executable, "-m", "pip", "download", "-q", "--disable-pip-version-check", "--retries", "1"]
    options = ["--no-deps", "--only-binary=:all:", "--dest", str(folder)]
    got = subprocess.run([*pip, *options, "mjlab==1.6.0"], capture_output=True, text=True, check=False)
    if got.returncode != 0:
        last = (got.stderr.strip().splitlines() or ["no message"])[-1]
        pytest.skip(f"pip cannot download the official model, which is part of mjlab 1.6.0: {last}")
    assert hashlib.sha256((folder / WHEEL).read_bytes()).hexdigest() == WHEEL_SHA256
    with zipfile.ZipFile(folder / WHEEL) as wheel:
        root = ET.fromstring(wheel.read(OFFICIAL_XML))
    for parent in list(root.iter()):
        for child in [c for c in parent if c.tag == "mesh" or (c.tag == "geom" and "mesh" in c.attrib)]:
            parent.remove(child)
    return mujoco.MjModel.from_xml_string(ET.tostring(root, encoding="unicode"))


def test_the_go1_is_the_official_one(official_go1: mujoco.MjModel):
    ours = compiled(GO1)
    assert [ours.body(k).name for k in range(ours.nbody)] == [official_go1.body(k).name for k in range(ours.nbody)]
    assert [ours.joint(k).name for k in range(ours.njnt)] == [official_go1.joint(k).name for k in range(ours.njnt)]
    assert np.array_equal(ours.jnt_axis, official_go1.jnt_axis)
    assert np.array_equal(ours.jnt_range, official_go1.jnt_range)
    assert np.array_equal(ours.jnt_limited, official_go1.jnt_limited)
    assert ours.body_mass.sum() == pytest.approx(official_go1.body_mass.sum(), rel=1e-12)
    # All that is left of its geoms collides.
    for k in range(official_go1.ngeom):
        theirs = official_go1.geom(k)
        mine = ours.geom(theirs.name)
        assert (mine.type[0], mine.bodyid[0]) == (theirs.type[0], theirs.bodyid[0])
        for field in ("pos", "quat", "size", "friction"):
            assert getattr(mine, field) == pytest.approx(getattr(theirs, field), abs=1e-12)
    for k in range(official_go1.nsite):
        theirs = official_go1.site(k)
        assert np.array_equal(ours.site(theirs.name).pos, theirs.pos)


def test_the_go1_moves_as_the_official_one(official_go1: mujoco.MjModel):
    """Poses of all bodies and the joint-space mass matrix in 100 random configurations.

    Without armature: the official file leaves it to mjlab's actuators.
    """
    rng = np.random.default_rng(1)
    models = (compiled(GO1), official_go1)
    spans = models[0].jnt_range[1:]

    def state_of(model: mujoco.MjModel, qpos: np.ndarray) -> tuple[np.ndarray, ...]:
        data = mujoco.MjData(model)
        data.qpos[:] = qpos
        armature = model.dof_armature.copy()
        model.dof_armature[:] = 0.0
        mujoco.mj_forward(model, data)
        model.dof_armature[:] = armature
        mass = np.zeros((model.nv, model.nv))
        mujoco.mj_fullM(model, data, mass)
        return data.xpos.copy(), data.xmat.copy(), data.xipos.copy(), mass

    for _ in range(100):
        orientation = rng.normal(size=4)
        free = [rng.uniform(-2.0, 2.0, 3), orientation / np.linalg.norm(orientation)]
        qpos = np.concatenate([*free, rng.uniform(spans[:, 0], spans[:, 1])])
        for mine, theirs in zip(*(state_of(model, qpos) for model in models), strict=True):
            # atol: entries that are near zero by cancellation.
            np.testing.assert_allclose(mine, theirs, rtol=1e-6, atol=1e-8)


# In the simulator.


@pytest.fixture(scope="module")
def in_genesis(sim_session: "Session") -> dict[str, Any]:
    """Both robots in one scene, which takes half as long to build as two."""
    import genesis as gs

    scene: Any = gs.Scene(sim_options=gs.options.SimOptions(dt=0.002), show_viewer=False)
    scene.add_entity(gs.morphs.Plane())
    entities: dict[str, Any] = {"scene": scene}
    for robot, y in ((GO1, 0.0), (GO2W, 3.0)):
        file = str(resolve_asset(f"genelab_unitree:models/{robot}.xml"))
        morph = gs.morphs.MJCF(file=file, pos=(0.0, y, DROP[robot]), default_armature=None)
        entities[robot] = scene.add_entity(morph)
    scene.build(n_envs=1)
    return entities


def _dofs(entity: Any, names: list[str]) -> list[int]:
    return [entity.get_joint(name).dofs_idx_local[0] for name in names]


@pytest.fixture(scope="module")
def settled(in_genesis: dict[str, Any]) -> dict[str, Any]:
    """Both robots, dropped in the default pose and held there by the gains of their tasks, after 2 s."""
    in_genesis["scene"].reset()
    for robot in (GO1, GO2W):
        entity = in_genesis[robot]
        legs = _dofs(entity, [name for name in joint_names(robot) if name not in WHEEL_JOINTS])
        entity.set_dofs_kp([25.0] * 12, legs)
        entity.set_dofs_kv([0.5] * 12, legs)
        entity.set_dofs_position([*DEFAULT_POS.values()] * 4, legs)
        entity.control_dofs_position([*DEFAULT_POS.values()] * 4, legs)
    _drive(in_genesis[GO2W], 0.0)
    for _ in range(1000):
        in_genesis["scene"].step()
    return in_genesis


def _drive(go2w: Any, speed: float) -> None:
    """Turn the wheels at `speed`, rad/s."""
    wheels = _dofs(go2w, WHEEL_JOINTS)
    go2w.set_dofs_kp([0.0] * 4, wheels)
    go2w.set_dofs_kv([5.0] * 4, wheels)
    go2w.control_dofs_velocity([speed] * 4, wheels)


def _dropped_in_mujoco(robot: str, height: float) -> tuple[float, list[float]]:
    """Height of the base and joint positions of the legs, as `settled` leaves them, from MuJoCo with the same file."""
    spec = mujoco.MjSpec.from_file(str(resolve_asset(f"genelab_unitree:models/{robot}.xml")))
    spec.worldbody.add_geom(type=mujoco.mjtGeom.mjGEOM_PLANE, size=[0.0, 0.0, 0.1])
    model = spec.compile()
    model.opt.timestep = 0.002
    model.opt.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
    data = mujoco.MjData(model)
    data.qpos[2] = height
    legs: list[int] = []
    for name in joint_names(robot):
        joint = model.joint(name)
        qpos, dof = joint.qposadr[0], joint.dofadr[0]
        if name in WHEEL_JOINTS:
            model.dof_damping[dof] += 5.0
            continue
        # The PD law of an implicit actuator is a spring with a damper.
        data.qpos[qpos] = model.qpos_spring[qpos] = DEFAULT_POS[name.split("_")[1]]
        model.jnt_stiffness[joint.id] = 25.0
        model.dof_damping[dof] += 0.5
        legs.append(qpos)
    for _ in range(1000):
        mujoco.mj_step(model, data)
    return float(data.qpos[2]), data.qpos[legs].tolist()


@pytest.mark.sim
@pytest.mark.xdist_group("sim")
@pytest.mark.parametrize(("name", "height"), [(GO1, 0.223), (GO2W, 0.257)])
def test_a_dropped_robot_sags_as_in_mujoco(settled: dict[str, Any], name: str, height: float):
    """The gains are soft: with no action the base sinks 7 cm (Go1) and 10 cm (Go2-W) below the rigid stance."""
    entity = settled[name]
    assert float(entity.get_pos()[0, 2]) == pytest.approx(height, abs=0.005)
    assert float(entity.get_vel().norm()) < 0.02
    _, qx, qy, _ = entity.get_quat()[0].tolist()
    assert 1 - 2 * (qx**2 + qy**2) > 0.95
    height_there, legs_there = _dropped_in_mujoco(name, DROP[name])
    assert float(entity.get_pos()[0, 2]) == pytest.approx(height_there, abs=0.01)
    legs = _dofs(entity, [joint for joint in joint_names(name) if joint not in WHEEL_JOINTS])
    assert entity.get_dofs_position(legs)[0].tolist() == pytest.approx(legs_there, abs=0.06)


@pytest.mark.sim
@pytest.mark.xdist_group("sim")
def test_a_positive_wheel_speed_drives_forward(settled: dict[str, Any]):
    """5 rad/s on wheels of 0.086 m: 0.43 m/s without slip and without the joints' own friction."""
    go2w = settled[GO2W]
    _drive(go2w, 5.0)
    for _ in range(500):
        settled["scene"].step()
    start = go2w.get_pos()[0].clone()
    for _ in range(500):
        settled["scene"].step()
    x, y, _ = (go2w.get_pos()[0] - start).tolist()
    _drive(go2w, 0.0)
    assert 0.3 < x < 0.45
    assert abs(y) < 0.02
