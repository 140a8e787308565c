"""Demonstrations of a task that does not exist."""

from typing import Any

import numpy as np

from genelab.records.demos import DemoHeader, Demos

ROWS = 1000
LAYOUT = [
    {"name": "joint_pos", "start": 0, "stop": 2, "columns": ["arm", "hand"], "unit": "rad"},
    {"name": "speed", "start": 2, "stop": 5, "columns": ["x", "y", "z"], "scale": 0.1},
    {"name": "touch", "start": 5, "stop": 6, "scale": 1.0, "bounds": [[0.0, 1.0]]},
]


def header(**changes: Any) -> DemoHeader:
    data = {
        "schema": "genelab/demos/2",
        "task": "Example-Reach-v1",
        "config_sha256": "a" * 64,
        "layout": {"policy": LAYOUT},
        "normalized": False,
        "actions": [{"name": "arm", "bounds": [-1.0, 1.0]}, {"name": "hand", "clip": [-1.0, 1.0]}],
    }
    return DemoHeader.model_validate(data | changes)


def raw_observations() -> np.ndarray:
    """Columns with means and spreads as a robot has them. Shape: (ROWS, 6)."""
    rng = np.random.default_rng(5)
    mean, std = [0.4, -0.2, 0.0, 0.1, 0.02, 0.5], [0.2, 0.1, 0.05, 0.03, 0.04, 0.3]
    return (rng.standard_normal((ROWS, 6)) * std + mean).astype(np.float32)


def standardised(rows: np.ndarray) -> np.ndarray:
    return ((rows - rows.mean(axis=0)) / rows.std(axis=0)).astype(np.float32)


def demos(observations: np.ndarray, **changes: Any) -> Demos:
    rows = len(observations)
    actions = np.stack([np.linspace(-0.9, 0.9, rows), np.clip(np.linspace(-2, 2, rows), -1, 1)], axis=1)
    return Demos(header(**changes), {"observations/policy": observations, "actions": actions.astype(np.float32)})
