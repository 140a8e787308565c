"""Environments of gymnasium as tasks: `Gym-<identifier>` for each that has boxes for observation and action."""

from genelab.registry import register_family

PREFIX = "Gym-"


def register() -> None:
    """Register the family. Named by the entry point `gymnasium` of the group `genelab.tasks`."""
    register_family(
        PREFIX,
        "genelab_gymnasium.tasks:task",
        robot="Any",
        summary="Any environment of gymnasium with boxes for observation and action, by its identifier.",
        example="Gym-HalfCheetah-v5",
    )
