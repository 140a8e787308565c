"""Registered tasks and their stages by one name."""

from genelab.config.task import TaskSpec
from genelab.registry import get_task


def stage(name: str) -> TaskSpec:
    """A registered task as it is trained in a stage, `ID/STAGE`, or in its last one, `ID`."""
    task_id, _, earlier = name.partition("/")
    return get_task(task_id).stage(earlier or None)
