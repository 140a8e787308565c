"""Success as the simulated task tells it."""

from collections.abc import Callable

import pytest
import torch

from genelab.envs.environment import Environment
from genelab.envs.purpose import Purpose
from genelab.evaluation.episodes import run_episodes
from genelab.evaluation.evaluate import IdlePolicy
from genelab.records.eval import Episodes
from genelab.registry import get_task
from genelab.sim.engine import Engine

pytestmark = [pytest.mark.sim, pytest.mark.xdist_group("sim")]

FRANKA = get_task("GeneLab-Franka-Pick-And-Place-v0")
COUNT = 64


def idle(sim: Engine) -> tuple[Episodes, torch.Tensor]:
    """Two control steps of doing nothing, and the distance of cube and goal at the start of each episode."""
    protocol = FRANKA.protocol.model_copy(update={"max_episode_s": 0.1, "num_envs": sim.num_envs, "seed": 3})
    env = Environment(
        FRANKA.env,
        sim,
        Purpose.evaluation(FRANKA, protocol),
    )
    first: list[torch.Tensor] = []

    def observe(observations: dict[str, torch.Tensor]) -> None:
        first.append((observations["achieved_goal"] - observations["desired_goal"]).norm(dim=1))

    return run_episodes(env, IdlePolicy(env), COUNT, observe), first[0]


def test_who_does_nothing_succeeds_where_the_cube_lies_at_its_goal(build: Callable[[str, int], Engine]):
    table, distance = idle(build(FRANKA.id, COUNT))
    lucky = (distance <= 0.05).tolist()
    assert 0 < sum(lucky) < COUNT / 4
    # The cube stays where it lies, so what was reached is reached still.
    assert [*table.success] == [*table.success_at_end] == lucky
    assert table.length == (2,) * COUNT
