"""Locomotion with the Unitree robots."""

from genelab.registry import register_task
from genelab_unitree import go1


def register() -> None:
    """Register the tasks of this package."""
    register_task(go1.flat())
