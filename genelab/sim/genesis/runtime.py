"""Starts Genesis, once per process, and says how it came up."""

import inspect
import logging
import sys
from collections.abc import Generator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from pydantic import JsonValue

from genelab import progress
from genelab.errors import RunError

LEVELS: dict[progress.Verbosity, str] = {"quiet": "error", "normal": "warning", "verbose": "info"}
"""Level of the log of Genesis."""
KNOWN = (
    "exceeds joint limits",
    "dubious center of mass",
    "Filtered out geometry pairs causing self-collision",
    "Approximating tendon by joint actuator",
    "Constraint solver time constant should be greater",
)
"""Warnings about the model files of robots that work as they are."""


class KnownWarnings(logging.Filter):
    """Counts the known warnings, which say the same at every build, instead of showing them."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether to show a record."""
        known = record.levelno == logging.WARNING and any(text in record.getMessage() for text in KNOWN)
        self.count += known
        return not known


_known = KnownWarnings()


def start(seed: int, device: str) -> dict[str, JsonValue]:
    """Initialise Genesis on a resolved device, `cpu` or `cuda:<i>`, and return its fields of `BackendStamp`.

    Raises:
        RunError: if Genesis comes up on another back end or without its deterministic algorithms.
    """
    # Otherwise its compiler takes this process for a notebook, and prints after each of its calls.
    with redirect_stdout(sys.__stdout__), quick_decorators():
        import genesis

    gs: Any = genesis  # its back ends are added at run time
    # Its log keeps the stdout that it finds.
    with redirect_stdout(sys.stderr):
        gs.init(
            backend=gs.cpu if device == "cpu" else gs.cuda,
            seed=seed,
            precision="32",
            logging_level=LEVELS[progress.verbosity()],
            theme="dark" if sys.stderr.isatty() else "raw",
            use_deterministic_algorithms=True,
        )
    if progress.verbosity() != "verbose":
        gs.logger.addFilter(_known)
        # What compiles a kernel warns of loops in kernels that are not ours.
        gs.qd.set_logging_level(gs.qd.ERROR)
    backend = gs.backend.name
    if backend != ("cpu" if device == "cpu" else "cuda"):
        raise RunError(f"Genesis came up on back end '{backend}' although '{device}' was asked for")
    if not gs.use_deterministic_algorithms:
        raise RunError("Genesis refused its deterministic algorithms; unset GS_ENABLE_NDARRAY and performance mode")
    return {
        "engine": "genesis",
        "runs_on": backend,
        "precision": "32" if gs.np_float is np.float32 else "64",
        "engine_options": {
            name: bool(getattr(gs, name)) for name in ("use_deterministic_algorithms", "use_zerocopy", "use_ndarray")
        },
    }


@contextmanager
def quick_decorators() -> Generator[None]:
    """Halve the time of `import genesis`.

    Each of its 1,400 kernel decorators asks whether it stands in a class, by the source of the frame around it. For a
    kernel of a module that frame is Python's own import, which has no source, and `inspect` finds that out anew each
    time by a walk through all modules. Here it is told at once. For any other frame nothing changes.
    """
    walk = inspect.getmodule

    def getmodule(object: object, _filename: str | None = None) -> ModuleType | None:  # noqa: A002
        return None if _filename is not None and _filename.startswith("<frozen ") else walk(object, _filename)

    inspect.getmodule = getmodule
    try:
        yield
    finally:
        inspect.getmodule = walk


def say_compiling() -> None:
    """Begin the phase in which the kernels of a scene are compiled, or read from where an earlier process left them."""
    import genesis

    gs: Any = genesis
    kept = Path(gs.qd.lang.impl.get_runtime().prog.config().offline_cache_file_path)
    first = not any(kept.rglob("*.qdc"))
    progress.phase("compiling, for the first time on this machine: some minutes" if first else "compiling")


def say_known_warnings() -> None:
    """Log how many warnings were not shown since the last call."""
    import genesis

    if _known.count:
        told = f"{_known.count} known warning(s) about the model files are not shown; --verbose shows them"
        _known.count = 0
        genesis_log: Any = genesis
        genesis_log.logger.warning(told)
