"""genelab from Python: the functions give what the commands write, and libraries of gymnasium can train on a task."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium.utils.env_checker import check_env

import genelab
import genelab.gym
from genelab.errors import InputError
from genelab.evaluation.episodes import run_episodes

ROOT = Path(__file__).parents[1]
TASK, GO1, FRANKA = (
    *("GeneLab-Inverted-Pendulum-v1", "Genelab-Velocity-Flat-Unitree-Go1-v0"),
    "GeneLab-Franka-Pick-And-Place-v0",
)
PAGE = (ROOT / "docs" / "guides" / "library.md").read_text()
EXAMPLES = re.findall(r"## ([^\n]*)\n\n```python\n(.*?)```", PAGE, re.DOTALL)

pytestmark = pytest.mark.slow


@pytest.fixture
def in_a_clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A current folder with the published entries in it."""
    (tmp_path / "reference").symlink_to(ROOT / "reference")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_page_has_five_examples() -> None:
    assert len(EXAMPLES) == PAGE.count("```python") == 5


@pytest.mark.parametrize("code", [code for _, code in EXAMPLES], ids=[title for title, _ in EXAMPLES])
def test_an_example_of_the_page_runs(code: str, in_a_clone: Path) -> None:
    found: dict[str, Any] = {"__name__": "__main__"}
    exec(compile(code, "docs/guides/library.md", "exec"), found)
    if "model" in found:
        # Doing nothing earns 3.0 in these episodes.
        assert np.mean(found["episodes"].return_) > 6.0
    if "sweep" in found:
        assert sorted(found["sweep"].evaluations) == [1, 2]
        assert found["sweep"].record.command[:3] == ("genelab", "train", TASK)


def test_the_package_loads_nothing_until_used() -> None:
    heavy = "{'torch', 'numpy', 'pydantic', 'gymnasium', 'genesis', 'mujoco'} & set(sys.modules)"
    code = f"import sys, genelab; assert not {heavy}; genelab.tasks; assert 'genesis' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        genelab.nothing  # noqa: B018


def test_make_draws_by_the_seed_and_takes_overrides() -> None:
    first, again, other = (genelab.make(TASK.lower(), 3, engine="mujoco", seed=seed).reset() for seed in (1, 1, 2))
    assert torch.equal(first["policy"], again["policy"])
    assert not torch.equal(first["policy"], other["policy"])
    env = genelab.make(TASK, engine="mujoco", overrides=["env.episode_length_s=0.1"])
    assert env.max_steps == round(0.1 / env.cfg.control_dt)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"task": "GeneLab-Inverted-Pendulun-v1"}, f"nearest: {TASK}"),
        ({"num_envs": 0}, "num_envs = 0: must be at least 1"),
        ({"device": "gpu"}, "device = 'gpu'"),
        ({"overrides": ["env.decimaton=2"]}, "override env.decimaton: unknown path; nearest: env.decimation"),
        ({"threads": 7}, "threads = 7: this process runs mujoco on 'auto' with 1 thread"),
    ],
)
def test_bad_arguments_are_one_line(arguments: dict[str, Any], told: str) -> None:
    genelab.make(TASK, engine="mujoco")
    with pytest.raises(InputError) as error:
        genelab.make(**{"task": TASK, "engine": "mujoco", **arguments})
    assert told in str(error.value)
    assert "\n" not in str(error.value)


def test_training_refuses_what_the_command_refuses(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="given twice: 1"):
        genelab.train(TASK, seeds=[1, 1], log_dir=tmp_path / "runs")
    with pytest.raises(InputError, match="checkpoint 'none' does not exist"):
        genelab.train(TASK, checkpoint="none", log_dir=tmp_path / "runs")
    assert list(tmp_path.iterdir()) == []


def test_a_loaded_policy_earns_in_its_environment_what_its_evaluation_says(in_a_clone: Path) -> None:
    env, policy = genelab.load(f"{TASK}/seed_2", num_envs=3, engine="mujoco")
    record = genelab.evaluate(f"{TASK}/seed_2", episodes=4, num_envs=2, engine="mujoco")
    assert run_episodes(env, policy, 4).return_ == record.episodes.return_
    assert (record.run.seed, record.protocol.episodes) == (2, 4)
    assert list(in_a_clone.iterdir()) == [in_a_clone / "reference"]


@pytest.mark.filterwarnings("ignore:.*Box action space:UserWarning", "ignore:.*Box observation space:UserWarning")
@pytest.mark.filterwarnings("ignore:.*normalized space:UserWarning")
def test_one_environment_passes_the_checker_of_gymnasium() -> None:
    check_env(gymnasium.make(f"genelab/{TASK}", engine="mujoco").unwrapped)


