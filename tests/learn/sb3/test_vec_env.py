import numpy as np
import pytest
import torch

from genelab.errors import InputError
from genelab.learn.sb3.vec_env import GoalVecEnv
from tests.learn.sb3.point_mass import PointMass


def test_infos_tell_how_an_episode_ended_and_its_true_final_observation():
    env = GoalVecEnv(PointMass(wall=0.5))
    now, ended = env.reset(), {True: 0, False: 0}
    assert list(now) == list(env.observation_space) == ["achieved_goal", "desired_goal", "observation"]
    returns, lengths = np.zeros(4), np.zeros(4, dtype=int)
    for _ in range(60):
        actions = np.random.default_rng(0).uniform(-1, 1, (4, 3)).astype(np.float32)
        actions[0, 0] = -0.5
        after, reward, done, infos = env.step(actions)
        returns, lengths = returns + reward, lengths + 1
        for i, info in enumerate(infos):
            assert bool(info) == done[i]
            if not done[i]:
                continue
            moved = (now["achieved_goal"][i] + 0.2 * actions[i]).clip(-1.0, 1.0)
            final = info["terminal_observation"]
            np.testing.assert_allclose(final["achieved_goal"], moved, atol=1e-6)
            np.testing.assert_array_equal(final["desired_goal"], now["desired_goal"][i])
            assert not np.array_equal(after["desired_goal"][i], now["desired_goal"][i])
            assert info["TimeLimit.truncated"] == (moved[0] <= 0.5)
            assert (info["episode"]["r"], info["episode"]["l"]) == (returns[i], lengths[i])
            assert info["is_success"] == (returns[i] > -lengths[i])
            ended[info["TimeLimit.truncated"]] += 1
            returns[i] = lengths[i] = 0
        now = after
    assert min(ended.values()) > 1


def test_what_it_returns_is_never_overwritten():
    env = GoalVecEnv(PointMass())
    first = env.reset()
    kept = {name: values.copy() for name, values in first.items()}
    second, _, _, infos = env.step(np.ones((4, 3), np.float32))
    infos[0]["mine"] = 1
    _, _, _, others = env.step(np.ones((4, 3), np.float32))
    assert not any(others)
    for name, values in first.items():
        np.testing.assert_array_equal(values, kept[name])
    assert not np.array_equal(second["achieved_goal"], first["achieved_goal"])


def test_judges_a_whole_batch_of_goals():
    env = GoalVecEnv(PointMass())
    achieved, desired = np.zeros((9, 3), np.float32), np.linspace(0, 1, 27, dtype=np.float32).reshape(9, 3)
    (reward,) = env.env_method("compute_reward", achieved, desired, [{}] * 9, indices=[0])
    assert (reward.dtype, reward.shape) == (np.float32, (9,))
    np.testing.assert_array_equal(reward, -1.0 * (np.linalg.norm(desired, axis=1) > 0.2))
    with pytest.raises(AttributeError, match="no method 'render'"):
        env.env_method("render")


def test_a_missing_group_is_told():
    env = PointMass()
    env.layout = lambda: {"observation": [{"stop": 3}], "achieved_goal": [{"stop": 3}]}
    with pytest.raises(InputError, match="has no group 'desired_goal'"):
        GoalVecEnv(env)
    assert torch.is_tensor(env.reset()["desired_goal"])
