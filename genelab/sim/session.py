"""One Genesis session per process: device choice, seeding before anything is built, resolved flags."""

import os
import random
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from genelab.errors import InputError, RunError


@dataclass(frozen=True)
class Session:
    """What the process runs on, as resolved."""

    device: torch.device
    """Device of every tensor."""
    backend: str
    """Genesis back end in use, `cpu` or `cuda`."""
    seed: int
    """Seed handed to every global generator."""
    threads: int
    """CPU threads of torch."""
    precision: str
    """Float width of the simulator, bits."""
    start_s: float
    """Time to import and initialise Genesis, s."""

    def genesis_options(self) -> dict[str, bool | str]:
        """Resolved options of Genesis that decide on results, for the record."""
        import genesis as gs

        return {
            "use_deterministic_algorithms": bool(gs.use_deterministic_algorithms),
            "use_zerocopy": bool(gs.use_zerocopy),
            "use_ndarray": bool(gs.use_ndarray),
        }


def resolve_device(requested: str) -> str:
    """Turn `auto`, `cpu`, `cuda` or `cuda:<i>` into `cpu` or `cuda:<i>`.

    Raises:
        InputError: if CUDA is asked for and there is none of that index.
    """
    if requested == "auto":
        return "cuda:0" if torch.cuda.is_available() else "cpu"
    if requested == "cpu":
        return "cpu"
    index = int(requested.partition(":")[2] or 0)
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if index >= count:
        raise InputError(f"--device {requested}: this machine has {count} CUDA device(s) that torch can use")
    return f"cuda:{index}"


def start(seed: int, device: str, threads: int) -> Session:
    """Seed everything, then initialise Genesis. Call once per process, before anything is built.

    Args:
        seed: seeds python, numpy, torch and Genesis.
        device: resolved device, `cpu` or `cuda:<i>`.
        threads: CPU threads of torch.

    Raises:
        RunError: if Genesis comes up on another back end or without its deterministic algorithms.
    """
    begin = time.perf_counter()
    # cuBLAS reads this once, when it is first used; torch refuses deterministic CUDA matmuls without it.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.set_num_threads(threads)
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
    torch.use_deterministic_algorithms(True)
    if device.startswith("cuda"):
        torch.cuda.set_device(device)

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
    return Session(
        device=torch.device(device),
        backend=backend,
        seed=seed,
        threads=torch.get_num_threads(),
        precision="32" if gs.np_float is np.float32 else "64",
        start_s=time.perf_counter() - begin,
    )
