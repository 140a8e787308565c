from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from genelab.errors import InputError
from genelab.jobs.collect import UNFINISHED, Collector, go_on
from genelab.learn.state import save_state
from tests.learn.sb3.point_mass import PointMass


class _WithState(PointMass):
    """What a scripted controller steps."""

    cfg = SimpleNamespace(goal=True)

    def state(self) -> Tensor:
        return self._goal - self._position


class _Controller:
    """Goes to the goal, and counts its steps."""

    def __init__(self) -> None:
        self._count = torch.zeros(4, dtype=torch.int64)

    def __call__(self, state: Tensor) -> Tensor:
        self._count = self._count + 1
        return state.clamp(-1.0, 1.0)

    def reset(self, mask: Tensor) -> None:
        self._count = self._count.masked_fill(mask, 0)

    def state_dict(self) -> dict[str, Tensor]:
        return {"count": self._count}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        self._count = state["count"]


def collector(steps: int) -> Collector:
    env: Any = _WithState()
    made = Collector(env, _Controller())
    for _ in range(steps):
        made.step()
    return made


def test_an_unfinished_collection_goes_on_to_the_same_columns(tmp_path: Path) -> None:
    asked, partial = {"config_sha256": "a" * 64, "steps": 40}, tmp_path / "demos.safetensors.partial"
    save_state(partial, UNFINISHED, {"asked": asked, "collector": collector(25).state_dict()})
    resumed, whole = collector(0), collector(40)
    go_on(resumed, partial, asked)
    for _ in range(15):
        resumed.step()
    columns = resumed.state_dict()["columns"]
    for name, column in whole.state_dict()["columns"].items():
        assert torch.equal(columns[name], column)
    with pytest.raises(InputError, match="is another unfinished collection; finish that one or delete it"):
        go_on(collector(0), partial, {**asked, "steps": 20})
    save_state(partial, UNFINISHED, {"asked": asked, "collector": {}})
    with pytest.raises(InputError, match="holds no whole unfinished collection"):
        go_on(collector(0), partial, asked)
