import dataclasses

import pytest
import torch

from genelab.envs.step import Finished, Observations, Step
from genelab.errors import DivergedError, RunError
from genelab.evaluation.episodes import run_episodes


class TwoSpeedEnv:
    """Episode k lasts 3 steps if k is in `short`, otherwise 50, and pays 1 a step.

    With `lucky` it has a goal: those episodes reach it, and are there on even steps.
    """

    def __init__(
        self, num_envs: int, short: set[int], bad: int | None = None, lucky: frozenset[int] = frozenset()
    ) -> None:
        self.num_envs, self.max_steps = num_envs, 50
        self.device = torch.device("cpu")
        self._short = short
        self._bad = bad
        self._lucky = lucky
        self._number = torch.arange(num_envs)
        self._step = torch.zeros(num_envs, dtype=torch.int64)
        self._next = num_envs

    @property
    def episode_step(self) -> torch.Tensor:
        return self._step

    def reset(self) -> Observations:
        return {"policy": torch.zeros(self.num_envs, 1)}

    def step(self, action: torch.Tensor) -> Step:
        self._step += 1
        is_short = torch.tensor([int(k) in self._short for k in self._number])
        ended = self._step >= torch.where(is_short, 3, 50)
        earned = self._step.double()
        if self._bad is not None:
            earned[self._number == self._bad] = float("inf")
        at_end = torch.tensor([k in self._lucky for k in self._number.tolist()]) & (self._step % 2 == 0)
        ever = torch.tensor([k in self._lucky for k in self._number.tolist()])
        reached = (ever, at_end) if self._lucky else (None, None)
        finished = Finished(self._number.clone(), earned, self._step.clone(), *reached, None)
        for env in ended.nonzero().flatten().tolist():
            self._number[env], self._step[env] = self._next, 0
            self._next += 1
        terminated = ended & is_short
        return Step(
            self.reset(), torch.ones(self.num_envs), terminated, ended & ~is_short, torch.zeros_like(ended), finished
        )


def _idle(observations: Observations) -> torch.Tensor:
    return torch.zeros(observations["policy"].shape[0], 1)


SHORT = {k for k in range(1000) if k % 5 == 0}


@pytest.mark.parametrize("num_envs", [1, 7, 16, 64, 100, 150])
def test_mean_is_unbiased_whatever_the_number_of_environments(num_envs: int):
    table = run_episodes(TwoSpeedEnv(num_envs, SHORT), _idle, 100)
    truth = [3.0 if k in SHORT else 50.0 for k in range(100)]
    assert [*table.return_] == truth
    assert [*table.length] == [int(value) for value in truth]
    assert [end == "terminated" for end in table.end] == [k in SHORT for k in range(100)]


@pytest.mark.parametrize("num_envs", [1, 16, 150])
def test_success_is_told_by_episode_number_ever_and_at_the_end(num_envs: int):
    lucky = frozenset(range(0, 200, 3))
    table = run_episodes(TwoSpeedEnv(num_envs, SHORT, lucky=lucky), _idle, 100)
    assert [*table.success] == [k in lucky for k in range(100)]
    # Short episodes end on an odd step.
    assert [*table.success_at_end] == [k in lucky and k not in SHORT for k in range(100)]


def test_without_a_goal_no_success_is_told():
    table = run_episodes(TwoSpeedEnv(4, SHORT), _idle, 10)
    assert (table.success, table.success_at_end) == (None, None)


def test_first_to_finish_counting_would_be_biased():
    """The same environment under the published rule: the first 100 episodes to end, pooled over 64 environments."""
    env = TwoSpeedEnv(64, SHORT)
    first: list[float] = []
    while len(first) < 100:
        step = env.step(torch.zeros(64, 1))
        first += step.finished.episode_return[step.terminated | step.truncated].tolist()
    biased = sum(first[:100]) / 100
    unbiased = sum(run_episodes(TwoSpeedEnv(64, SHORT), _idle, 100).return_) / 100
    assert unbiased == pytest.approx(0.2 * 3 + 0.8 * 50)
    assert biased < unbiased - 2.0


def test_a_non_finite_return_names_its_episode():
    with pytest.raises(RunError, match="evaluation episode 17: the return is inf"):
        run_episodes(TwoSpeedEnv(8, SHORT, bad=17), _idle, 30)


@pytest.mark.parametrize("when", [7, 50])
def test_an_episode_that_broke_on_the_way_is_no_number(when: int):
    """Its return may be finite, since the reset that ends it hides the error."""

    class Breaking(TwoSpeedEnv):
        def step(self, action: torch.Tensor) -> Step:
            step = super().step(action)
            hit = (step.finished.number == 3) & (step.finished.length == when)
            return dataclasses.replace(step, broken=hit)

    with pytest.raises(DivergedError, match="evaluation episode 3: its state or reward broke on the way"):
        run_episodes(Breaking(5, SHORT), _idle, 10)
