"""The tracking task of the G1 in MuJoCo: how an episode starts, goes on and ends."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from genelab.config.overrides import apply_overrides
from genelab.config.snapshot import dump_task, load_task
from genelab.config.task import TaskSpec
from genelab.envs.environment import Environment
from genelab.envs.purpose import Purpose
from genelab.errors import InputError
from genelab.families.tracking.clip import Clip
from genelab.families.tracking.dynamics import Dynamics
from genelab.families.tracking.kinematics import motion_of
from genelab.families.tracking.making import make_clip
from genelab.families.tracking.motion import Motion, MotionState
from genelab.mdp.mirror import Mirror, group_images
from genelab.mdp.state import StateWrite
from genelab.mdp.term import joint_images
from genelab.registry import get_task
from genelab.sim.mujoco.simulation import Simulation
from genelab.sim.session import Session
from genelab_unitree.motions import motions
from tests.clips import G1_TRACKING, clip, standing, swaying, with_clip

ROBOT = get_task(G1_TRACKING).env.robot
SWAYING, LIVELY = swaying(ROBOT, 60), swaying(ROBOT, 60, pace=3.0)
CPU = torch.device("cpu")


def _task(folder: Path, made: Clip = SWAYING, *changes: str) -> TaskSpec:
    return apply_overrides(with_clip(made, folder), list(changes))[0].on("mujoco")


def _env(task: TaskSpec, num_envs: int, purpose: Purpose | None = None) -> Environment:
    sim = Simulation(task.env, num_envs, Session("mujoco", CPU, 1, 1, {}, 0.0))
    return Environment(task.env, sim, purpose or Purpose.evaluation(task, task.protocol))


def _motion(env: Environment) -> Motion:
    return env.part(Motion)


def _frame(made: Clip, frame: int) -> dict[str, Tensor]:
    return {name: torch.from_numpy(value[frame]) for name, value in vars(made).items() if name != "info"}


def _require_the_frame(env: Environment, made: Clip, frame: int) -> None:
    """The robot of the first environment is in the state of a frame."""
    state, wanted = env.state(), _frame(made, frame)
    assert torch.equal(state.joint_pos[0], wanted["joint_pos"])
    assert torch.equal(state.joint_vel[0], wanted["joint_vel"])
    torch.testing.assert_close(state.link_pos_w[0], wanted["link_pos_w"], rtol=0.0, atol=1e-5)
    torch.testing.assert_close(state.link_quat_w[0], wanted["link_quat_w"], rtol=0.0, atol=1e-5)
    torch.testing.assert_close(state.floating.link_lin_vel_w[0], wanted["link_lin_vel_w"], rtol=0.0, atol=1e-4)
    torch.testing.assert_close(state.link_ang_vel_w[0], wanted["link_ang_vel_w"], rtol=0.0, atol=1e-4)


def _idle(env: Environment) -> Tensor:
    return torch.zeros(env.num_envs, env.num_actions)


def test_an_evaluation_starts_in_the_state_of_the_first_frame_and_shows_it(tmp_path: Path) -> None:
    env = _env(_task(tmp_path), 2)
    seen = env.reset()
    _require_the_frame(env, SWAYING, 0)
    wanted = _frame(SWAYING, 0)
    policy = seen["policy"][0]
    assert torch.equal(policy[:58], torch.cat([wanted["joint_pos"], wanted["joint_vel"]]))
    # Nothing is missed: no way to the clip's anchor, and the identity.
    torch.testing.assert_close(policy[58:67], torch.tensor([0.0, 0, 0, 1, 0, 0, 1, 0, 0]), rtol=0.0, atol=1e-4)
    # Base velocities in the frame of the pelvis, which is what the clip's base has there.
    speed = torch.linalg.norm(wanted["link_lin_vel_w"][0])
    assert float(policy[67:70].norm()) == pytest.approx(float(speed), abs=1e-4)
    assert not policy[-29:].any()
    # After a while, the next episode starts there again, in the observation of the step that ended the last.
    for _ in range(59):
        step = env.step(_idle(env))
        if step.terminated[0] or step.truncated[0]:
            break
    _require_the_frame(env, SWAYING, 0)
    assert torch.equal(step.observations["policy"], seen["policy"])
    assert torch.equal(step.observations["critic"], seen["critic"])


def _snap(env: Environment, monkeypatch: pytest.MonkeyPatch, ahead: int = 1) -> None:
    """Physics puts the robots into the state of the frame that comes next, or of one some frames ahead."""
    part, sim = _motion(env), env._sim

    def advance(steps: int, *, reset_failed: bool = False) -> Tensor:
        at = part._frames.at((part.memory["frame"] + ahead).clamp(max=len(part._frames.following) - 1))
        write = StateWrite(at.joint_pos, at.joint_vel, base_pose_w=at.base_pose_w, base_vel_w=at.base_vel_w)
        sim.write(write, torch.ones(env.num_envs, dtype=torch.bool))
        return torch.zeros(env.num_envs, dtype=torch.bool)

    monkeypatch.setattr(sim, "advance", advance)


def test_who_is_at_every_frame_in_time_earns_the_ceiling_and_is_cut_short_by_the_clip(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    env = _env(_task(tmp_path, LIVELY), 1)
    env.reset()
    _snap(env, monkeypatch)
    for k in range(1, LIVELY.frames):
        step = env.step(_idle(env))
        assert float(step.reward) == pytest.approx(5.0 * 0.02, abs=1e-5)
        assert bool(step.truncated) == (k == LIVELY.frames - 1)
        assert not step.terminated.any()
        if k < LIVELY.frames - 1:
            _require_the_frame(env, LIVELY, k)
            assert env.state().of(MotionState).frame.tolist() == [k]
    assert step.finished.length.tolist() == [LIVELY.frames - 1]
    measured = {name: float(value) for name, value in step.finished.measures.items()}
    assert measured["link_distance"] == pytest.approx(0.0, abs=1e-5)
    assert measured["speed_along_command"] == pytest.approx(measured["commanded_speed"], rel=1e-4)
    assert measured["commanded_speed"] > 0.3
    _require_the_frame(env, LIVELY, 0)


def test_who_is_a_frame_late_or_early_earns_less(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for ahead in (0, 2):
        env = _env(_task(tmp_path, LIVELY), 1)
        env.reset()
        _snap(env, monkeypatch, ahead)
        assert float(env.step(_idle(env)).reward) < 5.0 * 0.02 - 1e-4


@pytest.mark.slow
def test_a_robot_that_does_nothing_falls_and_is_terminated(tmp_path: Path) -> None:
    env = _env(_task(tmp_path, standing(ROBOT, 200)), 1)
    env.reset()
    for _ in range(198):
        step = env.step(_idle(env))
        if step.terminated.any():
            break
    # The G1 topples in about 1.4 s under its own gains.
    assert 40 <= int(step.finished.length) <= 100
    assert step.terminated.all()
    assert not step.truncated.any()


@pytest.mark.slow
def test_an_episode_is_the_same_among_any_number_of_others(tmp_path: Path) -> None:
    # So short that some end, and the next ones start.
    task = _task(tmp_path, swaying(ROBOT, 8))
    for make in (lambda: Purpose.training(task, 3), lambda: Purpose.evaluation(task, task.protocol)):
        found: list[list[Tensor]] = []
        for num_envs in (1, 3):
            env, ended = _env(task, num_envs, make()), 0
            seen = [env.reset()["critic"][0]]
            for k in range(15):
                action = 0.5 * torch.sin(torch.arange(29) + 0.3 * k).expand(num_envs, -1)
                step = env.step(action)
                seen += [step.observations["critic"][0], step.reward[0]]
                ended += bool(step.truncated[0])
            found.append(seen)
            assert ended >= 2
        assert all(torch.equal(a, b) for a, b in zip(*found, strict=True))


def test_an_episode_of_a_training_starts_near_a_frame_anywhere_in_the_clip(tmp_path: Path) -> None:
    task = _task(tmp_path)
    env = _env(task, 64, Purpose.training(task, 1))
    env.reset()
    frame, state = env.state().of(MotionState).frame, env.state()
    assert len(frame.unique()) > 30
    assert int(frame.max()) < SWAYING.frames - 1
    wanted = state.of(MotionState).wanted
    assert torch.equal(state.joint_vel, wanted.joint_vel)
    away = {
        "joint_pos": ((state.joint_pos - wanted.joint_pos), [0.1] * 29),
        "pos": (state.floating.pos_w - wanted.base_pose_w[:, :3], [0.05, 0.05, 0.01]),
        "lin_vel": (state.floating.lin_vel_w - wanted.base_vel_w[:, :3], [0.5, 0.5, 0.2]),
        "ang_vel": (state.floating.ang_vel_w - wanted.base_vel_w[:, 3:], [0.52, 0.52, 0.78]),
    }
    for offset, widths in away.values():
        share = offset.abs() / torch.tensor(widths)
        # 64 uniform draws: beyond four fifths of the width, and not beyond the width.
        assert (share.amax(dim=0) > 0.8).all()
        assert share.max() < 1.001


def test_a_training_has_short_episodes_and_an_evaluation_long_ones(tmp_path: Path) -> None:
    task = _task(tmp_path)
    assert _env(task, 1, Purpose.training(task, 1)).max_steps == 500
    assert _env(task, 1).max_steps == 1500
    with pytest.raises(InputError, match=r"train\.episode_length_s = 31\.0: must not be above the 30 s"):
        apply_overrides(task, ["train.episode_length_s=31"])


@pytest.mark.slow
def test_a_restored_training_goes_on_bit_equal_with_what_it_knows_of_failures(tmp_path: Path) -> None:
    task = _task(tmp_path, SWAYING, "env.parts.motion.params.adaptive=true")

    def fresh() -> Environment:
        env = _env(task, 4, Purpose.training(task, 2))
        env.reset()
        return env

    env = fresh()
    # Flailing: somebody falls.
    actions = 8.0 * torch.randn(60, 4, 29, generator=torch.Generator().manual_seed(1))
    for action in actions[:40]:
        env.step(action)
    saved = {name: value.clone() for name, value in env.state_dict().items()}
    assert saved["parts/motion/failures"].sum() > 0.0
    expected = [env.step(action) for action in actions[40:]]
    again = fresh()
    again.load_state_dict(saved)
    for action, old in zip(actions[40:], expected, strict=True):
        new = again.step(action)
        assert torch.equal(new.reward, old.reward)
        assert torch.equal(new.observations["critic"], old.observations["critic"])


def test_the_image_of_an_observation_is_the_observation_of_the_image(tmp_path: Path) -> None:
    """A robot beside its mirror image, each with a clip that is the other's."""
    generator = np.random.default_rng(4)
    default = np.array([ROBOT.default_of(joint) for joint in ROBOT.joints])
    joints = Mirror.of(joint_images(ROBOT, list(ROBOT.joints)), CPU)
    flips = np.array([1.0, -1.0, 1.0, 1.0, -1.0, 1.0, -1.0])
    """Of a position and a quaternion."""

    def poses(count: int) -> tuple[np.ndarray, np.ndarray]:
        quat = np.concatenate([np.ones((count, 1)), generator.uniform(-0.3, 0.3, (count, 3))], axis=1)
        quat /= np.linalg.norm(quat, axis=1, keepdims=True)
        base = np.concatenate([generator.uniform(-0.2, 0.2, (count, 2)), np.full((count, 1), 0.8), quat], axis=1)
        return base, default + generator.uniform(-0.3, 0.3, (count, 29))

    base, joint_pos = poses(2)
    image = joints(torch.from_numpy(joint_pos)).numpy()
    # Frames 0 and 1, then their images: velocities of the ends are those of one pair of frames.
    pair, mirrored = clip(ROBOT, base, joint_pos), clip(ROBOT, base * flips, image)
    arrays = {n: np.concatenate([getattr(pair, n), getattr(mirrored, n)]) for n in vars(pair) if n != "info"}
    env = _env(_task(tmp_path, dataclasses.replace(pair, **arrays)), 2)
    env.reset()
    _motion(env).memory["frame"] = torch.tensor([0, 2])
    own_base, own_joints = poses(1)
    speed = generator.uniform(-1.0, 1.0, (1, 6))
    joint_vel = torch.from_numpy(generator.uniform(-1.0, 1.0, (1, 29)))
    own = torch.from_numpy(own_joints)
    write = StateWrite(
        joint_pos=torch.cat([own, joints(own)]).float(),
        joint_vel=torch.cat([joint_vel, joints(joint_vel)]).float(),
        base_pose_w=torch.from_numpy(np.concatenate([own_base, own_base * flips])).float(),
        base_vel_w=torch.from_numpy(np.concatenate([speed, speed * [1, -1, 1, -1, 1, -1]])).float(),
    )
    env._sim.write(write, torch.ones(2, dtype=torch.bool))
    for name, rows in env._observe(env.state()).items():
        found = Mirror.of(group_images(env.cfg, name), CPU)(rows[:1])
        # The model's own sides differ by a tenth of a millimetre.
        torch.testing.assert_close(found, rows[1:], rtol=0.0, atol=1e-3)
        assert rows[:1].abs().mean() > 0.1


