"""The MuJoCo engine: what `Engine` promises, on MuJoCo."""

import math
from collections.abc import Callable
from pathlib import Path

import mujoco
import numpy as np
import pytest
import torch
from torch import Tensor

from genelab.config.env import EnvCfg
from genelab.errors import InputError, RunError
from genelab.mdp.state import ModelWrite, StateWrite
from genelab.sim.mujoco.simulation import Simulation
from genelab.sim.read_back import writes
from genelab.sim.session import Session
from tests.sim.motions import (
    everywhere,
    require_it_falls_within_two_seconds_under_its_gains,
    require_the_fall_of_plain_mujoco,
    require_the_force_of_a_hand_on_the_thigh,
    require_the_jacobian_of_the_hand,
)
from tests.stage import stage

GO1, ROUGH = "Genelab-Velocity-Flat-Unitree-Go1-v0", "Genelab-Velocity-Rough-Unitree-Go1-v0"
G1 = "Genelab-Velocity-Flat-Unitree-G1-v0"
GO2W = "Genelab-Velocity-Flat-Unitree-Go2W-v0"
FRANKA, DOUBLE = "GeneLab-Franka-Pick-And-Place-v0", "GeneLab-Double-Inverted-Pendulum-v1"
Build = Callable[[str, int], Simulation]


def session(threads: int = 1) -> Session:
    """Nothing to start: that is done where a worker begins."""
    return Session("mujoco", torch.device("cpu"), 1, threads, {}, 0.0)


def env_of(task: str) -> EnvCfg:
    env = stage(task).env
    return env.model_copy(update={"sim": env.sim.model_copy(update={"engine": "mujoco"})})


def simulation(task: str, num_envs: int, threads: int = 1) -> Simulation:
    return Simulation(env_of(task), num_envs, session(threads))


def stand(sim: Simulation, height: float) -> None:
    """The Go1 in its default pose, its trunk at a height, m."""
    pose = torch.tensor([0.0, 0.0, height, 1.0, 0.0, 0.0, 0.0]).expand(sim.num_envs, 7)
    pos = sim.default_joint_pos.expand(sim.num_envs, -1)
    sim.write(StateWrite(joint_pos=pos, base_pose_w=pose), everywhere(sim))
    sim.set_targets(sim.default_targets.expand(sim.num_envs, -1))


def wiggle(sim: Simulation, steps: int, seed: int = 0) -> list[Tensor]:
    """States on the way of random targets that are the same in every environment of one number."""
    found: list[Tensor] = []
    for k in range(steps):
        draws = [torch.randn(1, 12, generator=torch.Generator().manual_seed(seed + 100 * k + n)) for n in range(16)]
        sim.set_targets(sim.default_targets + 0.3 * torch.cat(draws)[: sim.num_envs])
        sim.advance(5)
        parts = [sim.joint_pos(), sim.joint_vel(), sim.link_lin_vel_w(), sim.contact_force_w(), sim.joint_torque()]
        found.append(torch.cat([part.flatten(1) for part in parts], dim=1))
    return found


def test_a_standing_robot_is_carried_by_its_feet() -> None:
    sim = simulation(GO1, 2)
    stand(sim, 0.33)
    sim.advance(1000)
    force = sim.contact_force_w()
    weight = 9.81 * float(sum(sim._model.body(name).mass[0] for name in sim.names.links))
    assert force.sum(dim=1)[:, 2].tolist() == pytest.approx([weight] * 2, rel=1e-2)
    touching = [sim.names.links[k] for k in torch.nonzero(force[0, :, 2]).flatten().tolist()]
    assert touching == ["FR_calf", "FL_calf", "RR_calf", "RL_calf"]
    assert 0.2 < float(sim.link_pos_w()[0, 0, 2]) < 0.35
    # The calves push the trunk up: their torque is what their law says of the error that is left.
    calf = sim.names.joint_ids(["FR_calf_joint"])[0]
    error = float(sim.default_joint_pos[calf] - sim.joint_pos()[0, calf])
    assert float(sim.joint_torque()[0, calf]) == pytest.approx(25.0 * error - 0.5 * float(sim.joint_vel()[0, calf]))
    assert abs(error) > 0.01


def test_an_environment_is_the_same_however_many_there_are_and_on_any_number_of_threads() -> None:
    ways: list[list[Tensor]] = []
    for num_envs, threads in ((1, 1), (2, 1), (16, 1), (16, 2)):
        sim = simulation(GO1, num_envs, threads)
        stand(sim, 0.33)
        ways.append(wiggle(sim, 20))
    for way in ways[1:]:
        assert all(torch.equal(a[0], b[0]) for a, b in zip(ways[0], way, strict=True))
    assert all(torch.equal(a, b) for a, b in zip(ways[2], ways[3], strict=True))


