import copy
import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from genelab.config.env import EnvCfg
from genelab.envs.environment import Environment
from genelab.envs.purpose import Purpose
from genelab.envs.step import Step
from genelab.mdp.state import StateWrite
from genelab.registry import get_task
from genelab.sim.engine import Engine
from genelab.sim.make import make_engine
from genelab.sim.session import Session
from genelab_franka.scripted import CLOSE, Controller

pytestmark = [pytest.mark.sim, pytest.mark.xdist_group("sim")]

Build = Callable[[str, int], Engine]
TASK = "GeneLab-Franka-Pick-And-Place-v0"
CFG = get_task(TASK).env
IDLE = torch.zeros(4, 4)
COLUMNS = {
    "joint_pos": slice(0, 9),
    "joint_vel": slice(9, 18),
    "hand_position": slice(18, 21),
    "cube_position": slice(21, 24),
    "goal_position": slice(24, 27),
    "goal_minus_cube": slice(27, 30),
    "last_action": slice(30, 34),
    "time_left": slice(34, 35),
}


@pytest.fixture
def sim(build: Build) -> Engine:
    return build(TASK, 4)


def _env(sim: Engine, cfg: EnvCfg = CFG, **options: Any) -> Environment:
    chosen = {"numbered": False, "observation_noise": False, "final_observations": True, **options}
    return Environment(cfg, sim, Purpose(chosen.pop("seed", 1), **chosen))


def _controller(env: Environment) -> Controller:
    return Controller(env.cfg, env.num_envs, env.device)


def _goals(center: tuple[float, float], heights: tuple[float, float], half_width: float = 0.0) -> EnvCfg:
    """Cubes at the centre of the square; half of the goals low, half of them high."""
    term = CFG.commands["goal_position"]
    place = {"center": list(center), "half_width": half_width, "ground": heights[0], "air": [heights[1]] * 2}
    goal = term.model_copy(update={"params": {**term.params, **place, "air_share": 0.5}})
    event = CFG.reset_events["cube"]
    cube = event.model_copy(update={"params": {**event.params, "half_width": [0.0, 0.0, 0.0]}})
    return CFG.model_copy(
        update={"commands": {"goal_position": goal}, "reset_events": {**CFG.reset_events, "cube": cube}}
    )


def _put(sim: Engine, pos: list[float], where: Tensor | None = None, quat: tuple[float, ...] = (1, 0, 0, 0)) -> None:
    mask = torch.ones(sim.num_envs, dtype=torch.bool) if where is None else where
    pose = torch.tensor([*pos, *quat], dtype=torch.float32).expand(sim.num_envs, 7).contiguous()
    sim.write(StateWrite(object_pose_w={"cube": pose}), mask)


def _hand(sim: Engine) -> Tensor:
    return sim.link_pos_w()[:, sim.names.link_id("hand")].clone()


def test_zero_action_holds_the_arm(sim: Engine):
    env = _env(sim)
    env.reset()
    start = _hand(sim)
    for _ in range(20):
        env.step(IDLE)
        assert float((_hand(sim) - start).norm(dim=1).max()) < 1e-4


def test_without_gravity_compensation_doing_nothing_is_a_motion(sim_session: Session):
    """The published creep, which the task's gravity compensation takes away."""
    robot = CFG.robot.model_copy(update={"gravity_compensation": 0.0})
    cfg = CFG.model_copy(update={"robot": robot})
    sim = make_engine(cfg, 1, sim_session)
    env = _env(sim, cfg)
    env.reset()
    height = [float(_hand(sim)[0, 2])]
    for _ in range(20):
        env.step(IDLE[:1])
        height.append(float(_hand(sim)[0, 2]))
    sunk = [1000 * (height[k] - height[0]) for k in (1, 5, 20)]
    assert sunk == pytest.approx([-5.6, -33.8, -132.7], abs=0.3)