def test_pushes_turn_and_lift_the_robot_in_a_training(tmp_path: Path) -> None:
    task = _task(tmp_path, SWAYING, "env.disturbances.push.interval_s=[0.02,0.02]")
    env = _env(task, 16, Purpose.training(task, 1))
    env.reset()
    env.step(_idle(env))
    base = env.state().floating
    pushed = torch.cat([base.lin_vel_w, base.ang_vel_w], dim=1)
    widths = torch.tensor([0.5, 0.5, 0.4, 0.52, 0.52, 0.78])
    assert (pushed.abs() < widths * 1.001).all()
    assert (pushed.abs().amax(dim=0) > 0.7 * widths).all()


def test_another_clip_than_the_training_had_is_refused(tmp_path: Path) -> None:
    task = _task(tmp_path)
    snapshot = load_task(json.loads(json.dumps(dump_task(task))), "snapshot")
    assert _env(snapshot, 1).reset()
    (tmp_path / "clip.safetensors").write_bytes(standing(ROBOT, 10).encode())
    with pytest.raises(InputError, match=r"env\.parts\.motion\.params\.clip = .*: the file was changed since"):
        _env(snapshot, 1)


@pytest.mark.parametrize(
    ("made", "told"),
    [
        (dataclasses.replace(SWAYING, info=SWAYING.info.model_copy(update={"fps": 30.0})), "fps = 30, must be 50"),
        (
            dataclasses.replace(SWAYING, info=SWAYING.info.model_copy(update={"model_sha256": "0" * 64})),
            "model_sha256 are not those of the robot",
        ),
    ],
)
def test_a_clip_that_does_not_fit_is_one_clear_line(tmp_path: Path, made: Clip, told: str) -> None:
    with pytest.raises(InputError, match=told) as caught:
        _env(_task(tmp_path, made), 1)
    assert "\n" not in str(caught.value)