def test_a_restored_state_goes_on_bit_equal_in_a_new_scene() -> None:
    sim, other = simulation(GO1, 4), simulation(GO1, 4)
    stand(sim, 0.33)
    wiggle(sim, 10)
    saved = sim.state_dict()
    force = sim.contact_force_w()
    assert float(force.abs().max()) > 1.0
    first = wiggle(sim, 10, seed=7)
    wiggle(other, 3, seed=9)
    other.load_state_dict(saved)
    assert torch.equal(other.contact_force_w(), force)
    assert all(torch.equal(a, b) for a, b in zip(first, wiggle(other, 10, seed=7), strict=True))
    # Without being told anew, it goes on towards the same targets.
    for each in (sim, other):
        each.load_state_dict(saved)
        each.advance(3)
    assert torch.equal(sim.joint_pos(), other.joint_pos())
    with pytest.raises(InputError, match="simulator state: rows has shape"):
        simulation(GO1, 2).load_state_dict(saved)
    del saved["rows"]
    with pytest.raises(InputError, match=r"simulator state: arrays differ: \['rows'\]"):
        other.load_state_dict(saved)


def test_a_reset_environment_goes_on_as_a_new_one_and_leaves_the_others_alone() -> None:
    sim, new = simulation(GO1, 4), simulation(GO1, 4)
    stand(sim, 0.33)
    wiggle(sim, 10)
    before = sim.joint_pos()
    some = torch.tensor([False, True, False, True])
    sim.reset(some)
    assert torch.equal(sim.joint_pos()[~some], before[~some])
    assert torch.equal(sim.contact_force_w()[some], torch.zeros(2, 13, 3))
    ways = zip(wiggle(sim, 10), wiggle(new, 10), strict=True)
    assert all(torch.equal(a[some], b[some]) for a, b in ways)


def test_writes_keep_what_they_do_not_name() -> None:
    sim = simulation(GO1, 4)
    speed = torch.arange(24.0).reshape(4, 6) / 10
    half = math.sqrt(0.5)
    pose = torch.tensor([0.1, 0.2, 0.9, half, 0.0, 0.0, half]).expand(4, 7)
    sim.write(StateWrite(base_vel_w=speed, joint_vel=torch.full((4, 12), 0.2)), everywhere(sim))
    some = torch.tensor([False, True, False, True])
    sim.write(StateWrite(joint_pos=sim.default_joint_pos.expand(4, 12)), some)
    assert torch.equal(sim.joint_vel(), torch.full((4, 12), 0.2))
    # A turn of the base leaves the velocity in the world as written afterwards, in any frame that MuJoCo keeps it.
    sim.write(StateWrite(base_pose_w=pose, base_vel_w=speed), some)
    torch.testing.assert_close(sim.link_lin_vel_w()[:, 0], speed[:, :3])
    torch.testing.assert_close(sim.link_ang_vel_w()[:, 0], speed[:, 3:])


def test_velocities_of_links_are_derivatives_of_their_positions() -> None:
    sim = simulation(GO1, 2)
    stand(sim, 2.0)
    speed = torch.tensor([[0.5, -0.4, 0.3, 1.0, -2.0, 3.0]] * 2)
    joints = torch.randn(2, 12, generator=torch.Generator().manual_seed(5))
    sim.write(StateWrite(base_vel_w=speed, joint_vel=joints), everywhere(sim))
    before = sim.link_pos_w()
    sim.advance(1)
    # Positions go with the velocity after the step.
    vel = sim.link_lin_vel_w()
    torch.testing.assert_close((sim.link_pos_w() - before) / 0.002, vel, rtol=0.0, atol=0.01)
    assert float((vel - vel[:, :1]).norm(dim=2).max()) > 0.7


def test_the_jacobian_is_the_derivative_of_the_hands_pose() -> None:
    require_the_jacobian_of_the_hand(simulation(FRANKA, 4))


def test_a_cube_falls_and_rests_and_the_arm_carries_its_own_weight() -> None:
    sim = simulation(FRANKA, 2)
    pose = torch.tensor([0.3, 0.3, 0.3, 1.0, 0.0, 0.0, 0.0]).expand(2, 7)
    arm = sim.default_joint_pos.expand(2, 9)
    sim.write(StateWrite(joint_pos=arm, object_pose_w={"cube": pose}), everywhere(sim))
    sim.set_targets(sim.default_targets.expand(2, -1))
    sim.advance(10)
    # Steps of 5 ms, each after its own share of gravity.
    assert sim.object_lin_vel_w()[:, 0, 2].tolist() == pytest.approx([-0.981] * 2, rel=1e-3)
    sim.advance(90)
    assert sim.object_pos_w()[:, 0].flatten().tolist() == pytest.approx([0.3, 0.3, 0.02] * 2, abs=1e-3)
    assert float((sim.joint_pos() - arm).abs().max()) < 1e-3


