"""Films a training while it goes on."""

import subprocess
import sys

from genelab.runs.files import disk_errors
from genelab.runs.run_dir import RunDir

SECONDS = 4.0
"""Length of a film, s."""


class Films:
    """Films checkpoints, each in a process of its own, one at a time."""

    def __init__(self, run_dir: RunDir, iteration: int) -> None:
        """Nothing was filmed before this iteration."""
        self._run_dir, self._execution = run_dir, run_dir.load().execution.requested
        self._last = iteration
        self._process: subprocess.Popen[bytes] | None = None
        self._drawn = 0

    def saved(self, iteration: int) -> None:
        """Film the checkpoint that was saved after so many iterations, if it is time and no film is being drawn.

        Raises:
            InputError, RunError: if there is no place for it.
        """
        every, folder = self._execution.video_every, self._run_dir.films
        if every is None or iteration - self._last < every:
            return
        if self._process is not None and self._process.poll() is None:
            print(f"no film of iteration {iteration}: the one before is still drawn", flush=True)
            return
        self._tell()
        self._last = self._drawn = iteration
        words = [self._run_dir.checkpoint(iteration - 1), folder / f"{iteration}.mp4", SECONDS, self._execution.device]
        with disk_errors(folder):
            folder.mkdir(exist_ok=True)
            with (folder / f"{iteration}.log").open("wb") as log:
                command = [sys.executable, "-P", "-m", "genelab.worker.film", *map(str, words)]
                self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def end(self, *, wait: bool) -> None:
        """Wait for the film that is being drawn, or give it up: it must not outlast the training."""
        if self._process is None:
            return
        if wait:
            print("waiting for the last film", flush=True)
        else:
            self._process.terminate()
        self._process.wait()
        if wait:
            self._tell()

    def _tell(self) -> None:
        """Say that a film was not drawn, and where it is told why."""
        if self._process is not None and self._process.returncode:
            print(f"no film of iteration {self._drawn}: see {self._run_dir.films / f'{self._drawn}.log'}", flush=True)
