"""Films a checkpoint of a run directory, with the numbers of each moment drawn in."""

import math
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from genelab.config.commands import VideoCfg
from genelab.config.run import ExecutionCfg
from genelab.config.scene import EngineName
from genelab.config.task import TaskSpec
from genelab.envs.protocol import SceneEnv
from genelab.envs.purpose import Purpose
from genelab.errors import DivergedError
from genelab.evaluation.episodes import Policy
from genelab.evaluation.reload import reloaded
from genelab.functions import resolve_function
from genelab.jobs.session import start_session
from genelab.learn import checkpoint as checkpoints
from genelab.mdp.state import StateView
from genelab.progress import counted
from genelab.runs.files import atomic_path
from genelab.runs.films import encode
from genelab.runs.run_dir import RunDir

SIZE = (960, 540)
"""Width and height, pixels."""
BESIDE_M = (1.5, -1.5, 0.6)
"""Where the camera stands from what it looks at, m, world axes. It follows a floating base."""
Canvas = Any
"""A `PIL.ImageDraw.ImageDraw`."""
Picture = NDArray[np.uint8]
"""Shape: (height, width, 3), RGB."""


class Overlay(Protocol):
    """Draws beside a film what a task is about: a class that is called with the task."""

    def observe(self, state: StateView) -> None:
        """Look at the state at the beginning of a control step; the film shows its first environment."""
        ...

    def restart(self) -> None:
        """Forget what was seen: the next state is of another episode."""
        ...

    def lines(self) -> list[str]:
        """Text of the moment."""
        ...

    def draw(self, canvas: Canvas, size: tuple[int, int]) -> None:
        """Draw into a picture. `size`: its width and height, pixels."""
        ...


def write_film(
    run_dir: RunDir, path: Path, cfg: VideoCfg, execution: ExecutionCfg, out: Path, engine: EngineName | None = None
) -> tuple[int, Fraction]:
    """Film episodes of the task's evaluation, one after the other until the time is filled, into an MP4 file.

    Starts the simulator: call once per process.

    Args:
        run_dir: the run.
        path: its checkpoint.
        cfg: length, first episode, and how many pictures a second at most; fewer if the policy acts less often, or if
            their distance is no whole number of control steps.
        execution: device and threads.
        out: the file.
        engine: the simulator; None for that of the run.

    Returns:
        How many pictures it has, and how many a second.

    Raises:
        InputError: if the checkpoint does not belong to the run.
        RunError: if the scene cannot be drawn on this machine.
        DivergedError: if a state broke.
    """
    task = run_dir.task().on(engine)
    loaded = checkpoints.load_of_run(path, run_dir)
    session, _ = start_session(task.protocol.seed, execution, task)
    purpose = Purpose.evaluation(task, task.protocol, episodes=[cfg.episode], camera=SIZE)
    env, policy = reloaded(task, loaded, purpose, 1, session, f"checkpoint '{path}'")
    # As many as fit, but not more often than the policy acts.
    every = max(math.ceil(round(1.0 / (cfg.fps * task.env.control_dt), 6)), 1)
    # Of the simulated time, so that the film is as fast as the robot.
    rate = 1 / (every * Fraction(task.env.control_dt).limit_denominator(10**6))
    with atomic_path(out) as part:
        frames = math.ceil(task.env.control_steps(cfg.seconds) / every)
        pictures = counted(_pictures(task, env, policy, cfg.seconds, every), "frames", frames)
        return encode(part, pictures, rate, SIZE), rate


def _pictures(task: TaskSpec, env: SceneEnv, policy: Policy, seconds: float, every: int) -> Iterator[Picture]:
    """A picture of every so many control steps, with what it shows in text."""
    observations, earned = env.reset(), 0.0
    overlay: Overlay | None = resolve_function(task.overlay)(task) if task.overlay else None
    for number in range(task.env.control_steps(seconds)):
        time_s, state = number * task.env.control_dt, env.state()
        if overlay is not None:
            overlay.observe(state)
        if number % every == 0:
            base = state.base
            target = (base.pos_w[0] if base else state.link_pos_w[0].mean(dim=0)).tolist()
            image = env.picture(tuple(a + b for a, b in zip(target, BESIDE_M, strict=True)), tuple(target))
            yield _drawn(image, [task.id, f"{time_s:5.1f} s   return {earned:.2f}"], overlay)
        step = env.step(policy(observations))
        if bool(step.broken[0]):
            raise DivergedError(f"the state broke {(number + 1) * task.env.control_dt:g} s after the film began")
        observations, earned = step.observations, earned + float(step.reward[0])
        if bool((step.terminated | step.truncated)[0]):
            earned = 0.0
            if overlay is not None:
                overlay.restart()


def _drawn(image: Picture, lines: Sequence[str], overlay: Overlay | None) -> Picture:
    picture = Image.fromarray(np.ascontiguousarray(image))
    canvas: Canvas = ImageDraw.Draw(picture)
    font: Any = ImageFont.load_default(size=15)
    for row, line in enumerate([*lines, *(overlay.lines() if overlay else ())]):
        canvas.text((12, 10 + 20 * row), line, font=font, fill=(255, 255, 255), stroke_width=2, stroke_fill=(0, 0, 0))
    if overlay is not None:
        overlay.draw(canvas, picture.size)
    return np.asarray(picture)
