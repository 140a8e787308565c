import shutil
from pathlib import Path

import pytest

from genelab import registry
from tests.records.factory import make_task

from .place import Place, register


def placed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    monkeypatch.chdir(folder)
    Path("reference").mkdir(exist_ok=True)
    registry.broken_entry_points()
    register(monkeypatch, make_task())
    return Place()


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    return placed(tmp_path, monkeypatch)


@pytest.fixture(scope="session")
def _begun(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("begun")
    with pytest.MonkeyPatch.context() as monkeypatch:
        place = placed(folder, monkeypatch)
        place.new()
        place.add("base")
        place.entered("base", 30.0)
    return folder


@pytest.fixture
def begun(_begun: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """A campaign with a baseline that earns 30, give or take 0.1 over seeds."""
    shutil.copytree(_begun, tmp_path, dirs_exist_ok=True)
    return placed(tmp_path, monkeypatch)
