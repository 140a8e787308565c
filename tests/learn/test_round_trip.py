from pathlib import Path

import pytest
import torch

from genelab.learn.round_trip import read_round_trip, write_round_trip

ROWS = torch.arange(12.0).reshape(4, 3)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "round_trip.safetensors"


def test_what_training_writes_is_read(path: Path) -> None:
    write_round_trip(path, "a" * 64, [1.0, -2.1], {"policy": ROWS})
    found = read_round_trip(path)
    assert (found.weights_sha256, found.returns) == ("a" * 64, (1.0, -2.1))
    assert torch.equal(found.observations["policy"], ROWS)
