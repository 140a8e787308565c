"""`genelab ARGS` with fake workers, to be run in a process of its own: `command.py ARGS`."""

import functools
import sys
from pathlib import Path

from genelab.cli import run
from genelab.sweep.executors import local

WORKER = (sys.executable, str(Path(__file__).with_name("fake_worker.py")))

if __name__ == "__main__":
    local.LocalExecutor = functools.partial(local.LocalExecutor, WORKER)
    sys.exit(run(sys.argv[1:]))
