"""The models of the Go1 and the G1 against the official ones."""

import hashlib
import math
import subprocess
import sys
import xml.etree.ElementTree as ET
import zipfile
from pathlib import Path

import mujoco
import numpy as np
import pytest

from genelab.config.base import resolve_asset
from genelab_unitree.robots import g1

WHEEL = "mjlab-1.6.0-py3-none-any.whl"
WHEEL_SHA256 = "03d003854e2f44c48330c6dcf4c2253ff7641bb569747846825a21b9efa8540b"


def compiled(name: str) -> mujoco.MjModel:
    return mujoco.MjModel.from_xml_path(str(resolve_asset(f"genelab_unitree:models/{name}.xml")))


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The mjlab wheel (Apache-2.0). 14 MB, which pip keeps in its cache."""
    folder = tmp_path_factory.mktemp("mjlab")
    pip = [sys.executable, "-m", "pip", "download", "-q", "--disable-pip-version-check", "--retries", "1"]
    options = ["--no-deps", "--only-binary=:all:", "--dest", str(folder)]
    got = subprocess.run([*pip, *options, "mjlab==1.6.0"], capture_output=True, text=True, check=False)
    if got.returncode != 0:
        last = (got.stderr.strip().splitlines() or ["no message"])[-1]
        pytest.skip(f"pip cannot download the official models, which are part of mjlab 1.6.0: {last}")
    assert hashlib.sha256((folder / WHEEL).read_bytes()).hexdigest() == WHEEL_SHA256
    return folder / WHEEL


@pytest.fixture(params=["go1", "g1"])
def robot(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def official(wheel: Path, robot: str) -> mujoco.MjModel:
    """The official model without its meshes."""
    with zipfile.ZipFile(wheel) as archive:
        root = ET.fromstring(archive.read(f"mjlab/asset_zoo/robots/unitree_{robot}/xmls/{robot}.xml"))
    for parent in list(root.iter()):
        for child in [c for c in parent if c.tag == "mesh" or (c.tag == "geom" and "mesh" in c.attrib)]:
            parent.remove(child)
    return mujoco.MjModel.from_xml_string(ET.tostring(root, encoding="unicode"))


def test_the_model_is_the_official_one(official: mujoco.MjModel, robot: str) -> None:
    ours = compiled(robot)
    assert [ours.body(k).name for k in range(ours.nbody)] == [official.body(k).name for k in range(ours.nbody)]
    assert [ours.joint(k).name for k in range(ours.njnt)] == [official.joint(k).name for k in range(ours.njnt)]
    assert np.array_equal(ours.jnt_axis, official.jnt_axis)
    assert np.array_equal(ours.jnt_range, official.jnt_range)
    assert np.array_equal(ours.jnt_limited, official.jnt_limited)
    assert ours.body_mass.sum() == pytest.approx(official.body_mass.sum(), rel=1e-12)
    # All that is left of its geoms collides.
    for k in range(official.ngeom):
        theirs = official.geom(k)
        mine = ours.geom(theirs.name)
        assert (mine.type[0], mine.bodyid[0]) == (theirs.type[0], theirs.bodyid[0])
        for field in ("pos", "quat", "size", "friction"):
            assert getattr(mine, field) == pytest.approx(getattr(theirs, field), abs=1e-9)
    for k in range(official.nsite):
        theirs = official.site(k)
        assert np.array_equal(ours.site(theirs.name).pos, theirs.pos)


def test_the_model_moves_as_the_official_one(official: mujoco.MjModel, robot: str) -> None:
    """Poses of all bodies and the joint-space mass matrix in 100 random configurations.

    Without armature: the official file leaves it to mjlab's actuators.
    """
    rng = np.random.default_rng(1)
    models = (compiled(robot), official)
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


ROTORS = {
    # Inertias of the rotors of a motor's stages, 1e-4 kg m^2, and the gears between them.
    "motors_5020": ((0.139, 0.017, 0.169), (1 + 46 / 18, 1 + 56 / 16)),
    "motors_7520_14": ((0.489, 0.098, 0.533), (4.5, 1 + 48 / 22)),
    "motors_7520_22": ((0.489, 0.109, 0.738), (4.5, 5.0)),
    "motors_4010": ((0.068, 0.0, 0.0), (5.0, 5.0)),
    "pairs_of_5020": ((0.278, 0.034, 0.338), (1 + 46 / 18, 1 + 56 / 16)),
}


@pytest.mark.parametrize("gains", ["published", "correct"])
def test_the_g1s_gains_follow_from_its_motors(gains: g1.Gains) -> None:
    robot, model = g1.robot(gains), compiled("g1")
    assert set(robot.actuators) == set(ROTORS)
    for name, ((i0, i1, i2), (g1_, g2)) in ROTORS.items():
        correct = 1e-4 * (i0 * (g1_ * g2) ** 2 + i1 * g2**2 + i2)
        published = 1e-4 * (i0 * (g1_ * g2) ** 2 + i1 * (g1_ * g2) ** 2 + i2 * g2**2)
        wanted = published if gains == "published" else correct
        group = robot.actuators[name]
        assert group.kp == pytest.approx(wanted * (20 * math.pi) ** 2, rel=3e-6)
        assert group.kv == pytest.approx(4 * wanted * 20 * math.pi, rel=3e-6)
        for joint in robot.joints_of(group):
            in_file = float(model.dof_armature[model.joint(joint).dofadr[0]])
            assert in_file == pytest.approx(correct, rel=3e-6)
            assert robot.armature_of(joint, in_file) == pytest.approx(wanted, rel=3e-6)
    # A quarter of the torque per unit of action, whatever the gains are.
    scale = g1.action(gains).scales(robot.joints)
    for joint in robot.joints:
        group = robot.actuator_of(joint)
        assert scale[joint] * group.kp == pytest.approx(0.25 * group.max_effort)


def test_either_shape_of_the_foot_is_left_out() -> None:
    capsules, balls = g1.robot(), g1.robot(left_out=g1.CAPSULES)
    assert len(capsules.geoms_left_out) == 8
    assert len(balls.geoms_left_out) == 14
    # Both stand on the same height.
    model = compiled("g1")
    lowest = {name: model.geom(name).pos[2] for name in (*capsules.geoms_left_out, *balls.geoms_left_out)}
    assert set(lowest.values()) == {-0.025}
