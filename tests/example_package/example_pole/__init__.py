"""A task in a package of its own."""

from genelab.registry import register_task


def register() -> None:
    """Register the task. The entry point in pyproject.toml names this function."""
    register_task(
        "Example-Pole-v0",
        "example_pole.task:build",
        robot="Pole on a motor",
        summary="Hold a pole upright with a motor that is too weak to lift it.",
    )
