"""The quadrupeds in the simulator: what randomisation, mirror images and the base's frames really do."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from genelab.config.agent import NetworkCfg, PpoCfg
from genelab.config.stage import StartCfg
from genelab.envs.environment import Environment
from genelab.envs.purpose import Purpose
from genelab.errors import RunError
from genelab.evaluation.probe import drive
from genelab.learn.backend import backend_of
from genelab.mdp.state import ModelWrite, StateWrite
from genelab.registry import get_task
from genelab.sim.engine import Engine
from genelab.sim.session import Session
from tests.stage import stage

pytestmark = [pytest.mark.sim, pytest.mark.xdist_group("sim")]

Build = Callable[[str, int], Engine]
GO1 = "Genelab-Velocity-Flat-Unitree-Go1-v0"
STAGE_1, GO2W = "Genelab-Velocity-Flat-Unitree-Go2W-v0/locked", "Genelab-Velocity-Flat-Unitree-Go2W-v0"
N = 8
EVERYWHERE = torch.ones(N, dtype=torch.bool)


def make_env(build: Build, task: str, **options: bool) -> Environment:
    env = Environment(stage(task).env, build(task, N), Purpose(1, numbered=True, **options))
    env.reset()
    return env


def _halves(first: float, second: float) -> Tensor:
    return torch.tensor([first] * (N // 2) + [second] * (N // 2))


def _start(sim: Engine, speed: list[float]) -> None:
    """Every robot in its default pose, wheels or feet on the ground, the base with a velocity (x, y, z, turn)."""
    sim.reset(EVERYWHERE)
    pose = torch.tensor([[0.0, 0.0, 0.36, 1.0, 0.0, 0.0, 0.0]]).repeat(N, 1)
    sim.write(StateWrite(base_pose_w=pose), EVERYWHERE)
    sim.write(StateWrite(joint_pos=sim.default_joint_pos.repeat(N, 1)), EVERYWHERE)
    x, y, z, turn = speed
    sim.write(StateWrite(base_vel_w=torch.tensor([[x, y, z, 0.0, 0.0, turn]]).repeat(N, 1)), EVERYWHERE)


def _run(sim: Engine, steps: int) -> Tensor:
    """Physics steps with the default targets; the base's positions afterwards."""
    sim.set_targets(sim.default_targets.repeat(N, 1))
    for _ in range(steps):
        sim.step()
    return sim.link_pos_w()[:, 0]


def test_a_robot_that_does_nothing_sags_and_stands(build: Build) -> None:
    env = make_env(build, GO1, disturbances=False, measures=True)
    for _ in range(100):
        step = env.step(torch.zeros(N, 12))
    assert env.state().floating.height.mean() == pytest.approx(0.225, abs=0.01)
    assert not step.terminated.any()
    assert env.state().feet.contact.all()
    measured = step.finished.measures
    assert set(measured) == set(get_task(GO1).env.measures)
    # Nothing is walked.
    assert measured["speed_along_command"].abs().max() < 0.1


def test_a_push_is_in_the_world_frame_and_arrives(build: Build) -> None:
    env = make_env(build, GO1, disturbances=False)
    sim = build(GO1, N)
    half = 0.5**0.5
    pose = torch.tensor([[0.0, 0.0, 0.6, half, 0.0, 0.0, half]]).repeat(N, 1)
    sim.write(StateWrite(base_pose_w=pose), EVERYWHERE)
    sim.write(StateWrite(base_vel_w=torch.tensor([[0.5, 0.0, 0.0, 0.0, 0.3, 0.4]]).repeat(N, 1)), EVERYWHERE)
    body = env.state().floating
    assert body.lin_vel_w[0].tolist() == pytest.approx([0.5, 0.0, 0.0], abs=1e-5)
    assert body.ang_vel_w[0].tolist() == pytest.approx([0.0, 0.3, 0.4], abs=1e-5)
    # The robot looks along y: what pushes along x comes from its left.
    assert body.lin_vel_b[0].tolist() == pytest.approx([0.0, -0.5, 0.0], abs=1e-5)


