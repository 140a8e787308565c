"""What steers a task in the viewer, beside the policy."""

from typing import Any, Protocol

import torch

from genelab.config.env import EnvCfg
from genelab.draw.depiction import GREEN, rgb
from genelab.envs.parts.commands import Commands
from genelab.envs.protocol import SceneEnv
from genelab.mdp.state import StateView
from genelab.mdp.term import XYZ, bind


class Controls(Protocol):
    """Steers what a command or a part of a task is about.

    A class that is called with the name of the command or part, the environment and the page
    (`genelab.play.page.Page`). `genelab.functions.played_with` names it beside the function that the config names.
    """

    def steer(self) -> None:
        """Tell the environment what is wanted; called before every control step and every restart."""
        ...

    def show(self, state: StateView) -> None:
        """Show what is asked for, and what is. The viewer shows the first environment."""
        ...


class GoalHandle:
    """A ball at the goal, which can be dragged. The goal then stays there over all episodes."""

    def __init__(self, name: str, env: SceneEnv, page: Any) -> None:
        """`name`: the command that is the goal."""
        self._name, self._commands, self._device = name, env.part(Commands), env.device
        tolerance = env.cfg.goal.tolerance if env.cfg.goal else 0.02
        scene = page.server.scene
        self.gizmo = scene.add_transform_controls(
            page.placed("goal"), scale=0.15, disable_rotations=True, depth_test=False, line_width=3.0
        )
        scene.add_icosphere(
            page.placed("goal/ball"), radius=tolerance, color=rgb(GREEN), opacity=0.4, cast_shadow=False
        )
        with page.server.gui.add_folder("Goal"):
            self.by_hand = page.server.gui.add_checkbox(
                "by hand", False, hint="Where you drag it, in place of where episodes draw it."
            )
        self.gizmo.on_update(self._dragged)

    def _dragged(self, _: Any) -> None:
        self.by_hand.value = True

    def steer(self) -> None:
        """Hold the goal where the ball is, if it was dragged."""
        if self.by_hand.value:
            position = torch.tensor([[*map(float, self.gizmo.position)]], device=self._device)
            self._commands.held[self._name] = position
        else:
            self._commands.held.pop(self._name, None)

    def show(self, state: StateView) -> None:
        """Put the ball where the goal was drawn."""
        if not self.by_hand.value:
            self.gizmo.position = tuple(state.commands[self._name][0].tolist())


def goal_command(cfg: EnvCfg) -> str | None:
    """The command that is the goal, if that is a position; None if there is none."""
    if cfg.goal is None:
        return None
    term = bind(f"env.commands.{cfg.goal.command}", cfg.commands[cfg.goal.command], cfg)
    return cfg.goal.command if (term.columns(), term.unit()) == (XYZ, "m") else None
