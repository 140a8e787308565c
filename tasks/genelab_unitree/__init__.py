"""Locomotion with the Unitree robots."""

from genelab.registry import register_task
from genelab_unitree import go1, go2w


def register() -> None:
    """Register the tasks of this package."""
    register_task(go1.flat(), variants=[go1.flat_cpu()])
    register_task(go1.rough())
    register_task(go2w.stage_1())
    register_task(go2w.stage_2())