def test_the_vector_shows_what_the_environment_behind_it_does() -> None:
    """Episode ends included: final observations, the mask, and the first of the next episode."""
    envs = gymnasium.make_vec(f"genelab/{TASK}", num_envs=4, engine="mujoco")
    assert isinstance(envs, genelab.gym.VectorEnv)
    seed = int(np.random.default_rng(5).integers(2**32))
    behind = genelab.make(TASK, 4, engine="mujoco", seed=seed)
    observations, info = envs.reset(seed=5)
    expected = behind.reset()
    rng, ends = np.random.default_rng(0), 0
    for _ in range(40):
        assert observations.dtype == np.float32
        assert np.array_equal(observations, expected["policy"].numpy())
        assert np.array_equal(info["critic"], expected["critic"].numpy())
        actions = 3.0 * rng.standard_normal((4, 1)).astype(np.float32)
        observations, rewards, terminated, truncated, info = envs.step(actions)
        step = behind.step(torch.as_tensor(actions))
        expected, ended = step.observations, terminated | truncated
        assert np.array_equal(rewards, step.reward.numpy())
        assert np.array_equal(ended, (step.terminated | step.truncated).numpy())
        assert ("final_obs" in info) == ended.any()
        for k in np.flatnonzero(ended):
            ends += 1
            assert step.finished.observations is not None
            assert np.array_equal(info["final_obs"][k], step.finished.observations["policy"][k].numpy())
            assert np.array_equal(info["final_info"]["critic"][k], step.finished.observations["critic"][k].numpy())
            assert not np.array_equal(info["final_obs"][k], observations[k])
        if ended.any():
            assert [final is not None for final in info["final_obs"]] == ended.tolist()
            assert np.array_equal(info["_final_obs"], ended)
    assert ends > 4


def test_a_reset_draws_by_its_seed_and_on_without_one() -> None:
    envs = genelab.gym.make_vec(TASK, 2, engine="mujoco")
    first, on = envs.reset(seed=3)[0], envs.reset()[0]
    assert np.array_equal(envs.reset(seed=3)[0], first)
    assert np.array_equal(envs.reset()[0], on)
    assert not np.array_equal(first, on)
    with pytest.raises(InputError, match="a reset takes none"):
        envs.reset(options={"anything": 1})


def test_one_environment_ends_with_its_last_observation() -> None:
    env, envs = genelab.gym.make(TASK, engine="mujoco"), genelab.gym.make_vec(TASK, 1, engine="mujoco")
    assert np.array_equal(env.reset(seed=9)[0], envs.reset(seed=9)[0][0])
    for _ in range(300):
        observation, reward, terminated, truncated, _ = env.step(np.full(1, 2.0, dtype=np.float32))
        _, rewards, _, _, info = envs.step(np.full((1, 1), 2.0, dtype=np.float32))
        assert reward == rewards[0]
        if terminated or truncated:
            break
    assert terminated
    assert np.array_equal(observation, info["final_obs"][0])


def test_spaces_have_bounds_where_they_are_wanted() -> None:
    bounded = genelab.gym.make(TASK, engine="mujoco", action_bound=10.0)
    assert bounded.action_space == gymnasium.spaces.Box(-10.0, 10.0, (1,), np.float32)
    assert not np.isfinite(genelab.gym.make(TASK, engine="mujoco").action_space.high).any()


def test_the_policy_of_a_walker_sees_less_than_its_value_network() -> None:
    envs = genelab.gym.make_vec(GO1, 2, engine="mujoco")
    layout = genelab.make(GO1, 1, engine="mujoco").layout()
    observations, info = envs.reset(seed=1)
    assert observations.shape == (2, layout["policy"][-1]["stop"])
    assert info["critic"].shape == (2, layout["critic"][-1]["stop"])
    observations, rewards, *_ = envs.step(np.zeros((2, 12), dtype=np.float32))
    assert observations in envs.observation_space
    assert np.isfinite(rewards).all()


def test_a_task_with_a_goal_shows_a_dict_and_judges_by_any_goal() -> None:
    envs = genelab.gym.make_vec(FRANKA, 2, engine="mujoco")
    observations, _ = envs.reset(seed=1)
    assert observations in envs.observation_space
    assert envs.single_action_space == gymnasium.spaces.Box(-1.0, 1.0, (4,), np.float32)
    ended = np.zeros(2, dtype=bool)
    while not ended.any():
        _, rewards, terminated, truncated, info = envs.step(envs.action_space.sample())
        ended = terminated | truncated
    final = info["final_obs"][0]
    assert set(final) == {"observation", "achieved_goal", "desired_goal"}
    goals = final["achieved_goal"], final["desired_goal"]
    assert envs.compute_reward(*goals, {}) == pytest.approx(rewards[:1])
    assert envs.compute_reward(goals[0], goals[0], {})[0] > rewards[0]
    assert info["final_info"]["is_success"].tolist() == [False, False]
