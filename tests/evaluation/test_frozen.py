"""The robot that stands as it started: what a task pays it, worked out by hand."""

import pytest
import torch

from genelab.config.task import ProtocolCfg
from genelab.envs.make import make_env
from genelab.envs.purpose import Purpose
from genelab.evaluation.episodes import run_episodes
from genelab.evaluation.evaluate import IdlePolicy
from genelab.mdp.state import BaseState
from genelab.registry import get_task
from genelab.sim.session import Session

pytestmark = pytest.mark.slow

SESSION = Session("mujoco", torch.device("cpu"), 0, 1, {}, 0.0)


def test_a_frozen_robot_earns_what_its_commands_say_and_moves_nowhere() -> None:
    task = get_task("Genelab-Velocity-Flat-Unitree-G1-v0").on("mujoco")
    protocol = ProtocolCfg(episodes=5, num_envs=3, max_episode_s=4.0)
    env = make_env(task, Purpose.evaluation(task, protocol, frozen=True), 3, SESSION)
    paid: dict[int, float] = dict.fromkeys(range(6), 0.0)
    env.reset()
    start = env.state().of(BaseState).pos_w.clone()

    def pay(_: object) -> None:
        command = env.state().commands["velocity"]
        linear = 2.0 * torch.exp(-command[:, :2].square().sum(dim=1) / 0.25)
        angular = 2.0 * torch.exp(-command[:, 2].square() / 0.5)
        # Upright, and in the default pose.
        for number, reward in zip(env.episode_number.tolist(), (linear + angular + 2.0).tolist(), strict=True):
            paid[number] = paid.get(number, 0.0) + 0.02 * reward

    episodes = run_episodes(env, IdlePolicy(env), 5, pay)
    assert episodes.return_ == pytest.approx([paid[number] for number in range(5)], rel=1e-5)
    assert set(episodes.end) == {"truncated"}
    assert set(episodes.length) == {200}
    env.reset()
    assert torch.equal(env.state().of(BaseState).pos_w, start)
    assert episodes.measures["speed_along_command"] == (0.0,) * 5
    assert episodes.measures["lin_vel_error"] == pytest.approx(episodes.measures["commanded_speed"])
