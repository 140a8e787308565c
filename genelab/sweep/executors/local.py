"""Runs jobs as processes of this machine, each with a GPU of its own as far as there are enough."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import genelab
from genelab.config.run import ExecutionCfg
from genelab.runs.files import disk_errors
from genelab.runs.gpu import visible_gpus
from genelab.runs.run_dir import RunDir
from genelab.sweep.executors import Phase, child

WORKER = (sys.executable, "-P", "-m", "genelab.worker")
"""Command of a job; phase and run directory follow. Without -P, modules of the current folder would come first."""

_TAIL_BYTES = 16384


class LocalExecutor:
    """Starts one process for each job."""

    def __init__(self, command: Sequence[str] = WORKER) -> None:
        """Start jobs by `command` with the phase and the run directory appended."""
        self._command = command
        self._gpu_of: dict[Path, str] = {}
        self._jobs: dict[Path, LocalJob] = {}

    def start(self, phase: Phase, run_dir: RunDir, execution: ExecutionCfg) -> "LocalJob":
        """Start a phase of a seed. Raises InputError or RunError if its log cannot be written."""
        env = os.environ | job_settings(execution) | {"PYTHONPATH": module_path()}
        gpus = visible_gpus() if execution.device in ("auto", "cuda") else []
        if len(gpus) > 1:
            env["CUDA_VISIBLE_DEVICES"] = self._gpu_of.setdefault(run_dir.path, self._free_one(gpus))
        job = LocalJob([*self._command, phase, str(run_dir.path)], run_dir.train_log, phase, env)
        self._jobs[run_dir.path] = job
        return job

    def _free_one(self, gpus: Sequence[str]) -> str:
        self._jobs = {path: job for path, job in self._jobs.items() if job.poll() is None}
        in_use = [self._gpu_of[path] for path in self._jobs]
        return min(gpus, key=in_use.count)


class LocalJob:
    """A process and all that it starts."""

    node: str | None = None
    waiting: str | None = None
    lost = False

    def __init__(self, command: Sequence[str], log: Path, title: str, env: Mapping[str, str]) -> None:
        """Start `command` in a process group of its own, its output appended to `log` below a line with a title.

        It gets SIGTERM when this process dies.
        """
        self._log = log
        with disk_errors(log), log.open("ab") as output:
            output.write(f"--- {datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ} {title}\n".encode())
            output.flush()
            self._log_start = output.tell()
            self._process = subprocess.Popen(
                tied(command),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=env,
                process_group=0,
            )

    @property
    def pid(self) -> int:
        """Number of its process."""
        return self._process.pid

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

    def last_line(self) -> str | None:
        """Last line that this process wrote; None if it wrote nothing."""
        with self._log.open("rb") as file:
            file.seek(max(self._log_start, self._log.stat().st_size - _TAIL_BYTES))
            lines = [line.strip() for line in file.read().decode(errors="replace").splitlines()]
        return next((line for line in reversed(lines) if line), None)

    def _has_ended(self) -> bool:
        return os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def job_settings(execution: ExecutionCfg) -> dict[str, str]:
    """Variables that a worker runs with, wherever it runs."""
    threads = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), str(execution.threads))
    return threads | {"PYTHONUNBUFFERED": "1", "PYTHONIOENCODING": "utf-8:backslashreplace"}


def module_path() -> str:
    """PYTHONPATH by which a job finds the genelab of this process, even where `python -m genelab` found it here."""
    path, root = os.environ.get("PYTHONPATH", ""), Path(genelab.__file__).parents[1]
    return os.pathsep.join(filter(None, (str(root), path))) if Path(sys.path[0]).absolute() == root else path


def tied(command: Sequence[str]) -> list[str]:
    """`command`, to be run as a child of this process that gets SIGTERM when this process dies."""
    return [sys.executable, "-I", "-S", child.__file__, str(os.getpid()), *command]
