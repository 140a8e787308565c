"""Stand and hop in a plane on one leg."""

from functools import partial

import numpy as np
from mujoco.batch import Batch

from genelab_control.domain import ControlTask, Floats, Start, Suite, between, columns, tolerance
from genelab_control.files import read, text

HEIGHT = (0.6, 2.0)
"""Of the torso's centre of mass above the foot's, m."""
SPEED = 2.0
"""Forward velocity of the centre of mass, m/s."""
JOINTS = "rooty waist hip knee ankle"
VELOCITY, TOUCH = 0, slice(3, 5)
"""Where the sensors stand."""


class Hopper(ControlTask):
    """Three joints hold the torso in the plane, four motors move the leg."""

    substeps = 4
    columns = (
        *columns("pos", "m", "rootz"),
        *columns("pos", "rad", JOINTS),
        *columns("vel", "m/s", "rootx rootz"),
        *columns("vel", "rad/s", JOINTS),
        *columns("touch", "log(1 + N)", "toe heel"),
    )
    start_draws = 5

    def __init__(self, suite: Suite, *, hop: bool) -> None:
        """`hop`: move forward; else stand without much effort."""
        super().__init__(suite, text(read("hopper", suite, iterations=4, ls_iterations=10)))
        self.hop = hop
        self._torso, self._foot = (self.model.body(name).id for name in ("torso", "foot"))

    def start(self, draws: Floats) -> Start:
        """Turned by any angle, the leg anywhere within its limits."""
        turn = between(draws[:, :1], -np.pi, np.pi)
        low, high = self.model.jnt_range[3:].T
        return Start(np.hstack([np.zeros((len(draws), 2)), turn, between(draws[:, 1:], low, high)]))

    def observe(self, sims: Batch) -> Floats:
        # A contact's force is that of the last physics step in both suites.
        return np.hstack([sims.qpos[:, 1:], sims.qvel, np.log1p(sims.sensordata[:, TOUCH])])

    def reward(self, sims: Batch, action: Floats) -> Floats:
        standing = tolerance(sims.xipos[:, self._torso, 2] - sims.xipos[:, self._foot, 2], HEIGHT)
        if self.hop:
            speed = sims.sensordata[:, VELOCITY]
            return standing * tolerance(speed, (SPEED, np.inf), margin=SPEED / 2, shape="linear", at_margin=0.5)
        gentle = tolerance(action, margin=1.0, shape="quadratic", at_margin=0.0).mean(axis=1)
        return standing * (4.0 + gentle) / 5.0


TASKS = {"HopperStand": partial(Hopper, hop=False), "HopperHop": partial(Hopper, hop=True)}
