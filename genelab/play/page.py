"""The page in the browser: what is shown, its buttons, and the loop that steps the environment in real time."""

import contextlib
import importlib
import io
import queue
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from genelab.config.commands import PlayCfg
from genelab.config.env import EnvCfg
from genelab.errors import InputError
from genelab.functions import controls_of
from genelab.play.controls import Controls, GoalHandle, goal_command
from genelab.play.player import Player
from genelab.play.policies import Policies
from genelab.play.scene import WORLD, Scene
from genelab.sim.shape import Shape

SPEEDS = ("0.1", "0.25", "0.5", "1", "2", "4")
LATE_S = 0.2
"""Lag behind real time that is given up instead of being made up for, s."""
IDLE_S = 0.03
"""Between two looks at the buttons while nothing moves, s."""
TELL_S, LOOK_S = 0.1, 2.0
"""Between two changes of the text, and between two looks for new checkpoints, s."""


def require_viser() -> Any:
    """The viewer's library. Raises InputError if it is not installed."""
    try:
        return importlib.import_module("viser")
    except ModuleNotFoundError as error:
        if error.name != "viser":
            raise
        raise InputError("genelab play needs viser: pip install 'genelab[play]'") from error


class Page:
    """One page, however many browsers look at it."""

    def __init__(
        self, title: str, player: Player, policies: Policies, shapes: list[Shape], cfg: PlayCfg, policy: str
    ) -> None:
        """Serve the page.

        Args:
            title: shown on top.
            player: what is played.
            policies: what may act.
            shapes: what there is to see.
            cfg: where to serve.
            policy: name of the one that acts first.

        Raises:
            InputError: if that does not load, or viser is missing.
        """
        self.player, self._policies = player, policies
        with contextlib.redirect_stdout(io.StringIO()):
            # It prints a banner of its own.
            self.server: Any = require_viser().ViserServer(cfg.host, cfg.port, label=title, verbose=False)
        # It would publish the page through a stranger's server.
        self.server.gui.configure_theme(show_share_button=False, show_logo=False)
        env, state = player.env, player.env.state()
        self.scene = Scene(self.server, shapes, state, ground=env.cfg.ground is not None)
        self._wanted: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        """What the browser asks for, done by the loop between two steps."""
        self._playing, self._told_at, self._looked_at = True, 0.0, 0.0
        self._add_buttons(policy)
        self.controls = self._made_controls(env.cfg)
        self._show(at_once=True)
        self._place_camera()
        self._tell()

    @property
    def url(self) -> str:
        """Where the page is, seen from this machine."""
        return f"http://localhost:{self.server.get_port()}"

    def placed(self, name: str) -> str:
        """Name in viser of something at a place of the world."""
        return f"{WORLD}/{name}"

    def restart(self, episode: int | None = None) -> None:
        """Begin an episode, as soon as the running step is over; None for the same one again."""
        self._wanted.put(lambda: self._restart(episode))

    def run(self, until: Callable[[], bool] = lambda: False) -> None:
        """Step in real time for as long as the page is played. Returns when `until` says so."""
        due = time.monotonic()
        while not until():
            while not self._wanted.empty():
                self._wanted.get()()
            if not self._playing:
                time.sleep(IDLE_S)
                due = time.monotonic()
                continue
            self._step()
            due = max(due + self.player.env.cfg.control_dt / float(self._speed.value), time.monotonic() - LATE_S)
            time.sleep(max(due - time.monotonic(), 0.0))

    def _step(self) -> None:
        for controls in self.controls:
            controls.steer()
        self.player.step()
        self._show(at_once=self.player.seconds == 0.0)
        if time.monotonic() - self._told_at > TELL_S or not self._playing:
            self._tell()

    def _restart(self, episode: int | None) -> None:
        for controls in self.controls:
            controls.steer()
        self.player.restart(episode)
        self._show(at_once=True)
        self._tell()

    def _show(self, *, at_once: bool) -> None:
        state = self.player.env.state()
        with self.server.atomic():
            self.scene.show(state, self.player.env.object_quat_w(), follow=bool(self._follow.value), at_once=at_once)
            for controls in self.controls:
                controls.show(state)

    def _tell(self) -> None:
        """Write how the episode stands, and how the last one ended; look for new checkpoints."""
        self._told_at, player = time.monotonic(), self.player
        paused = "" if self._playing else ", paused"
        lines = [f"episode {player.number}, {player.seconds:.2f} s, return {player.episode_return:.2f}{paused}"]
        if (last := player.ended) is not None:
            told = f"{last.cause} after {last.seconds:.1f} s, return {last.episode_return:.2f}"
            lines.append(f"episode {last.number} ended: {told}")
        self._text.content = "\n\n".join(lines)
        if self._told_at - self._looked_at > LOOK_S:
            self._looked_at = self._told_at
            if (names := tuple(self._policies.names)) != self.policy.options:
                self.policy.options = names

    def _add_buttons(self, policy: str) -> None:
        gui = self.server.gui
        self.policy = gui.add_dropdown("policy", self._policies.names, initial_value=policy)
        self.policy.on_update(self._later(lambda: self.choose(self.policy.value)))
        self.player.policy, self._acting = self._policies.load(policy), policy
        self._add_button_row(
            "time",
            {"pause / play": ("P", self.toggle), "step": ("N", self._single_step)},
            hint="Keys P and N. A step is a control step.",
        )
        self._add_button_row(
            "episode",
            {
                "restart": ("R", lambda: self._restart(None)),
                "next": ("E", lambda: self._restart(self.player.number + 1)),
            },
            hint="Keys R and E. Restart plays the same episode again.",
        )
        self._speed = gui.add_dropdown("speed", SPEEDS, initial_value="1", hint="Times real time, if this machine can.")
        moves = self.player.env.cfg.robot.base is not None
        self._follow = gui.add_checkbox("follow the robot", moves, visible=moves)
        self._text = gui.add_markdown("")

    def _add_button_row(self, label: str, acts: dict[str, tuple[str, Callable[[], None]]], hint: str) -> None:
        """Buttons side by side, each with its key and what it does."""
        row = self.server.gui.add_button_group(label, list(acts), hint=hint)

        def clicked(event: Any) -> None:
            self._wanted.put(acts[event.target.value][1])

        row.on_click(clicked)
        for name, (key, act) in acts.items():
            self.server.gui.add_command(name, hotkey=key).on_trigger(self._later(act))

    def _later(self, act: Callable[[], None]) -> Callable[[Any], None]:
        """A callback of a widget that lets the loop do something, between two steps."""

        def callback(_: Any) -> None:
            self._wanted.put(act)

        return callback

    def toggle(self) -> None:
        """Pause, or play on."""
        self._playing = not self._playing
        self._tell()

    def _single_step(self) -> None:
        if self._playing:
            self.toggle()
        self._step()

    def choose(self, name: str) -> None:
        """Let a policy act from now on, in the running episode. One that does not load leaves the last."""
        if name == self._acting:
            return
        try:
            self.player.policy = self._policies.load(name)
            self._acting = name
        except InputError as error:
            for client in self.server.get_clients().values():
                client.add_notification(f"{name} does not load", str(error), color="red")
        self.policy.value = self._acting

    def _made_controls(self, cfg: EnvCfg) -> list[Controls]:
        """Those of the task's commands and parts, and a handle on its goal."""
        named = {**cfg.commands, **cfg.parts}
        found: list[Controls] = []
        for name, declared in named.items():
            make = controls_of(declared.func)
            if make is not None:
                found.append(make(name, self.player.env, self))
        goal = goal_command(cfg)
        return found if goal is None else [*found, GoalHandle(goal, self.player.env, self)]

    def _place_camera(self) -> None:
        """Look at the whole robot from the front right."""
        low, high = self.scene.extent()
        middle, size = (low + high) / 2, float(np.linalg.norm(high - low))
        camera = self.server.initial_camera
        camera.look_at = middle
        camera.position = middle + size * np.array([0.75, -0.75, 0.45])
        camera.fov = np.radians(50.0)
