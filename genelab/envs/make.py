"""Makes environments. The only place that knows which class a task's environment has."""

from genelab.config.task import TaskSpec
from genelab.config.vector import VectorEnvCfg
from genelab.envs.environment import Environment
from genelab.envs.protocol import Env, SceneEnv
from genelab.envs.purpose import Purpose
from genelab.envs.vector import VectorEnvironment
from genelab.sim.make import make_engine
from genelab.sim.session import Session


def make_env(task: TaskSpec, purpose: Purpose, num_envs: int, session: Session) -> Env:
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
    if isinstance(task.env, VectorEnvCfg):
        return VectorEnvironment(task.env, num_envs, purpose)
    return make_scene(task, purpose, num_envs, session)


def make_scene(task: TaskSpec, purpose: Purpose, num_envs: int, session: Session) -> SceneEnv:
    """As `make_env`, for what looks at the scene.

    Raises:
        InputError: as `make_env`, or if the environment is no scene.
        RunError: as `make_env`.
    """
    return Environment(task.scene, make_engine(task.scene, num_envs, session), purpose)
