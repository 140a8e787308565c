from pathlib import Path

import pytest

from genelab import registry
from tests.records.factory import make_task

from .place import Place, register


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Place:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "reference").mkdir()
    registry.broken_entry_points()
    register(monkeypatch, make_task())
    return Place(capsys)


@pytest.fixture
def begun(place: Place) -> Place:
    """A campaign with a baseline that earns 30, give or take 0.1 over seeds."""
    place.new()
    place.add("base")
    place.entered("base", 30.0)
    return place
