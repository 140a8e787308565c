"""The process that films a checkpoint of a training: `python -m genelab.worker.film CHECKPOINT FILE SECONDS DEVICE`."""

import sys
from pathlib import Path

from genelab.config.commands import VideoCfg
from genelab.config.run import ExecutionCfg
from genelab.errors import GenelabError
from genelab.jobs.film import write_film
from genelab.runs.find import find_policy


def main() -> int:
    """Film it. The exit code is 1 if that failed."""
    checkpoint, out, seconds, device = sys.argv[1:]
    try:
        found = find_policy(checkpoint)
        trained = found.run_dir, found.checkpoint
        cfg, execution = VideoCfg(seconds=float(seconds)), ExecutionCfg(device=device)
        count, rate = write_film(found.run_dir.task(), cfg, execution, Path(out), trained)
        print(f"{count} frames, {float(rate):g} a second")
    except GenelabError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
