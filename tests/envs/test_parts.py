"""What an environment remembers, without a simulator."""

import math

import pytest
import torch
from torch import Tensor

from genelab.config.actions import JointTargetsCfg
from genelab.envs.parts.delay import Delay
from genelab.envs.parts.history import History
from genelab.mdp.normal import standard_normal
from tests.envs.world import constant, empty_cfg, world


def _action(latency: tuple[int, int], noise_std: float = 0.0) -> JointTargetsCfg:
    return JointTargetsCfg(scale=0.25, latency=latency, noise_std=noise_std)


@pytest.mark.parametrize(("draw", "lag"), [(0.0, 0), (0.34, 1), (0.99, 2)])
def test_an_action_arrives_late_by_what_was_drawn(draw: float, lag: int):
    around = world(empty_cfg(action_columns=("a", "b")), 2)
    delay, around.draw = Delay(_action((0, 2)), around), constant(2, draw)
    delay.start(torch.tensor([True, True]))
    arrived = [delay.act(torch.full((2, 2), float(k)))[0, 0].item() for k in range(1, 6)]
    # Zero until the first one arrives.
    assert arrived == [float(max(k - lag, 0)) for k in range(1, 6)]


def test_a_new_episode_forgets_what_was_on_the_way():
    delay = Delay(_action((2, 2)), world(empty_cfg(action_columns=("a", "b")), 2))
    delay.start(torch.tensor([True, True]))
    for _ in range(3):
        delay.act(torch.ones(2, 2))
    delay.start(torch.tensor([True, False]))
    assert delay.act(torch.ones(2, 2)).tolist() == [[0.0, 0.0], [1.0, 1.0]]


def test_noise_comes_after_the_delay():
    around = world(empty_cfg(action_columns=("a", "b")), 2)
    delay = Delay(_action((1, 1), noise_std=0.05), around)
    delay.start(torch.tensor([True, True]))
    # sqrt(-2 ln(1 - u)) cos(2 pi u) for u = 0.25.
    noise = 0.05 * math.sqrt(-2.0 * math.log(0.75)) * math.cos(math.pi / 2)
    around.draw = constant(2, 0.25)
    assert delay.act(torch.ones(2, 2))[0, 0] == pytest.approx(noise, abs=1e-7)
    around.draw = constant(2, 0.5)
    assert delay.act(torch.ones(2, 2))[0, 0] == pytest.approx(1 - 0.05 * math.sqrt(2 * math.log(2)))


def test_normal_draws_are_normal():
    draws = torch.rand(20_000, 2, generator=torch.Generator().manual_seed(0))
    found = standard_normal(draws)[:, 0]
    assert found.mean().abs() < 0.03
    assert found.std() == pytest.approx(1.0, abs=0.03)
    assert standard_normal(torch.zeros(1, 2)).tolist() == [[0.0]]


def test_a_history_is_filled_with_the_first_frame_and_ordered_oldest_first():
    history = History(3)
    first = torch.tensor([True, True])
    later = torch.tensor([False, False])

    def frame(value: float) -> Tensor:
        return torch.tensor([[value, -value], [10.0 * value, 0.0]])

    assert history.stacked(frame(1.0), first, keep=True)[0].tolist() == [1.0, -1.0, 1.0, -1.0, 1.0, -1.0]
    assert history.stacked(frame(2.0), later, keep=True)[0].tolist() == [1.0, -1.0, 1.0, -1.0, 2.0, -2.0]
    # What is only looked at does not enter.
    assert history.stacked(frame(9.0), later, keep=False)[0].tolist() == [1.0, -1.0, 2.0, -2.0, 9.0, -9.0]
    stacked = history.stacked(frame(3.0), torch.tensor([False, True]), keep=True)
    assert stacked[0].tolist() == [1.0, -1.0, 2.0, -2.0, 3.0, -3.0]
    assert stacked[1].tolist() == [30.0, 0.0] * 3