def test_a_full_action_moves_the_hand_by_less_than_asked(sim: Engine):
    """50 mm are asked for. The PD law covers 14 mm of it from rest, and 20 mm in every later step."""
    env = _env(sim)
    env.reset()
    down = torch.tensor([0.0, 0.0, -1.0, 0.0]).expand(4, 4)
    heights = [_hand(sim)]
    for _ in range(5):
        env.step(down)
        heights.append(_hand(sim))
    moved = 1000 * (torch.stack(heights[1:]) - torch.stack(heights[:-1]))[:, 0]
    assert moved[:, 2].tolist() == pytest.approx([-14.2, -20.1, -19.9, -19.9, -19.9], abs=0.3)
    # Straight down, and no further where the action is more than full.
    assert float(moved[:, :2].abs().max()) < 1.0
    again = _env(sim)
    again.reset()
    again.step(3.0 * down)
    assert torch.equal(_hand(sim), heights[1])


def test_the_observation_is_what_the_facts_list_in_their_order(sim: Engine):
    env = _env(sim)
    env.reset()
    generator = torch.Generator().manual_seed(0)
    for k in range(1, 4):
        action = 2.0 * torch.rand(4, 4, generator=generator) - 1.0
        step = env.step(action)
        goal, cube = env.state().commands["goal_position"], sim.object_pos_w()[:, 0]
        expected = torch.cat(
            [
                sim.joint_pos() - torch.tensor([0.0, 0.41, 0.0, -1.85, 0.0, 2.26, 0.79, 0.04, 0.04]),
                0.1 * sim.joint_vel(),
                sim.link_pos_w()[:, sim.names.link_id("hand")],
                cube,
                goal,
                goal - cube,
                action,
                torch.full((4, 1), 1.0 - k / 100),
            ],
            dim=1,
        )
        assert expected.shape == (4, 35)
        torch.testing.assert_close(step.observations["observation"], expected, rtol=1e-6, atol=1e-7)
        assert torch.equal(step.observations["achieved_goal"], cube)
        assert torch.equal(step.observations["desired_goal"], goal)
        assert float(step.observations["observation"][:, COLUMNS["joint_vel"]].abs().max()) > 0.01
    rows = env.layout()["observation"]
    assert {row["name"]: slice(row["start"], row["stop"]) for row in rows} == COLUMNS


def test_noise_is_on_what_is_sensed_and_nowhere_else(sim: Engine):
    noisy, clean = _env(sim, observation_noise=True).reset(), _env(sim).reset()
    noise = (noisy["observation"] - clean["observation"]).abs()
    for name, half_width in (
        ("joint_pos", 0.005),
        ("joint_vel", 0.005),
        ("hand_position", 0.002),
        ("cube_position", 0.002),
    ):
        assert 0.3 * half_width < float(noise[:, COLUMNS[name]].max()) <= half_width + 1e-6
    assert torch.equal(noise[:, 24:], torch.zeros(4, 11))
    for group in ("achieved_goal", "desired_goal"):
        assert torch.equal(noisy[group], clean[group])


def test_an_episode_starts_in_the_reset_pose_with_a_cube_at_rest_wherever_it_was(sim: Engine):
    env = _env(sim, max_steps=2)
    env.reset()
    tilted = (math.cos(0.4), math.sin(0.4), 0.0, 0.0)
    _put(sim, [0.3, 0.4, 0.4], quat=tilted)
    down = torch.tensor([0.0, 0.0, -1.0, -1.0]).expand(4, 4)
    assert not env.step(down).truncated.any()
    assert float(sim.object_quat_w()[:, 0, 0].max()) < 0.95
    assert float(sim.object_lin_vel_w()[:, 0, 2].max()) < -0.4
    step = env.step(down)
    assert step.truncated.all()
    assert torch.equal(sim.object_quat_w()[:, 0], torch.tensor([1.0, 0.0, 0.0, 0.0]).expand(4, 4))
    assert torch.equal(sim._objects[0].get_dofs_velocity(), torch.zeros(4, 6))
    assert torch.equal(sim.joint_vel(), torch.zeros(4, 9))
    assert torch.equal(sim.joint_pos(), sim.default_joint_pos.expand(4, 9))
    cube, goal = sim.object_pos_w()[:, 0], step.observations["desired_goal"]
    for place in (cube, goal):
        assert ((place[:, :2] - torch.tensor([0.5, 0.0])).abs() <= 0.15 + 1e-6).all()
        assert len(set(place[:, 0].tolist())) == 4
    assert cube[:, 2].tolist() == pytest.approx([0.02] * 4)
    # What is delivered as the final observation is the state before all that.
    final = step.finished.observations
    assert final is not None
    assert final["achieved_goal"][:, 0].tolist() == pytest.approx([0.3] * 4, abs=1e-4)
    assert (final["observation"][:, 34] == 0.0).all()
    assert (step.observations["observation"][:, 34] == 1.0).all()
    assert torch.equal(step.observations["observation"][:, COLUMNS["last_action"]], IDLE)


