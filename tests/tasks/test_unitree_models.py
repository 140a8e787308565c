import hashlib
import subprocess
import sys
import xml.etree.ElementTree as ET
import zipfile
from typing import TYPE_CHECKING, Any

import mujoco
import numpy as np
import pytest

from genelab.config.base import resolve_asset

if TYPE_CHECKING:
    from genelab.sim.session import Session

GO1, GO2W = "go1", "go2w"
WHEEL_JOINTS = [f"{leg}_wheel_joint" for leg in ("FL", "FR", "RL", "RR")]


# Per robot: legs and parts of a leg in file order.
LAYOUT = {
    GO1: (("FR", "FL", "RR", "RL"), ("hip", "thigh", "calf")),
    GO2W: (("FL", "FR", "RL", "RR"), ("hip", "thigh", "calf", "wheel")),
}
DEFAULT_POS = {"hip": 0.0, "thigh": 0.9, "calf": -1.8}
DROP = {GO1: 0.42, GO2W: 0.45}


def joint_names(robot: str) -> list[str]:
    legs, parts = LAYOUT[robot]
    return [f"{leg}_{part}_joint" for leg in legs for part in parts]


def compiled(robot: str) -> mujoco.MjModel:
    return mujoco.MjModel.from_xml_path(str(resolve_asset(f"genelab_unitree:models/{robot}.xml")))


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
