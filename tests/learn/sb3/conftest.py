from typing import Any

import numpy as np
import pytest
import torch
from stable_baselines3 import HerReplayBuffer

from genelab.config.agent import NetworkCfg, PpoCfg, SacCfg, TqcCfg
from genelab.learn.sb3.buffer import GoalReplayBuffer
from tests.learn.sb3.point_mass import PointMass
from tests.learn.sb3.vec_env import GoalVecEnv


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


@pytest.fixture(scope="session")
def sac_cfg() -> SacCfg:
    network = NetworkCfg(hidden_dims=(32, 32), activation="relu")
    return SacCfg(
        actor=network,
        critic=network,
        num_steps_per_env=25,
        gradient_steps=1,
        batch_size=64,
        buffer_size=4 * 60,
        learning_starts=100,
        learning_rate=1e-3,
        gamma=0.95,
        tau=0.05,
        ent_coef=0.05,
        save_interval=1,
    )


@pytest.fixture
def tqc_cfg(sac_cfg: SacCfg) -> TqcCfg:
    return TqcCfg.model_validate({**sac_cfg.model_dump(exclude={"algorithm"}), "n_quantiles": 7})


@pytest.fixture
def sb3_ppo_cfg() -> PpoCfg:
    network = NetworkCfg(hidden_dims=(32, 32), activation="tanh")
    return PpoCfg(
        trainer="stable_baselines3",
        actor=network,
        critic=network,
        normalization="none",
        schedule="fixed",
        init_std=0.5,
        save_interval=1,
    )


def their_buffer(env: PointMass, rows: int) -> HerReplayBuffer:
    """The buffer of Stable-Baselines3 with as many rows."""
    vec_env: Any = GoalVecEnv(env)
    spaces = vec_env.observation_space, vec_env.action_space
    return HerReplayBuffer(rows * env.num_envs, *spaces, vec_env, device="cpu", n_envs=env.num_envs)


def fill(buffers: list[Any], env: PointMass, steps: int, *, first: bool = True, action: float = 2.0) -> None:
    """Step at random and add every transition to all buffers, to those of SB3 in its own way."""
    vec_env = GoalVecEnv(env)
    now = vec_env.reset() if first else {n: t.numpy() for n, t in env._observe().items()}
    for _ in range(steps):
        actions = (action * torch.rand(env.num_envs, 3) - action / 2).numpy()
        after, reward, done, infos = vec_env.step(actions)
        following = {name: values.copy() for name, values in after.items()}
        for i in range(env.num_envs):
            for name, value in infos[i].get("terminal_observation", {}).items():
                following[name][i] = value
        timeout = np.array([info.get("TimeLimit.truncated", False) for info in infos])
        for buffer in buffers:
            if isinstance(buffer, GoalReplayBuffer):
                buffer.append(now, following, actions, reward, done, timeout)
            else:
                buffer.add(now, following, actions, reward, done, infos)
        now = after


@pytest.fixture
def filled() -> GoalReplayBuffer:
    """Episodes of different lengths of 4 environments, the last ones open."""
    env = PointMass(wall=0.6)
    buffer = GoalReplayBuffer(env, 100 * env.num_envs)
    fill([buffer], env, 70)
    return buffer
