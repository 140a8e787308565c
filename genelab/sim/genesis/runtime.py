"""Starts Genesis, once per process, and says how it came up."""

from typing import Any

import numpy as np
from pydantic import JsonValue

from genelab.errors import RunError


def start(seed: int, device: str) -> dict[str, JsonValue]:
    """Initialise Genesis on a resolved device, `cpu` or `cuda:<i>`, and return its fields of `BackendStamp`.

    Raises:
        RunError: if Genesis comes up on another back end or without its deterministic algorithms.
    """
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
