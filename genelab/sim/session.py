"""What a process runs on: device choice, and the seeds of python, numpy and torch."""

import os
import random
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from pydantic import JsonValue

from genelab.config.scene import EngineName
from genelab.errors import InputError


@dataclass(frozen=True)
class Session:
    """What the process runs on, as resolved."""

    engine: EngineName
    """The engine that was started."""
    device: torch.device
    """Device of every tensor."""
    seed: int
    """Seed handed to every global generator."""
    threads: int
    """CPU threads of torch."""
    stamp: Mapping[str, JsonValue]
    """What the engine adds to the record of what the process ran on: fields of `BackendStamp`."""
    start_s: float
    """Time to import and initialise the engine, s."""


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


def seed_everything(seed: int, device: str, threads: int) -> None:
    """Seed python, numpy and torch, and make torch deterministic. Call before an engine starts.

    Args:
        seed: of every global generator.
        device: resolved device, `cpu` or `cuda:<i>`.
        threads: CPU threads of torch.
    """
    # cuBLAS reads this once, when it is first used; torch refuses deterministic CUDA matmuls without it.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.set_num_threads(threads)
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
    torch.use_deterministic_algorithms(True)
    if device.startswith("cuda"):
        torch.cuda.set_device(device)
