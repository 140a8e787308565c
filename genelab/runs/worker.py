"""The process of one seed: `python -m genelab.runs.worker train|evaluate RUN_DIR`.

Exit codes: 0 done, 1 failed with the reason in run.json, 2 wrong input, 143 stopped by SIGTERM after saving its state.
"""

import signal
import sys
import traceback
from pathlib import Path
from types import FrameType

from genelab.errors import GenelabError, InputError, RunError
from genelab.records.run import Failure
from genelab.runs.run_dir import RunDir

STOPPED = 128 + signal.SIGTERM


class StopFlag:
    """What SIGTERM does: end the process at once, or, where there is a state to save first, wait to be asked."""

    def __init__(self) -> None:
        self.is_set = False
        self.deferred = False
        """Whether the process looks at `is_set` between two iterations."""
        signal.signal(signal.SIGTERM, self._stop)

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self.is_set = True
        if not self.deferred:
            sys.exit(STOPPED)


def main(argv: list[str] | None = None) -> int:
    """Run one phase of one seed and return the exit code."""
    phase, path = argv or sys.argv[1:]
    run_dir = RunDir(Path(path))
    # Ctrl-C reaches the whole terminal; the launcher decides and sends SIGTERM.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    stop = StopFlag()
    try:
        with run_dir.lock():
            return _run_phase(phase, run_dir, stop)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code


def _run_phase(phase: str, run_dir: RunDir, stop: StopFlag) -> int:
    try:
        if phase == "train":
            from genelab.runs.training import train

            return 0 if train(run_dir, stop) else STOPPED
        from genelab.runs.assessment import evaluate_run

        evaluate_run(run_dir)
        return 0
    except GenelabError as error:
        print(f"error: {error}", file=sys.stderr)
        reason = "diverged" if isinstance(error, RunError) and "finite" in str(error) else "error"
        _record_failure(run_dir, Failure(reason=reason, detail=str(error)))
    except Exception as error:
        traceback.print_exc()
        _record_failure(run_dir, Failure(reason="crashed", detail=f"{type(error).__name__}: {error}".splitlines()[0]))
    return 1


def _record_failure(run_dir: RunDir, failure: Failure) -> None:
    run_dir.mark_dead("crashed", failure)


if __name__ == "__main__":
    sys.exit(main())
