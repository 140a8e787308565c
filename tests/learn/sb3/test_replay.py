import copy
from typing import Any

import numpy as np
import pytest
import torch

from genelab.errors import InputError
from genelab.learn.sb3.buffer import GoalReplayBuffer
from genelab.learn.state import load_state, save_state
from tests.learn.sb3.conftest import fill, their_buffer
from tests.learn.sb3.point_mass import PointMass

STORED = ("actions", "rewards", "dones", "timeouts", "ep_start", "ep_length", "_current_ep_start")


def _arrays(buffer: Any) -> dict[str, Any]:
    groups = {
        f"{when}/{name}": values
        for when in ("observations", "next_observations")
        for name, values in getattr(buffer, when).items()
    }
    return groups | {name: getattr(buffer, name) for name in STORED}


@pytest.mark.parametrize("steps", [5, 70, 100, 333])
@pytest.mark.parametrize("wall", [2.0, 0.5])
def test_stores_what_stable_baselines3_stores(steps: int, wall: float):
    env = PointMass(wall=wall)
    ours, theirs = GoalReplayBuffer(env, 4 * 50), their_buffer(env, 50)
    fill([ours, theirs], env, steps)
    assert (ours.pos, ours.full) == (theirs.pos, theirs.full)
    for name, values in _arrays(theirs).items():
        np.testing.assert_array_equal(_arrays(ours)[name], values, err_msg=name)
    assert ours.drawable == (theirs.ep_length > 0).sum()
    assert steps == 5 or ours.drawable > 0


def _keys(rows: torch.Tensor) -> list[bytes]:
    return [row.tobytes() for row in np.ascontiguousarray(rows.numpy())]


@pytest.mark.parametrize("steps", [70, 333])
def test_draws_what_stable_baselines3_draws_with_the_same_probabilities(steps: int):
    env = PointMass(wall=0.6)
    ours, theirs = GoalReplayBuffer(env, 4 * 100), their_buffer(env, 100)
    fill([ours, theirs], env, steps)
    valid = [tuple(where) for where in np.argwhere(theirs.ep_length > 0)]
    index = {theirs.actions[where].tobytes(): i for i, where in enumerate(valid)}
    # Which later step a goal is from, by what was achieved there.
    goal_index = {theirs.next_observations["achieved_goal"][where].tobytes(): where[0] for where in valid}
    counts, ahead = [], []
    np.random.seed(0)
    for buffer in (ours, theirs):
        count, distance = np.zeros(len(valid)), np.zeros(env.max_steps)
        for _ in range(60):
            sample = buffer.sample(1000)
            drawn = [index[key] for key in _keys(sample.actions)]
            np.add.at(count, drawn, 1)
            for i, key in list(zip(drawn, _keys(sample.observations["desired_goal"]), strict=True))[200:]:
                distance[(goal_index[key] - valid[i][0]) % 100] += 1
        counts.append(count)
        ahead.append(distance)
    expected = 60_000 / len(valid)
    for count in counts:
        # Chi-square over hundreds of cells: mean 1, standard deviation sqrt(2 / cells).
        assert ((count - expected) ** 2 / expected).mean() == pytest.approx(1.0, abs=6 * (2 / len(valid)) ** 0.5)
    assert ahead[0].sum() == ahead[1].sum() == 48_000
    error = (ahead[0] - ahead[1]) / np.sqrt(ahead[0] + ahead[1] + 1.0)
    assert np.abs(error).max() < 5.0
    assert (ahead[0] > 0).sum() > 10


def test_open_and_overwritten_episodes_are_never_drawn():
    env = PointMass(wall=0.6)
    buffer = GoalReplayBuffer(env, 4 * 50)
    fill([buffer], env, 173)
    invalid = {buffer.actions[tuple(where)].tobytes() for where in np.argwhere(buffer.ep_length == 0)}
    assert len(invalid) > 20
    assert not invalid & set(_keys(buffer.sample(5000).actions))


def test_a_few_drawable_among_many_are_all_drawn():
    env = PointMass(64, wall=0.66, max_steps=100)
    buffer = GoalReplayBuffer(env, 64 * 100)
    fill([buffer], env, 4, action=1.0)
    assert 0 < buffer.drawable < 0.125 * 64 * 4
    drawn = set(_keys(buffer.sample(2000).actions))
    valid = {buffer.actions[tuple(where)].tobytes() for where in np.argwhere(buffer.ep_length > 0)}
    assert drawn == valid


