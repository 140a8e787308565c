"""Demonstrations that a task chose: checked against its terms, and handed to a trainer."""

from genelab.config.agent import OffPolicyCfg
from genelab.config.task import TaskSpec
from genelab.envs.recorded import require_columns, require_rewards
from genelab.learn.protocol import Trainer
from genelab.records.demo_check import demonstrations_of, file_told
from genelab.records.demos import Demos
from genelab.records.run import CollectedDemos


def prefill(trainer: Trainer, task: TaskSpec) -> tuple[int, CollectedDemos | None]:
    """Fill the buffer of a new trainer with the demonstrations that the task chose.

    Returns:
        The transitions added, and how they were collected; none and None for a learner that wants none.

    Raises:
        InputError: as `checked_demonstrations`.
    """
    demos = checked_demonstrations(task)
    if demos is None:
        return 0, None
    made = demos.header.collection
    assert made is not None
    arrays = {n: array.reshape(made.steps, made.num_envs, *array.shape[1:]) for n, array in demos.arrays.items()}
    assert isinstance(task.agent, OffPolicyCfg)
    assert task.agent.demo_path is not None
    assert task.agent.demo_path.sha256 is not None
    source = CollectedDemos(
        sha256=task.agent.demo_path.sha256, num_envs=made.num_envs, steps=made.steps, seed=made.seed
    )
    # Brings the library with it.
    from genelab.learn.sb3.trainer import SacTrainer

    assert isinstance(trainer, SacTrainer)
    return trainer.prefill(arrays), source


def checked_demonstrations(task: TaskSpec) -> Demos | None:
    """Read the demonstrations that a task's learner is filled with, and compare them with what its terms compute.

    Needs torch and no simulator. None if the learner wants none.

    Raises:
        InputError: as `demonstrations_of`, or if a term is wider or narrower than its function makes it, or a reward is
            not the one that its goals give.
    """
    demos = demonstrations_of(task)
    if demos is None:
        return None
    where = file_told(task)
    require_columns(task.scene, demos, where)
    require_rewards(task.scene, demos, where)
    return demos
