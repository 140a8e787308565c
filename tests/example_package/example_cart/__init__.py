"""A task from a package of its own: bring a cart to rest in the middle of its rail."""

from genelab.registry import register_task


def register() -> None:
    """Register the task. The entry point in pyproject.toml names this function."""
    register_task(
        "Example-Cart-v0",
        "example_cart.task:build",
        robot="Cart",
        summary="Bring a cart to rest in the middle of its rail.",
    )
