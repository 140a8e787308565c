"""Swim to a target as a chain of six links, in a plane."""

import numpy as np
from mujoco.batch import Batch

from genelab_control.domain import ControlTask, Floats, Start, Suite, between, columns, tolerance
from genelab_control.files import read, text

LINKS = "head segment_0 segment_1 segment_2 segment_3 segment_4"
JOINTS = "joint_0 joint_1 joint_2 joint_3 joint_4"
PLANAR = [0, 1, 5]
"""Of a link's three linear and three angular velocities, those in the plane."""
CLOSE = 0.2
"""Share of the episodes with a close target."""


class Swimmer(ControlTask):
    """Three joints hold the head in the plane, five motors bend the chain. The reward is 1 in the target."""

    columns = (
        *columns("joint_pos", "rad", JOINTS),
        # In the head's frame.
        *columns("to_target", "m", "x y"),
        # Each in its link's frame.
        *(
            column
            for name in LINKS.split()
            for column in (*columns(f"{name}_vel", "m/s", "x y"), *columns(f"{name}_vel", "rad/s", "turn"))
        ),
    )
    start_draws = 9
    seen_from_above = True

    def __init__(self, suite: Suite) -> None:
        super().__init__(suite, text(read("swimmer", suite, timestep=0.003, iterations=4, ls_iterations=8)))
        self.substeps = 15 if suite == "DMC" else 10
        self._head = self.model.body("head").id
        self._nose, self._target = (self.model.geom(name).id for name in ("nose", "target"))
        self._radius = float(self.model.geom_size[self._target, 0])

    def start(self, draws: Floats) -> Start:
        """Turned by any angle, the chain bent anyhow within its limits; the target near or far.

        Playground's own first observation has the target where the model has it, and the drawn one from the next on.
        """
        turn = between(draws[:, :1], -np.pi, np.pi)
        low, high = self.model.jnt_range[3:].T
        reach = np.where(draws[:, 6:7] < CLOSE, 0.3, 2.0)
        height = np.full((len(draws), 1), self.model.body_pos[self.model.body("target").id, 2])
        return Start(
            np.hstack([np.zeros((len(draws), 2)), turn, between(draws[:, 1:6], low, high)]),
            target=np.hstack([between(draws[:, 7:], -reach, reach), height]),
        )

    def observe(self, sims: Batch) -> Floats:
        velocities = sims.sensordata.reshape(sims.nsim, -1, 6)[:, :, PLANAR]
        return np.hstack([sims.qpos[:, 3:], self._to_target(sims), velocities.reshape(sims.nsim, -1)])

    def reward(self, sims: Batch, action: Floats) -> Floats:
        distance = np.linalg.norm(self._to_target(sims), axis=1)
        return tolerance(distance, (0.0, self._radius), margin=5 * self._radius, shape="long_tail")

    def _to_target(self, sims: Batch) -> Floats:
        """From the nose, in the head's frame, m. Shape: (n, 2)."""
        arm = sims.geom_xpos[:, self._target] - sims.geom_xpos[:, self._nose]
        return np.einsum("ni,nij->nj", arm, sims.xmat[:, self._head].reshape(-1, 3, 3))[:, :2]


TASKS = {"SwimmerSwimmer6": Swimmer}
