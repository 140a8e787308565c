"""Single and double inverted pendulum on a cart: the published tasks (-v0) and the tasks as intended (-v1)."""

from genelab.registry import register_task


def register() -> None:
    """Register the four tasks. Named by the entry point `cartpole` of the group `genelab.tasks`."""
    register_task(
        "GeneLab-Inverted-Pendulum-v0",
        "genelab_cartpole.inverted_pendulum:v0",
        robot="Cart and pole",
        summary="Balance one pole on a cart, as published: hinge stops at 1.2 degrees, so doing nothing suffices.",
    )
    register_task(
        "GeneLab-Inverted-Pendulum-v1",
        "genelab_cartpole.inverted_pendulum:v1",
        robot="Cart and pole",
        summary="Balance one pole on a cart.",
        variants={"sb3": "genelab_cartpole.inverted_pendulum:sb3"},
    )
    register_task(
        "GeneLab-Double-Inverted-Pendulum-v0",
        "genelab_cartpole.double_inverted_pendulum:v0",
        robot="Cart, 2 poles",
        summary="Balance two poles on a cart, as published: hinge stops near 1 degree, so doing nothing suffices.",
    )
    register_task(
        "GeneLab-Double-Inverted-Pendulum-v1",
        "genelab_cartpole.double_inverted_pendulum:v1",
        robot="Cart, 2 poles",
        summary="Balance two poles on a cart, one on top of the other.",
    )