def test_a_pendulum_falls_as_in_plain_mujoco() -> None:
    require_the_fall_of_plain_mujoco(simulation(DOUBLE, 4), env_of(DOUBLE).robot)


def test_a_wheel_turns_at_the_speed_it_is_told() -> None:
    sim = simulation(GO2W, 2)
    pose = torch.tensor([0.0, 0.0, 1.5, 1.0, 0.0, 0.0, 0.0]).expand(2, 7)
    sim.write(StateWrite(joint_pos=sim.default_joint_pos.expand(2, -1), base_pose_w=pose), everywhere(sim))
    targets = sim.default_targets.clone()
    targets[12:] = torch.tensor([5.0, -5.0, 2.0, 0.0])
    sim.set_targets(targets.expand(2, -1))
    sim.advance(100)
    wheels = sim.names.joint_ids([f"{leg}_wheel_joint" for leg in ("FL", "FR", "RL", "RR")])
    # Short of it by what friction (0.2 N m) and damping (0.1 N m s/rad) take of a gain of 5 N m s/rad.
    expected = [(5.0 * v - 0.2 * np.sign(v)) / 5.1 for v in (5.0, -5.0, 2.0, 0.0)]
    assert sim.joint_vel()[0, wheels].tolist() == pytest.approx(expected, abs=0.15)


def test_explicit_forces_are_limited_and_go_to_their_own_joints() -> None:
    env = env_of(GO1)
    calves = env.robot.actuators["calves"].model_copy(
        update={"law": "explicit_pd", "kp": 20.0, "kv": 1.5, "effort_limit": 6.0}
    )
    robot = env.robot.model_copy(update={"actuators": {**env.robot.actuators, "calves": calves}})
    order = tuple(sorted(env.robot.joints, reverse=True))
    action = env.action.model_copy(update={"joints": order})
    sim = Simulation(env.model_copy(update={"robot": robot, "action": action}), 2, session())
    generator = torch.Generator().manual_seed(0)
    pos = sim.default_joint_pos + 0.2 * torch.randn(2, 12, generator=generator)
    vel = torch.randn(2, 12, generator=generator)
    targets = sim.default_targets + 0.3 * torch.randn(2, 12, generator=generator)
    stand(sim, 2.0)
    sim.write(StateWrite(joint_pos=pos, joint_vel=vel), everywhere(sim))
    sim.set_targets(targets)
    sim.advance(1)
    limited = 0
    for name in robot.joints_of(calves):
        column, dof = sim.names.joint_ids([name])[0], sim._model.joint(name).dofadr[0]
        wanted = 20.0 * (targets[:, order.index(name)] - pos[:, column]) - 1.5 * vel[:, column]
        limited += int((wanted.abs() > 6.0).sum())
        wanted = wanted.clamp(-6.0, 6.0).tolist()
        assert sim.joint_torque()[:, column].tolist() == pytest.approx(wanted, rel=1e-4)
        assert sim._batch.actuator_force[:, sim._model.actuator(name).id].tolist() == pytest.approx(wanted, rel=1e-4)
        assert dof >= 6
    assert 0 < limited < 8


def test_the_g1_has_its_own_armature_and_one_shape_of_the_foot() -> None:
    sim = simulation(G1, 1)
    model = sim._model
    names = {model.geom(k).name for k in range(model.ngeom)}
    assert {name for name in names if "ball" in name} == set()
    assert sum("_foot" in name for name in names) == 14
    assert model.joint("left_knee_joint").armature[0] == pytest.approx(0.03211875)
    assert model.joint("left_wrist_yaw_joint").armature[0] == pytest.approx(0.00425)


def test_a_robot_that_touches_itself_feels_how_hard() -> None:
    sim = simulation(G1, 2)
    require_the_force_of_a_hand_on_the_thigh(sim)
    require_it_falls_within_two_seconds_under_its_gains(sim)