def test_friction_decides_how_far_wheels_slide(build: Build) -> None:
    sim = build(STAGE_1, N)
    wheels = [f"{leg}_wheel_link" for leg in ("FL", "FR", "RL", "RR")]
    sim.properties.write(ModelWrite(link_friction=dict.fromkeys(wheels, _halves(0.3, 1.2))), EVERYWHERE)
    _start(sim, [0.0, 1.2, 0.0, 0.0])
    way = _run(sim, 150)[:, 1]
    sim.properties.write(ModelWrite(link_friction=dict.fromkeys(wheels, _halves(1.0, 1.0))), EVERYWHERE)
    assert way[0] > 1.2 * way[-1]


def test_friction_survives_a_reset(build: Build) -> None:
    sim = build(STAGE_1, N)
    write = ModelWrite(link_friction={"FL_wheel_link": _halves(0.3, 1.2)})
    sim.properties.write(write, EVERYWHERE)
    sim.reset(EVERYWHERE)
    found = sim._robot.solver.get_geoms_friction_ratio([sim._robot.get_link("FL_wheel_link").geoms[0].idx])
    assert torch.allclose(found.flatten(), _halves(0.3, 1.2))
    sim.properties.write(ModelWrite(link_friction={"FL_wheel_link": _halves(1.0, 1.0)}), EVERYWHERE)


