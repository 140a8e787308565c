"""What is read of a model file without a simulator, against MuJoCo."""

import hashlib
import math
from collections.abc import Callable
from pathlib import Path

import mujoco
import pytest

from genelab.config.base import resolve_asset
from genelab.config.env import EnvCfg
from genelab.config.model_file import ModelFile, read_model
from genelab.config.overrides import apply_overrides
from genelab.errors import InputError
from genelab.registry import all_tasks, get_task

ROBOTS = {task.env.robot.model: task.env.robot for task in all_tasks() if isinstance(task.env, EnvCfg)}
Read = Callable[[str], ModelFile]


@pytest.fixture
def read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Read:
    """Reads the text of a model file, and sees that MuJoCo finds the same in it."""
    package = tmp_path / "robots_of_a_test"
    package.mkdir()
    monkeypatch.syspath_prepend(str(tmp_path))

    def run(text: str) -> ModelFile:
        path = package / "robot.xml"
        path.write_text(text)
        found = read_model("robots_of_a_test:robot.xml", hashlib.sha256(text.encode()).hexdigest())
        _compare(found, mujoco.MjModel.from_xml_path(str(path)))
        return found

    return run


def _compare(found: ModelFile, model: mujoco.MjModel) -> None:
    joints = [model.joint(k) for k in range(model.njnt) if model.jnt_type[k] != mujoco.mjtJoint.mjJNT_FREE]
    assert dict(found.joints) == {j.name: tuple(j.range.tolist()) if j.limited[0] else None for j in joints}
    assert list(found.joints) == [joint.name for joint in joints]
    assert list(found.links) == [model.body(k).name for k in range(1, model.nbody)]
    # Those of the world are on no link.
    sites = [model.site(k) for k in range(model.nsite) if model.site_bodyid[k]]
    assert dict(found.sites) == {s.name: (model.body(s.bodyid[0]).name, tuple(s.pos.tolist())) for s in sites}
    free = [model.body(model.jnt_bodyid[k]).name for k in range(model.njnt) if model.jnt_type[k] == 0]
    assert [found.base] == (free or [None])


@pytest.mark.parametrize("model", ROBOTS)
def test_the_robots_are_read_as_mujoco_reads_them(model: str) -> None:
    _compare(ROBOTS[model].file, mujoco.MjModel.from_xml_path(str(resolve_asset(model))))


def test_defaults_are_inherited_by_class_and_by_parent(read: Read) -> None:
    found = read("""<mujoco>
      <compiler angle="radian" autolimits="false"/>
      <default>
        <joint range="-1 1" limited="true"/>
        <site pos="0 0 0.5"/>
        <default class="leg">
          <joint range="-2 2"/>
          <default class="knee"><joint range="0 2.5"/></default>
        </default>
      </default>
      <worldbody>
        <site name="lamp"/>
        <body name="trunk">
          <joint name="float" type="free" limited="false"/>
          <geom size="0.1"/>
          <body name="thigh" childclass="leg">
            <geom size="0.1"/>
            <joint name="hip"/>
            <site name="mark"/>
            <body name="shank">
              <geom size="0.1"/><joint name="knee" class="knee"/><site name="foot" pos="0 0 -1"/>
            </body>
          </body>
          <body name="head"><geom size="0.1"/><joint name="neck"/></body>
          <body name="tail"><geom size="0.1"/><joint name="tail" limited="false"/></body>
        </body>
      </worldbody>
    </mujoco>""")
    assert found.base == "trunk"
    assert found.joints == {"hip": (-2.0, 2.0), "knee": (0.0, 2.5), "neck": (-1.0, 1.0), "tail": None}
    assert found.sites == {"mark": ("thigh", (0.0, 0.0, 0.5)), "foot": ("shank", (0.0, 0.0, -1.0))}


def test_angles_are_degrees_unless_the_file_says_otherwise() -> None:
    # The published pendulum meant radians and said nothing.
    v0, v1 = (ROBOTS[f"genelab_cartpole:models/inverted_pendulum_{version}.xml"] for version in ("v0", "v1"))
    assert v0.range_of("hinge") == (-math.radians(1.2), math.radians(1.2))
    assert v1.range_of("hinge") == (-1.2, 1.2)
    assert v0.range_of("slider") == v1.range_of("slider") == (-3.0, 3.0)


BODY = '<mujoco><worldbody><body name="a"><geom size="1"/>{}</body></worldbody></mujoco>'


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("<mujoco", "unclosed token"),
        ("<robot/>", "the outermost element is <robot>, not <mujoco>"),
        ("<mujoco/>", "no joint moves"),
        (BODY.format("<joint/>"), "an element <joint> has no name"),
        (BODY.format('<joint name="b" type="ball"/>'), "joint 'b': type 'ball' is not supported"),
        (BODY.format('<joint name="b" range="1"/>'), "not enough values to unpack"),
        (BODY.format('<joint name="b" class="c"/>'), "class 'c' of element <joint> is not defined"),
        ('<mujoco><worldbody><include file="more.xml"/></worldbody></mujoco>', "element <include> is not supported"),
    ],
)
def test_what_is_not_read_is_refused(read: Read, text: str, told: str) -> None:
    with pytest.raises(InputError, match=f"model = 'robots_of_a_test:robot.xml': .*{told}") as caught:
        read(text)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (f"env.robot.model_sha256={'0' * 64}", "env.robot.model = 'genelab_cartpole:.*the file has sha256 3cbf6"),
        ("env.robot.model=genelab_cartpole:models/none.xml", "env.robot.model = .* holds no file 'models/none.xml'"),
    ],
)
def test_another_file_is_refused(change: str, told: str) -> None:
    with pytest.raises(InputError, match=told):
        apply_overrides(get_task("GeneLab-Inverted-Pendulum-v1"), [change])
