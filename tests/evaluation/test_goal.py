"""Success as the simulated task tells it."""

import pytest
import torch

from genelab.envs.make import make_env
from genelab.envs.purpose import Purpose
from genelab.evaluation.episodes import run_episodes
from genelab.evaluation.evaluate import IdlePolicy
from genelab.records.eval import Episodes
from genelab.registry import get_task
from genelab.sim.session import Session

pytestmark = pytest.mark.slow

COUNT = 64


def idle() -> tuple[Episodes, torch.Tensor]:
    """Two control steps of doing nothing, and the distance of cube and goal at the start of each episode."""
    task = get_task("GeneLab-Franka-Pick-And-Place-v0").on("mujoco")
    protocol = task.protocol.model_copy(update={"max_episode_s": 0.1, "seed": 3})
    session = Session("mujoco", torch.device("cpu"), 0, 1, {}, 0.0)
    env = make_env(task, Purpose.evaluation(task, protocol), COUNT, session)
    first: list[torch.Tensor] = []

    def observe(observations: dict[str, torch.Tensor]) -> None:
        first.append((observations["achieved_goal"] - observations["desired_goal"]).norm(dim=1))

    return run_episodes(env, IdlePolicy(env), COUNT, observe), first[0]


def test_who_does_nothing_succeeds_where_the_cube_lies_at_its_goal() -> None:
    table, distance = idle()
    lucky = (distance <= 0.05).tolist()
    assert 0 < sum(lucky) < COUNT / 4
    # The cube stays where it lies, so what was reached is reached still.
    assert [*table.success] == [*table.success_at_end] == lucky
    assert table.length == (2,) * COUNT
