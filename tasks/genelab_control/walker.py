"""Stand, walk and run in a plane on two legs."""

from functools import partial

import numpy as np
from mujoco.batch import Batch

from genelab_control.domain import ControlTask, Floats, Start, Suite, between, columns, tolerance
from genelab_control.files import read, text

HEIGHT = 1.2
"""Of the torso, m."""
JOINTS = "rooty right_hip right_knee right_ankle left_hip left_knee left_ankle"
BODIES = "torso right_thigh right_leg right_foot left_thigh left_leg left_foot"


class Walker(ControlTask):
    """Three joints hold the torso in the plane, six motors move the legs."""

    substeps = 10
    start_draws = 7

    def __init__(self, suite: Suite, *, speed: float) -> None:
        """`speed`: wanted forward velocity of the centre of mass, m/s; 0 if it shall only stand."""
        super().__init__(suite, text(read("walker", suite, iterations=2, ls_iterations=5)))
        self.speed = speed
        self.columns = (
            *columns("orientation", "", " ".join(f"{name}_{part}" for name in BODIES.split() for part in ("xx", "xz"))),
            # Playground calls it height as well, but shows how upright the torso is.
            *(columns("height", "m") if suite == "DMC" else columns("upright", "")),
            *columns("vel", "m/s", "rootz rootx"),
            *columns("vel", "rad/s", JOINTS),
        )
        self._torso = self.model.body("torso").id

    def start(self, draws: Floats) -> Start:
        """Turned by any angle, the legs anywhere within their limits."""
        turn = between(draws[:, :1], -np.pi, np.pi)
        low, high = self.model.jnt_range[3:].T
        return Start(np.hstack([np.zeros((len(draws), 2)), turn, between(draws[:, 1:], low, high)]))

    def observe(self, sims: Batch) -> Floats:
        orientation = sims.xmat[:, 1:, [0, 2]].reshape(sims.nsim, -1)
        height = self._height(sims) if self.suite == "DMC" else self._upright(sims)
        return np.column_stack([orientation, height, sims.qvel])

    def reward(self, sims: Batch, action: Floats) -> Floats:
        standing = tolerance(self._height(sims), (HEIGHT, np.inf), margin=HEIGHT / 2)
        stand = (3.0 * standing + (1.0 + self._upright(sims)) / 2.0) / 4.0
        if self.speed == 0.0:
            return stand
        fast = (self.speed, np.inf)
        move = tolerance(sims.sensordata[:, 0], fast, margin=self.speed / 2, shape="linear", at_margin=0.5)
        return stand * (5.0 * move + 1.0) / 6.0

    def _height(self, sims: Batch) -> Floats:
        return sims.xpos[:, self._torso, 2]

    def _upright(self, sims: Batch) -> Floats:
        """Cosine of the torso's angle to upright."""
        return sims.xmat[:, self._torso, 8]


TASKS = {
    "WalkerStand": partial(Walker, speed=0.0),
    "WalkerWalk": partial(Walker, speed=1.0),
    "WalkerRun": partial(Walker, speed=8.0),
}
