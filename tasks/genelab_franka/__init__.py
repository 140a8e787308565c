"""Manipulation with the Franka Emika Panda."""

from genelab.registry import register_task


def register() -> None:
    """Register the tasks of this package."""
    register_task(
        "GeneLab-Franka-Pick-And-Place-v0",
        "genelab_franka.pick_and_place:v0",
        robot="Franka Panda",
        summary="Take a cube to a goal on the ground or in the air.",
        variants={"cpu": "genelab_franka.pick_and_place:cpu", "tqc": "genelab_franka.pick_and_place:tqc"},
    )
