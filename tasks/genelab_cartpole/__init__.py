"""Single and double inverted pendulum on a cart: the published tasks (-v0) and the tasks as intended (-v1)."""

from genelab.registry import register_task
from genelab_cartpole import double_inverted_pendulum, inverted_pendulum


def register() -> None:
    """Register the four tasks. Named by the entry point `cartpole` of the group `genelab.tasks`."""
    register_task(inverted_pendulum.v0())
    register_task(inverted_pendulum.v1())
    register_task(double_inverted_pendulum.v0())
    register_task(double_inverted_pendulum.v1())
