"""Push a mass in a plane to its middle."""

from xml.etree import ElementTree

import numpy as np
from mujoco.batch import Batch

from genelab_control.domain import ControlTask, Floats, Start, Suite, between, columns, tolerance
from genelab_control.mjcf import BODY, STATIC, TARGET, floor, light, node, write

TARGET_RADIUS = 0.015
REACH = 0.29
"""How far the mass can go along each axis, m."""


class PointMass(ControlTask):
    """Two slides with a motor each. The reward grows towards the target, and a little with small controls."""

    substeps = 1
    seen_from_above = True
    columns = (*columns("pos", "m", "x y"), *columns("vel", "m/s", "x y"))
    start_draws = 2

    def __init__(self, suite: Suite) -> None:
        super().__init__(suite, model(suite))
        self._mass, self._target = self.model.geom("pointmass").id, self.model.geom("target").id

    def start(self, draws: Floats) -> Start:
        """At rest, anywhere."""
        return Start(between(draws, -REACH, REACH))

    def observe(self, sims: Batch) -> Floats:
        return np.hstack([sims.qpos, sims.qvel])

    def reward(self, sims: Batch, action: Floats) -> Floats:
        distance = np.linalg.norm(sims.geom_xpos[:, self._target] - sims.geom_xpos[:, self._mass], axis=1)
        near = tolerance(distance, (0.0, TARGET_RADIUS), margin=TARGET_RADIUS)
        gentle = tolerance(action, margin=1.0, shape="quadratic", at_margin=0.0).mean(axis=1)
        return near * (4.0 + gentle) / 5.0


def walls() -> list[ElementTree.Element]:
    """Four planes around a square of 0.6 m, for pictures."""
    sides = {"x": (-1, 0), "y": (0, -1), "neg_x": (1, 0), "neg_y": (0, 1)}
    return [
        node(
            "geom",
            name=f"wall_{name}",
            type="plane",
            pos=(0.3 * x, 0.3 * y, 0.02),
            zaxis=(-x, -y, 0),
            size=(0.02, 0.3, 0.02) if x else (0.3, 0.02, 0.02),
            rgba=STATIC,
        )
        for name, (x, y) in sides.items()
    ]


def model(suite: Suite) -> str:
    """The same bodies in both suites."""
    if suite == "DMC":
        option = node("option", node("flag", contact="disable"), timestep=0.02)
    else:
        flags = node("flag", contact="disable", eulerdamp="disable")
        option = node("option", flags, timestep=0.02, iterations=1, ls_iterations=4)
    slide = {"type": "slide", "limited": True, "range": (-REACH, REACH), "damping": 1}
    mass = node(
        "body",
        node("joint", name="root_x", axis=(1, 0, 0), **slide),
        node("joint", name="root_y", axis=(0, 1, 0), **slide),
        node("geom", name="pointmass", type="sphere", size=0.01, mass=0.3, rgba=BODY),
        name="pointmass",
        pos=(0, 0, 0.01),
    )
    target = node("geom", name="target", type="sphere", pos=(0, 0, 0.01), size=TARGET_RADIUS, rgba=TARGET)
    tendons = [
        node(
            "fixed",
            node("joint", joint="root_x", coef=float(name == "t1")),
            node("joint", joint="root_y", coef=float(name == "t2")),
            name=name,
        )
        for name in ("t1", "t2")
    ]
    motors = [
        node("motor", name=name, tendon=name, gear=0.1, ctrllimited=True, ctrlrange=(-1, 1)) for name in ("t1", "t2")
    ]
    world = node("worldbody", light(1), floor((0.3, 0.3, 0.1), name="ground"), *walls(), mass, target)
    return write("planar point mass", option, world, node("tendon", *tendons), node("actuator", *motors))


TASKS = {"PointMass": PointMass}
