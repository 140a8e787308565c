"""The model of the Go1 against the official one."""

import hashlib
import subprocess
import sys
import xml.etree.ElementTree as ET
import zipfile

import mujoco
import numpy as np
import pytest

from genelab.config.base import resolve_asset


def compiled() -> mujoco.MjModel:
    return mujoco.MjModel.from_xml_path(str(resolve_asset("genelab_unitree:models/go1.xml")))


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
    ours = compiled()
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
    models = (compiled(), official_go1)
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