def test_a_task_without_a_clip_tells_how_to_get_one() -> None:
    task = get_task(G1_TRACKING).on("mujoco")
    with pytest.raises(InputError, match=r"env\.parts\.motion\.params\.clip must be chosen .* `genelab motion import`"):
        _env(task, 1)


def test_the_clip_made_for_these_tests_moves_as_its_velocities_say() -> None:
    """Or the tests above would hold the environment against a wrong clip."""
    moved = (LIVELY.link_pos_w[2:] - LIVELY.link_pos_w[:-2]) / 0.04
    assert np.abs(moved - LIVELY.link_lin_vel_w[1:-1]).max() < 0.02
    assert np.abs(LIVELY.link_lin_vel_w).max() > 0.5


def _led(task: TaskSpec) -> TaskSpec:
    """The task with a motion that leads the targets all the way."""
    part = task.env.parts["motion"]
    led = part.model_copy(update={"params": {**part.params, "lead": [0.0, 1.0]}})
    return task.model_copy(update={"env": task.env.model_copy(update={"parts": {"motion": led}})})


def _steps_alone(task: TaskSpec) -> int:
    """Control steps until a robot without a policy falls out of its clip."""
    env = _env(task, 1)
    env.reset()
    for step in range(1, 200):
        if env.step(_idle(env)).terminated[0]:
            return step
    return 200


