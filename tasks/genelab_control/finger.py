"""Turn a spinner by tapping it with a two-link finger."""

from functools import partial

import numpy as np
from mujoco.batch import Batch

from genelab_control.domain import ControlTask, Floats, Start, Suite, between, columns
from genelab_control.mjcf import BODY, STATIC, TARGET, TIP, floor, light, node, write

X_Z = [0, 2]
FINGER_RANGE = 110.0
"""Of both joints of the finger, each way, degrees."""
SPIN_SPEED = 15.0
"""What counts as spinning, in the negative direction, rad/s."""
HINGE_POS = (0.2, 0.0, 0.4)
NO_CONTACT = {"contype": 0, "conaffinity": 0}
CAP = (0.04, 0.09)
"""Radius and half the length of the spinner's capsules, m."""
TIP_CIRCLE = sum(CAP)
"""Distance of the targets from the spinner's hinge, m."""


class Finger(ControlTask):
    """Two driven hinges of the finger and the free one of the spinner. What both tasks share."""

    def __init__(self, suite: Suite, xml: str) -> None:
        super().__init__(suite, xml)
        self.substeps = 2 if suite == "DMC" else 4
        self.start_draws = 3 if suite == "DMC" else 2
        self.collision_free = suite == "DMC"
        self.columns = (
            *columns("proximal_pos", "rad"),
            *columns("distal_pos", "rad"),
            *columns("tip", "m", "x z"),
            *columns("proximal_vel", "rad/s"),
            *columns("distal_vel", "rad/s"),
            *columns("hinge_vel", "rad/s"),
            *columns("touch", "log(1 + N)", "top bottom"),
        )
        self._sensors = {self.model.sensor(i).name: self.model.sensor(i).adr[0] for i in range(self.model.nsensor)}

    def start(self, draws: Floats) -> Start:
        """At rest, in any pose; in Playground the spinner's angle follows from the proximal joint's."""
        limit = np.deg2rad(FINGER_RANGE)
        share = draws[:, :3] if self.suite == "DMC" else draws[:, [0, 1, 0]]
        return Start(between(share, -1.0, 1.0) * [limit, limit, np.pi])

    def observe(self, sims: Batch) -> Floats:
        pose = self._scalars(sims, "proximal", "distal")
        touch = np.log1p(self._scalars(sims, "touchtop", "touchbottom"))
        return np.hstack([pose, self._from_hinge(sims, "tip"), sims.qvel, touch])

    def _scalars(self, sims: Batch, *names: str) -> Floats:
        return sims.sensordata[:, [self._sensors[name] for name in names]]

    def _from_hinge(self, sims: Batch, name: str) -> Floats:
        """A measured position relative to the spinner's hinge, x and z, m."""
        point, hinge = (self._sensors[sensor] + np.array(X_Z) for sensor in (name, "spinner"))
        return sims.sensordata[:, point] - sims.sensordata[:, hinge]


class Spin(Finger):
    """The reward is 1 while the spinner turns fast enough, else 0."""

    def __init__(self, suite: Suite) -> None:
        super().__init__(suite, model(suite, hinge_damping=0.03))

    def reward(self, sims: Batch, action: Floats) -> Floats:
        return (self._scalars(sims, "hinge_velocity")[:, 0] <= -SPIN_SPEED).astype(np.float64)


class Turn(Finger):
    """The spinner's tip should be in a target. The reward is 1 there, else 0."""

    def __init__(self, suite: Suite, *, target_radius: float) -> None:
        """`target_radius`: m."""
        super().__init__(suite, model(suite, hinge_damping=0.5, target_radius=target_radius))
        self.target_radius = target_radius
        self.start_draws += 1
        self.columns += (*columns("target", "m", "x z"), *columns("target_distance", "m"))

    def start(self, draws: Floats) -> Start:
        """As for all; the target anywhere on the tip's circle."""
        angle = between(draws[:, -1], -np.pi, np.pi)
        offset = np.column_stack([np.sin(angle), np.zeros(len(draws)), np.cos(angle)])
        return super().start(draws)._replace(target=HINGE_POS + TIP_CIRCLE * offset)

    def observe(self, sims: Batch) -> Floats:
        return np.hstack([super().observe(sims), self._from_hinge(sims, "target"), self._distance(sims)[:, None]])

    def reward(self, sims: Batch, action: Floats) -> Floats:
        return (self._distance(sims) <= 0.0).astype(np.float64)

    def _distance(self, sims: Batch) -> Floats:
        """From the tip to the target's surface, negative inside, m."""
        return np.linalg.norm(self._from_hinge(sims, "target") - self._from_hinge(sims, "tip"), axis=1) - (
            self.target_radius
        )


