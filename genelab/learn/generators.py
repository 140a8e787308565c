"""The state of the global random generators, as tensors and plain data."""

import random
from typing import Any

import numpy as np
import torch


def generator_states(device: torch.device) -> dict[str, Any]:
    """The states of the generators of Python, numpy and torch, and of the GPU if `device` is one."""
    python_version, python_words, python_gauss = random.getstate()
    numpy_state: Any = np.random.get_state(legacy=True)
    numpy_name, numpy_words, *numpy_rest = numpy_state
    return {
        "python": [python_version, list(python_words), python_gauss],
        "numpy": [numpy_name, torch.from_numpy(numpy_words.astype(np.int64)), *numpy_rest],
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state(device) if device.type == "cuda" else None,
    }


def restore_generators(states: dict[str, Any], device: torch.device) -> None:
    """Restore what `generator_states` returned."""
    version, words, gauss = states["python"]
    random.setstate((version, tuple(words), gauss))
    name, keys, *rest = states["numpy"]
    np.random.set_state((name, keys.numpy().astype(np.uint32), *rest))
    torch.set_rng_state(states["torch"])
    if states["cuda"] is not None:
        torch.cuda.set_rng_state(states["cuda"], device)
