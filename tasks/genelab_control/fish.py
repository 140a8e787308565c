"""Swim to a target as a fish."""

import numpy as np
from mujoco.batch import Batch

from genelab_control.domain import ControlTask, Floats, Start, Suite, between, columns, normal, tolerance
from genelab_control.files import find, read, text

JOINTS = "tail1 tail_twist tail2 finright_roll finright_pitch finleft_roll finleft_pitch"
AXES = "x y z"


class Fish(ControlTask):
    """A free body in water whose five actuators hold tail and fins at positions. No joint has a limit."""

    start_draws = 14

    def __init__(self, suite: Suite) -> None:
        super().__init__(suite, model(suite))
        self.substeps = 10 if suite == "DMC" else 20
        joints, upright = columns("joint_pos", "rad", JOINTS), columns("upright", "")
        self.columns = (
            *(joints + upright if suite == "DMC" else upright + joints),
            # In the mouth's frame, whose z points ahead and whose y points down.
            *columns("to_target", "m", AXES),
            # Of the torso: linear in the world frame, angular in its own.
            *columns("root_lin_vel", "m/s", AXES),
            *columns("root_ang_vel", "rad/s", AXES),
            *columns("joint_vel", "rad/s", JOINTS),
        )
        self._torso = self.model.body("torso").id
        self._mouth, self._target = (self.model.geom(name).id for name in ("mouth", "target"))
        self._radii = float(self.model.geom_size[[self._mouth, self._target], 0].sum())

    def start(self, draws: Floats) -> Start:
        """In any orientation, tail and fins nearly straight, the target around it; in Playground at the world's origin.

        Playground's own first observation has the target where the model has it, and the drawn one from the next on.
        """
        quat = normal(draws[:, :4])
        place = np.tile([0.0, 0.0, 0.1 if self.suite == "DMC" else 0.0], (len(draws), 1))
        return Start(
            np.hstack(
                [
                    place,
                    quat / np.linalg.norm(quat, axis=1, keepdims=True),
                    between(draws[:, 4:11], -0.2, 0.2),
                ]
            ),
            target=between(draws[:, 11:], np.array([-0.4, -0.4, 0.1]), np.array([0.4, 0.4, 0.3])),
        )

    def observe(self, sims: Batch) -> Floats:
        joints, upright = sims.qpos[:, 7:], self._upright(sims)
        first = [joints, upright] if self.suite == "DMC" else [upright, joints]
        return np.column_stack([*first, self._to_target(sims), sims.qvel])

    def reward(self, sims: Batch, action: Floats) -> Floats:
        distance = np.linalg.norm(self._to_target(sims), axis=1)
        in_target = tolerance(distance, (0.0, self._radii), margin=2 * self._radii)
        return (7.0 * in_target + (1.0 + self._upright(sims)) / 2.0) / 8.0

    def _upright(self, sims: Batch) -> Floats:
        """Cosine of the torso's angle to upright."""
        return sims.xmat[:, self._torso, 8]

    def _to_target(self, sims: Batch) -> Floats:
        """From the mouth, in its frame, m. Shape: (n, 3)."""
        arm = sims.geom_xpos[:, self._target] - sims.geom_xpos[:, self._mouth]
        return np.einsum("ni,nij->nj", arm, sims.geom_xmat[:, self._mouth].reshape(-1, 3, 3))


def model(suite: Suite) -> str:
    """The fish, which in Playground gets its weight from a sphere and looks for no contacts."""
    root = read("fish", suite, timestep=0.002, iterations=2, ls_iterations=6)
    if suite == "Playground":
        find(root, "option/flag").set("contact", "disable")
        find(root, ".//geom[@name='torso_massive']").attrib |= {"type": "sphere", "size": "0.03"}
    return text(root)


TASKS = {"FishSwim": Fish}
