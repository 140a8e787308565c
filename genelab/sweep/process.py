"""One child process: start, stop, and what its end says."""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Literal

from genelab.runs.files import disk_errors
from genelab.sweep import child
from genelab.sweep.plan import SeedPlan

Phase = Literal["train", "evaluate"]

_TAIL_BYTES = 16384


class Child:
    """A running phase of one seed."""

    def __init__(self, plan: SeedPlan, phase: Phase, command: Sequence[str], env: dict[str, str]) -> None:
        """Start `command` in a process group of its own, its output appended to the seed's train.log."""
        self.plan = plan
        self.phase: Phase = phase
        self._log = log = plan.run_dir.train_log
        shim = [sys.executable, "-I", "-S", child.__file__, str(os.getpid()), *command]
        with disk_errors(log), log.open("ab") as output:
            output.write(f"--- {datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ} {phase}\n".encode())
            output.flush()
            self._log_start = output.tell()
            self._process = subprocess.Popen(
                shim, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, env=env, process_group=0
            )

    def poll(self) -> int | None:
        """Exit code, negative for a signal; None while it runs. Its end takes what it started along."""
        if self._process.returncode is None and not self._has_ended():
            return None
        if self._process.returncode is None:
            # Not yet reaped, so its group number still belongs to it.
            os.killpg(self._process.pid, signal.SIGKILL)
        return self._process.wait()

    def stop(self) -> None:
        """Ask it to save its state and end."""
        self._process.terminate()

    def kill(self) -> None:
        """Kill it with everything it started."""
        if self._process.returncode is None:
            os.killpg(self._process.pid, signal.SIGKILL)

    def _has_ended(self) -> bool:
        return os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None

    def last_line(self) -> str | None:
        """Last line that this process wrote; None if it wrote nothing."""
        with self._log.open("rb") as file:
            file.seek(max(self._log_start, self._log.stat().st_size - _TAIL_BYTES))
            lines = [line.strip() for line in file.read().decode(errors="replace").splitlines()]
        return next((line for line in reversed(lines) if line), None)


def describe_exit(code: int) -> str:
    """An exit code in words."""
    if code >= 0:
        return f"exit code {code}"
    return f"killed by {signal.Signals(-code).name}"
