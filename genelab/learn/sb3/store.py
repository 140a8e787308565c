"""What the replay buffer keeps: one table, so that a transition lies in one piece of memory."""

from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from numpy.typing import NDArray
from stable_baselines3 import HerReplayBuffer

from genelab.errors import InputError
from genelab.learn.sb3.groups import GROUPS
from genelab.learn.sb3.journal import Journal

Array = NDArray[Any]


class EpisodeStore(HerReplayBuffer):
    """The arrays of Stable-Baselines3's hindsight buffer, and which of their episodes have ended.

    They are columns of one table of (rows, num_envs, columns) float32, in the order achieved goal, desired goal,
    observation, action, the same three of the next state, reward, done, time-out. Overwriting the first row of an old
    episode removes all of it.
    """

    def _allocate(self, observation_space: spaces.Dict, action_space: spaces.Box) -> None:
        """Make the table. The operating system gives the memory as it fills."""
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
        self._current_ep_start = np.zeros(self.n_envs, dtype=np.int64)
        self.drawable = 0
        """Transitions of ended episodes, which can be drawn."""
        self._journal: Journal | None = None
        self._marked: tuple[int, bool, int, Array] = (0, False, 0, self._current_ep_start)
        # The same memory by transition: number row * num_envs + environment.
        self._by_number = torch.from_numpy(self._table).flatten(0, 1)
        self._episode_of = torch.from_numpy(self._episodes).flatten(0, 1)

    def __getstate__(self) -> dict[str, Any]:
        raise TypeError("a replay buffer is saved by its state_dict: pickling would part the table from its columns")

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
        broken: Array | None = None,
    ) -> None:
        """Store one transition of every environment.

        Args:
            observations: before the step, by group. Shape of each: (num_envs, dim).
            next_observations: after the step and before a reset. Shapes: as `observations`.
            action: in [-1, 1]. Shape: (num_envs, num_actions).
            reward: Shape: (num_envs,).
            done: whether the episode ended. Shape: (num_envs,), bool.
            timeout: whether it ended without a terminal state. Shape: (num_envs,), bool.
            broken: whether the simulation broke in the step. It is never drawn, with its own goal or another: a broken
                step tells nothing about what its action leads to. The episode ends with the step before, cut short.
                Shape: (num_envs,), bool; None for nowhere.
        """
        lost = np.empty(0, dtype=np.int64) if broken is None else np.flatnonzero(broken)
        self._cut_short(lost)
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
        self._current_ep_start[lost] = self.pos
        ended = done if broken is None else done & ~broken
        if ended.any():
            self._end_episodes(np.flatnonzero(ended))

    def _cut_short(self, environments: Array) -> None:
        """End the open episodes of some environments with the last row, as time-outs. Empty ones stay empty."""
        started = environments[self._current_ep_start[environments] != self.pos]
        if not started.size:
            return
        last = (self.pos - 1) % self.buffer_size
        if self._journal is not None:
            self._journal.keep(self._table, (last, started))
        self.dones[last, started] = self.timeouts[last, started] = 1.0
        self._end_episodes(started)

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
        rows, episodes = state["rows"], state["episodes"]
        stored, shape = rows.shape[0], (state["size"], *rows.shape[1:])
        if shape != self._table.shape:
            raise InputError(f"replay buffer: its state has shape {shape}, the config needs {self._table.shape}")
        self._table[:stored] = rows.numpy()
        self._episodes[:stored] = episodes.numpy()
        self._episodes[stored : self.size()] = 0
        self.pos, self.full = state["pos"], state["full"]
        self._current_ep_start = state["open"].numpy().copy()
        self.drawable = int((self.ep_length[: self.size()] > 0).sum())
        self._journal = None