def test_the_reward_of_known_states_per_step_and_not_per_second(sim: Engine):
    env = _env(sim, _goals((0.5, 0.0), (0.02, 0.2)))
    env.reset()
    goal = torch.tensor([[0.5, 0.0, 0.10]]).expand(5, 3)
    cube = goal + torch.tensor(
        [[0.0, 0.0, 0.0], [0.0, 0.0, 0.04], [0.0, 0.03, -0.05], [0.03, 0.03, 0.02], [0.3, 0.0, 0.3]]
    )
    # At the goal; 4 cm above; 5.8 cm away, lifted by 3 cm; 4.7 cm away, lifted by 10 cm; far away and high.
    assert env.compute_reward(cube, goal).tolist() == pytest.approx([0.16, 0.2, -1.0 + 0.06, 0.2, -0.8])
    # Now in the simulator, from the cube's height before the step: it falls 1.35 cm in ten steps of 5 ms.
    for heights, expected in (((0.02, 0.02), 0.0), ((0.12, 0.1065), 0.2 * 0.865), ((0.07, 0.12), -1.0 + 0.2 * 0.365)):
        _put(sim, [0.4, 0.1, heights[0]])
        env._commands.memory["value/goal_position"] = torch.tensor([0.4, 0.1, heights[1]]).expand(4, 3)
        assert env.step(IDLE).reward.tolist() == pytest.approx([expected] * 4, abs=2e-3)


def test_the_episode_return_is_the_sum_of_the_rewards(sim: Engine):
    env = _env(sim, max_steps=3)
    env.reset()
    rewards, step = [], None
    for _ in range(3):
        step = env.step(IDLE)
        rewards.append(step.reward.double())
    assert step is not None
    assert step.truncated.all()
    torch.testing.assert_close(step.finished.episode_return, torch.stack(rewards).sum(0))


def test_success_is_judged_by_the_goal_of_the_episode_that_ends(sim: Engine):
    """Every cube lies at the low goal, so an idle episode succeeds just where its own goal is the low one."""
    env = _env(sim, _goals((0.5, 0.0), (0.02, 0.2)), max_steps=2)
    observations = env.reset()
    seen = set()
    for _ in range(12):
        own = observations["desired_goal"][:, 2] < 0.1
        assert not env.step(IDLE).truncated.any()
        step = env.step(IDLE)
        assert step.truncated.all()
        observations = step.observations
        follows = observations["desired_goal"][:, 2] < 0.1
        assert torch.equal(step.finished.success, own)
        assert torch.equal(step.finished.success_at_end, own)
        assert step.finished.episode_return.tolist() == pytest.approx([0.0 if low else -2.0 for low in own], abs=1e-3)
        seen |= set(zip(own.tolist(), follows.tolist(), strict=True))
    # Among them episodes that failed, before one whose cube starts at its goal.
    assert len(seen) == 4


def test_reached_once_is_success_ever_and_not_at_the_end(sim: Engine):
    env = _env(sim, _goals((0.5, 0.0), (0.02, 0.02)), max_steps=4)
    env.reset()
    first = env.step(IDLE)
    assert first.finished.success is not None
    assert first.finished.success.all()
    saved = env.state_dict()
    away = torch.tensor([True, False, True, False])
    for _ in range(2):
        _put(sim, [0.6, 0.1, 0.02], away)
        env.step(IDLE)
        last = env.step(IDLE)
        env.step(IDLE)
        assert last.finished.success is not None
        assert last.finished.success.all()
        assert torch.equal(last.finished.success_at_end, ~away)
        assert last.reward.tolist() == pytest.approx([-1.0, 0.0, -1.0, 0.0], abs=1e-3)
        # A resumed training knows what was reached before it stopped.
        env.load_state_dict(saved)


