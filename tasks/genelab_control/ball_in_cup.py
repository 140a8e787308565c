"""Throw a ball on a string into the cup that it hangs from."""

from itertools import pairwise

import numpy as np
from mujoco.batch import Batch

from genelab_control.domain import ControlTask, Floats, Start, Suite, between, columns
from genelab_control.mjcf import BODY, TARGET, TIP, floor, light, node, write

X_Z = [0, 2]
BALL_RADIUS = 0.025
TARGET_SIZE = (0.05, 0.006, 0.05)
"""Half the sides of the cup's inside, m."""
ROOM = TARGET_SIZE[0] - BALL_RADIUS
"""How far the ball's centre may be from the middle of the cup, in x and in z, m."""


class BallInCup(ControlTask):
    """Cup and ball move in a plane, the cup by motors. The reward is 1 with the ball in the cup, else 0."""

    substeps = 10
    columns = (
        *columns("cup_pos", "m", "x z"),
        *columns("ball_pos", "m", "x z"),
        *columns("cup_vel", "m/s", "x z"),
        *columns("ball_vel", "m/s", "x z"),
    )

    def __init__(self, suite: Suite) -> None:
        super().__init__(suite, model(suite))
        if suite == "DMC":
            self.start_draws = 2
            self.collision_free = True
        self._ball, self._target = self.model.body("ball").id, self.model.site("target").id

    def start(self, draws: Floats) -> Start:
        """The cup at rest in its place, the ball anywhere around it; in Playground always 0.4 m below."""
        qpos = np.zeros((len(draws), 4))
        if self.suite == "DMC":
            qpos[:, 2] = between(draws[:, 0], -0.2, 0.2)
            qpos[:, 3] = between(draws[:, 1], 0.2, 0.5)
        return Start(qpos)

    def observe(self, sims: Batch) -> Floats:
        return np.hstack([sims.qpos, sims.qvel])

    def reward(self, sims: Batch, action: Floats) -> Floats:
        apart = np.abs(sims.site_xpos[:, self._target][:, X_Z] - sims.xpos[:, self._ball][:, X_Z])
        return np.all(apart < ROOM, axis=1).astype(np.float64)


def model(suite: Suite) -> str:
    """The same bodies in both suites."""
    if suite == "DMC":
        option = node("option", timestep=0.002)
    else:
        option = node("option", node("flag", eulerdamp="disable"), timestep=0.002, iterations=1, ls_iterations=4)
    corners = [(-0.05, 0), (-0.05, -0.075), (-0.025, -0.1), (0.025, -0.1), (0.05, -0.075), (0.05, 0)]
    sides = [
        node("geom", name=f"cup_part_{i}", type="capsule", fromto=(x, 0, z, x2, 0, z2), size=0.008, rgba=BODY)
        for i, ((x, z), (x2, z2)) in enumerate(pairwise(corners))
    ]
    slide = {"type": "slide", "damping": 3, "stiffness": 20}
    cup = node(
        "body",
        node("joint", name="cup_x", axis=(1, 0, 0), **slide),
        node("joint", name="cup_z", axis=(0, 0, 1), **slide),
        *sides,
        node("site", name="cup", pos=(0, 0, -0.108), size=0.005),
        node("site", name="target", type="box", pos=(0, 0, -0.05), size=TARGET_SIZE, group=4, rgba=TARGET),
        name="cup",
        pos=(0, 0, 0.6),
    )
    ball = node(
        "body",
        node("joint", name="ball_x", type="slide", axis=(1, 0, 0)),
        node("joint", name="ball_z", type="slide", axis=(0, 0, 1)),
        node("geom", name="ball", type="sphere", size=BALL_RADIUS, rgba=TIP),
        node("site", name="ball", size=0.005),
        name="ball",
        pos=(0, 0, 0.2),
    )
    ends = [node("site", site=name) for name in ("ball", "cup")]
    string = node("spatial", *ends, name="string", limited=True, range=(0, 0.3), width=0.003)
    motors = [
        node("motor", name=axis, joint=f"cup_{axis}", gear=5, ctrllimited=True, ctrlrange=(-1, 1)) for axis in "xz"
    ]
    world = node("worldbody", light(2), floor((0.6, 0.2, 10), name="ground"), cup, ball)
    return write("ball in cup", option, world, node("tendon", string), node("actuator", *motors))


TASKS = {"BallInCup": BallInCup}
