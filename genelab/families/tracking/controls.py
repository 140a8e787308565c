"""What steers tracking tasks in the live viewer."""

from typing import Any

from genelab.envs.protocol import SceneEnv
from genelab.families.tracking.motion import Motion, MotionState
from genelab.mdp.state import StateView


class Scrubber:
    """A slider over the clip, at which episodes start, and the clip's own robot as a ghost."""

    def __init__(self, name: str, env: SceneEnv, page: Any) -> None:
        """`name`: the part. The slider has every frame that another one follows."""
        self._motion, self._page, self._dt = env.part(Motion), page, env.cfg.control_dt
        view = env.state().of(MotionState)
        self._last = len(view.frames.following) - 2
        gui = page.server.gui
        with gui.add_folder("Clip"):
            hint = "Starts the episode there, and every one after it."
            self.start = gui.add_slider(
                "start, s", min=0.0, max=self._last * self._dt, step=self._dt, initial_value=0.0, hint=hint
            )
            self._ghosts = gui.add_checkbox("ghost", True, hint="The clip, where it is.")
            self._text = gui.add_markdown("")
        self.start.on_update(self._scrubbed)
        self._frames = page.scene.ghost(view.names.links)

    def steer(self) -> None:
        """Nothing: the slider restarts the episode itself."""

    def show(self, state: StateView) -> None:
        """Move the ghost, and say where in the clip the robot should be."""
        view = state.of(MotionState)
        wanted, now = view.wanted, int(view.frame[0])
        for k, frame in enumerate(self._frames):
            frame.visible = bool(self._ghosts.value)
            frame.position, frame.wxyz = wanted.link_pos_w[0, k].cpu().numpy(), wanted.link_quat_w[0, k].cpu().numpy()
        self._text.content = f"now at {now * self._dt:.2f} s of {(self._last + 1) * self._dt:.2f} s"

    def _scrubbed(self, event: Any) -> None:
        self._motion.start_frame = min(round(self.start.value / self._dt), self._last)
        self._page.restart()
