"""Stand, walk and run like a human."""

from functools import partial

import numpy as np
from mujoco.batch import Batch

from genelab_control.domain import ControlTask, Floats, Start, Suite, between, columns, tolerance
from genelab_control.files import read, text

HEIGHT = 1.4
"""Of the head, m."""
JOINTS = (
    "abdomen_z abdomen_y abdomen_x right_hip_x right_hip_z right_hip_y right_knee right_ankle_y right_ankle_x "
    "left_hip_x left_hip_z left_hip_y left_knee left_ankle_y left_ankle_x right_shoulder1 right_shoulder2 right_elbow "
    "left_shoulder1 left_shoulder2 left_elbow"
)
EXTREMITIES = "left_hand left_foot right_hand right_foot"
AXES = "x y z"


class Humanoid(ControlTask):
    """A free body with 21 motors. Any direction is forward."""

    substeps = 5
    columns = (
        *columns("joint_pos", "rad", JOINTS),
        *columns("head_height", "m"),
        # In the torso's frame.
        *columns("extremity", "m", " ".join(f"{name}_{axis}" for name in EXTREMITIES.split() for axis in AXES.split())),
        # The world's vertical in the torso's frame.
        *columns("vertical", "", AXES),
        *columns("com_vel", "m/s", AXES),
        # Of the torso: linear in the world frame, angular in its own.
        *columns("root_lin_vel", "m/s", AXES),
        *columns("root_ang_vel", "rad/s", AXES),
        *columns("joint_vel", "rad/s", JOINTS),
    )

    def __init__(self, suite: Suite, *, speed: float) -> None:
        """`speed`: wanted horizontal velocity of the centre of mass, m/s; 0 if it shall stand still."""
        super().__init__(suite, text(read("humanoid", suite, iterations=4, ls_iterations=8)))
        self.speed = speed
        self.start_draws = 25 if suite == "DMC" else 0
        self.collision_free = suite == "DMC"
        self._torso, self._head = (self.model.body(name).id for name in ("torso", "head"))
        self._extremities = [self.model.body(name).id for name in EXTREMITIES.split()]

    def start(self, draws: Floats) -> Start:
        """DMC: any orientation of a quaternion without negative parts, the joints within their limits, in the air.

        Playground: upright, with straight joints, feet above the floor.
        """
        qpos = np.tile(self.model.qpos0, (len(draws), 1))
        if self.suite == "DMC":
            qpos[:, 3:7] = draws[:, :4] / np.linalg.norm(draws[:, :4], axis=1, keepdims=True)
            low, high = self.model.jnt_range[1:].T
            qpos[:, 7:] = between(draws[:, 4:], low, high)
        return Start(qpos)

    def observe(self, sims: Batch) -> Floats:
        torso = sims.xmat[:, self._torso].reshape(-1, 3, 3)
        extremities = (sims.xpos[:, self._extremities] - sims.xpos[:, [self._torso]]) @ torso
        return np.column_stack(
            [
                sims.qpos[:, 7:],
                sims.xpos[:, self._head, 2],
                extremities.reshape(sims.nsim, -1),
                torso[:, 2],
                sims.sensordata,
                sims.qvel,
            ]
        )

    def reward(self, sims: Batch, action: Floats) -> Floats:
        standing = tolerance(sims.xpos[:, self._head, 2], (HEIGHT, np.inf), margin=HEIGHT / 4)
        vertical = sims.xmat[:, self._torso, 8]
        upright = tolerance(vertical, (0.9, np.inf), margin=1.9, shape="linear", at_margin=0.0)
        gentle = (4.0 + tolerance(action, margin=1.0, shape="quadratic", at_margin=0.0).mean(axis=1)) / 5.0
        horizontal = sims.sensordata[:, :2]
        if self.speed == 0.0:
            move = tolerance(horizontal, margin=2.0).mean(axis=1)
        else:
            velocity = np.linalg.norm(horizontal, axis=1)
            fast = tolerance(velocity, (self.speed, np.inf), margin=self.speed, shape="linear", at_margin=0.0)
            move = (5.0 * fast + 1.0) / 6.0
        return gentle * standing * upright * move


TASKS = {
    "HumanoidStand": partial(Humanoid, speed=0.0),
    "HumanoidWalk": partial(Humanoid, speed=1.0),
    "HumanoidRun": partial(Humanoid, speed=10.0),
}
