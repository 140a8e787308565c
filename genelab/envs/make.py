"""Makes environments. The only place that knows which class a task's environment has."""

from genelab.config.task import TaskSpec
from genelab.envs.environment import Environment
from genelab.envs.protocol import SceneEnv
from genelab.envs.purpose import Purpose
from genelab.sim.make import make_engine
from genelab.sim.session import Session


def make_env(task: TaskSpec, purpose: Purpose, num_envs: int, session: Session) -> SceneEnv:
    """Build the environment of a task. Nothing has happened in it before its `reset`.

    Args:
        task: the task.
        purpose: what it is for.
        num_envs: parallel environments.
        session: the running simulator.

    Raises:
        InputError: if a term's function or parameters are wrong, or the model file is another one.
        RunError: if the simulator holds something else than the config says.
    """
    return Environment(task.env, make_engine(task.env, num_envs, session), purpose)
