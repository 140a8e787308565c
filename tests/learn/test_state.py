import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from genelab.errors import InputError
from genelab.learn.generators import generator_states, restore_generators
from genelab.learn.state import load_state, save_state
from genelab.records.arrays import encode

SCHEMA = "genelab/some/1"
CPU = torch.device("cpu")


def reloaded(state: dict[str, Any], path: Path) -> dict[str, Any]:
    save_state(path, SCHEMA, state)
    return load_state(path, SCHEMA)


def require_equal(one: Any, other: Any) -> None:
    """Exactly equal, but for tuples, which are read back as lists."""
    if isinstance(one, torch.Tensor):
        assert (one.dtype, one.shape) == (other.dtype, other.shape)
        assert one.detach().numpy().tobytes() == other.numpy().tobytes()
    elif isinstance(one, dict):
        assert list(one) == list(other)
        for name in one:
            require_equal(one[name], other[name])
    elif isinstance(one, list | tuple):
        assert type(other) is list
        assert len(one) == len(other)
        for mine, theirs in zip(one, other, strict=True):
            require_equal(mine, theirs)
    else:
        assert type(one) is type(other)
        assert one == other


def test_a_state_is_read_as_it_was_saved(tmp_path: Path) -> None:
    table = torch.arange(24.0).reshape(4, 6)
    state = {
        "plain": {"none": None, "yes": True, "count": 2**53, "rate": 0.1 + 0.2, "text": "a\n", "empty": {}, "list": []},
        "types": [
            torch.zeros(2, dtype=dtype)
            for dtype in (*(torch.bool, torch.uint8, torch.int32, torch.uint32), *(torch.int64, torch.float64))
        ],
        "scalar": torch.tensor(1e-300, dtype=torch.float64),
        "nothing": torch.zeros(0, 3, dtype=torch.int32),
        "not finite": torch.tensor([float("nan"), float("-inf"), -0.0]),
        "shared": {"whole": table, "row": table[1], "column": table[:, 2], "transposed": table.T, "again": table},
        "spread": torch.zeros(1).expand(5),
        "parameter": torch.nn.Parameter(torch.ones(2)),
        "with/slash.and.dot": {"mlp.0.weight": torch.ones(1)},
        "pair": (0.9, 0.999),
    }
    found = reloaded(state, tmp_path / "x")
    require_equal(state, found)
    found["shared"]["whole"].zero_()
    require_equal(state["shared"]["row"], found["shared"]["row"])
    before = (tmp_path / "x").read_bytes()
    save_state(tmp_path / "y", SCHEMA, state)
    assert (tmp_path / "y").read_bytes() == before


def test_an_optimiser_goes_on_from_it(tmp_path: Path) -> None:
    def stepped(weight: torch.Tensor, adam: torch.optim.Adam) -> torch.Tensor:
        (weight.square().sum() * 0.1).backward()
        adam.step()
        return weight.detach().clone()

    one = torch.nn.Parameter(torch.arange(3.0))
    first = torch.optim.Adam([one], lr=0.1)
    assert first.state_dict()["state"] == reloaded(first.state_dict(), tmp_path / "x")["state"] == {}
    stepped(one, first)
    found = reloaded({"weight": one, "optimiser": first.state_dict()}, tmp_path / "x")
    assert [*found["optimiser"]["state"]] == [0]
    other = torch.nn.Parameter(found["weight"])
    second = torch.optim.Adam([other], lr=0.5)
    second.load_state_dict(found["optimiser"])
    one.grad = None
    assert torch.equal(stepped(one, first), stepped(other, second))


def test_generators_go_on_from_it(tmp_path: Path) -> None:
    def draws() -> list[Any]:
        return [random.random(), random.gauss(0, 1), np.random.standard_normal(), *torch.rand(3).tolist()]

    random.gauss(0, 1)
    np.random.standard_normal()
    found = reloaded(generator_states(CPU), tmp_path / "x")
    expected = draws()
    draws()
    restore_generators(found, CPU)
    assert draws() == expected


@pytest.mark.parametrize("document", [{"state": {"a": {"$tensor": "a"}, "b": {"$tensor": "b"}}}, {}])
def test_a_tensor_that_is_missing_is_told(tmp_path: Path, document: dict[str, Any]) -> None:
    (tmp_path / "x").write_bytes(encode(SCHEMA, document, {"a": np.zeros(1, np.float32)}))
    with pytest.raises(InputError, match="holds no whole state: KeyError"):
        load_state(tmp_path / "x", SCHEMA)
