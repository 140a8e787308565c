"""The environment over simulations that a function makes. Episodes, seeds and time limits are as over a scene."""

import dataclasses
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from genelab.config.terms import layout_rows
from genelab.config.vector import GROUPS, VectorEnvCfg
from genelab.draw.depiction import Picture
from genelab.envs.draws import Draws, at_time_limit, numbered
from genelab.envs.purpose import Purpose
from genelab.envs.simulations import Outcome, Simulations, SimulationsState
from genelab.envs.step import Finished, Observations, Step
from genelab.envs.terms import Tap
from genelab.errors import DivergedError, RunError
from genelab.functions import resolve_function
from genelab.progress import phase

PROOF_STEPS = 50
"""Control steps in which restored simulations must do as the saved ones."""


class VectorEnvironment:
    """Steps all simulations at once. See `genelab.envs.protocol` for what others know of it.

    Everything is on the CPU. Observations and rewards are rounded to float32.
    """

    def __init__(
        self, cfg: VectorEnvCfg, num_envs: int, purpose: Purpose, simulations: Simulations | None = None
    ) -> None:
        """Make the simulations, unless they are given.

        Raises:
            InputError: if the maker refuses the config.
        """
        self.cfg, self.purpose = cfg, purpose
        self.num_envs, self.num_actions, self.device = num_envs, len(cfg.action), torch.device("cpu")
        self.max_steps = min(cfg.max_episode_steps, purpose.max_steps or cfg.max_episode_steps)
        self.resets_broken = purpose.reset_broken
        self.tap: Tap | None = None
        if simulations is None:
            phase(f"building {num_envs} environment{'' if num_envs == 1 else 's'}")
            simulations = self._made()
        self._simulations = simulations
        self._draws = Draws(purpose)
        self._proof: _Proof | None = None
        self._proved = cfg.resume == "none"
        self._begin()

    def _made(self) -> Simulations:
        return resolve_function(self.cfg.make)(self.cfg, self.num_envs)

    def again(self, purpose: Purpose) -> "VectorEnvironment":
        """Another environment over these simulations. See `Env.again`."""
        return VectorEnvironment(self.cfg, self.num_envs, purpose, self._simulations)

    def reseed(self, seed: int) -> None:
        """Draw from another seed, from the next reset on."""
        self.purpose = dataclasses.replace(self.purpose, seed=seed)
        self._draws = Draws(self.purpose)

    def draw(self, stream: str, dim: int) -> Tensor:
        """Uniform draws of this step in [0, 1). Shape: (num_envs, dim)."""
        return self._draws.uniform(stream, dim, self.episode_number, self.episode_step, self._num_steps)

    def reset(self) -> Observations:
        """Begin anew: start the first episode of every environment."""
        self._begin()
        self._start(torch.ones(self.num_envs, dtype=torch.bool))
        return self._observations()

    def step(self, action: Tensor) -> Step:
        """Apply raw actions for one control step. Shape: (num_envs, num_actions).

        Raises:
            RunError: if restored simulations do something else than those that they were saved from.
        """
        cut = action.detach().to(torch.float64).clamp(-1.0, 1.0).numpy()
        if self.tap is not None:
            self.tap("action", action)
        outcome = self._simulations.step(cut)
        self._require_shapes(outcome)
        if self._proof is not None:
            self._proof.step(cut, outcome)
        self._num_steps += 1
        self.episode_step = self.episode_step + 1
        self._shown = torch.from_numpy(outcome.observation).to(torch.float32)
        reward = torch.from_numpy(outcome.reward).to(torch.float32)
        broken = torch.from_numpy(outcome.failed) | ~torch.isfinite(reward) | ~torch.isfinite(self._shown).all(dim=1)
        if self.tap is not None:
            self.tap("simulator error", torch.from_numpy(outcome.failed))
            self.tap("reward", reward)
            for name, columns in self._slices().items():
                self.tap(f"observation/policy/{name}", self._shown[:, columns])
        terminated = torch.from_numpy(outcome.terminated)
        truncated = at_time_limit(
            self.purpose, self.max_steps, self.episode_number, self.episode_step
        ) | torch.from_numpy(outcome.truncated)
        self._cause_counts += torch.stack([truncated, terminated]).sum(dim=1)
        if self.resets_broken:
            reward = reward.masked_fill(broken, 0.0)
            terminated = terminated | broken
            self.broken_count = self.broken_count + broken
        truncated = truncated & ~terminated
        self._return = self._return + reward
        finished = Finished(
            number=self.episode_number,
            episode_return=self._return,
            length=self.episode_step,
            success=None,
            success_at_end=None,
            observations=self._observations() if self.purpose.final_observations else None,
            causes={"terminated": terminated},
        )
        ended = terminated | truncated
        if self.purpose.autoreset and bool(ended.any()):
            self.episode_number, self._next_episode = numbered(ended, self.episode_number, self._next_episode)
            self._start(ended)
        return Step(self._observations(), reward, terminated, truncated, broken, finished)

    def layout(self) -> dict[str, Any]:
        """What the observation vectors mean, by group, for checkpoints and exports."""
        columns = [(part.columns, part.unit) for part in self.cfg.observation.values()]
        return {name: layout_rows(group, columns) for name, group in self.cfg.observations.items()}

    def metrics(self) -> dict[str, float | int]:
        """How many episodes ended by the time limit, and by themselves, since the last call."""
        counts, self._cause_counts = self._cause_counts.tolist(), torch.zeros(2, dtype=torch.int64)
        return dict(zip(("termination/time_out", "termination/terminated"), counts, strict=True))

    def state_dict(self) -> dict[str, Tensor]:
        """Everything that the next step depends on, the simulations included, unless `resume` is `none`."""
        state = self._simulations.state()
        if not self._proved and bool((self.episode_step > 0).any()):
            self._proof, self._proved = _Proof(self._made(), state), True
        own = {name: getattr(self, name) for name in _STATE} | {"num_steps": torch.tensor(self._num_steps)}
        return own | {f"sim/{name}": torch.from_numpy(value) for name, value in state.items()}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Restore what `state_dict` returned, into an environment of the same config and size.

        With `resume` of `none`, new episodes begin.
        """
        self._proof = None
        for name in _STATE:
            setattr(self, name, state[name].clone())
        self._num_steps = int(state["num_steps"])
        if self.cfg.resume == "none":
            self._start(torch.ones(self.num_envs, dtype=torch.bool))
        else:
            saved = {n.removeprefix("sim/"): v.numpy() for n, v in state.items() if n.startswith("sim/")}
            self._simulations.restore(saved)

    def look(self) -> Picture | SimulationsState:
        """What `picture` needs to draw the first environment later; the picture itself if nothing can be restored."""
        return self._simulations.state() if self.cfg.resume == "exact" else self._simulations.picture()

    def picture(self, seen: Picture | SimulationsState) -> Picture:
        """What the first environment looked like when `look` was called. Leaves the simulations there.

        Raises:
            DrawError: if it cannot be drawn.
        """
        if not isinstance(seen, dict):
            return seen
        self._simulations.restore(seen)
        return self._simulations.picture()

    def close(self) -> None:
        """Free the simulations."""
        self._simulations.close()

    def _begin(self) -> None:
        """Forget everything and number the first episodes."""
        self._num_steps = 0
        first = self.purpose.episodes
        self.episode_number = torch.tensor(range(self.num_envs) if first is None else first)
        self.episode_step = torch.zeros(self.num_envs, dtype=torch.int64)
        self.broken_count = torch.zeros(self.num_envs, dtype=torch.int64)
        self._next_episode = self.episode_number.max() + 1
        self._return = torch.zeros(self.num_envs, dtype=torch.float64)
        self._shown = torch.zeros(self.num_envs, sum(len(part.columns) for part in self.cfg.observation.values()))
        self._cause_counts = torch.zeros(2, dtype=torch.int64)

    def _start(self, mask: Tensor) -> None:
        """Begin episodes where masked. Shape: (num_envs,) bool."""
        self.episode_step = self.episode_step.masked_fill(mask, 0)
        self._return = self._return.masked_fill(mask, 0.0)
        rows = torch.nonzero(mask).flatten()
        draws = self.draw("start", self.cfg.start_draws)[rows].to(torch.float64).numpy()
        shown = self._simulations.start(rows.numpy(), draws)
        if self._proof is not None:
            self._proof.start(rows.numpy(), draws, shown)
        self._shown = self._shown.clone()
        self._shown[rows] = torch.from_numpy(shown).to(torch.float32)

    def _observations(self) -> Observations:
        return dict.fromkeys(GROUPS, self._shown)

    def _slices(self) -> dict[str, slice]:
        rows = self.layout()[GROUPS[0]]
        return {row["name"]: slice(row["start"], row["stop"]) for row in rows}

    def _require_shapes(self, outcome: Outcome) -> None:
        """Raise DivergedError if a step returned something of another shape than the config says."""
        wanted = {"observation": tuple(self._shown.shape)} | dict.fromkeys(
            ("reward", "terminated", "truncated", "failed"), (self.num_envs,)
        )
        for name, shape in wanted.items():
            if (found := getattr(outcome, name).shape) != shape:
                raise DivergedError(f"'{self.cfg.make}': a step returned a {name} of shape {found}, not {shape}")


_STATE = ("episode_number", "episode_step", "broken_count", "_next_episode", "_return", "_shown")
"""What an environment remembers beside its simulations."""


class _Proof:
    """Restored simulations, stepped beside those that they were saved from, to show that a resume is exact."""

    def __init__(self, simulations: Simulations, state: dict[str, NDArray[Any]]) -> None:
        self._simulations, self._left = simulations, PROOF_STEPS
        simulations.restore({name: value.copy() for name, value in state.items()})

    def start(self, rows: NDArray[np.int64], draws: NDArray[np.float64], shown: NDArray[np.float64]) -> None:
        """Begin the same episodes."""
        if self._left:
            self._compare("observation", self._simulations.start(rows, draws), shown)

    def step(self, action: NDArray[np.float64], wanted: Outcome) -> None:
        """Apply the same actions, and compare."""
        if not self._left:
            return
        self._left -= 1
        found = self._simulations.step(action)
        for field in ("observation", "reward", "terminated", "truncated", "failed"):
            self._compare(field, getattr(found, field), getattr(wanted, field))
        if not self._left:
            self._simulations.close()

    def _compare(self, name: str, found: NDArray[Any], wanted: NDArray[Any]) -> None:
        if not np.array_equal(found, wanted, equal_nan=found.dtype.kind == "f"):
            raise RunError(
                f"env.resume = 'exact': {PROOF_STEPS - self._left} steps after a save and a restore, the {name} of "
                f"environment {int(np.argwhere(found != wanted)[0][0])} is another; say 'none' if it cannot be saved"
            )
