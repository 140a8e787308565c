"""What every use of a reloaded checkpoint begins with."""

from collections.abc import Callable
from typing import TypeVar

from genelab.config.task import TaskSpec
from genelab.envs.make import make_env, make_scene
from genelab.envs.protocol import Env, SceneEnv
from genelab.envs.purpose import Purpose
from genelab.errors import InputError
from genelab.learn.backend import backend_of
from genelab.learn.checkpoint import Checkpoint
from genelab.learn.policy import DeterministicPolicy
from genelab.sim.session import Session

EnvT = TypeVar("EnvT", bound=Env)


def reloaded(
    task: TaskSpec, checkpoint: Checkpoint, purpose: Purpose, num_envs: int, session: Session, source: str
) -> tuple[Env, DeterministicPolicy]:
    """An environment, and the mean action of a checkpoint in it.

    Raises:
        InputError: if weights or layout of the checkpoint do not fit the task; names `source`.
    """
    return _reloaded(task, checkpoint, lambda: make_env(task, purpose, num_envs, session), source)


def reloaded_scene(
    task: TaskSpec, checkpoint: Checkpoint, purpose: Purpose, num_envs: int, session: Session, source: str
) -> tuple[SceneEnv, DeterministicPolicy]:
    """As `reloaded`, for what looks at the scene. Raises InputError also if the environment is no scene."""
    return _reloaded(task, checkpoint, lambda: make_scene(task, purpose, num_envs, session), source)


def _reloaded(
    task: TaskSpec, checkpoint: Checkpoint, make: Callable[[], EnvT], source: str
) -> tuple[EnvT, DeterministicPolicy]:
    # Wrong weights are told before anything is built.
    actor = backend_of(task.agent).load_actor(checkpoint, task.agent, len(task.env.action_columns), source)
    env = make()
    require_layout(env, checkpoint, source)
    return env, DeterministicPolicy(actor, env.device, task.agent.actor_groups)


def require_layout(env: Env, checkpoint: Checkpoint, source: str) -> None:
    """Raise InputError, which names `source`, if the observations are not those that a checkpoint was trained on."""
    if env.layout() != checkpoint.layout:
        raise InputError(f"{source}: the observations it was trained on are laid out otherwise than the task's")
