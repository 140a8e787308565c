"""Starts `genelab` commands and kills them for real: the whole tree, only the worker, or only the launcher."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Literal

import psutil

Victims = Literal["all", "worker", "launcher"]

DONE_S = 1800.0
"""Longest time that an undisturbed command may take on a machine that is busy with other things, s."""


class Command:
    """A running command line, in a process group of its own; its output goes to a file."""

    def __init__(self, args: Sequence[str], log: Path, cwd: Path) -> None:
        self.log = log
        # Entry points name the installed package; -m takes the one that this interpreter finds first.
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "genelab", *args],
                cwd=cwd,
                stdout=output,
                stderr=subprocess.STDOUT,
                process_group=0,
                env={**os.environ, "PYTHONHASHSEED": "0"},
            )
        self._root = psutil.Process(self._process.pid)

    def ended(self) -> bool:
        """Whether the command itself has ended."""
        return self._process.poll() is not None

    def wait(self) -> int:
        """Wait for the end; returns the exit code. Raises TimeoutExpired if it hangs."""
        return self._process.wait(timeout=DONE_S)

    def terminate(self) -> int:
        """Ask it to end, and wait until all of it has; returns the exit code."""
        below = self.children()
        self._process.terminate()
        code = self.wait()
        _, alive = psutil.wait_procs(below, timeout=60)
        if alive:
            raise RuntimeError(f"still running: {alive}")
        return code

    def children(self) -> list[psutil.Process]:
        """Every process below it."""
        with suppress(psutil.NoSuchProcess):
            return self._root.children(recursive=True)
        return []

    def kill(self, victims: Victims) -> bool:
        """Send SIGKILL and wait until those processes are gone. False if there was nobody left to kill."""
        below = self.children()
        doomed = {"all": [self._root, *below], "worker": below, "launcher": [self._root]}[victims]
        if self.ended() or not doomed:
            return False
        for process in doomed:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        if victims != "worker":
            # Reaped by us; the others are reaped by their parent or by init.
            hit = self._process.wait(timeout=60) == -signal.SIGKILL
            doomed = [process for process in doomed if process.pid != self._process.pid]
        else:
            hit = True
        _, alive = psutil.wait_procs(doomed, timeout=60)
        if alive:
            raise RuntimeError(f"processes that survive SIGKILL: {alive}")
        return hit


def wait_for(moment: Callable[[], bool], command: Command, every_s: float = 0.0002) -> bool:
    """Watch for a moment; some last a millisecond. False if the command ended first."""
    end = time.monotonic() + DONE_S
    while not moment():
        if command.ended():
            return False
        if time.monotonic() > end:
            raise TimeoutError(f"waited in vain, see {command.log}")
        # Leaves the core to the command, and still sees what lasts a millisecond.
        time.sleep(every_s)
    return True
