"""What every trainer has: an environment that is watched, and the way back from a fault."""

from abc import ABC, abstractmethod
from typing import Any

from genelab.envs.protocol import Env
from genelab.learn.guard import FaultError, clone_tree
from genelab.learn.protocol import Metrics
from genelab.learn.rollout import EpisodeWindow, RolloutGuard


class GuardedTrainer(ABC):
    """Trains one policy, one iteration at a time."""

    def __init__(self, config_sha256: str, env: Env, max_env_resets: int) -> None:
        """Begin without an episode. The subclass resets the environment.

        Args:
            config_sha256: digest of the task's config, for checkpoints.
            env: the task's environment.
            max_env_resets: broken environments that may be reset in all, if `env` resets them.
        """
        self.env = env
        self.iteration = 0
        """Iterations done."""
        self.guard = RolloutGuard(env, max_env_resets=max_env_resets)
        """Looks at what the environment returns."""
        self._config_sha256 = config_sha256
        self._layout = env.layout()
        self._episodes = EpisodeWindow()

    @property
    def env_resets(self) -> int:
        """Broken environments that were reset so far."""
        return self.guard.env_resets

    def iterate(self) -> Metrics:
        """Train one iteration.

        Returns:
            A row of the learning curve: iteration (from 0); mean return and length of the last 100 finished episodes of
            the stochastic policy, and their success where the library's package tells it (null before the first); mean
            reward per control step; losses; what the environment tells; times in s.

        Raises:
            FaultError: on the first thing that is not normal. The trainer is back at the start of the iteration then.
        """
        start = self._remember()
        try:
            return self._iterate()
        except FaultError as error:
            error.start = start
            self.guard.complete(error, start["env"])
            error.fault.iteration = start["iteration"]
            self._go_back(start)
            self.env.metrics()
            raise

    @abstractmethod
    def _iterate(self) -> Metrics:
        """Train one iteration, unless something is not normal."""

    def _remember(self) -> dict[str, Any]:
        """The state at the start of an iteration, which no iteration writes into."""
        return clone_tree(self.state_dict())

    def _go_back(self, start: dict[str, Any]) -> None:
        """Bring back what `_remember` returned, and leave it as it is."""
        self.load_state_dict(clone_tree(start))

    @abstractmethod
    def state_dict(self) -> dict[str, Any]:
        """Everything that the next iteration depends on, as tensors and plain data."""

    @abstractmethod
    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned, so that training goes on bit-equal."""
