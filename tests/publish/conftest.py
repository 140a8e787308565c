from pathlib import Path

import pytest

from tests.records.factory import make_sweep


@pytest.fixture
def sweep(tmp_path: Path) -> Path:
    """A finished sweep of three seeds."""
    return make_sweep(tmp_path / "sweep")


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "reference"
