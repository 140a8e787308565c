"""Locomotion with the Unitree robots."""


def register() -> None:
    """Register the tasks of this package."""
