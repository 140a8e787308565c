"""The trainer of a seed, at its beginning or in a state that a file holds."""

from pathlib import Path
from typing import Any

from genelab.config.run import NanPolicy
from genelab.config.task import TaskSpec
from genelab.envs.make import make_env
from genelab.envs.purpose import Purpose
from genelab.learn.backend import backend_of
from genelab.learn.protocol import Trainer
from genelab.records.arrays import whole
from genelab.sim.session import Session


def make_trainer(
    task: TaskSpec, config_sha256: str, session: Session, seed: int, *, nan_policy: NanPolicy, max_env_resets: int
) -> Trainer:
    """The trainer of a seed in an environment of its own, at its beginning. Seed the global generators before."""
    backend = backend_of(task.agent)
    purpose = Purpose.training(
        task, seed, final_observations=backend.final_observations, reset_broken=nan_policy == "reset-env"
    )
    env = make_env(task, purpose, task.train.num_envs, session)
    return backend.make_trainer(task, config_sha256, env, max_env_resets=max_env_resets)


def load_training_state(trainer: Trainer, state: Any, path: Path) -> None:
    """Bring a trainer to a state that a file holds.

    Raises:
        InputError: if it is not a whole state of this trainer; names `path`.
    """
    with whole(path, "training state"):
        trainer.load_state_dict(state)
