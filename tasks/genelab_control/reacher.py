"""Reach a target with the tip of a two-link arm in a plane."""

from functools import partial

import numpy as np
from mujoco.batch import Batch

from genelab_control.domain import ControlTask, Floats, Start, Suite, between, columns, tolerance
from genelab_control.mjcf import BODY, TARGET, TIP, floor, light, node, write
from genelab_control.point_mass import walls

FINGER_RADIUS = 0.01
HEIGHT = 0.01
"""Of arm and target above the ground, m."""
WRIST_RANGE = 160.0
"""Each way, degrees."""


class Reacher(ControlTask):
    """Two hinges with a motor each. The reward is 1 where tip and target touch, else 0."""

    columns = (
        *columns("shoulder_pos", "rad"),
        *columns("wrist_pos", "rad"),
        *columns("to_target", "m", "x y"),
        *columns("shoulder_vel", "rad/s"),
        *columns("wrist_vel", "rad/s"),
    )
    start_draws = 4
    seen_from_above = True

    def __init__(self, suite: Suite, *, target_radius: float) -> None:
        """`target_radius`: m."""
        super().__init__(suite, model(suite, target_radius))
        self.substeps = 1 if suite == "DMC" else 4
        self.touching = target_radius + FINGER_RADIUS
        self._finger, self._target = self.model.geom("finger").id, self.model.geom("target").id

    def start(self, draws: Floats) -> Start:
        """The arm at rest in any pose, the target at 0.05 to 0.2 m from the shoulder."""
        wrist = np.deg2rad(WRIST_RANGE)
        qpos = between(draws[:, :2], -1.0, 1.0) * [np.pi, wrist]
        angle, radius = between(draws[:, 2], 0.0, 2.0 * np.pi), between(draws[:, 3], 0.05, 0.2)
        target = np.column_stack([radius * np.sin(angle), radius * np.cos(angle), np.full(len(draws), HEIGHT)])
        return Start(qpos, target=target)

    def observe(self, sims: Batch) -> Floats:
        return np.hstack([sims.qpos, self._to_target(sims), sims.qvel])

    def reward(self, sims: Batch, action: Floats) -> Floats:
        return tolerance(np.linalg.norm(self._to_target(sims), axis=1), (0.0, self.touching))

    def _to_target(self, sims: Batch) -> Floats:
        """From the tip to the target, x and y, m."""
        return (sims.geom_xpos[:, self._target] - sims.geom_xpos[:, self._finger])[:, :2]


def model(suite: Suite, target_radius: float) -> str:
    """The same bodies in both suites."""
    if suite == "DMC":
        option = node("option", node("flag", contact="disable"), timestep=0.02)
    else:
        flags = node("flag", contact="disable", eulerdamp="disable")
        option = node("option", flags, timestep=0.005, iterations=1, ls_iterations=6)
    joint = {"type": "hinge", "axis": (0, 0, 1), "damping": 0.01}
    finger = node(
        "body",
        node("geom", name="finger", type="sphere", size=FINGER_RADIUS, rgba=TIP),
        name="finger",
        pos=(0.12, 0, 0),
    )
    hand = node(
        "body",
        node("geom", name="hand", type="capsule", fromto=(0, 0, 0, 0.1, 0, 0), size=0.01, rgba=BODY),
        node("joint", name="wrist", limited=True, range=(-WRIST_RANGE, WRIST_RANGE), **joint),
        finger,
        name="hand",
        pos=(0.12, 0, 0),
    )
    arm = node(
        "body",
        node("geom", name="arm", type="capsule", fromto=(0, 0, 0, 0.12, 0, 0), size=0.01, rgba=BODY),
        node("joint", name="shoulder", **joint),
        hand,
        name="arm",
        pos=(0, 0, HEIGHT),
    )
    target = node(
        "body",
        node("geom", name="target", type="sphere", size=target_radius, rgba=TARGET),
        name="target",
        pos=(0, 0, HEIGHT),
        mocap=True,
    )
    world = node("worldbody", light(1), floor((0.3, 0.3, 10), name="ground"), *walls(), arm, target)
    motors = [
        node("motor", name=name, joint=name, gear=0.05, ctrllimited=True, ctrlrange=(-1, 1))
        for name in ("shoulder", "wrist")
    ]
    return write("two-link planar reacher", option, world, node("actuator", *motors))


TASKS = {
    "ReacherEasy": partial(Reacher, target_radius=0.05),
    "ReacherHard": partial(Reacher, target_radius=0.015),
}
