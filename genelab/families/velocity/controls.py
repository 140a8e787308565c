"""What steers velocity tasks in the live viewer."""

import math
from functools import partial
from typing import Any

import numpy as np
import torch

from genelab.draw.depiction import BLUE, GREEN, rgb
from genelab.envs.parts.commands import Commands
from genelab.envs.protocol import SceneEnv
from genelab.families.velocity.overlay import LOW_PASS_S
from genelab.families.velocity.terms import achieved
from genelab.mdp.rotations import quat_yaw
from genelab.mdp.state import StateView
from genelab.mdp.term import bind

AXES = (("x", "x_range", "I", "K", "forward, m/s"), ("y", "y_range", "J", "L", "left, m/s"))
TURN = ("turn", "yaw_rate_range", "U", "O", "to the left, rad/s")
STEP = 0.1
"""Of a key, m/s or rad/s."""
ABOVE_M = 0.4
"""Height of the arrows above the origin of the highest link, m."""


class Joystick:
    """One slider and two keys for each component of the command, and arrows above the robot."""

    def __init__(self, name: str, env: SceneEnv, page: Any) -> None:
        """`name`: the command. The sliders go as far as it is drawn."""
        self._name, self._commands, self._device = name, env.part(Commands), env.device
        self._share = min(env.cfg.control_dt / LOW_PASS_S, 1.0)
        self._velocity = torch.zeros(3)
        ranges, gui = bind(f"env.commands.{name}", env.cfg.commands[name], env.cfg).arguments, page.server.gui
        self.sliders: list[Any] = []
        with gui.add_folder("Joystick"):
            self.by_hand = gui.add_checkbox(
                "by hand", False, hint="The sliders command, in place of what episodes draw."
            )
            for axis, field, up, down, unit in (*AXES, TURN):
                low, high = (float(end) for end in ranges[field])
                hint = f"{unit}. Keys {up} and {down}."
                slider = gui.add_slider(axis, min=low, max=high, step=0.01, initial_value=0.0, hint=hint)
                slider.on_update(self._taken)
                self.sliders.append(slider)
                for key, by in ((up, STEP), (down, -STEP)):
                    command = gui.add_command(f"{axis} {by:+g}", hotkey=key)
                    command.on_trigger(partial(self._nudge, slider, by))
            stand = gui.add_button("stand", hint="All three 0. Key X.")
            stand.on_click(self._stand)
            gui.add_command("stand", hotkey="X").on_trigger(self._stand)
            self._text = gui.add_markdown("")
        nothing = np.zeros((2, 2, 3), dtype=np.float32)
        self._arrows = page.server.scene.add_arrows(
            page.placed("velocity"),
            nothing,
            np.array([rgb(GREEN), rgb(BLUE)], dtype=np.uint8),
            shaft_radius=0.012,
            head_radius=0.03,
            head_length=0.06,
        )

    def steer(self) -> None:
        """Hold the command of the sliders."""
        if self.by_hand.value:
            values = [[float(slider.value) for slider in self.sliders]]
            self._commands.held[self._name] = torch.tensor(values, device=self._device)
        else:
            self._commands.held.pop(self._name, None)

    def show(self, state: StateView) -> None:
        """Draw command and velocity as arrows."""
        asked = state.commands[self._name][0].cpu()
        if int(state.episode_step[0]) == 0:
            self._velocity = torch.zeros(3)
        self._velocity = self._velocity + self._share * (achieved(state)[0].cpu() - self._velocity)
        base = state.floating
        yaw, top = float(quat_yaw(base.quat_w)[0]), float(state.link_pos_w[0, :, 2].max()) + ABOVE_M
        origin = np.array([*base.pos_w[0, :2].tolist(), top])
        turn = np.array([[math.cos(yaw), -math.sin(yaw)], [math.sin(yaw), math.cos(yaw)]])
        tips = [origin + np.append(turn @ vector[:2].numpy(), 0.0) for vector in (asked, self._velocity)]
        self._arrows.points = np.array([[origin, tip] for tip in tips], dtype=np.float32)
        rows = (("command", asked), ("velocity", self._velocity))
        self._text.content = "\n\n".join(
            f"{name}: x {x:+.2f}, y {y:+.2f}, turn {turned:+.2f}" for name, (x, y, turned) in rows
        )

    def _taken(self, event: Any) -> None:
        # Not by the program itself.
        if event.client is not None:
            self.by_hand.value = True

    def _nudge(self, slider: Any, by: float, _: Any) -> None:
        slider.value = round(min(max(slider.value + by, slider.min), slider.max), 2)
        self.by_hand.value = True

    def _stand(self, _: Any) -> None:
        for slider in self.sliders:
            slider.value = 0.0
        self.by_hand.value = True
