"""What every use of a reloaded checkpoint begins with."""

from genelab.config.task import TaskSpec
from genelab.envs.protocol import Env
from genelab.errors import InputError
from genelab.learn.backend import backend_of
from genelab.learn.checkpoint import Checkpoint
from genelab.learn.policy import DeterministicPolicy
from genelab.sim.session import Session


def reloaded_policy(task: TaskSpec, checkpoint: Checkpoint, session: Session, source: str) -> DeterministicPolicy:
    """The mean action of a checkpoint. Raises InputError if its weights do not fit the task; names `source`."""
    actor = backend_of(task.agent).load_actor(checkpoint, task.agent, len(task.env.action_columns), source)
    return DeterministicPolicy(actor, session.device, task.agent.actor_groups)


def require_layout(env: Env, checkpoint: Checkpoint, source: str) -> None:
    """Raise InputError, which names `source`, if the observations are not those that a checkpoint was trained on."""
    if env.layout() != checkpoint.layout:
        raise InputError(f"{source}: the observations it was trained on are laid out otherwise than the task's")
