"""Hindsight replay with one table: a transition lies in one piece of memory and is found without a search."""

from typing import Any, Literal

import numpy as np
import torch
from gymnasium import spaces
from numpy.typing import NDArray
from stable_baselines3 import HerReplayBuffer
from stable_baselines3.common.type_aliases import DictReplayBufferSamples
from stable_baselines3.common.vec_env import VecEnv, VecNormalize
from stable_baselines3.her.goal_selection_strategy import GoalSelectionStrategy
from torch import Tensor

from genelab.errors import InputError
from genelab.learn.sb3.interface import ACHIEVED, DESIRED, GROUPS, OBSERVATION, GoalEnvironment
from genelab.learn.sb3.journal import Journal
from genelab.learn.sb3.vec_env import GoalVecEnv

Array = NDArray[Any]

SPARSE = 0.125
"""Share of rows that may be drawn below which the drawable ones are listed instead of tried."""


class GoalReplayBuffer(HerReplayBuffer):
    """Stable-Baselines3's hindsight buffer: the same transitions with the same probabilities, several times faster.

    Episodes that ended can be drawn. Overwriting the first row of an old episode removes all of it. A relabelled
    transition holds the new goal everywhere: as desired goal, in the columns of the observation that depend on it, and
    in the reward. Random numbers come from torch's global generator on the CPU.

    The arrays of Stable-Baselines3 are columns of one table of (rows, num_envs, columns) float32, in the order achieved
    goal, desired goal, observation, action, the same three of the next state, reward, done, time-out.
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
        """Allocate the table. Memory is taken as it fills.

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
        self._current_ep_start = np.zeros(n_envs, dtype=np.int64)
        self.drawable = 0
        """Transitions of ended episodes, which can be drawn."""
        self._journal: Journal | None = None
        self._marked: tuple[int, bool, int, Array] = (0, False, 0, self._current_ep_start)

    def _allocate(self, observation_space: spaces.Dict, action_space: spaces.Box) -> None:
        dims = {group: int(np.prod(observation_space[group].shape or ())) for group in GROUPS}
        names = [*((g, dims[g]) for g in GROUPS), ("action", int(np.prod(action_space.shape)))]
        names += [*((f"next_{g}", dims[g]) for g in GROUPS), ("reward", 1), ("done", 1), ("timeout", 1)]
        stops = np.cumsum([dim for _, dim in names]).tolist()
        self.columns = {name: slice(stop - dim, stop) for (name, dim), stop in zip(names, stops, strict=True)}
        """Columns of the table by name."""
        self._table = np.zeros((self.buffer_size, self.n_envs, stops[-1]), dtype=np.float32)
        self._episodes = np.zeros((self.buffer_size, self.n_envs, 2), dtype=np.int64)
        self.ep_start, self.ep_length = self._episodes[..., 0], self._episodes[..., 1]
        self.observations = {g: self._table[..., self.columns[g]] for g in GROUPS}
        self.next_observations = {g: self._table[..., self.columns[f"next_{g}"]] for g in GROUPS}
        self.actions = self._table[..., self.columns["action"]]
        self.rewards, self.dones, self.timeouts = (self._table[..., stops[-1] - n] for n in (3, 2, 1))
        # The same memory by transition: number row * num_envs + environment.
        self._by_number = torch.from_numpy(self._table).flatten(0, 1)
        self._episode_of = torch.from_numpy(self._episodes).flatten(0, 1)

    def __getstate__(self) -> dict[str, Any]:
        raise TypeError("a GoalReplayBuffer is saved by its state_dict: pickling would part the table from its columns")

    def add(
        self,
        obs: dict[str, Array],
        next_obs: dict[str, Array],
        action: Array,
        reward: Array,
        done: Array,
        infos: list[dict[str, Any]],
    ) -> None:
        """Store one transition of every environment, as Stable-Baselines3 calls it."""
        timeout = np.zeros(self.n_envs, dtype=np.bool_)
        for i in np.flatnonzero(done):
            timeout[i] = infos[i].get("TimeLimit.truncated", False)
        self.append(obs, next_obs, action.reshape(self.n_envs, -1), reward, done, timeout)

    def append(
        self,
        observations: dict[str, Array],
        next_observations: dict[str, Array],
        action: Array,
        reward: Array,
        done: Array,
        timeout: Array,
    ) -> None:
        """Store one transition of every environment.

        Args:
            observations: before the step, by group. Shape of each: (num_envs, dim).
            next_observations: after the step and before a reset. Shapes: as `observations`.
            action: in [-1, 1]. Shape: (num_envs, num_actions).
            reward: Shape: (num_envs,).
            done: whether the episode ended. Shape: (num_envs,), bool.
            timeout: whether it ended without a terminal state. Shape: (num_envs,), bool.
        """
        pos = self.pos
        if self._journal is not None:
            self._journal.keep(self._table, pos)
            self._journal.keep(self._episodes, pos)
        self._forget_episodes(pos)
        self.ep_start[pos] = self._current_ep_start
        for group in GROUPS:
            self.observations[group][pos] = observations[group]
            self.next_observations[group][pos] = next_observations[group]
        self.actions[pos] = action
        self.rewards[pos] = reward
        self.dones[pos] = done
        self.timeouts[pos] = timeout
        self.pos = (pos + 1) % self.buffer_size
        self.full = self.full or self.pos == 0
        if done.any():
            self._end_episodes(np.flatnonzero(done))

    def _forget_episodes(self, pos: int) -> None:
        """Take old episodes that have a part in a row that will be overwritten out of the draw."""
        lengths = self.ep_length[pos]
        if not lengths.any():
            return
        environments = np.flatnonzero(lengths)
        lengths = lengths[environments]
        self._set_lengths(pos, lengths - (pos - self.ep_start[pos, environments]) % self.buffer_size, environments, 0)

    def _end_episodes(self, environments: Array) -> None:
        """Make the open episodes of some environments drawable."""
        starts = self._current_ep_start[environments]
        # Never empty, so that no distance but the whole buffer is 0.
        lengths = (self.pos - starts - 1) % self.buffer_size + 1
        self._set_lengths(starts, lengths, environments, lengths)
        self._current_ep_start[environments] = self.pos

    def _set_lengths(self, first: Array | int, count: Array, environments: Array, length: Array | int) -> None:
        """Write an episode length into `count` rows from row `first` on. Shapes: (environments,)."""
        offset = np.arange(int(count.max()))[:, None]
        within = offset < count
        rows = ((first + offset) % self.buffer_size + np.zeros_like(count))[within]
        where = (rows, np.broadcast_to(environments, within.shape)[within])
        if self._journal is not None:
            self._journal.keep(self.ep_length, where)
        self.drawable -= int((self.ep_length[where] > 0).sum())
        self.ep_length[where] = np.broadcast_to(length, within.shape)[within]
        self.drawable += int((self.ep_length[where] > 0).sum())

    def _compute_episode_length(self, env_idx: int) -> None:
        self._end_episodes(np.array([env_idx]))

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

    def _relabel(self, goals: GoalEnvironment, rows: Tensor, desired: Tensor) -> None:
        """Write another desired goal into drawn transitions. Shapes: (rows, columns), (rows, 3)."""
        for prefix in ("", "next_"):
            achieved = rows[:, self.columns[f"{prefix}{ACHIEVED}"]]
            observation = rows[:, self.columns[f"{prefix}{OBSERVATION}"]]
            rows[:, self.columns[f"{prefix}{OBSERVATION}"]] = goals.relabel(observation, achieved, desired)
            rows[:, self.columns[f"{prefix}{DESIRED}"]] = desired
        achieved = rows[:, self.columns[f"next_{ACHIEVED}"]]
        rows[:, self.columns["reward"].start] = goals.compute_reward(achieved, desired)

    def mark(self) -> None:
        """Remember the present contents, for `rollback`. What is overwritten from now on is copied before."""
        self._journal = Journal()
        self._marked = (self.pos, self.full, self.drawable, self._current_ep_start.copy())

    def rollback(self) -> None:
        """Restore the contents at the last `mark`, which stays."""
        assert self._journal is not None, "nothing was marked"
        self._journal.undo()
        self.pos, self.full, self.drawable, starts = self._marked
        self._current_ep_start = starts.copy()

    def state_dict(self) -> dict[str, Any]:
        """The stored part. Its tensors share memory with the buffer: save or copy them before the next transition."""
        stored = self.size()
        return {
            "rows": torch.from_numpy(self._table[:stored]),
            "episodes": torch.from_numpy(self._episodes[:stored]),
            "open": torch.from_numpy(self._current_ep_start.copy()),
            "size": self.buffer_size,
            "pos": self.pos,
            "full": self.full,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned.

        Raises:
            InputError: if it comes from a buffer of another size.
        """
        stored, shape = state["rows"].shape[0], (state["size"], *state["rows"].shape[1:])
        if shape != self._table.shape:
            raise InputError(f"replay buffer: its state has shape {shape}, the config needs {self._table.shape}")
        self._table[:stored] = state["rows"].numpy()
        self._episodes[:stored] = state["episodes"].numpy()
        self._episodes[stored : self.size()] = 0
        self.pos, self.full = state["pos"], state["full"]
        self._current_ep_start = state["open"].numpy().copy()
        self.drawable = int((self.ep_length[: self.size()] > 0).sum())
        self._journal = None
