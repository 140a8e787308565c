"""What the rest of genelab calls of this back end."""

from pathlib import Path
from typing import Any, cast

from genelab.config.agent import SacCfg
from genelab.config.task import TaskSpec
from genelab.learn.checkpoint import Checkpoint
from genelab.learn.sb3 import model_zip, policy
from genelab.learn.sb3.interface import GoalEnvironment
from genelab.learn.sb3.policy import Deployable, GoalActor
from genelab.learn.sb3.trainer import SacTrainer


def make_trainer(task: TaskSpec, config_sha256: str, env: Any, *, max_env_resets: int = 0) -> SacTrainer:
    """A trainer at iteration 0, without demonstrations. Seed the global generators before.

    Args:
        task: the task.
        config_sha256: digest of its config, for checkpoints.
        env: its environment; must deliver final observations.
        max_env_resets: broken environments that may be reset in all, if `env` resets them.

    Raises:
        InputError: if a setting cannot be met.
    """
    env = cast(GoalEnvironment, env)
    return SacTrainer(_sac(task.agent), config_sha256, env, max_env_resets=max_env_resets)


def load(path: Path) -> Checkpoint:
    """Read a checkpoint. Raises InputError as `model_zip.load`."""
    return model_zip.load(path)


def load_actor(checkpoint: Checkpoint, agent: Any, num_actions: int, source: str) -> GoalActor:
    """The policy of a checkpoint, in evaluation mode on the CPU. Raises InputError as `policy.load_actor`."""
    return policy.load_actor(checkpoint, _sac(agent), num_actions, source)


def deployable(actor: GoalActor) -> Deployable:
    """The same policy with one named tensor per observation group."""
    return policy.deployable(actor)


def _sac(agent: object) -> SacCfg:
    assert isinstance(agent, SacCfg)
    return agent