def test_a_load_and_weak_gains_make_it_sag(build: Build) -> None:
    sim = build(STAGE_1, N)
    _start(sim, [0.0] * 4)
    plain = _run(sim, 500)[0, 2]
    sim.properties.write(ModelWrite(link_mass_offset={"base_link": _halves(3.0, 0.0)}), EVERYWHERE)
    _start(sim, [0.0] * 4)
    height = _run(sim, 500)[:, 2]
    assert height[-1] == pytest.approx(float(plain), abs=1e-3)
    assert height[0] < plain - 0.01
    sim.properties.write(ModelWrite(link_mass_offset={"base_link": _halves(0.0, 0.0)}), EVERYWHERE)
    factor = torch.ones(N, 16)
    factor[: N // 2] = 0.7
    sim.properties.write(ModelWrite(kp_factor=factor, kv_factor=torch.ones(N, 16)), EVERYWHERE)
    _start(sim, [0.0] * 4)
    height = _run(sim, 500)[:, 2]
    sim.properties.write(ModelWrite(kp_factor=torch.ones(N, 16), kv_factor=torch.ones(N, 16)), EVERYWHERE)
    assert height[-1] == pytest.approx(float(plain), abs=1e-3)
    assert height[0] < plain - 0.01


def test_contact_forces_carry_the_robot_and_its_load(build: Build) -> None:
    sim = build(STAGE_1, N)
    sim.properties.write(ModelWrite(link_mass_offset={"base_link": _halves(0.0, 2.0)}), EVERYWHERE)
    _start(sim, [0.0] * 4)
    _run(sim, 3000)
    force = sim.contact_force_w().sum(dim=1)
    sim.properties.write(ModelWrite(link_mass_offset={"base_link": torch.zeros(N)}), EVERYWHERE)
    assert force[:, 2].tolist() == pytest.approx(((19.126408 + _halves(0.0, 2.0)) * 9.81).tolist(), rel=1e-3)
    assert force[:, :2].abs().max() < 0.5


def test_a_mass_that_is_not_above_0_is_an_error_in_every_draw(build: Build) -> None:
    sim = build(STAGE_1, N)
    sim.properties.write(ModelWrite(link_mass_offset={"base_link": torch.zeros(N)}), EVERYWHERE)
    before = sim._robot.get_links_mass([sim._robot.get_link("base_link").idx_local]).clone()
    with pytest.raises(RunError, match=r"robot: mass/base_link = -\d.* kg: must stay above 0"):
        sim.properties.write(ModelWrite(link_mass_offset={"base_link": _halves(0.0, -30.0)}), EVERYWHERE)
    assert torch.equal(sim._robot.get_links_mass([sim._robot.get_link("base_link").idx_local]), before)


def test_only_the_masked_environments_are_written(build: Build) -> None:
    sim = build(STAGE_1, N)
    mask = torch.arange(N) < 2
    sim.properties.write(ModelWrite(link_mass_offset={"base_link": torch.full((N,), 1.5)}), mask)
    found = sim._robot.get_links_mass([sim._robot.get_link("base_link").idx_local]).flatten()
    sim.properties.write(ModelWrite(link_mass_offset={"base_link": torch.zeros(N)}), EVERYWHERE)
    assert (found[:2] - found[2:4]).tolist() == pytest.approx([1.5, 1.5], abs=1e-4)


def test_a_restored_environment_goes_on_bit_equal(build: Build) -> None:
    """With a history, late actions and drawn properties, which are drawn again and not restored."""

    def fresh() -> Environment:
        env = Environment(stage(STAGE_1).env, build(STAGE_1, N), Purpose(5, numbered=False))
        env.reset()
        return env

    def actions(step: int) -> Tensor:
        return 0.3 * torch.sin(torch.arange(N * 16).reshape(N, 16) * 0.7 + step)

    env = fresh()
    for k in range(6):
        env.step(actions(k))
    state = {name: value.clone() for name, value in env.state_dict().items()}
    expected = [env.step(actions(k)) for k in range(6, 10)]
    again = fresh()
    again.load_state_dict(state)
    for k, old in enumerate(expected, start=6):
        new = again.step(actions(k))
        assert torch.equal(new.reward, old.reward)
        assert all(torch.equal(new.observations[name], old.observations[name]) for name in old.observations)


def test_encoders_shift_legs_and_no_wheels(build: Build) -> None:
    env = _with_action(build, randomized=True, latency=(0, 0), noise_std=0.0)
    bias = -env._parts["randomizations"].aim(torch.zeros(N, 16))
    assert bias[:, :12].abs().min(dim=0).values.max() > 0.0
    assert bias.abs().max() <= 0.015
    assert not bias[:, 12:].any()
    asked = _asked_for(build(STAGE_1, N), env, [torch.zeros(N, 16)])
    default = build(STAGE_1, N).default_targets.repeat(N, 1)
    default[:, 12:] = 0.0
    assert torch.equal(asked[0], default - bias)


def _asked_for(sim: Engine, env: Environment, actions: list[Tensor]) -> list[Tensor]:
    """The targets that reach the simulator in steps with these actions."""
    asked: list[Tensor] = []
    plain = sim.set_targets
    sim.set_targets = lambda targets: (asked.append(targets.clone()), plain(targets))[1]  # type: ignore[method-assign]
    for action in actions:
        env.step(action)
    del sim.set_targets
    return asked


def _with_action(build: Build, randomized: bool = False, **changes: object) -> Environment:
    """The first stage of the Go2-W with another latency or noise, and without its randomisations unless told."""
    cfg = stage(STAGE_1).env
    cfg = cfg.model_copy(update={"action": cfg.action.model_copy(update=changes)})
    if not randomized:
        cfg = cfg.model_copy(update={"randomizations": {}})
    env = Environment(cfg, build(STAGE_1, N), Purpose(1, numbered=True))
    env.reset()
    return env


def test_actions_reach_the_motors_late_and_noisy(build: Build) -> None:
    sim = build(STAGE_1, N)
    actions = [torch.full((N, 16), float(k)) for k in (1, 2, 3, 4)]
    late = _asked_for(sim, _with_action(build, latency=(2, 2), noise_std=0.0), actions)
    legs = torch.stack(late)[:, :, :12] - sim.default_targets[:12]
    assert (legs / 0.25).mean(dim=(1, 2)).tolist() == pytest.approx([0.0, 0.0, 1.0, 2.0], abs=1e-5)
    assert legs.std(dim=(1, 2)).max() < 1e-6
    noisy = _asked_for(sim, _with_action(build, latency=(0, 0), noise_std=0.05), actions)
    error = (
        torch.stack(noisy)[:, :, :12] - sim.default_targets[:12] - 0.25 * torch.tensor([1.0, 2, 3, 4])[:, None, None]
    )
    # 384 draws.
    assert float(error.std()) == pytest.approx(0.05 * 0.25, rel=0.15)
    assert abs(float(error.mean())) < 0.003


def test_velocity_gains_decide_how_fast_wheels_spin_up_and_legs_move(build: Build) -> None:
    sim = build(GO2W, N)
    factor = torch.ones(N, 16)
    factor[: N // 2] = 0.5
    sim.properties.write(ModelWrite(kp_factor=torch.ones(N, 16), kv_factor=factor), EVERYWHERE)
    # High above the ground.
    sim.reset(EVERYWHERE)
    sim.write(StateWrite(base_pose_w=torch.tensor([[0.0, 0.0, 2.0, 1.0, 0.0, 0.0, 0.0]]).repeat(N, 1)), EVERYWHERE)
    sim.write(StateWrite(joint_pos=sim.default_joint_pos.repeat(N, 1)), EVERYWHERE)
    targets = sim.default_targets.repeat(N, 1)
    targets[:, 12:] = 2.0
    targets[:, 1] += 0.3
    sim.set_targets(targets)
    for _ in range(2):
        sim.step()
    wheels, thigh = (
        sim.joint_vel()[:, sim.names.joint_ids(["FL_wheel_joint"])[0]],
        sim.names.joint_ids(["FL_thigh_joint"]),
    )
    for _ in range(13):
        sim.step()
    moving = sim.joint_vel()[:, thigh[0]]
    sim.properties.write(ModelWrite(kp_factor=torch.ones(N, 16), kv_factor=torch.ones(N, 16)), EVERYWHERE)
    assert (wheels > 0.1).all()
    assert wheels[-1] > 1.2 * wheels[0]
    # A position target is damped instead.
    assert moving[0] > 1.02 * moving[-1] > 0.0


def test_a_reset_event_sees_the_command_of_its_own_episode(build: Build) -> None:
    env = Environment(get_task(GO1).env, build(GO1, N), Purpose(1, numbered=True, max_steps=2, disturbances=False))
    seen: list[Tensor] = []
    events = env._parts["reset_events"]._events  # type: ignore[attr-defined]
    events["listen"] = lambda context: (seen.append(context.state.commands["velocity"]), StateWrite())[1]
    env.reset()
    first = env.state().commands["velocity"].clone()
    for _ in range(2):
        env.step(torch.zeros(N, 12))
    second = env.state().commands["velocity"]
    assert len(seen) == 2
    assert torch.equal(seen[0], first)
    assert torch.equal(seen[1], second)
    assert (first != second).any(dim=1).all()


def test_a_shifted_centre_of_mass_tips_the_robot(build: Build) -> None:
    sim = build(STAGE_1, N)
    shift = torch.zeros(N, 3)
    shift[: N // 2, 0] = 0.1
    sim.properties.write(ModelWrite(link_com_offset={"base_link": shift}), EVERYWHERE)
    _start(sim, [0.0] * 4)
    _run(sim, 400)
    quat = sim.link_quat_w()[:, 0]
    sim.properties.write(ModelWrite(link_com_offset={"base_link": torch.zeros(N, 3)}), EVERYWHERE)
    pitch = 2.0 * (quat[:, 0] * quat[:, 2] - quat[:, 3] * quat[:, 1])
    # Heavier in front: the nose goes down, which is a turn about +y.
    assert pitch[0] > pitch[-1] + 0.01


def test_a_base_that_is_too_fast_is_broken(build: Build) -> None:
    env = make_env(build, GO1, disturbances=False)
    env.step(torch.zeros(N, 12))
    assert not env.step(torch.zeros(N, 12)).broken.any()
    speed = torch.zeros(N, 6)
    speed[2, 0] = 2000.0
    build(GO1, N).write(StateWrite(base_vel_w=speed), EVERYWHERE)
    assert env.step(torch.zeros(N, 12)).broken[2]


def test_locked_wheels_stand_and_free_ones_roll(build: Build) -> None:
    action = torch.zeros(N, 16)
    action[:, 12:] = 0.25
    way: dict[str, float] = {}
    for task in (STAGE_1, GO2W):
        env = make_env(build, task, observation_noise=False, disturbances=False)
        for _ in range(50):
            env.step(torch.zeros(N, 16))
        start = env.state().floating.pos_w.clone()
        for _ in range(100):
            env.step(action)
        moved = env.state().floating.pos_w - start
        # Forward is where the robot looks.
        quat = env.state().floating.quat_w
        heading = torch.atan2(
            2 * (quat[:, 0] * quat[:, 3] + quat[:, 1] * quat[:, 2]), 1 - 2 * (quat[:, 2:].square().sum(1))
        )
        way[task] = float((moved[:, 0] * heading.cos() + moved[:, 1] * heading.sin()).mean())
    # 5 rad/s x 0.086 m for 2 s.
    assert way[GO2W] == pytest.approx(0.8, abs=0.15)
    assert abs(way[STAGE_1]) < 0.1


def test_draws_of_properties_belong_to_the_episode_in_an_evaluation(build: Build) -> None:
    env = make_env(build, STAGE_1, disturbances=True)
    sim = build(STAGE_1, N)
    first = {name: value.clone() for name, value in sim.properties.held.items()}
    make_env(build, STAGE_1, disturbances=True)
    assert all(torch.equal(value, first[name]) for name, value in sim.properties.held.items())
    # Different between episodes.
    assert len(first["mass/base_link"].unique()) == N
    assert env.step(torch.zeros(N, 16)).reward.isfinite().all()


def test_an_environment_starts_from_the_properties_of_the_model(build: Build) -> None:
    """Those that the last environment of a scene drew would be a part of no protocol."""
    properties = build(STAGE_1, N).properties
    make_env(build, STAGE_1, disturbances=True)
    plain = {name: value.clone() for name, value in properties._model.items()}
    assert {name.partition("/")[0] for name in plain} == {"friction", "mass", "com", "kp", "kv"}
    assert all(not torch.equal(properties._store.read(name), value) for name, value in plain.items())
    make_env(build, STAGE_1, disturbances=False)
    assert all(torch.equal(properties._store.read(name), value) for name, value in plain.items())
    assert plain["friction/FL_wheel_link"].unique().tolist() == [1.0]
    assert plain["mass/base_link"].tolist() == pytest.approx([6.921] * N)
    env = stage(STAGE_1).env
    for gain in ("kp", "kv"):
        own = [getattr(env.robot.actuator_of(joint), gain) for joint in env.robot.joints]
        assert plain[gain][0].tolist() == properties.gains[gain].tolist() == pytest.approx(own)


def test_a_probe_fixes_commands_and_lets_the_fallen_lie(build: Build, sim_session: Session) -> None:
    fixed = torch.tensor([[0.8, 0.0, 0.0]]).repeat(N, 1)
    env = Environment(
        get_task(GO1).env,
        build(GO1, N),
        Purpose(0, numbered=True, disturbances=False, commands={"velocity": fixed}, autoreset=False),
    )
    env.reset()
    upside_down = torch.tensor([[0.0, 0.0, 0.3, 0.0, 1.0, 0.0, 0.0]]).repeat(N, 1)
    build(GO1, N).write(StateWrite(base_pose_w=upside_down), torch.arange(N) == 3)
    fell = torch.zeros(N, dtype=torch.bool)
    for _ in range(20):
        step = env.step(torch.zeros(N, 12))
        fell = fell | step.terminated
        assert torch.equal(env.state().commands["velocity"], fixed)
    assert fell.tolist() == [k == 3 for k in range(N)]
    assert (env.episode_step == 20).all()
    assert env.state().floating.gravity_b[3, 2] > 0.0


def test_every_case_is_driven_and_measured_by_its_own_component(build: Build, sim_session: Session) -> None:
    task = get_task(GO1)
    assert task.probe is not None
    small = task.probe.model_copy(update={"num_envs": 1, "warm_up_steps": 2, "measured_steps": 30})
    network = NetworkCfg(hidden_dims=(8,))
    quiet = PpoCfg(actor=network, critic=network, save_interval=1, num_mini_batches=1)
    task = task.model_copy(update={"agent": quiet, "train": task.train.model_copy(update={"num_envs": N})})
    torch.manual_seed(0)
    env = Environment(task.env, build(GO1, N), Purpose(1, numbered=False))
    trainer = backend_of(quiet).make_trainer(task, "0" * 64, env)
    checkpoint = trainer.checkpoint()  # type: ignore[attr-defined]
    first = drive(task, small, checkpoint, sim_session, "policy")
    assert first.achieved.shape == first.fell.shape == (8, 1)
    # An untrained policy does not do what it is told.
    asked = torch.tensor([next(part for part in case if part) for case in small.cases.values()])
    assert ((first.achieved[:, 0] / asked) < 0.5).float().mean() > 0.5
    assert torch.equal(drive(task, small, checkpoint, sim_session, "policy").achieved, first.achieved)


LOCKED = {6 + 16 * block + 12 + wheel for block in range(2) for wheel in range(4)}
"""Columns of the wheels in a frame: angular velocity and gravity, then 16 each of positions and velocities."""


def test_a_stage_starts_from_the_one_before_but_for_what_that_could_not_learn(build: Build) -> None:
    task = get_task(GO2W)
    network = NetworkCfg(hidden_dims=(8,))
    agent = PpoCfg(actor=network, critic=network, save_interval=1, num_mini_batches=1, init_std=0.7)
    start = task.start.model_copy(update={"normalizer_count": 50})
    task = task.model_copy(update={"agent": agent, "start": start})
    env = Environment(task.env, build(GO2W, N), Purpose(1, numbered=False))
    env.reset()
    backend = backend_of(agent)
    torch.manual_seed(0)
    before = backend.make_trainer(task, "0" * 64, env).checkpoint()  # type: ignore[attr-defined]
    for tensors, width in ((before.actor, 57), (before.critic, 60)):
        shape = tensors["obs_normalizer._mean"].shape
        assert shape == (1, 5 * width)
        for name, value in (("_mean", 3.0), ("_var", 4.0), ("_std", 2.0)):
            tensors[f"obs_normalizer.{name}"] = torch.full(shape, value)
        tensors["obs_normalizer.count"] = torch.tensor(10_000)
    before.actor["distribution.std_param"] = torch.full((16,), 0.2)

    torch.manual_seed(1)
    whole = task.model_copy(update={"start": StartCfg()})
    for each, anew in ((task, True), (whole, False)):
        trainer = backend.make_trainer(each, "0" * 64, env)
        backend.warm_start(trainer, before, each, "parent")
        found = trainer.checkpoint()  # type: ignore[attr-defined]
        # Mean actions of the wheels, and what is made of their positions and velocities, are chance where locked.
        kept = {name: before.actor[name].clone() for name in ("mlp.0.weight", "mlp.2.weight")}
        if anew:
            kept["mlp.0.weight"][:, [k for k in range(5 * 57) if k % 57 in LOCKED]] = 0.0
            kept["mlp.2.weight"][12:] = 0.0
        for name, tensor in kept.items():
            assert torch.equal(found.actor[name], tensor)
        bias = before.actor["mlp.2.bias"].clone()
        bias[12:] *= 0.0 if anew else 1.0
        assert torch.equal(found.actor["mlp.2.bias"], bias)
        assert torch.equal(found.critic["mlp.2.weight"], before.critic["mlp.2.weight"])
        assert torch.equal(found.critic["mlp.2.bias"], before.critic["mlp.2.bias"])
        unread = [k for k in range(5 * 60) if not found.critic["mlp.0.weight"][:, k].any()]
        assert unread == [k for k in range(5 * 60) if anew and k % 60 in LOCKED]
        # Action noise of the twelve leg joints, then of the four wheels.
        wheels = 0.7 if anew else 0.2
        assert found.actor["distribution.std_param"].tolist() == pytest.approx([0.2] * 12 + [wheels] * 4)
        for tensors, width in ((found.actor, 57), (found.critic, 60)):
            expected = [0.0 if anew and k % width in LOCKED else 3.0 for k in range(5 * width)]
            assert tensors["obs_normalizer._mean"][0].tolist() == expected
            assert int(tensors["obs_normalizer.count"]) == (50 if anew else 10_000)
