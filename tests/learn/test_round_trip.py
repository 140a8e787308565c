import math
from pathlib import Path
from typing import Any

import pytest
import torch

from genelab.config.task import ProtocolCfg
from genelab.errors import InputError
from genelab.learn.checkpoint import save_tensors
from genelab.learn.round_trip import read_round_trip, recorded_observations

PROTOCOL = ProtocolCfg(episodes=10, round_trip_episodes=3)
ROWS = torch.arange(12.0).reshape(4, 3)
GOOD: dict[str, Any] = {"weights_sha256": "a" * 64, "returns": [1.0, -2.5], "observations": {"policy": ROWS}}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "round_trip.pt"


def test_what_training_writes_is_read(path: Path) -> None:
    save_tensors(path, GOOD)
    read = read_round_trip(path, PROTOCOL)
    assert (read.weights_sha256, read.returns) == ("a" * 64, (1.0, -2.5))
    assert torch.equal(read.observations["policy"], ROWS)
    (rows,) = recorded_observations(path, PROTOCOL, {"policy": 3})
    assert torch.equal(rows, ROWS)


def test_older_files_hold_the_only_group_without_its_name(path: Path) -> None:
    save_tensors(path, {**GOOD, "observations": ROWS})
    assert torch.equal(recorded_observations(path, PROTOCOL, {"policy": 3})[0], ROWS)
    with pytest.raises(InputError, match="holds no observations of width 3 of group 'a'"):
        recorded_observations(path, PROTOCOL, {"a": 3, "b": 3})


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("weights_sha256", None, "weights_sha256 = None: must be a SHA-256 digest"),
        ("weights_sha256", "A" * 64, "must be a SHA-256 digest"),
        ("returns", None, "returns = None: must be a list of 1 to 3 numbers"),
        ("returns", "123", "returns = '123': must be a list"),
        ("returns", {0: 1.0}, "returns = a dict of 1: must be a list"),
        ("returns", [], "returns = a list of 0: must be a list of 1 to 3"),
        ("returns", [1.0] * 4, "returns = a list of 4: must be a list of 1 to 3"),
        ("returns", torch.ones(3), "returns = a tensor: must be a list"),
        ("returns", ["1.0"], "returns[0] = '1.0': must be a float"),
        ("returns", [1.0, True], "returns[1] = True: must be a float"),
        ("returns", [2], "returns[0] = 2: must be a float"),
        ("returns", [10**400], "returns[0] = an integer of 1329 bits: must be a float"),
        ("returns", [math.nan], "returns[0] = nan: must be a float within ±1e+150"),
        ("returns", [1e200], "returns[0] = 1e+200: must be a float within ±1e+150"),
        ("observations", None, "observations = None: must hold the rows of each group"),
        ("observations", {}, "observations = a dict of 0: must hold the rows"),
        ("observations", {"policy": [1.0]}, "observations.policy = a list of 1: must be a tensor"),
        ("observations", {7: ROWS}, "observations.7 = a tensor: must be a tensor under the name"),
        ("observations", {"policy": ROWS.long()}, "int64 tensor of shape (4, 3): must be float32"),
        ("observations", {"policy": ROWS.bool()}, "bool tensor of shape (4, 3): must be float32"),
        ("observations", {"policy": ROWS.double()}, "float64 tensor of shape (4, 3): must be float32"),
        ("observations", {"policy": ROWS.to(torch.complex64)}, "complex64 tensor of shape (4, 3): must be"),
        ("observations", {"policy": ROWS.to_sparse()}, "must be float32 and stored as it was saved"),
        ("observations", {"policy": ROWS.to("meta")}, "must be float32 and stored as it was saved"),
        ("observations", {"policy": torch.zeros(1, 3).expand(10**9, 3)}, "(1000000000, 3): must be float32 and stored"),
        ("observations", {"policy": ROWS[:0]}, "must have 1 to 1024 rows, and columns"),
        ("observations", {"policy": ROWS[:, :0].contiguous()}, "must have 1 to 1024 rows, and columns"),
        ("observations", {"policy": ROWS[0]}, "must have 1 to 1024 rows"),
        ("observations", {"policy": torch.zeros(1025, 3)}, "must have 1 to 1024 rows"),
        ("observations", {"policy": torch.full((4, 3), math.inf)}, "(4, 3): must be finite"),
    ],
)
@pytest.mark.filterwarnings("ignore:Sparse")
def test_anything_else_is_refused_in_one_line(path: Path, field: str, value: Any, told: str) -> None:
    save_tensors(path, {**GOOD, field: value})
    with pytest.raises(InputError) as caught:
        read_round_trip(path, PROTOCOL)
    assert str(caught.value).startswith(f"'{path}': {field}")
    assert told in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1
    assert len(str(caught.value)) < 700


@pytest.mark.parametrize("data", [None, [GOOD], {}, torch.zeros(3)])
def test_a_file_without_its_fields_is_refused(path: Path, data: Any) -> None:
    save_tensors(path, data)
    with pytest.raises(InputError):
        read_round_trip(path, PROTOCOL)


def test_groups_must_have_the_same_rows(path: Path) -> None:
    save_tensors(path, {**GOOD, "observations": {"a": ROWS, "b": ROWS[:2]}})
    with pytest.raises(InputError, match="unequal numbers of observations of the groups a, b"):
        recorded_observations(path, PROTOCOL, {"a": 3, "b": 3})
