"""What films of velocity tasks show beside the robot."""

import math
from typing import Any

import torch

from genelab.config.task import TaskSpec
from genelab.families.velocity.terms import achieved
from genelab.mdp.state import StateView

COMMAND, VELOCITY = (46, 160, 67), (31, 119, 180)
"""Colours of what is asked for and of what is, RGB."""
RADIUS = 60
"""Of the dial, pixels. Its rim is 1 m/s."""
LOW_PASS_S = 0.2
"""Time constant of the velocity shown, s. A trunk sways with every step."""


class Dial:
    """A dial seen from above, forward up and left left: the command, and the velocity of the base, low-passed."""

    def __init__(self, task: TaskSpec) -> None:
        """Show the command of the task's probe; without a probe, its only one."""
        self._command = task.probe.command if task.probe else next(iter(task.env.commands))
        self._share = min(task.env.control_dt / LOW_PASS_S, 1.0)
        self._asked = torch.zeros(3)
        self.restart()

    def restart(self) -> None:
        """Begin at rest."""
        self._velocity = torch.zeros(3)

    def observe(self, state: StateView) -> None:
        """Look at command and velocity of the first environment."""
        self._asked = state.commands[self._command][0].cpu()
        self._velocity = self._velocity + self._share * (achieved(state)[0].cpu() - self._velocity)

    def lines(self) -> list[str]:
        """Both in numbers."""
        rows = (("command ", self._asked.tolist()), ("velocity", self._velocity.tolist()))
        return [f"{name}  x {x:+.2f} m/s   y {y:+.2f} m/s   turn {turn:+.2f} rad/s" for name, (x, y, turn) in rows]

    def draw(self, canvas: Any, size: tuple[int, int]) -> None:
        """Draw the dial in the upper right corner."""
        from PIL import ImageFont

        font: Any = ImageFont.load_default(size=15)
        x, y = size[0] - RADIUS - 16, RADIUS + 16
        canvas.ellipse((x - RADIUS, y - RADIUS, x + RADIUS, y + RADIUS), fill=(255, 255, 255), outline=(90, 90, 90))
        shown = ((self._asked.tolist(), COMMAND, 5), (self._velocity.tolist(), VELOCITY, 3))
        for (ahead, left, turn), colour, width in shown:
            tip = (x - RADIUS * left, y - RADIUS * ahead)
            canvas.line((x, y, *tip), fill=colour, width=width)
            canvas.ellipse((tip[0] - width, tip[1] - width, tip[0] + width, tip[1] + width), fill=colour)
            # A turn to the left runs counter-clockwise from straight ahead, 90 degrees for 1 rad/s.
            start, end = sorted((-90.0, -90.0 - math.degrees(turn * math.pi / 2)))
            if end - start > 1.0:
                inset = 3 * width
                box = (x - RADIUS + inset, y - RADIUS + inset, x + RADIUS - inset, y + RADIUS - inset)
                canvas.arc(box, start, end, fill=colour, width=width)
        for row, (name, colour) in enumerate((("command", COMMAND), ("velocity", VELOCITY))):
            canvas.text((x - 30, y + RADIUS + 6 + 18 * row), name, font=font, fill=colour)
