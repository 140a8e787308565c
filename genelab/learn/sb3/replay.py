"""Hindsight replay: transitions are found without a search, and judged again by goals that were achieved later."""

from typing import Literal

import numpy as np
import torch
from gymnasium import spaces
from stable_baselines3 import HerReplayBuffer
from stable_baselines3.common.type_aliases import DictReplayBufferSamples
from stable_baselines3.common.vec_env import VecEnv, VecNormalize
from stable_baselines3.her.goal_selection_strategy import GoalSelectionStrategy
from torch import Tensor

from genelab.envs.protocol import GoalEnv
from genelab.errors import InputError
from genelab.learn.sb3.groups import ACHIEVED, DESIRED, GROUPS, OBSERVATION
from genelab.learn.sb3.store import EpisodeStore
from genelab.learn.sb3.vec_env import GoalVecEnv

SPARSE = 0.125
"""Share of rows that may be drawn below which the drawable ones are listed instead of tried."""


class GoalReplayBuffer(EpisodeStore):
    """Stable-Baselines3's hindsight buffer: the same transitions with the same probabilities, several times faster.

    Episodes that ended can be drawn. A relabelled transition holds the new goal everywhere: as desired goal, in the
    columns of the observation that depend on it, and in the reward. Random numbers come from torch's global generator
    on the CPU.
    """

    def __init__(
        self,
        buffer_size: int,
        observation_space: spaces.Dict,
        action_space: spaces.Box,
        env: VecEnv,
        device: torch.device | str = "auto",
        n_envs: int = 1,
        optimize_memory_usage: bool = False,
        handle_timeout_termination: bool = True,
        n_sampled_goal: int = 4,
        goal_selection_strategy: Literal["future"] = "future",
        copy_info_dict: bool = False,
    ) -> None:
        """Make an empty buffer.

        Args:
            buffer_size: transitions over all environments.
            observation_space: of `env`.
            action_space: of `env`.
            env: a GoalVecEnv; judges relabelled goals.
            device: of the samples. The table lies on the CPU.
            n_envs: environments.
            optimize_memory_usage: must be False.
            handle_timeout_termination: must be True.
            n_sampled_goal: relabelled transitions per one with its own goal.
            goal_selection_strategy: goals achieved in the same episode, at this step or later.
            copy_info_dict: must be False.

        Raises:
            InputError: if an episode does not fit.
        """
        if optimize_memory_usage or copy_info_dict or not handle_timeout_termination:
            raise ValueError("the buffer tells time-outs from terminations, and keeps neither infos nor shared states")
        if goal_selection_strategy != "future":
            raise ValueError(f"goal_selection_strategy: '{goal_selection_strategy}' must be 'future'")
        # Past the parent, which makes one dictionary per transition for infos that nothing reads.
        super(HerReplayBuffer, self).__init__(buffer_size, observation_space, action_space, device, n_envs)
        assert isinstance(env.unwrapped, GoalVecEnv)
        self.env, self.goals = env, env.unwrapped.environment
        longest = self.goals.max_steps
        if self.buffer_size < longest:
            raise InputError(
                f"agent.buffer_size: {buffer_size} keeps {self.buffer_size} transitions of each of {n_envs} "
                f"environments; must keep an episode, up to {longest}"
            )
        self.copy_info_dict = False
        self.goal_selection_strategy = GoalSelectionStrategy.FUTURE
        self.n_sampled_goal = n_sampled_goal
        self.her_ratio = 1 - (1.0 / (n_sampled_goal + 1))
        self.infos = np.empty(0, dtype=object)
        self._allocate(observation_space, action_space)

    def sample(self, batch_size: int, env: VecNormalize | None = None) -> DictReplayBufferSamples:
        """Draw transitions uniformly, with hindsight in a fixed share of them, the last ones.

        Raises:
            RuntimeError: before the end of the first episode.
        """
        assert env is None, "observations are not normalised"
        number, episode = self._draw(batch_size)
        rows = self._by_number.index_select(0, number).to(self.device)
        virtual = int(self.her_ratio * batch_size)
        if virtual > 0:
            later = self._later(number[-virtual:], episode[-virtual:])
            achieved = self._by_number[:, self.columns[f"next_{ACHIEVED}"]].index_select(0, later)
            self._relabel(self.goals, rows[-virtual:], achieved.to(self.device))
        part = {name: rows[:, column] for name, column in self.columns.items()}
        return DictReplayBufferSamples(
            observations={group: part[group] for group in GROUPS},
            actions=part["action"],
            next_observations={group: part[f"next_{group}"] for group in GROUPS},
            dones=part["done"] * (1 - part["timeout"]),
            rewards=part["reward"],
        )

    def _draw(self, count: int) -> tuple[Tensor, Tensor]:
        """Numbers of drawable transitions, and start and length of their episodes. Shapes: (count,), (count, 2)."""
        if self.drawable == 0:
            raise RuntimeError("no episode has ended yet: agent.learning_starts must be larger")
        stored = self.size() * self.n_envs
        share = self.drawable / stored
        if share < SPARSE:
            listed = self._episode_of[:stored, 1].nonzero().flatten()
            number = listed[torch.randint(listed.numel(), (count,))]
            return number, self._episode_of.index_select(0, number)
        # Tries of all rows that fail on an open episode leave the others equally likely.
        numbers, episodes, found = list[Tensor](), list[Tensor](), 0
        while found < count:
            number = torch.randint(stored, (int(1.05 * (count - found) / share) + 8,))
            episode = self._episode_of.index_select(0, number)
            good = (episode[:, 1] > 0).nonzero().flatten()
            numbers.append(number.index_select(0, good))
            episodes.append(episode.index_select(0, good))
            found += good.numel()
        return torch.cat(numbers)[:count], torch.cat(episodes)[:count]

    def _later(self, number: Tensor, episode: Tensor) -> Tensor:
        """Numbers of transitions of the same episodes, this one or a later. Shapes: (rows,), (rows, 2) -> (rows,)."""
        start, length = episode.unbind(1)
        row, environment = number // self.n_envs, number % self.n_envs
        current = (row - start) % self.buffer_size
        # Of double precision, so that the product never rounds up to the whole.
        ahead = (torch.rand(number.shape, dtype=torch.float64) * (length - current)).to(torch.int64)
        return (start + current + ahead) % self.buffer_size * self.n_envs + environment

    def _relabel(self, goals: GoalEnv, rows: Tensor, desired: Tensor) -> None:
        """Write another desired goal into drawn transitions. Shapes: (rows, columns), (rows, 3)."""
        for prefix in ("", "next_"):
            achieved = rows[:, self.columns[f"{prefix}{ACHIEVED}"]]
            observation = rows[:, self.columns[f"{prefix}{OBSERVATION}"]]
            rows[:, self.columns[f"{prefix}{OBSERVATION}"]] = goals.relabel(observation, achieved, desired)
            rows[:, self.columns[f"{prefix}{DESIRED}"]] = desired
        achieved = rows[:, self.columns[f"next_{ACHIEVED}"]]
        rows[:, self.columns["reward"].start] = goals.compute_reward(achieved, desired)
