from collections.abc import Callable

import pytest
import torch

from genelab.errors import RunError
from genelab.mdp.rotations import quat_apply_inverse, quat_conjugate
from genelab.mdp.state import StateWrite
from genelab.registry import get_task
from genelab.sim.genesis import read_back
from genelab.sim.genesis.simulation import Simulation
from genelab.sim.read_back import writes
from tests.sim.motions import require_the_jacobian_of_the_hand

pytestmark = [pytest.mark.sim, pytest.mark.xdist_group("sim")]

Build = Callable[[str, int], Simulation]
FRANKA = "GeneLab-Franka-Pick-And-Place-v0"
ENV = get_task(FRANKA).env
EVERYWHERE = torch.ones(4, dtype=torch.bool)


@pytest.fixture
def sim(build: Build) -> Simulation:
    sim = build(FRANKA, 4)
    sim.reset(EVERYWHERE)
    return sim


@pytest.mark.parametrize(
    ("quantity", "value", "told"),
    [
        ("mass", 0.0128, r"^env\.objects\.cube\.mass: the simulator holds 0\.0384\d*, the config says 0\.0128"),
        ("friction", 0.5, r"^env\.objects\.cube\.friction: the simulator holds 1\.0, the config says 0\.5"),
    ],
)
def test_an_object_that_is_not_what_the_config_says_is_an_error(
    sim: Simulation, quantity: str, value: float, told: str
):
    cube = ENV.objects["cube"].model_copy(update={quantity: value})
    with pytest.raises(RunError, match=told):
        read_back.objects(sim._objects, {"cube": cube})


@pytest.mark.parametrize(
    ("part", "field", "value", "told"),
    [
        ("robot", "gravity_compensation", 0.0, r"the simulator holds 1\.0, the config says 0\.0"),
        ("ground", "friction", 0.5, r"the simulator holds 1\.0, the config says 0\.5"),
    ],
)
def test_a_scene_that_is_not_what_the_config_says_is_an_error(
    sim: Simulation, part: str, field: str, value: float, told: str
):
    other = getattr(ENV, part).model_copy(update={field: value})
    with pytest.raises(RunError, match=rf"^env\.{part}\.{field}: {told}"):
        read_back.materials(sim._scene, sim._robot, sim._ground, ENV.model_copy(update={part: other}))


def test_gravity_compensation_is_read_from_the_solver(sim: Simulation):
    """The entity would repeat what it was told, whatever became of it."""
    field = sim._scene.sim.rigid_solver.dyn_info.entities.gravity_compensation
    before = field.to_numpy()
    field.from_numpy(0.0 * before)
    try:
        with pytest.raises(RunError, match=r"^env\.robot\.gravity_compensation: the simulator holds 0\.0, the config"):
            read_back.materials(sim._scene, sim._robot, sim._ground, ENV)
    finally:
        field.from_numpy(before)
    read_back.materials(sim._scene, sim._robot, sim._ground, ENV)


def test_a_pose_write_that_does_nothing_is_an_error(sim: Simulation, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sim._objects[0], "set_qpos", lambda *_, **__: None)
    with pytest.raises(RunError, match="object 'cube': the pose read back from the simulator is not the one written"):
        writes(sim, None)


def test_a_pose_is_written_where_masked_and_stops_the_object(sim: Simulation):
    high = torch.tensor([0.4, 0.2, 0.5, 1.0, 0.0, 0.0, 0.0]).expand(4, 7).contiguous()
    sim.write(StateWrite(object_pose_w={"cube": high}), EVERYWHERE)
    for _ in range(10):
        sim.step()
    falling = sim.object_lin_vel_w()[:, 0, 2].clone()
    assert falling.tolist() == pytest.approx([-0.981] * 4, rel=1e-3)
    before = sim.object_pos_w()[:, 0].clone()
    pose = torch.tensor([[0.5, 0.01 * i, 0.3, 0.8, 0.0, 0.6, 0.0] for i in range(4)])
    some = torch.tensor([False, True, False, True])
    sim.write(StateWrite(object_pose_w={"cube": pose}), some)
    torch.testing.assert_close(sim.object_pos_w()[some, 0], pose[some, :3])
    torch.testing.assert_close(sim.object_quat_w()[some, 0], pose[some, 3:])
    assert torch.equal(sim.object_pos_w()[~some, 0], before[~some])
    assert sim.object_lin_vel_w()[:, 0, 2].tolist() == [falling[0], 0.0, falling[2], 0.0]
    assert torch.equal(sim._objects[0].get_dofs_velocity()[some], torch.zeros(2, 6))


def test_a_cube_let_go_falls_and_rests_on_the_ground(sim: Simulation):
    pose = torch.tensor([0.3, 0.3, 0.04, 1.0, 0.0, 0.0, 0.0]).expand(4, 7).contiguous()
    sim.write(StateWrite(object_pose_w={"cube": pose}), EVERYWHERE)
    for _ in range(50):
        sim.step()
    assert sim.object_pos_w()[:, 0].flatten().tolist() == pytest.approx([0.3, 0.3, 0.02] * 4, abs=5e-4)
    assert float(sim.object_lin_vel_w().abs().max()) < 1e-2


def test_the_jacobian_is_the_derivative_of_the_hands_pose(sim: Simulation):
    require_the_jacobian_of_the_hand(sim)


def test_the_default_orientation_of_the_hand_points_down(sim: Simulation):
    hand = sim.names.link_id("hand")
    quat = sim.default_link_quat_w[hand]
    axis_w = quat_apply_inverse(quat_conjugate(quat), torch.tensor([0.0, 0.0, 1.0]))
    assert axis_w.tolist() == pytest.approx([0.0, 0.0, -1.0], abs=2e-2)
    sim.write(StateWrite(joint_pos=sim.default_joint_pos.expand(4, 9).contiguous()), EVERYWHERE)
    assert torch.equal(sim.link_quat_w()[:, hand], quat.expand(4, 4))
    assert sim.link_pos_w()[0, hand].tolist() == pytest.approx([0.638, 0.0, 0.302], abs=1e-3)


def test_the_robot_carries_its_weight_and_the_cube_does_not(sim: Simulation):
    """With full gravity compensation a limp arm stays where it is, while the cube falls."""
    sim.write(StateWrite(joint_pos=sim.default_joint_pos.expand(4, 9).contiguous()), EVERYWHERE)
    high = torch.tensor([0.2, 0.4, 0.5, 1.0, 0.0, 0.0, 0.0]).expand(4, 7).contiguous()
    sim.write(StateWrite(object_pose_w={"cube": high}), EVERYWHERE)
    arm = sim._dofs[:7]
    sim._robot.control_dofs_force(torch.zeros(4, 7), arm)
    before = sim.link_pos_w().clone()
    for _ in range(10):
        sim.step()
    assert float((sim.link_pos_w() - before).abs().max()) < 1e-4
    assert float(sim.object_pos_w()[:, 0, 2].max()) < 0.46
    sim.reset(EVERYWHERE)
