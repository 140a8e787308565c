"""Inputs put together from frames, as a deployer does, against the environment's own history."""

import torch

from genelab.envs.parts.history import History
from genelab.export.runner import Stack
from genelab.records.export import Observation

FRAMES, ROWS = 3, 4


def _observation() -> Observation:
    """Two terms of two and one columns in three frames, the oldest first."""
    terms = [
        {
            "name": name,
            "start": 3 * frame + start,
            "stop": 3 * frame + start + len(columns),
            "age": FRAMES - 1 - frame,
            "columns": columns,
        }
        for frame in range(FRAMES)
        for name, start, columns in (("pos", 0, ("x", "y")), ("vel", 2, ("x",)))
    ]
    fixed = {
        "unit": None,
        "scale": 1.0,
        "training_noise": None,
        "func": "genelab.mdp.observations:last_action",
        "params": {},
    }
    return Observation.model_validate(
        {
            "input": {"name": "obs", "dtype": "float32", "shape": ("batch", 9)},
            "formula": "obs[start:stop] = scale * value",
            "noise": "none",
            "normalization": "running",
            "terms": [{**fixed, "meaning": None, **term} for term in terms],
        }
    )


def test_inputs_from_single_frames_are_the_environments() -> None:
    torch.manual_seed(0)
    stack, history = Stack(_observation(), "policy.onnx"), History(FRAMES)
    assert stack.name == "obs"
    assert stack.columns == [6, 7, 8]
    for step in range(12):
        frame = torch.randn(ROWS, 3)
        # Episodes begin at different steps; all of them in the first.
        first = torch.tensor([step % (3 + row) == 0 for row in range(ROWS)])
        expected = history.stacked(frame, first, keep=True)
        assert torch.equal(stack.push(frame, first), expected)
        assert torch.equal(expected[:, stack.columns], frame)