@pytest.mark.slow
def test_a_robot_that_is_led_by_its_clip_keeps_it_for_longer(tmp_path: Path) -> None:
    squat = make_clip("squat", ROBOT, motions(ROBOT), 50.0)
    task = _task(tmp_path, squat)
    alone, ahead = _steps_alone(task), _steps_alone(_led(task))
    # It squats after a second, and nothing leads the targets of the first.
    assert alone < 80 < ahead


def test_the_lead_exerts_the_torques_that_hold_the_motion(tmp_path: Path) -> None:
    walk = make_clip("slow_walk", ROBOT, motions(ROBOT), 50.0)
    task = _led(_task(tmp_path, walk))
    offsets = _motion(_env(task, 1))._lead
    assert offsets is not None
    torques = Dynamics(ROBOT, motions(ROBOT).feet, motion_of(walk)).torques()
    groups = [ROBOT.actuator_of(joint) for joint in ROBOT.joints]
    kp, kv = (np.array([getattr(group, gain) for group in groups]) for gain in ("kp", "kv"))
    default = np.array([ROBOT.default_of(joint) for joint in ROBOT.joints])
    exerted = kp * (default + offsets.offsets.numpy() - walk.joint_pos) - kv * walk.joint_vel
    np.testing.assert_allclose(exerted, torques, atol=0.02)
    # Without the motors' damping it would lack as much as the torques themselves.
    assert np.abs(kv * walk.joint_vel).max() > 15.0


def test_starts_are_drawn_where_an_evaluation_wants_them(tmp_path: Path) -> None:
    task = _task(tmp_path)
    env = _env(task, 8, Purpose.evaluation(task, task.protocol, drawn_starts=0.5))
    env.reset()
    frames, joint_pos = _motion(env).memory["frame"].clone(), env.state().joint_pos.clone()
    assert len(set(frames.tolist())) > 3
    exact = torch.from_numpy(SWAYING.joint_pos)[frames]
    assert 0.0 < float((joint_pos - exact).abs().max()) <= 0.05 + 1e-6
    # An episode is its number's, whichever environment runs it.
    other = _env(task, 3, Purpose.evaluation(task, task.protocol, drawn_starts=0.5, episodes=[7, 2, 0]))
    other.reset()
    assert torch.equal(other.state().joint_pos, joint_pos[[7, 2, 0]])
