"""Replay: a table of transitions. With hindsight, they are judged again by goals that were achieved later."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from stable_baselines3.common.type_aliases import DictReplayBufferSamples
from torch import Tensor

from genelab.envs.protocol import Env, GoalEnv
from genelab.errors import InputError
from genelab.learn.sb3.policy import ACHIEVED, DESIRED, GROUPS, OBSERVATION, PLAIN, widths

Array = NDArray[Any]

SPARSE = 0.125
"""Share of rows that may be drawn below which the drawable ones are listed instead of tried."""


class ReplayBuffer:
    """The transitions of Stable-Baselines3's replay buffer with its probabilities.

    They are rows of one table of (rows, num_envs, columns) float32, in the order observation groups, action, the same
    groups of the next state, reward, done, time-out. Every one can be drawn at once, but for those of a broken
    environment. Random numbers come from torch's global generator on the CPU.
    """

    groups: tuple[str, ...] = PLAIN
    """Observation groups that are stored, in order."""

    def __init__(self, env: Env, transitions: int) -> None:
        """Make an empty buffer. The operating system gives the memory as it fills.

        Args:
            env: what the transitions are of.
            transitions: capacity over all environments.
        """
        self.n_envs, self._device = env.num_envs, env.device
        self.buffer_size = max(transitions // self.n_envs, 1)
        """Rows, each with a transition of every environment."""
        dims = widths(env.layout(), self.groups)
        names = [*dims.items(), ("action", env.num_actions), *((f"next_{g}", dim) for g, dim in dims.items())]
        names += [("reward", 1), ("done", 1), ("timeout", 1)]
        stops = np.cumsum([dim for _, dim in names]).tolist()
        self.columns = {name: slice(stop - dim, stop) for (name, dim), stop in zip(names, stops, strict=True)}
        """Columns of the table by name."""
        self._table = np.zeros((self.buffer_size, self.n_envs, stops[-1]), dtype=np.float32)
        self._episodes = np.zeros((self.buffer_size, self.n_envs, 2), dtype=np.int64)
        self.ep_start, self.ep_length = self._episodes[..., 0], self._episodes[..., 1]
        """First row and length of the episode of each transition; length 0 for one that cannot be drawn."""
        self.observations = {g: self._table[..., self.columns[g]] for g in self.groups}
        self.next_observations = {g: self._table[..., self.columns[f"next_{g}"]] for g in self.groups}
        self.actions = self._table[..., self.columns["action"]]
        self.rewards, self.dones, self.timeouts = (self._table[..., stops[-1] - n] for n in (3, 2, 1))
        self.pos, self.full = 0, False
        """Row that is written next, and whether all have been."""
        self.drawable = 0
        """Transitions of ended episodes, which can be drawn."""
        self._current_ep_start = np.zeros(self.n_envs, dtype=np.int64)
        # What was overwritten since the last mark, in order, so that it can be undone without a copy of the table.
        self._overwritten: list[tuple[Array, Any, Array]] | None = None
        self._marked: tuple[int, bool, int, Array] = (0, False, 0, self._current_ep_start)
        # The same memory by transition: number row * num_envs + environment.
        self._by_number = torch.from_numpy(self._table).flatten(0, 1)
        self._episode_of = torch.from_numpy(self._episodes).flatten(0, 1)

    def size(self) -> int:
        """Rows that hold something."""
        return self.buffer_size if self.full else self.pos

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
        self._keep(self._table, pos)
        self._keep(self._episodes, pos)
        self._forget_episodes(pos)
        self.ep_start[pos] = self._current_ep_start
        for group in self.groups:
            self.observations[group][pos] = observations[group]
            self.next_observations[group][pos] = next_observations[group]
        self.actions[pos] = action
        self.rewards[pos] = reward
        self.dones[pos] = done
        self.timeouts[pos] = timeout
        self.pos = (pos + 1) % self.buffer_size
        self.full = self.full or self.pos == 0
        self._current_ep_start[lost] = self.pos
        whole = self._whole(done)
        ended = whole if broken is None else whole & ~broken
        if ended.any():
            self._end_episodes(np.flatnonzero(ended))

    def add_demonstrations(self, demos: Mapping[str, Array]) -> int:
        """Add demonstrations; returns the number of transitions.

        Args:
            demos: the arrays of a demonstration file by their names there, of T control steps of E environments: shape
                (T, E, ...). The last step ends every episode, whose last next observation is its final one.
        """
        done = demos["terminated"] | demos["truncated"]
        timeout = demos["truncated"] & ~demos["terminated"]
        for t in range(len(done)):
            names = ("observations", "next_observations")
            now, following = ({g: demos[f"{name}/{g}"][t] for g in self.groups} for name in names)
            self.append(now, following, demos["actions"][t], demos["rewards"][t], done[t], timeout[t])
        return len(done) * self.n_envs

    def sample(self, batch_size: int) -> DictReplayBufferSamples:
        """Draw transitions uniformly.

        Raises:
            RuntimeError: if none can be drawn yet.
        """
        number, episode = self._draw(batch_size)
        rows = self._by_number.index_select(0, number).to(self._device)
        self._judge_again(rows, number, episode)
        part = {name: rows[:, column] for name, column in self.columns.items()}
        return DictReplayBufferSamples(
            observations={group: part[group] for group in self.groups},
            actions=part["action"],
            next_observations={group: part[f"next_{group}"] for group in self.groups},
            dones=part["done"] * (1 - part["timeout"]),
            rewards=part["reward"],
        )

    def mark(self) -> None:
        """Remember the present contents, for `rollback`. What is overwritten from now on is copied before."""
        self._overwritten = []
        self._marked = (self.pos, self.full, self.drawable, self._current_ep_start.copy())

    def rollback(self) -> None:
        """Restore the contents at the last `mark`, which stays."""
        assert self._overwritten is not None, "nothing was marked"
        while self._overwritten:
            array, where, old = self._overwritten.pop()
            array[where] = old
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
        self._overwritten = None

    def _whole(self, done: Array) -> Array:
        """Which open episodes can be drawn after a step. Without hindsight every transition is one of its own."""
        return np.ones_like(done)

    def _judge_again(self, rows: Tensor, number: Tensor, episode: Tensor) -> None:
        """Change drawn transitions. Shapes: (batch, columns), (batch,), (batch, 2)."""

    def _keep(self, array: Array, where: Any) -> None:
        """Note what `array[where]` holds, before it is overwritten."""
        if self._overwritten is not None:
            self._overwritten.append((array, where, np.array(array[where])))

    def _cut_short(self, environments: Array) -> None:
        """End the open episodes of some environments with the last row, as time-outs. Empty ones stay empty."""
        started = environments[self._current_ep_start[environments] != self.pos]
        if not started.size:
            return
        last = (self.pos - 1) % self.buffer_size
        self._keep(self._table, (last, started))
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
        self._keep(self.ep_length, where)
        self.drawable -= int((self.ep_length[where] > 0).sum())
        self.ep_length[where] = np.broadcast_to(length, within.shape)[within]
        self.drawable += int((self.ep_length[where] > 0).sum())

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


class GoalReplayBuffer(ReplayBuffer):
    """The transitions of Stable-Baselines3's hindsight buffer with its probabilities, several times faster.

    Episodes that ended can be drawn; overwriting the first row of an old one removes all of it. A relabelled transition
    holds the new goal everywhere: as desired goal, in the columns of the observation that depend on it, and in the
    reward.
    """

    groups: tuple[str, ...] = GROUPS

    def __init__(self, env: GoalEnv, transitions: int, *, n_sampled_goal: int = 4) -> None:
        """Make an empty buffer.

        Args:
            env: what the transitions are of; judges relabelled goals.
            transitions: capacity over all environments.
            n_sampled_goal: relabelled transitions per one with its own goal.

        Raises:
            InputError: if an episode does not fit.
        """
        super().__init__(env, transitions)
        self.goals = env
        if self.buffer_size < env.max_steps:
            raise InputError(
                f"agent.buffer_size: {transitions} keeps {self.buffer_size} transitions of each of {self.n_envs} "
                f"environments; must keep an episode, up to {env.max_steps}"
            )
        self.her_ratio = 1 - (1.0 / (n_sampled_goal + 1))
        """Share of relabelled transitions in a batch."""

    def _whole(self, done: Array) -> Array:
        return done

    def _judge_again(self, rows: Tensor, number: Tensor, episode: Tensor) -> None:
        """Give a fixed share of the transitions, the last ones, a goal that was achieved later."""
        virtual = int(self.her_ratio * len(rows))
        if virtual > 0:
            later = self._later(number[-virtual:], episode[-virtual:])
            achieved = self._by_number[:, self.columns[f"next_{ACHIEVED}"]].index_select(0, later)
            self._relabel(rows[-virtual:], achieved.to(self._device))

    def _later(self, number: Tensor, episode: Tensor) -> Tensor:
        """Numbers of transitions of the same episodes, this one or a later. Shapes: (rows,), (rows, 2) -> (rows,)."""
        start, length = episode.unbind(1)
        row, environment = number // self.n_envs, number % self.n_envs
        current = (row - start) % self.buffer_size
        # Of double precision, so that the product never rounds up to the whole.
        ahead = (torch.rand(number.shape, dtype=torch.float64) * (length - current)).to(torch.int64)
        return (start + current + ahead) % self.buffer_size * self.n_envs + environment

    def _relabel(self, rows: Tensor, desired: Tensor) -> None:
        """Write another desired goal into drawn transitions. Shapes: (rows, columns), (rows, 3)."""
        for prefix in ("", "next_"):
            achieved = rows[:, self.columns[f"{prefix}{ACHIEVED}"]]
            observation = rows[:, self.columns[f"{prefix}{OBSERVATION}"]]
            rows[:, self.columns[f"{prefix}{OBSERVATION}"]] = self.goals.relabel(observation, achieved, desired)
            rows[:, self.columns[f"{prefix}{DESIRED}"]] = desired
        achieved = rows[:, self.columns[f"next_{ACHIEVED}"]]
        rows[:, self.columns["reward"].start] = self.goals.compute_reward(achieved, desired)
