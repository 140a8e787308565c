"""Swing up a double pendulum that has a motor in its elbow only."""

from functools import partial

import numpy as np
from mujoco.batch import Batch

from genelab_control.domain import ControlTask, Floats, Start, Suite, between, columns, tolerance
from genelab_control.mjcf import BODY, STATIC, TARGET, floor, light, node, write

TARGET_RADIUS = 0.2


class Acrobot(ControlTask):
    """Two hinges. The tip should be at a target above, within its radius."""

    substeps = 1
    columns = (
        *columns("upper_arm", "", "sin"),
        *columns("lower_arm", "", "sin"),
        *columns("upper_arm", "", "cos"),
        *columns("lower_arm", "", "cos"),
        *columns("shoulder_vel", "rad/s"),
        *columns("elbow_vel", "rad/s"),
    )
    start_draws = 2

    def __init__(self, suite: Suite, *, sparse: bool) -> None:
        """`sparse`: 1 within the target, else 0."""
        super().__init__(suite, model(suite))
        self.margin = 0.0 if sparse else 1.0
        self._arms = [self.model.body(name).id for name in ("upper_arm", "lower_arm")]
        self._tip, self._target = self.model.site("tip").id, self.model.site("target").id

    def start(self, draws: Floats) -> Start:
        """At rest, at any angles."""
        return Start(between(draws, -np.pi, np.pi))

    def observe(self, sims: Batch) -> Floats:
        return np.hstack([sims.xmat[:, self._arms, 2], sims.xmat[:, self._arms, 8], sims.qvel])

    def reward(self, sims: Batch, action: Floats) -> Floats:
        distance = np.linalg.norm(sims.site_xpos[:, self._target] - sims.site_xpos[:, self._tip], axis=1)
        return tolerance(distance, (0.0, TARGET_RADIUS), margin=self.margin)


def model(suite: Suite) -> str:
    """The same bodies in both suites. Nothing collides."""
    if suite == "DMC":
        option = node("option", node("flag", constraint="disable"), timestep=0.01, integrator="RK4")
    else:
        flags = node("flag", constraint="disable", eulerdamp="disable")
        option = node("option", flags, timestep=0.01, iterations=2, ls_iterations=4)
    joint = {"type": "hinge", "axis": (0, 1, 0), "damping": 0.05}
    arm = {"type": "capsule", "fromto": (0, 0, 0, 0, 0, 1), "mass": 1, "rgba": BODY}
    axle = node(
        "geom",
        name="upper_arm_decoration",
        type="cylinder",
        fromto=(0, -0.06, 0, 0, 0.06, 0),
        size=0.051,
        mass=0,
        rgba=STATIC,
    )
    lower = node(
        "body",
        node("joint", name="elbow", **joint),
        node("geom", name="lower_arm", size=0.049, **arm),
        node("site", name="tip", pos=(0, 0, 1), size=0.01),
        name="lower_arm",
        pos=(0, 0, 1),
    )
    upper = node(
        "body",
        node("joint", name="shoulder", **joint),
        axle,
        node("geom", name="upper_arm", size=0.05, **arm),
        lower,
        name="upper_arm",
        pos=(0, 0, 2),
    )
    target = node("site", name="target", type="sphere", pos=(0, 0, 4), size=TARGET_RADIUS, rgba=TARGET)
    world = node("worldbody", light(6), floor((3, 3, 0.2)), target, upper)
    motor = node("motor", name="elbow", joint="elbow", gear=2, ctrllimited=True, ctrlrange=(-1, 1))
    return write("acrobot", option, world, node("actuator", motor))


TASKS = {
    "AcrobotSwingup": partial(Acrobot, sparse=False),
    "AcrobotSwingupSparse": partial(Acrobot, sparse=True),
}
