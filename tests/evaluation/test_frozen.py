"""The robot that stands as it started: what a task pays it, worked out by hand; and starts anywhere."""

from pathlib import Path
from typing import Any

import pytest
import torch

from genelab.config.task import ProtocolCfg, TaskSpec
from genelab.envs.make import make_env
from genelab.envs.purpose import Purpose
from genelab.evaluation.episodes import run_episodes
from genelab.evaluation.evaluate import Evaluation, IdlePolicy, RandomPolicy, evaluate
from genelab.mdp.state import BaseState
from genelab.registry import get_task
from genelab.sim.session import Session
from tests.clips import standing, with_clip
from tests.export.conftest import make_checkpoint

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


def _evaluated(task: TaskSpec) -> Evaluation:
    """Three short episodes of random weights."""
    task = task.on("mujoco")
    env = make_env(task, Purpose.evaluation(task, task.protocol), 1, SESSION)
    checkpoint = make_checkpoint(task, torch.zeros(1, 1), layout=env.layout())
    protocol = ProtocolCfg(episodes=3, num_envs=2, max_episode_s=0.4)
    return evaluate(task, protocol, checkpoint, SESSION, "random weights")


def test_an_evaluation_runs_what_the_task_is_held_against(tmp_path: Path) -> None:
    walker = get_task("Genelab-Velocity-Flat-Unitree-G1-v0")
    walker = walker.model_copy(update={"agent": walker.agent.model_copy(update={"normalization": "fixed"})})
    found = _evaluated(walker)
    assert found.drawn_starts is None
    assert found.frozen is not None
    assert found.frozen.measures["speed_along_command"] == (0.0,) * 3
    tracker = with_clip(standing(walker.env.robot, 200), tmp_path)
    tracker = tracker.model_copy(update={"agent": tracker.agent.model_copy(update={"normalization": "fixed"})})
    found = _evaluated(tracker)
    assert found.frozen is None
    assert found.drawn_starts is not None
    # The numbered episodes are one and the same, those from anywhere are not.
    assert len(set(found.policy.return_)) == 1
    assert len(set(found.drawn_starts.return_)) == 3


@pytest.mark.parametrize("changed", [{"drawn_starts": 0.3}, {"frozen": True}])
def test_an_environment_made_again_of_a_used_scene_runs_the_episodes_of_a_new_one(
    changed: dict[str, Any], tmp_path: Path
) -> None:
    walker = get_task("Genelab-Velocity-Flat-Unitree-G1-v0")
    task = (walker if "frozen" in changed else with_clip(standing(walker.env.robot, 200), tmp_path)).on("mujoco")
    protocol = ProtocolCfg(episodes=3, num_envs=2, max_episode_s=0.4)
    purpose = Purpose.evaluation(task, protocol, **changed)
    used = make_env(task, Purpose.training(task, 5), 2, SESSION)
    used.reset()
    for _ in range(30):
        used.step(torch.randn(2, used.num_actions))
    env, new = used.again(purpose), make_env(task, purpose, 2, SESSION)
    assert run_episodes(env, RandomPolicy(env), 3) == run_episodes(new, RandomPolicy(new), 3)
