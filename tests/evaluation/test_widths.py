"""An episode is the same to the last bit, whether its environment is alone or beside others."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from genelab.envs.environment import Environment
from genelab.envs.purpose import Purpose
from genelab.evaluation.episodes import run_episodes
from genelab.evaluation.evaluate import RandomPolicy
from genelab.records.eval import Episodes
from genelab.registry import get_task
from genelab.sim.engine import Engine

pytestmark = [pytest.mark.sim, pytest.mark.xdist_group("sim")]

EPISODES = 4

Seen = dict[tuple[int, int], dict[str, Tensor]]
"""Observations by episode and control step."""


def rolled(task_id: str, sim: Engine) -> tuple[Episodes, Seen]:
    """A few short episodes of random actions, so that one environment runs several of them in turn."""
    task = get_task(task_id)
    protocol = task.protocol.model_copy(update={"max_episode_s": 0.6, "num_envs": sim.num_envs, "disturbances": True})
    env = Environment(task.env, sim, Purpose.evaluation(task, protocol))
    seen: Seen = {}

    def observe(observations: dict[str, Tensor]) -> None:
        for row in range(sim.num_envs):
            key = int(env.episode_number[row]), int(env.episode_step[row])
            seen[key] = {group: values[row].clone() for group, values in observations.items()}

    return run_episodes(env, RandomPolicy(env), EPISODES, observe), seen


# As many side by side as in the other tests of these robots: Genesis compiles for each number anew.
@pytest.mark.parametrize(
    ("task_id", "width"), [("Genelab-Velocity-Flat-Unitree-Go1-v0", 8), ("GeneLab-Franka-Pick-And-Place-v0", 4)]
)
def test_episodes_are_the_same_one_after_the_other_and_side_by_side(
    build: Callable[[str, int], Engine], task_id: str, width: int
) -> None:
    (alone, seen_alone), (beside, seen_beside) = (rolled(task_id, build(task_id, count)) for count in (1, width))
    assert alone == beside
    assert len(alone.return_) == EPISODES
    for key, observations in seen_alone.items():
        for group, row in observations.items():
            assert torch.equal(row, seen_beside[key][group]), (key, group)
