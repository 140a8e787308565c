"""Hindsight over steps of the real environment: every relabelled goal was achieved in the same episode, and later."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

from genelab.envs.environment import Environment
from genelab.envs.purpose import Purpose
from genelab.learn.sb3.buffer import GoalReplayBuffer
from genelab.learn.sb3.policy import GROUPS
from genelab.learn.sb3.trainer import SacTrainer
from genelab.mdp.state import StateWrite
from genelab.registry import get_task
from genelab.sim.engine import Engine

pytestmark = [pytest.mark.sim, pytest.mark.xdist_group("sim")]

TASK = "GeneLab-Franka-Pick-And-Place-v0"
NUM_ENVS, LENGTH, ROWS = 4, 12, 30
"""Two episodes and a half fit the buffer, which is filled one and a half times."""


@pytest.fixture(scope="module")
def filled(build: Callable[[str, int], Engine]) -> tuple[Environment, GoalReplayBuffer]:
    sim = build(TASK, NUM_ENVS)
    env = Environment(
        get_task(TASK).env,
        sim,
        Purpose(3, numbered=False, max_steps=LENGTH, final_observations=True),
    )
    agent = get_task(TASK).agent.model_copy(update={"buffer_size": ROWS * NUM_ENVS})
    trainer = SacTrainer(agent, "0" * 64, env)
    generator = torch.Generator().manual_seed(0)
    trainer.guard.begin(trainer.observations)
    everywhere = torch.ones(NUM_ENVS, dtype=torch.bool)
    for _ in range(ROWS * 3 // 2):
        # Each step has a place of its own, so that a goal tells where it is from.
        place = torch.rand(NUM_ENVS, 2, generator=generator)
        pose = torch.cat([0.3 * place + 0.35, torch.tensor([[0.03, 1.0, 0.0, 0.0, 0.0]]).expand(NUM_ENVS, -1)], 1)
        sim.write(StateWrite(object_pose_w={"cube": pose}), everywhere)
        trainer.step(2.0 * torch.rand(NUM_ENVS, 4, generator=generator) - 1.0)
    return env, trainer.buffer


def _where(buffer: GoalReplayBuffer, rows: np.ndarray, stored: np.ndarray) -> list[tuple[int, int]]:
    """Row and environment of each of `rows` among the drawable ones of `stored`.

    Shapes: (n, dim), (ROWS, num_envs, dim).
    """
    places: dict[bytes, tuple[int, int]] = {}
    for where in np.argwhere(buffer.ep_length > 0):
        key = np.ascontiguousarray(stored[tuple(where)]).tobytes()
        assert key not in places, "no two are equal"
        places[key] = (int(where[0]), int(where[1]))
    return [places[np.ascontiguousarray(row).tobytes()] for row in rows]


def test_goals_are_of_the_same_episode_at_this_step_or_later(filled: tuple[Environment, GoalReplayBuffer]):
    _, buffer = filled
    assert buffer.full
    torch.manual_seed(1)
    sample = buffer.sample(2000)
    goals = sample.next_observations["desired_goal"]
    own = 2000 - int(2000 * buffer.her_ratio)
    drawn = _where(buffer, sample.actions.numpy(), buffer.actions)
    given = _where(buffer, goals.numpy()[own:], buffer.next_observations["achieved_goal"])
    ahead: set[int] = set()
    for (row, environment), (there, its) in zip(drawn[own:], given, strict=True):
        assert its == environment
        start = buffer.ep_start[row, environment]
        assert buffer.ep_start[there, environment] == start
        ahead.add(int((there - start) % ROWS - (row - start) % ROWS))
    assert ahead == set(range(LENGTH))
    # The others keep their own.
    for (row, environment), goal in list(zip(drawn, goals.numpy(), strict=True))[:own]:
        assert np.array_equal(buffer.next_observations["desired_goal"][row, environment], goal)


def test_rewards_and_observations_are_those_of_the_goal(filled: tuple[Environment, GoalReplayBuffer]):
    env, buffer = filled
    torch.manual_seed(2)
    sample = buffer.sample(2000)
    for observations in (sample.observations, sample.next_observations):
        goal, cube = observations["desired_goal"], observations["achieved_goal"]
        assert torch.equal(goal, sample.observations["desired_goal"])
        assert torch.equal(observations["observation"][:, 24:27], goal)
        assert torch.equal(observations["observation"][:, 27:30], goal - cube)
    fresh = env.compute_reward(sample.next_observations["achieved_goal"], sample.next_observations["desired_goal"])
    assert torch.equal(sample.rewards[:, 0], fresh)
    assert len(set(fresh.tolist())) > 1
    assert set(sample.observations) == set(GROUPS)


def test_time_outs_are_no_terminal_states_and_lead_to_the_end_of_their_own_episode(
    filled: tuple[Environment, GoalReplayBuffer],
):
    _, buffer = filled
    assert not buffer.sample(500).dones.any()
    last = np.argwhere(buffer.dones > 0)
    assert len(last) >= NUM_ENVS
    for row, environment in last:
        assert buffer.timeouts[row, environment] == 1.0
        assert buffer.next_observations["observation"][row, environment, 34] == pytest.approx(0.0, abs=1e-6)
        before, after = buffer.observations["desired_goal"], buffer.next_observations["desired_goal"]
        assert np.array_equal(before[row, environment], after[row, environment])
