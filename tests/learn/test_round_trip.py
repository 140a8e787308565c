import math
from pathlib import Path
from typing import Any

import pytest
import torch

from genelab.config.task import ProtocolCfg
from genelab.errors import InputError
from genelab.learn.round_trip import read_round_trip, recorded_observations, write_round_trip

PROTOCOL = ProtocolCfg(episodes=10, round_trip_episodes=3)
ROWS = torch.arange(12.0).reshape(4, 3)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "round_trip.safetensors"


def test_what_training_writes_is_read(path: Path) -> None:
    write_round_trip(path, "a" * 64, [1.0, -2.1], {"policy": ROWS})
    found = read_round_trip(path, PROTOCOL)
    assert (found.weights_sha256, found.returns) == ("a" * 64, (1.0, -2.1))
    assert torch.equal(found.observations["policy"], ROWS)
    (rows,) = recorded_observations(path, PROTOCOL, {"policy": 3})
    assert torch.equal(rows, ROWS)
    with pytest.raises(InputError, match="holds no observations of width 4 of group 'policy'"):
        recorded_observations(path, PROTOCOL, {"policy": 4})
    with pytest.raises(InputError, match="holds no observations of width 3 of group 'critic'"):
        recorded_observations(path, PROTOCOL, {"critic": 3})


@pytest.mark.parametrize(
    ("returns", "rows", "told"),
    [
        ([], ROWS, "returns must be 1 to 3 numbers of float64"),
        ([1.0] * 4, ROWS, "returns must be 1 to 3 numbers of float64"),
        ([math.nan], ROWS, "'returns' must be finite"),
        ([1.0], ROWS.double(), "'observations/policy' is float64 of shape (4, 3), must be float32 with 1 to 1024 rows"),
        ([1.0], ROWS[:0], "'observations/policy' is float32 of shape (0, 3), must be float32 with 1 to 1024 rows"),
        ([1.0], torch.zeros(1025, 3), "must be float32 with 1 to 1024 rows"),
        ([1.0], ROWS[0], "must be float32 with 1 to 1024 rows"),
        ([1.0], torch.full((4, 3), math.inf), "'observations/policy' must be finite"),
    ],
)
def test_anything_else_is_refused_in_one_line(path: Path, returns: list[float], rows: Any, told: str) -> None:
    write_round_trip(path, "a" * 64, returns, {"policy": rows})
    with pytest.raises(InputError) as caught:
        read_round_trip(path, PROTOCOL)
    assert str(caught.value).startswith(f"'{path}': ")
    assert told in str(caught.value)