def test_properties_are_those_of_each_environment_until_they_are_restored() -> None:
    sim = simulation(GO2W, 3)
    write = ModelWrite(
        link_friction={"FL_wheel_link": torch.tensor([0.5, 0.9, 1.3])},
        link_mass_offset={"base_link": torch.tensor([-1.0, 0.0, 2.0])},
        link_com_offset={"base_link": torch.tensor([[0.0, 0.0, 0.0], [0.05, 0.0, 0.0], [0.0, -0.05, 0.0]])},
        kp_factor=torch.tensor([0.8, 1.0, 1.2])[:, None].expand(3, 16),
        kv_factor=None,
    )
    sim.properties.write(write, everywhere(sim))
    pose = torch.tensor([0.0, 0.0, 0.46, 1.0, 0.0, 0.0, 0.0]).expand(3, 7)
    sim.write(StateWrite(joint_pos=sim.default_joint_pos.expand(3, -1), base_pose_w=pose), everywhere(sim))
    sim.set_targets(sim.default_targets.expand(3, -1))
    sim.advance(1000)
    weight = sim.contact_force_w().sum(dim=1)[:, 2]
    mass = float(sum(sim._model.body(name).mass[0] for name in sim.names.links))
    assert weight.tolist() == pytest.approx([9.81 * (mass + m) for m in (-1.0, 0.0, 2.0)], rel=4e-2)
    # Softer legs sink deeper.
    sag = (sim.joint_pos() - sim.default_joint_pos)[:, sim.names.joint_ids(["FL_calf_joint"])[0]].abs()
    assert float(sag[0]) > float(sag[1]) > 0.0
    sim.properties.restore()
    assert sim._batch.body("base_link").mass.flatten().tolist() == pytest.approx(
        [float(sim._model.body("base_link").mass[0])] * 3
    )
    lighter = ModelWrite(link_mass_offset={"base_link": torch.full((3,), -100.0)})
    with pytest.raises(RunError, match=r"mass/base_link = .* kg: must stay above 0"):
        sim.properties.write(lighter, everywhere(sim))


def test_an_environment_that_breaks_is_told_and_the_others_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    sim, whole = simulation(GO1, 3), simulation(GO1, 3)
    for each in (sim, whole):
        stand(each, 0.33)
    targets = sim.default_targets.expand(3, -1).clone()
    targets[1] = float("nan")
    sim.set_targets(targets)
    assert sim.advance(10).tolist() == [False, True, False]
    whole.set_targets(whole.default_targets.expand(3, -1))
    assert whole.advance(10).tolist() == [False] * 3
    assert torch.equal(sim.joint_pos()[[0, 2]], whole.joint_pos()[[0, 2]])
    sim.reset(torch.tensor([False, True, False]))
    sim.set_targets(sim.default_targets.expand(3, -1))
    assert sim.advance(10).tolist() == [False] * 3
    assert bool(torch.isfinite(sim.joint_pos()).all())
    assert list(tmp_path.iterdir()) == []


def test_bodies_touch_the_terrain_where_its_map_says() -> None:
    """Rays from above, against the heights that terms read: squares are cut along the same diagonal."""
    sim = simulation(ROUGH, 1)
    data = mujoco.MjData(sim._model)
    mujoco.mj_forward(sim._model, data)
    xy = (torch.rand(400, 2, generator=torch.Generator().manual_seed(1), dtype=torch.float64) - 0.5) * 60.0
    group = np.ones(6, dtype=np.uint8)
    found = []
    for x, y in xy.tolist():
        down, geom = np.array([0.0, 0.0, -1.0]), np.zeros(1, dtype=np.int32)
        robot = sim._model.body("trunk").id
        distance = mujoco.mj_ray(sim._model, data, np.array([x, y, 5.0]), down, group, 1, robot, geom)
        found.append(5.0 - distance)
    expected = sim.ground.height_at(xy.float())
    assert float(expected.max()) > 0.3
    error = (torch.tensor(found, dtype=torch.float32) - expected).abs()
    assert float(error.max()) < 1e-4


def test_a_ground_or_a_gain_that_was_not_taken_is_an_error() -> None:
    sim, env = simulation(GO1, 1), env_of(GO1)
    ground = sim._model.geom("ground 0")
    ground.friction[0] = 0.5
    with pytest.raises(RunError, match=r"env\.ground\.friction: the simulator holds 0\.5, the config says 1\.0"):
        sim._read_back(env)
    ground.friction[0] = 1.0
    sim._model.actuator("FR_calf_joint").gainprm[0] = 7.0
    with pytest.raises(RunError, match=r"actuator of 'FR_calf_joint': the simulator holds 7\.0, the config says 25\.0"):
        sim._read_back(env)


def test_a_randomised_gain_that_was_half_written_is_an_error() -> None:
    sim = simulation(GO1, 2)
    sim._batch.expand("actuator_gainprm")[:, 0, 0] = 7.0
    assert bool(torch.isnan(sim.properties._store.read("kp")[:, 0]).all())


def test_a_write_that_does_nothing_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    sim = simulation(FRANKA, 2)
    monkeypatch.setattr(sim, "_qvel", sim._qvel.copy())
    monkeypatch.setattr(sim, "joint_vel", lambda: torch.zeros(2, 9))
    with pytest.raises(RunError, match="joint velocities read back from the simulator are not those written"):
        writes(sim, None)
