"""Where the phases of seeds run: each executor is a module here. The launcher knows these two protocols alone.

A job finds a seed's directory as the launcher sees it, and what it leaves there is in the launcher's directory when it
has ended. Whether they share a file system is the executor's business.
"""

from typing import Literal, Protocol

from genelab.config.run import ExecutionCfg
from genelab.runs.run_dir import RunDir

Phase = Literal["train", "evaluate"]
"""What a job does; the word that the worker's command line has for it."""


class Job(Protocol):
    """One phase of one seed, started."""

    node: str | None
    """Machine of a cluster that it runs on; None while that is not known, and for this machine."""
    waiting: str | None
    """What it waits for before it can run; None if for nothing."""
    lost: bool
    """Whether it ended because its machine was lost, so that it may go on elsewhere. Told once `poll` gives a code."""

    def poll(self) -> int | None:
        """Exit code, negative for the signal that ended it; None while it runs.

        A machine that was lost with the job counts as SIGKILL. When the code is there, nothing of the job runs any
        more.
        """
        ...

    def stop(self) -> None:
        """Ask it to save its state and to end with `genelab.worker.stop.STOPPED`. Returns at once."""
        ...

    def kill(self) -> None:
        """End it and everything that it started. `poll` tells when that is done."""
        ...

    def last_line(self) -> str | None:
        """The last thing that it or its executor said, for a job that ended without a record; None for nothing."""
        ...


class Executor(Protocol):
    """Starts jobs. How many run at a time is the launcher's decision, on what they run is the executor's."""

    def start(self, phase: Phase, run_dir: RunDir, execution: ExecutionCfg) -> Job:
        """Start a phase of a seed whose directory exists. Its output is appended to the seed's train.log.

        The job must end by itself, with its state saved, when the launcher dies.

        Raises:
            InputError: if the log cannot be written.
            RunError: if the disk is full.
        """
        ...
