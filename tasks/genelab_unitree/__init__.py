"""Locomotion with the Unitree robots."""

from genelab.registry import register_task
from genelab_unitree import g1, g1_tracking, g1_tracking_cpu, go1, go1_cpu, go2w, go2w_cpu


def register() -> None:
    """Register the tasks of this package."""
    register_task(go1.flat(), variants=[go1_cpu.flat()])
    register_task(go1.rough(), variants=[go1_cpu.rough()])
    register_task(go2w.flat(), variants=[go2w_cpu.flat()])
    register_task(g1.flat())
    register_task(g1.rough())
    register_task(g1_tracking.flat(), variants=[g1_tracking_cpu.flat()])