def _roll(env: Environment, controller: Controller, steps: int) -> list[Step]:
    found = []
    for _ in range(steps):
        step = env.step(controller(env.state()))
        controller.reset(step.terminated | step.truncated)
        found.append(step)
    return found


def _traces(steps: list[Step], count: int = 4) -> list[Tensor]:
    return [t[:count] for s in steps for t in (*s.observations.values(), s.reward, s.finished.episode_return)]


@pytest.fixture
def grasping(sim: Engine) -> tuple[Environment, Controller, list[Step]]:
    """The fingers close on the cubes."""
    env = _env(sim, seed=7, observation_noise=True)
    env.reset()
    controller = _controller(env)
    steps = _roll(env, controller, 16)
    assert (controller.phase >= CLOSE).any()
    return env, controller, steps


def test_a_restored_environment_goes_on_bit_equal_in_the_middle_of_a_grasp(
    grasping: tuple[Environment, Controller, list[Step]], sim: Engine
):
    env, controller, _ = grasping
    saved, same = env.state_dict(), copy.deepcopy(controller)
    first = _roll(env, controller, 10)
    assert float((first[-1].observations["achieved_goal"][:, 2]).max()) > 0.03
    # Somewhere else in between.
    other = _env(sim, seed=3, observation_noise=True)
    other.reset()
    _roll(other, _controller(other), 2)
    resumed = _env(sim, seed=7, observation_noise=True)
    resumed.load_state_dict(saved)
    again = _roll(resumed, same, 10)
    assert all(torch.equal(a, b) for a, b in zip(_traces(first), _traces(again), strict=True))


def test_equal_seeds_give_equal_bytes_in_any_number_of_environments_and_another_seed_others(
    grasping: tuple[Environment, Controller, list[Step]], build: Build
):
    """Contacts included: the trace of environment i depends on the seed and on i, not on its neighbours."""
    env, controller, steps = grasping
    steps += _roll(env, controller, 8)
    assert float(steps[-1].observations["achieved_goal"][:2, 2].max()) > 0.03
    for num_envs in (4, 1):
        other = _env(build(TASK, num_envs), seed=7, observation_noise=True)
        other.reset()
        again = _roll(other, _controller(other), 24)
        assert all(torch.equal(a, b) for a, b in zip(_traces(steps, num_envs), _traces(again), strict=True))
    another = _env(build(TASK, 4), seed=8, observation_noise=True)
    another.reset()
    first = another.step(IDLE).observations["observation"]
    assert not torch.isclose(first[:, 21:23], steps[0].observations["observation"][:, 21:23], atol=1e-3).all()


def test_relabelled_observations_and_rewards_are_those_of_an_environment_with_that_goal(
    grasping: tuple[Environment, Controller, list[Step]], sim: Engine
):
    _, _, steps = grasping
    env = _env(sim, seed=5)
    env.reset()
    _roll(env, _controller(env), 6)
    observations = env._observe(env.state())
    goal = torch.tensor([[0.4, 0.1, 0.02], [0.5, 0.0, 0.1], [0.6, -0.1, 0.2], [0.45, 0.05, 0.05]])
    relabelled = env.relabel(observations["observation"], observations["achieved_goal"], goal)
    changed = (relabelled != observations["observation"]).any(dim=0).nonzero().flatten().tolist()
    assert changed == list(range(24, 30))
    env._commands.memory["value/goal_position"] = goal
    there = env._observe(env.state())
    assert torch.equal(relabelled, there["observation"])
    back = env.relabel(relabelled, observations["achieved_goal"], observations["desired_goal"])
    assert torch.equal(back, observations["observation"])
    # What was rewarded online is what the goal of the transition says, bit for bit.
    for step in steps:
        now = step.observations
        assert not step.truncated.any()
        assert torch.equal(env.compute_reward(now["achieved_goal"], now["desired_goal"]), step.reward)
    achieved, desired = (torch.cat([s.observations[g] for s in steps]) for g in ("achieved_goal", "desired_goal"))
    assert torch.equal(env.compute_reward(achieved, desired), torch.cat([step.reward for step in steps]))
