"""Keep a pole upright on a cart that is pushed along a rail."""

from functools import partial

import numpy as np
from mujoco.batch import Batch

from genelab_control.domain import ControlTask, Floats, Start, Suite, between, columns, normal, tolerance
from genelab_control.mjcf import BODY, STATIC, floor, light, node, write

SLIDER, HINGE = 0, 1


class Cartpole(ControlTask):
    """Two joints, the cart's and the pole's, and one motor on the cart."""

    substeps = 1
    columns = (
        *columns("cart_pos", "m"),
        *columns("pole", "", "cos sin"),
        *columns("cart_vel", "m/s"),
        *columns("pole_vel", "rad/s"),
    )

    def __init__(self, suite: Suite, *, swing_up: bool, sparse: bool) -> None:
        """`swing_up`: begin with the pole down. `sparse`: 1 for near enough to upright and to the middle, else 0."""
        super().__init__(suite, model(suite))
        self.swing_up, self.sparse = swing_up, sparse
        self.start_draws = 4
        self._pole = self.model.body("pole_1").id

    def start(self, draws: Floats) -> Start:
        """The pole near straight down or up, the cart near the middle, both nearly at rest."""
        if self.swing_up:
            qpos = 0.01 * normal(draws[:, :2]) + [0.0, np.pi]
        else:
            qpos = between(draws[:, :2], -1.0, 1.0) * [0.1, 0.034]
        return Start(qpos, qvel=0.01 * normal(draws[:, 2:]))

    def observe(self, sims: Batch) -> Floats:
        return np.column_stack([sims.qpos[:, SLIDER], self._cos(sims), sims.xmat[:, self._pole, 2], sims.qvel])

    def reward(self, sims: Batch, action: Floats) -> Floats:
        cart, cos = sims.qpos[:, SLIDER], self._cos(sims)
        if self.sparse:
            return tolerance(cart, (-0.25, 0.25)) * tolerance(cos, (0.995, 1.0))
        upright = (1.0 + cos) / 2.0
        centred = (1.0 + tolerance(cart, margin=2.0)) / 2.0
        gentle = (4.0 + tolerance(action[:, 0], margin=1.0, shape="quadratic", at_margin=0.0)) / 5.0
        slow = (1.0 + tolerance(sims.qvel[:, HINGE], margin=5.0)) / 2.0
        return upright * centred * gentle * slow

    def _cos(self, sims: Batch) -> Floats:
        """Cosine of the pole's angle to upright."""
        return sims.xmat[:, self._pole, 8]


def model(suite: Suite) -> str:
    """The same bodies in both suites."""
    if suite == "DMC":
        option = node("option", node("flag", contact="disable"), timestep=0.01, integrator="RK4")
    else:
        flags = node("flag", contact="disable", eulerdamp="disable")
        option = node("option", flags, timestep=0.01, iterations=1, ls_iterations=4)
    rail = {"type": "capsule", "zaxis": (1, 0, 0), "size": (0.02, 2), "rgba": STATIC}
    cart = node(
        "body",
        node(
            "joint",
            name="slider",
            type="slide",
            axis=(1, 0, 0),
            limited=True,
            range=(-1.8, 1.8),
            solreflimit=(0.08, 1),
            damping=5e-4,
        ),
        node("geom", name="cart", type="box", size=(0.2, 0.15, 0.1), mass=1, rgba=BODY),
        node(
            "body",
            node("joint", name="hinge_1", type="hinge", axis=(0, 1, 0), damping=2e-6),
            node("geom", name="pole_1", type="capsule", fromto=(0, 0, 0, 0, 0, 1), size=0.045, mass=0.1, rgba=BODY),
            name="pole_1",
        ),
        name="cart",
        pos=(0, 0, 1),
    )
    world = node(
        "worldbody",
        light(6),
        floor((4, 4, 0.2), pos=(0, 0, -0.05)),
        node("geom", name="rail1", pos=(0, 0.07, 1), **rail),
        node("geom", name="rail2", pos=(0, -0.07, 1), **rail),
        cart,
    )
    motor = node("motor", name="slide", joint="slider", gear=10, ctrllimited=True, ctrlrange=(-1, 1))
    return write("cart-pole", option, world, node("actuator", motor))


TASKS = {
    "CartpoleBalance": partial(Cartpole, swing_up=False, sparse=False),
    "CartpoleBalanceSparse": partial(Cartpole, swing_up=False, sparse=True),
    "CartpoleSwingup": partial(Cartpole, swing_up=True, sparse=False),
    "CartpoleSwingupSparse": partial(Cartpole, swing_up=True, sparse=True),
}