def model(suite: Suite, hinge_damping: float, target_radius: float | None = None) -> str:
    """In Playground nothing decorative collides.

    Args:
        suite: the suite.
        hinge_damping: of the spinner, N m s/rad.
        target_radius: m; no target if None.
    """
    if suite == "DMC":
        option = node("option", node("flag", gravity="disable"), timestep=0.01, cone="elliptic", iterations=200)
        decoration = {}
    else:
        flags = node("flag", gravity="disable", eulerdamp="disable")
        option = node("option", flags, timestep=0.005, integrator="implicitfast", iterations=2, ls_iterations=8)
        decoration = NO_CONTACT
    default = node(
        "default",
        node("geom", solimp=(0, 0.9, 0.01), solref=(0.02, 1)),
        node("joint", type="hinge", axis=(0, -1, 0)),
        node("motor", ctrllimited=True, ctrlrange=(-1, 1)),
    )
    joint = {"damping": 2.5, "limited": True, "range": (-FINGER_RANGE, FINGER_RANGE)}
    touch = {"type": "ellipsoid", "size": (0.025, 0.03, 0.025), "group": 3}
    distal = node(
        "body",
        node("joint", name="distal", **joint),
        node("geom", name="distal", type="capsule", fromto=(0, 0, 0, 0, 0, -0.16), size=0.028, rgba=BODY, **NO_CONTACT),
        node("geom", name="fingertip", type="capsule", fromto=(0, 0, -0.13, 0, 0, -0.161), size=0.03, rgba=TIP),
        node("site", name="touchtop", pos=(0.01, 0, -0.17), **touch),
        node("site", name="touchbottom", pos=(-0.01, 0, -0.17), **touch),
        name="distal",
        pos=(0, 0, -0.18),
    )
    axle = {"type": "cylinder", "rgba": STATIC, **decoration}
    proximal = node(
        "body",
        node("geom", name="proximal_decoration", fromto=(0, -0.033, 0, 0, 0.033, 0), size=0.034, **axle),
        node("joint", name="proximal", ref=-90, **joint),
        node("geom", name="proximal", type="capsule", fromto=(0, 0, 0, 0, 0, -0.17), size=0.03, rgba=BODY),
        distal,
        name="proximal",
        pos=(-0.2, 0, 0.4),
    )
    cap = {"type": "capsule", "size": CAP, "rgba": BODY}
    spinner = node(
        "body",
        node("joint", name="hinge", frictionloss=0.1, damping=hinge_damping),
        node("geom", name="cap1", pos=(0.02, 0, 0), **cap),
        node("geom", name="cap2", pos=(-0.02, 0, 0), **cap),
        node("site", name="tip", type="sphere", size=0.02, pos=(0, 0, TIP_CIRCLE), rgba=TARGET),
        node("geom", name="spinner_decoration", fromto=(0, -0.045, 0, 0, 0.045, 0), size=0.02, **axle),
        name="spinner",
        pos=HINGE_POS,
    )
    motors = [node("motor", name=name, joint=name, gear=gear) for name, gear in {"proximal": 30, "distal": 15}.items()]
    sensors = [
        node("jointpos", name="proximal", joint="proximal"),
        node("jointpos", name="distal", joint="distal"),
        node("jointvel", name="hinge_velocity", joint="hinge"),
        node("framepos", name="tip", objtype="site", objname="tip"),
        node("framepos", name="spinner", objtype="xbody", objname="spinner"),
        node("touch", name="touchtop", site="touchtop"),
        node("touch", name="touchbottom", site="touchbottom"),
    ]
    bodies = [proximal, spinner]
    if target_radius is not None:
        site = node("site", name="target", type="sphere", size=target_radius, rgba=TARGET)
        bodies.append(node("body", site, name="target", pos=(0, 0, 0.4), mocap=True))
        sensors.append(node("framepos", name="target", objtype="site", objname="target"))
    world = node("worldbody", light(2), floor((0.6, 0.2, 10), name="ground"), *bodies)
    return write("finger", option, default, world, node("actuator", *motors), node("sensor", *sensors))


TASKS = {
    "FingerSpin": Spin,
    "FingerTurnEasy": partial(Turn, target_radius=0.07),
    "FingerTurnHard": partial(Turn, target_radius=0.03),
}
