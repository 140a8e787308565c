"""Starts Genesis, once per process, and says how it came up."""

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import numpy as np
from pydantic import JsonValue

from genelab.errors import RunError


def start(seed: int, device: str) -> dict[str, JsonValue]:
    """Initialise Genesis on a resolved device, `cpu` or `cuda:<i>`, and return its fields of `BackendStamp`.

    Raises:
        RunError: if Genesis comes up on another back end or without its deterministic algorithms.
    """
    with quick_decorators():
        import genesis

    gs: Any = genesis  # its back ends are added at run time
    gs.init(
        backend=gs.cpu if device == "cpu" else gs.cuda,
        seed=seed,
        precision="32",
        logging_level="warning",
        use_deterministic_algorithms=True,
    )
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
def quick_decorators() -> Iterator[None]:
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
