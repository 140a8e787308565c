"""`python -m genelab_franka.collect_demos`: `genelab collect-demos` of pick and place, under its published name."""

import sys

from genelab.cli import run
from genelab_franka.pick_and_place import v0

if __name__ == "__main__":
    sys.exit(run(["collect-demos", v0().id, *sys.argv[1:]]))
