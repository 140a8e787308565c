"""What a learning library has to offer."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from torch import Tensor, nn

from genelab.config.agent import AgentCfg
from genelab.config.task import TaskSpec
from genelab.envs.protocol import Env
from genelab.learn.checkpoint import Checkpoint
from genelab.learn.policy import Layout

Metrics = dict[str, float | int | None]
"""A row of the learning curve."""


class Trainer(Protocol):
    """Trains one policy, one iteration at a time."""

    iteration: int
    """Iterations done."""

    @property
    def env(self) -> Env:
        """What it trains in."""
        ...

    @property
    def env_resets(self) -> int:
        """Broken environments that were reset so far."""
        ...

    def iterate(self) -> Metrics:
        """Train one iteration.

        Returns:
            A row of the learning curve, with at least `iteration` (from 0), `episode_return` (of the last finished
            episodes of the stochastic policy, null before the first), `step_reward` (mean per control step) and
            `steps_per_s` (control steps of all environments).

        Raises:
            FaultError: on the first thing that is not normal. The trainer is back at the start of the iteration then.
        """
        ...

    def save(self, path: Path) -> Checkpoint:
        """Write the policy as it stands to a checkpoint file, and return what the file holds.

        Raises:
            DivergedError: if a tensor holds a non-finite value; nothing is written.
        """
        ...

    def actor(self) -> nn.Module:
        """The policy network in memory, as `DeterministicPolicy` takes it."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """Everything that the next iteration depends on, as tensors and plain data; the environment's under `env`."""
        ...

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned, so that training goes on bit-equal."""
        ...


@dataclass(frozen=True)
class Networks:
    """What reads the observations, in evaluation mode on the CPU."""

    actor: nn.Module
    """The policy network, as `DeterministicPolicy` takes it."""
    normalizers: dict[str, nn.Module | None]
    """What a network does first to each observation group that one reads; None for nothing. Of each, the shapes:
    (rows, dim) -> (rows, dim). A normaliser with running statistics has the `eps` that it adds to every standard
    deviation."""


class Backend(Protocol):
    """A learning library. Its module `backend` offers these as plain functions.

    Beside it, its module `checkpoint` has `load`, which `genelab.learn.checkpoint.load` calls for its files.
    """

    final_observations: bool
    """Whether its trainer needs the observations of final states."""

    def make_trainer(self, task: TaskSpec, config_sha256: str, env: Env, *, max_env_resets: int = 0) -> Trainer:
        """A trainer at its beginning. Seed the global generators before.

        Args:
            task: the task.
            config_sha256: digest of its config, for checkpoints.
            env: its environment; a `GoalEnv` for hindsight replay.
            max_env_resets: broken environments that may be reset in all, if `env` resets them.

        Raises:
            InputError: if the library or the environment cannot meet a setting.
        """
        ...

    def warm_start(self, trainer: Trainer, checkpoint: Checkpoint, task: TaskSpec, source: str) -> None:
        """Start a trainer at its beginning from the policy of another training.

        Args:
            trainer: of this library.
            checkpoint: the policy.
            task: what the trainer trains; `task.start` says what starts anew.
            source: names the checkpoint in errors.

        Raises:
            InputError: if the weights do not fit; names `source` and the first tensor that differs.
        """
        ...

    def load_actor(self, checkpoint: Checkpoint, agent: AgentCfg, num_actions: int, source: str) -> nn.Module:
        """The policy network of a checkpoint, as `DeterministicPolicy` takes it, in evaluation mode on the CPU.

        Raises:
            InputError: if the weights do not fit the config; names `source` and the first tensor that differs.
        """
        ...

    def networks(
        self, agent: AgentCfg, layout: Layout, num_actions: int, checkpoint: Checkpoint | None, source: str
    ) -> Networks:
        """The networks with the weights of a checkpoint, or as they are before training.

        Raises:
            InputError: if the weights do not fit the config; names `source` and the first tensor that differs.
        """
        ...

    def action_std(self, checkpoint: Checkpoint) -> Tensor | None:
        """Standard deviation of each action in training, in action units; None if it depends on the observation.

        Shape: (num_actions,).
        """
        ...

    def deployable(self, actor: nn.Module) -> nn.Module:
        """What an export writes of an actor that `load_actor` returned.

        A module in evaluation mode that torch can script and export, normaliser included. It takes one tensor for each
        of `agent.actor_groups`, in that order, and returns the mean actions. Shapes: (rows, dim) of each -> (rows,
        num_actions).
        """
        ...