def test_a_relabelled_transition_holds_its_goal_everywhere(filled: GoalReplayBuffer):
    env = filled.goals
    sample = filled.sample(500)
    goal = sample.observations["desired_goal"]
    assert torch.equal(goal, sample.next_observations["desired_goal"])
    for observations in (sample.observations, sample.next_observations):
        assert torch.equal(observations["observation"][:, 3:6], goal)
        assert torch.equal(observations["observation"][:, 6:9], goal - observations["achieved_goal"])
        assert torch.equal(observations["observation"][:, :3], observations["achieved_goal"])
    expected = env.compute_reward(sample.next_observations["achieved_goal"], goal)
    assert torch.equal(sample.rewards[:, 0], expected)
    stored = set(_keys(torch.from_numpy(filled.observations["desired_goal"]).flatten(0, 1)))
    own = np.array([key in stored for key in _keys(goal)])
    assert own[:100].all()
    assert not own[100:].any()


def test_a_time_out_is_no_terminal_state():
    env = PointMass(wall=0.5)
    buffer = GoalReplayBuffer(env, 4 * 100)
    fill([buffer], env, 100)
    ended = buffer.dones.sum()
    assert 0 < buffer.timeouts.sum() < ended
    sample = buffer.sample(4000)
    terminal = sample.next_observations["achieved_goal"][:, 0] > 0.5
    assert torch.equal(sample.dones[:, 0] == 1.0, terminal)


def test_samples_depend_on_torchs_generator_alone_and_share_no_memory(filled: GoalReplayBuffer):
    before = copy.deepcopy(filled.state_dict())
    torch.manual_seed(3)
    first = filled.sample(64)
    np.random.seed(99)
    torch.manual_seed(3)
    second = filled.sample(64)
    assert torch.equal(first.observations["observation"], second.observations["observation"])
    first.observations["observation"].fill_(7.0)
    first.rewards.fill_(7.0)
    assert torch.equal(filled.state_dict()["rows"], before["rows"])


@pytest.mark.parametrize("before", [10, 95, 133])
@pytest.mark.parametrize("after", [1, 30, 170])
def test_rollback_restores_the_mark_exactly(before: int, after: int):
    env = PointMass(wall=0.6)
    buffer = GoalReplayBuffer(env, 4 * 100)
    fill([buffer], env, before)
    buffer.mark()
    marked, drawable = copy.deepcopy(buffer.state_dict()), buffer.drawable
    whole = buffer._table.copy()
    for _ in range(2):
        fill([buffer], env, after, first=False)
        assert buffer.pos != marked["pos"] or after == 100
        buffer.rollback()
        state = buffer.state_dict()
        assert all(torch.equal(state[n], marked[n]) for n in ("rows", "episodes", "open"))
        assert all(state[n] == marked[n] for n in ("size", "pos", "full"))
        assert buffer.drawable == drawable
        np.testing.assert_array_equal(buffer._table, whole)


@pytest.mark.parametrize("steps", [33, 145])
def test_state_is_exact_and_only_as_large_as_what_is_stored(steps: int, tmp_path):
    env, other = PointMass(wall=0.6), PointMass(wall=0.6)
    buffer, loaded = GoalReplayBuffer(env, 4 * 100), GoalReplayBuffer(env, 4 * 100)
    fill([buffer], env, steps)
    fill([loaded], other, 60)
    path = tmp_path / "buffer.pt"
    save_state(path, "x", buffer.state_dict())
    assert path.stat().st_size < min(steps, 100) * 4 * (buffer._table.shape[2] * 4 + 16) + 5000
    loaded.load_state_dict(load_state(path, "x"))
    assert loaded.drawable == buffer.drawable
    for _ in range(3):
        torch.manual_seed(4)
        ours = buffer.sample(200)
        torch.manual_seed(4)
        theirs = loaded.sample(200)
        assert torch.equal(ours.next_observations["observation"], theirs.next_observations["observation"])
        fill([buffer, loaded], env, 17, first=False)


def test_a_state_of_another_size_and_a_small_buffer_are_refused(filled: GoalReplayBuffer):
    other = GoalReplayBuffer(PointMass(), 4 * 50)
    with pytest.raises(InputError, match=r"replay buffer: its state has shape \(100, 4, .*needs \(50, 4"):
        other.load_state_dict(filled.state_dict())
    with pytest.raises(InputError, match=r"agent.buffer_size: 76 keeps 19 transitions .* up to 20"):
        GoalReplayBuffer(PointMass(), 4 * 19)


def test_nothing_can_be_drawn_before_an_episode_ends():
    env = PointMass()
    buffer = GoalReplayBuffer(env, 4 * 50)
    fill([buffer], env, 19)
    with pytest.raises(RuntimeError, match="no episode has ended yet"):
        buffer.sample(8)


def test_an_episode_as_long_as_the_buffer_fits():
    env = PointMass()
    buffer = GoalReplayBuffer(env, 4 * 20)
    for steps in (20, 7, 13, 40):
        fill([buffer], env, steps, first=False)
        assert (buffer.ep_length[:, 0] > 0).sum() in (0, 20)
    assert buffer.drawable == 80
