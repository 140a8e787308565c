"""Run in a plane on two legs."""

import numpy as np
from mujoco.batch import Batch

from genelab_control.domain import ControlTask, Floats, Start, Suite, between, columns, tolerance
from genelab_control.files import read, text

SPEED = 10.0
"""Forward velocity of the centre of mass that earns 1, m/s."""
JOINTS = "rooty bthigh bshin bfoot fthigh fshin ffoot"


class Cheetah(ControlTask):
    """Three joints hold the torso in the plane, six motors move the legs. The reward grows with forward velocity."""

    substeps = 1
    columns = (
        *columns("pos", "m", "rootz"),
        *columns("pos", "rad", JOINTS),
        *columns("vel", "m/s", "rootx rootz"),
        *columns("vel", "rad/s", JOINTS),
    )
    start_draws = 6
    settle_steps = 200

    def __init__(self, suite: Suite) -> None:
        super().__init__(suite, text(read("cheetah", suite, iterations=4, ls_iterations=8)))

    def start(self, draws: Floats) -> Start:
        """The legs anywhere within their limits, above the ground; then it falls."""
        low, high = self.model.jnt_range[3:].T
        return Start(np.hstack([np.zeros((len(draws), 3)), between(draws, low, high)]))

    def observe(self, sims: Batch) -> Floats:
        return np.hstack([sims.qpos[:, 1:], sims.qvel])

    def reward(self, sims: Batch, action: Floats) -> Floats:
        return tolerance(sims.sensordata[:, 0], (SPEED, np.inf), margin=SPEED, shape="linear", at_margin=0.0)


TASKS = {"CheetahRun": Cheetah}
