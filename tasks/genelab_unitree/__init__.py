"""Locomotion with the Unitree robots."""

from genelab.registry import register_task


def register() -> None:
    """Register the tasks of this package."""
    register_task(
        "Genelab-Velocity-Flat-Unitree-Go1-v0",
        "genelab_unitree.go1:flat",
        robot="Unitree Go1",
        summary="Walk as commanded, forward, sideways and turning, on flat ground.",
        variants={"cpu": "genelab_unitree.go1_cpu:flat"},
    )
    register_task(
        "Genelab-Velocity-Rough-Unitree-Go1-v0",
        "genelab_unitree.go1:rough",
        robot="Unitree Go1",
        summary="Walk as commanded on stairs, blocks, rough ground and slopes, seeing the heights around.",
        variants={"cpu": "genelab_unitree.go1_cpu:rough"},
    )
    register_task(
        "Genelab-Velocity-Flat-Unitree-Go2W-v0",
        "genelab_unitree.go2w:flat",
        robot="Unitree Go2-W",
        summary="Roll and step as commanded, forward, sideways and turning, on flat ground.",
        variants={"cpu": "genelab_unitree.go2w_cpu:flat"},
    )
    register_task(
        "Genelab-Velocity-Flat-Unitree-G1-v0",
        "genelab_unitree.g1:flat",
        robot="Unitree G1",
        summary="Walk on two legs as commanded, forward, sideways and turning, on flat ground.",
    )
    register_task(
        "Genelab-Velocity-Rough-Unitree-G1-v0",
        "genelab_unitree.g1:rough",
        robot="Unitree G1",
        summary="Walk on two legs as commanded on stairs, blocks, rough ground and slopes, seeing the heights.",
    )
    register_task(
        "Genelab-Tracking-Flat-Unitree-G1-v0",
        "genelab_unitree.g1_tracking:flat",
        robot="Unitree G1",
        summary="Imitate a motion clip on flat ground.",
        variants={"cpu": "genelab_unitree.g1_tracking_cpu:flat"},
    )
