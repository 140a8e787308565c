"""What films of velocity tasks show beside the robot."""

import functools
import math
from typing import Any

import numpy as np
import torch

from genelab.config.task import TaskSpec
from genelab.draw.depiction import BLUE, GREEN, Arrow, Canvas, Colour, Depiction
from genelab.families.velocity.terms import achieved
from genelab.mdp.rotations import quat_apply, quat_of_angles, quat_yaw
from genelab.mdp.state import StateView

RADIUS = 60
"""Of the dial, pixels. Its rim is 1 m/s."""
LOW_PASS_S = 0.2
"""Time constant of the velocity shown, s. A trunk sways with every step."""
ABOVE_M, M_PER_M_S = 0.25, 0.5
"""Height of the arrows above the highest link, and their length for 1 m/s, m."""

Twist = tuple[float, float, float]
"""Velocity ahead and to the left, m/s, and turn to the left, rad/s."""


class Dial:
    """The command and the velocity of the base, low-passed: as arrows, in numbers, and on a dial seen from above."""

    def __init__(self, task: TaskSpec) -> None:
        """Show the command of the task's probe; without a probe, its only one."""
        self._command = task.probe.command if task.probe else next(iter(task.env.commands))
        self._share = min(task.env.control_dt / LOW_PASS_S, 1.0)
        self.restart()

    def restart(self) -> None:
        """Begin at rest."""
        self._velocity = torch.zeros(3)

    def depict(self, state: StateView) -> Depiction:
        """Look at the first environment."""
        self._velocity = self._velocity + self._share * (achieved(state)[0].cpu() - self._velocity)
        asked, found = (_twist(each) for each in (state.commands[self._command][0], self._velocity))
        rows = (("command ", asked), ("velocity", found))
        lines = [f"{name}  x {x:+.2f} m/s   y {y:+.2f} m/s   turn {turn:+.2f} rad/s" for name, (x, y, turn) in rows]
        marks = tuple(_arrow(state, twist, colour) for twist, colour in ((asked, GREEN), (found, BLUE)))
        return Depiction(tuple(lines), marks, functools.partial(_draw, asked, found))


def _twist(values: torch.Tensor) -> Twist:
    x, y, turn = values.tolist()
    return x, y, turn


def _arrow(state: StateView, twist: Twist, colour: Colour) -> Arrow:
    """From above the robot in the direction of a velocity, level."""
    base, zero = state.floating, torch.zeros(1)
    heading = quat_of_angles(zero, zero, quat_yaw(base.quat_w[:1]).cpu())
    level = quat_apply(heading, torch.tensor([[*twist[:2], 0.0]]))[0]
    start = base.pos_w[0].cpu().numpy().astype(np.float64)
    start[2] = float(state.link_pos_w[0, :, 2].max()) + ABOVE_M
    return Arrow(start, M_PER_M_S * level.numpy().astype(np.float64), colour)


def _draw(asked: Twist, found: Twist, canvas: Canvas, size: tuple[int, int]) -> None:
    """Draw the dial in the upper right corner, forward up and left left."""
    from PIL import ImageFont

    font: Any = ImageFont.load_default(size=15)
    x, y = size[0] - RADIUS - 16, RADIUS + 16
    canvas.ellipse((x - RADIUS, y - RADIUS, x + RADIUS, y + RADIUS), fill=(255, 255, 255), outline=(90, 90, 90))
    for (ahead, left, turn), of, width in ((asked, GREEN, 5), (found, BLUE, 3)):
        colour, tip = _rgb(of), (x - RADIUS * left, y - RADIUS * ahead)
        canvas.line((x, y, *tip), fill=colour, width=width)
        canvas.ellipse((tip[0] - width, tip[1] - width, tip[0] + width, tip[1] + width), fill=colour)
        # A turn to the left runs counter-clockwise from straight ahead, 90 degrees for 1 rad/s.
        start, end = sorted((-90.0, -90.0 - math.degrees(turn * math.pi / 2)))
        if end - start > 1.0:
            inset = 3 * width
            box = (x - RADIUS + inset, y - RADIUS + inset, x + RADIUS - inset, y + RADIUS - inset)
            canvas.arc(box, start, end, fill=colour, width=width)
    for row, (name, of) in enumerate((("command", GREEN), ("velocity", BLUE))):
        place = (x - 30, y + RADIUS + 6 + 18 * row)
        canvas.text(place, name, font=font, fill=_rgb(of), stroke_width=2, stroke_fill=(255, 255, 255))


def _rgb(colour: Colour) -> tuple[int, ...]:
    return tuple(round(255 * part) for part in colour[:3])
