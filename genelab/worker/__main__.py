"""The process of one seed: `python -m genelab.worker train|evaluate RUN_DIR`.

Exit codes: 0 done, 1 failed with the reason in run.json, 2 wrong input, 143 stopped by SIGTERM after saving its state.
"""

import os
import signal
import sys
import traceback
from contextlib import suppress
from pathlib import Path

from genelab import progress
from genelab.errors import DivergedError, GenelabError, InputError
from genelab.records.run import Failure
from genelab.runs.files import disk_error
from genelab.runs.run_dir import RunDir
from genelab.worker.stop import STOPPED, StopFlag


def main(argv: list[str] | None = None) -> int:
    """Run one phase of one seed and return the exit code."""
    phase, path = argv or sys.argv[1:]
    run_dir = RunDir(Path(path))
    # Started by hand, Ctrl-C would end it without its state; SIGTERM saves it, and the launcher sends that.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with run_dir.lock(), progress.shown("verbose" if os.environ.get(progress.VERBOSE) else "normal"):
            progress.phase("importing")
            return _run_phase(phase, run_dir)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code


def _run_phase(phase: str, run_dir: RunDir) -> int:
    try:
        if phase == "train":
            from genelab.worker.training import train

            return 0 if train(run_dir, StopFlag()) else STOPPED
        from genelab.worker.evaluation import evaluate_run

        evaluate_run(run_dir)
        return 0
    except Exception as error:  # noqa: BLE001 the last resort: told in the log and in run.json
        _fail(run_dir, error)
    return 1


def _fail(run_dir: RunDir, error: Exception) -> None:
    """Tell it in run.json and in the log. A full disk may take neither; then the launcher meets it too and says so."""
    told: Exception = error
    if isinstance(error, OSError):
        # Only a print fails without naming its file, and what a worker prints goes to the log.
        told = disk_error(error, Path(str(error.filename or run_dir.train_log))) or error
    with suppress(OSError, GenelabError):
        if isinstance(told, GenelabError):
            print(f"error: {told}", file=sys.stderr)
        else:
            traceback.print_exception(told)
    with suppress(OSError, GenelabError):
        run_dir.mark_dead("crashed", _failure(told))


def _failure(error: Exception) -> Failure:
    if isinstance(error, GenelabError):
        return Failure(reason="diverged" if isinstance(error, DivergedError) else "error", detail=str(error))
    return Failure(reason="crashed", detail=f"{type(error).__name__}: {error}".splitlines()[0])


if __name__ == "__main__":
    sys.exit(main())
