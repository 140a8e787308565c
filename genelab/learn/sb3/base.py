"""What the trainers of Stable-Baselines3's algorithms have in common."""

from pathlib import Path
from typing import Any

from torch import nn

from genelab.config.agent import OffPolicyCfg, PpoCfg
from genelab.envs.protocol import Env
from genelab.learn.checkpoint import Checkpoint
from genelab.learn.generators import generator_states, restore_generators
from genelab.learn.rollout import EpisodeWindow
from genelab.learn.sb3.checkpoint import checkpoint_of, save
from genelab.learn.sb3.policy import load_actor
from genelab.learn.trainer import GuardedTrainer


class Sb3Trainer(GuardedTrainer):
    """Steps an environment for a model, and keeps what both of them need to go on."""

    model: Any
    """Policy, optimisers and settings: an algorithm of the library."""

    def __init__(self, cfg: OffPolicyCfg | PpoCfg, config_sha256: str, env: Env, max_env_resets: int) -> None:
        """Begin without an episode. The subclass builds the model, then resets the environment.

        Args:
            cfg: the learner.
            config_sha256: digest of the task's config, for checkpoints.
            env: the task's environment; must deliver final observations.
            max_env_resets: broken environments that may be reset in all, if `env` resets them.
        """
        super().__init__(config_sha256, env, max_env_resets)
        self.observations = dict[str, Any]()
        """What the next action follows from."""
        self._agent = cfg

    def checkpoint(self) -> Checkpoint:
        """The policy as it stands."""
        return checkpoint_of(self.model, self._config_sha256, self.iteration, self._layout)

    def save(self, path: Path) -> Checkpoint:
        """Write the policy as it stands, and return what the file holds.

        Raises:
            DivergedError: if a tensor holds a non-finite value; nothing is written.
        """
        checkpoint = self.checkpoint()
        save(path, self.model, checkpoint)
        return checkpoint

    def actor(self) -> nn.Module:
        """A copy of the policy as evaluation uses it."""
        return load_actor(self.checkpoint(), self._agent, self.env.num_actions, "training").to(self.env.device)

    def _own_state(self) -> dict[str, Any]:
        """What the next iteration depends on, but for networks and optimisers."""
        return {
            "iteration": self.iteration,
            "num_timesteps": self.model.num_timesteps,
            "updates": self.model._n_updates,
            "policy": self.model.policy.state_dict(),
            "env": self.env.state_dict(),
            "observations": dict(self.observations),
            "returns": list(self._episodes.returns),
            "lengths": list(self._episodes.lengths),
            "successes": list(self._episodes.successes),
            "rng": generator_states(self.env.device),
        }

    def _load_own_state(self, state: dict[str, Any]) -> None:
        model = self.model
        self.iteration, model.num_timesteps = state["iteration"], state["num_timesteps"]
        model._n_updates = state["updates"]
        model.policy.load_state_dict(state["policy"])
        self.env.load_state_dict(state["env"])
        self.observations = {group: rows.to(self.env.device) for group, rows in state["observations"].items()}
        self._episodes = EpisodeWindow(state["returns"], state["lengths"], state["successes"])
        restore_generators(state["rng"], self.env.device)
