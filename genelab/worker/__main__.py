"""The process of one seed: `python -m genelab.worker train|evaluate RUN_DIR`.

Exit codes: 0 done, 1 failed with the reason in run.json, 2 wrong input, 143 stopped by SIGTERM after saving its state.
"""

import signal
import sys
import traceback
from pathlib import Path

from genelab.errors import DivergedError, GenelabError, InputError
from genelab.records.run import Failure
from genelab.runs.run_dir import RunDir
from genelab.worker.stop import STOPPED, StopFlag


def main(argv: list[str] | None = None) -> int:
    """Run one phase of one seed and return the exit code."""
    phase, path = argv or sys.argv[1:]
    run_dir = RunDir(Path(path))
    # Started by hand, Ctrl-C would end it without its state; SIGTERM saves it, and the launcher sends that.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with run_dir.lock():
            return _run_phase(phase, run_dir)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code


def _run_phase(phase: str, run_dir: RunDir) -> int:
    try:
        if phase == "train":
            from genelab.worker.training import train

            return 0 if train(run_dir, StopFlag()) else STOPPED
        from genelab.worker.assessment import evaluate_run

        evaluate_run(run_dir)
        return 0
    except GenelabError as error:
        print(f"error: {error}", file=sys.stderr)
        reason = "diverged" if isinstance(error, DivergedError) else "error"
        run_dir.mark_dead("crashed", Failure(reason=reason, detail=str(error)))
    except Exception as error:  # noqa: BLE001 the last resort: told in the log and in run.json
        traceback.print_exc()
        detail = f"{type(error).__name__}: {error}".splitlines()[0]
        run_dir.mark_dead("crashed", Failure(reason="crashed", detail=detail))
    return 1


if __name__ == "__main__":
    sys.exit(main())
