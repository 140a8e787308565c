"""Films a checkpoint of a run directory."""

import math
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from genelab.config.commands import VideoCfg
from genelab.config.run import ExecutionCfg
from genelab.config.scene import EngineName
from genelab.evaluation.film import Shot, film
from genelab.jobs.session import start_session
from genelab.learn import checkpoint as checkpoints
from genelab.runs.files import atomic_path
from genelab.runs.run_dir import RunDir
from genelab.show.film import drawn, write_mp4

SIZE = (960, 540)
"""Width and height, pixels."""


def write_film(
    run_dir: RunDir, path: Path, cfg: VideoCfg, execution: ExecutionCfg, out: Path, engine: EngineName | None = None
) -> tuple[int, Fraction]:
    """Film episodes into an MP4 file. Starts the simulator: call once per process.

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
    """
    task = run_dir.task().on(engine)
    loaded = checkpoints.load_of_run(path, run_dir)
    session, _ = start_session(task.protocol.seed, execution, task)

    # As many as fit, but not more often than the policy acts.
    every = max(math.ceil(round(1.0 / (cfg.fps * task.env.control_dt), 6)), 1)
    shots = film(
        task,
        loaded,
        session,
        f"checkpoint '{path}'",
        seconds=cfg.seconds,
        episode=cfg.episode,
        every=every,
        size=SIZE,
    )
    # Of the simulated time, so that the film is as fast as the robot.
    rate = 1 / (every * Fraction(task.env.control_dt).limit_denominator(10**6))
    with atomic_path(out) as part:
        return write_mp4(part, _pictures(shots, task.id), rate), rate


def _pictures(shots: Iterator[Shot], task_id: str) -> Iterator[NDArray[np.uint8]]:
    for shot in shots:
        lines = [task_id, f"{shot.time_s:5.1f} s   return {shot.earned:.2f}"]
        lines += shot.overlay.lines() if shot.overlay else []
        yield drawn(shot.image, lines, shot.overlay.draw if shot.overlay else None)
