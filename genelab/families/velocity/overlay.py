"""What films of velocity tasks show beside the robot."""

import functools
import math

import numpy as np
import torch

from genelab.config.task import TaskSpec
from genelab.draw.depiction import BLUE, GREEN, Arrow, Canvas, Colour, Depiction, rgb
from genelab.families.velocity.terms import achieved
from genelab.mdp.rotations import quat_apply, quat_of_angles, quat_yaw
from genelab.mdp.state import StateView

RADIUS, FULL_WIDTH = 60, 960
"""Of the dial in a picture of that width, pixels. Its rim is 1 m/s."""
LOW_PASS_S = 0.2
"""Time constant of the velocity shown, s. A trunk sways with every step."""
ABOVE_M, BETWEEN_M, M_PER_M_S = 0.08, 0.05, 0.5
"""Height of the lower arrow above the robot, of the other above it, and their length for 1 m/s, m."""

Twist = tuple[float, float, float]
"""Velocity ahead and to the left, m/s, and turn to the left, rad/s."""


class Dial:
    """The command and the velocity of the base, low-passed: as arrows, in numbers, and on a dial seen from above."""

    def __init__(self, task: TaskSpec) -> None:
        """Show the command of the task's probe; without a probe, its only one."""
        self._command = task.probe.command if task.probe else next(iter(task.scene.commands))
        self._share = min(task.env.control_dt / LOW_PASS_S, 1.0)
        self.restart()

    def restart(self) -> None:
        """Begin at rest."""
        self._velocity = torch.zeros(3)

    def depict(self, state: StateView) -> Depiction:
        """Look at the first environment."""
        self._velocity = self._velocity + self._share * (achieved(state)[0].cpu() - self._velocity)
        asked, found = (_twist(each) for each in (state.commands[self._command][0], self._velocity))
        rows = (("command, green", asked), ("velocity, blue", found))
        lines = [f"{name}  x {x:+.2f} m/s   y {y:+.2f} m/s   turn {turn:+.2f} rad/s" for name, (x, y, turn) in rows]
        marks = (_arrow(state, asked, ABOVE_M + BETWEEN_M, GREEN), _arrow(state, found, ABOVE_M, BLUE))
        return Depiction(tuple(lines), marks, functools.partial(_draw, asked, found))


def _twist(values: torch.Tensor) -> Twist:
    x, y, turn = values.tolist()
    return x, y, turn


def _arrow(state: StateView, twist: Twist, above: float, colour: Colour) -> Arrow:
    """In the direction of a velocity, level."""
    base, zero = state.floating, torch.zeros(1)
    heading = quat_of_angles(zero, zero, quat_yaw(base.quat_w[:1]).cpu())
    level = quat_apply(heading, torch.tensor([[*twist[:2], 0.0]]))[0]
    start = base.pos_w[0, :2].cpu().numpy().astype(np.float64)
    return Arrow(start, above, M_PER_M_S * level.numpy().astype(np.float64), colour)


def _draw(asked: Twist, found: Twist, canvas: Canvas, size: tuple[int, int]) -> None:
    """Draw the dial in the upper right corner, forward up and left left."""
    radius = RADIUS * size[0] // FULL_WIDTH
    x, y = size[0] - radius - 12, radius + 12
    canvas.ellipse((x - radius, y - radius, x + radius, y + radius), fill=(255, 255, 255), outline=(90, 90, 90))
    for (ahead, left, turn), of, share in ((asked, GREEN, 0.08), (found, BLUE, 0.05)):
        colour, width, tip = rgb(of), max(round(share * radius), 1), (x - radius * left, y - radius * ahead)
        canvas.line((x, y, *tip), fill=colour, width=width)
        canvas.ellipse((tip[0] - width, tip[1] - width, tip[0] + width, tip[1] + width), fill=colour)
        # A turn to the left runs counter-clockwise from straight ahead, 90 degrees for 1 rad/s.
        start, end = sorted((-90.0, -90.0 - math.degrees(turn * math.pi / 2)))
        if end - start > 1.0:
            rim = radius - 3 * width
            canvas.arc((x - rim, y - rim, x + rim, y + rim), start, end, fill=colour, width=width)
