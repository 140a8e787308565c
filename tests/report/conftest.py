import shutil
from pathlib import Path

import pytest
from PIL import Image

from genelab.publish.store import add_entry
from tests.records.factory import EPISODES, edit, make_sweep, make_task, make_walker

MARKUP = "<img src=x onerror=alert(1)>"
MEASURES = {"commanded_speed": (0.5, 0.5), "speed_along_command": (0.45, 0.0), "lin_vel_error": (0.1, 0.5)}


@pytest.fixture(scope="session")
def _made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        _make(Path("reference"))
    return folder


@pytest.fixture
def store(_made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two entries of a toy, one of a walker with films, one broken; the current folder is above it."""
    shutil.copytree(_made, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return Path("reference")


def _make(store: Path) -> None:
    add_entry(make_sweep(Path("runs/old")), "old", store)
    better = [39.9 + 0.01 * (-1) ** k for k in range(EPISODES)]
    add_entry(make_sweep(Path("runs/new"), returns=lambda _: better), "new", store)
    walker = make_sweep(
        Path("runs/walker"), task=make_walker(id="Walker-v1"), measures=MEASURES | {"turn_error": (0.1, 0.1)}
    )
    Image.new("RGB", (800, 100), "teal").save(walker / "seed_2" / "film.png")
    add_entry(walker, "first", store)
    add_entry(make_sweep(Path("runs/lost"), task=make_task("Lost-v1")), "cut", store)
    edit(store / "Lost-v1" / "cut" / "entry.json", lambda record: record.update(task=MARKUP))
