"""`genelab ARGS` with fake workers, to be run in a process of its own: `command.py ARGS`."""

import functools
import sys
from pathlib import Path

from genelab.cli import run
from genelab.sweep import launcher

WORKER = (sys.executable, str(Path(__file__).with_name("fake_worker.py")))

if __name__ == "__main__":
    launcher.launch = functools.partial(launcher.launch, command=WORKER)
    sys.exit(run(sys.argv[1:]))
