"""Swing up a pendulum whose motor is too weak to lift it."""

import numpy as np
from mujoco.batch import Batch

from genelab_control.domain import ControlTask, Floats, Start, Suite, between, columns, tolerance
from genelab_control.mjcf import BODY, STATIC, TIP, floor, light, node, write

GOOD_COS = float(np.cos(np.deg2rad(8)))


class Pendulum(ControlTask):
    """One hinge, one motor. The reward is 1 within 8 degrees of upright, else 0."""

    start_draws = 1

    def __init__(self, suite: Suite) -> None:
        super().__init__(suite, model(suite))
        self.substeps = 1 if suite == "DMC" else 2
        parts = "cos sin" if suite == "DMC" else "sin cos"
        self.columns = (*columns("pole", "", parts), *columns("pole_vel", "rad/s"))
        self._pole = self.model.body("pole").id
        self._observed = [8, 2] if suite == "DMC" else [2, 8]

    def start(self, draws: Floats) -> Start:
        """At rest, at any angle; in Playground on one side only."""
        return Start(between(draws, -np.pi if self.suite == "DMC" else 0.0, np.pi))

    def observe(self, sims: Batch) -> Floats:
        return np.hstack([sims.xmat[:, self._pole, self._observed], sims.qvel])

    def reward(self, sims: Batch, action: Floats) -> Floats:
        return tolerance(sims.xmat[:, self._pole, 8], (GOOD_COS, 1.0))


def model(suite: Suite) -> str:
    """The same bodies in both suites."""
    if suite == "DMC":
        option = node("option", node("flag", contact="disable"), timestep=0.02)
    else:
        flags = node("flag", contact="disable", eulerdamp="disable")
        option = node("option", flags, timestep=0.01, iterations=4, ls_iterations=8)
    base = node("geom", name="base", type="cylinder", fromto=(0, -0.03, 0, 0, 0.03, 0), size=0.021, mass=0, rgba=STATIC)
    pole = node(
        "body",
        node("joint", name="hinge", type="hinge", axis=(0, 1, 0), damping=0.1),
        base,
        node("geom", name="pole", type="capsule", fromto=(0, 0, 0, 0, 0, 0.5), size=0.02, mass=0, rgba=BODY),
        node("geom", name="mass", type="sphere", pos=(0, 0, 0.5), size=0.05, mass=1, rgba=TIP),
        name="pole",
        pos=(0, 0, 0.6),
    )
    motor = node("motor", name="torque", joint="hinge", gear=1, ctrllimited=True, ctrlrange=(-1, 1))
    world = node("worldbody", light(2), floor((2, 2, 0.2)), pole)
    return write("pendulum", option, world, node("actuator", motor))


TASKS = {"PendulumSwingup": Pendulum}
