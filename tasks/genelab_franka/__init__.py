"""Manipulation with the Franka Emika Panda."""

from genelab.registry import register_task
from genelab_franka import pick_and_place


def register() -> None:
    """Register the tasks of this package."""
    register_task(pick_and_place.v0(), variants=[pick_and_place.cpu()])
