from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from genelab import cli as main
from genelab.families.tracking import cli
from genelab.families.tracking.clip import clip_for
from tests.conftest import Cli
from tests.families.tracking.g1 import ROBOT, lively
from tests.families.tracking.test_importing import rows_of, turned, write_csv


@pytest.fixture(autouse=True)
def _task(monkeypatch: pytest.MonkeyPatch):
    """A task of the robot, whatever is registered."""
    task = SimpleNamespace(scene=SimpleNamespace(robot=ROBOT, control_dt=0.02))
    monkeypatch.setattr(cli, "get_task", lambda _: task)
    monkeypatch.setattr(cli, "registered_tasks", lambda: [SimpleNamespace(id="any", group=None)])


def test_make_measures_writes_and_info_tells_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    out = tmp_path / "sway.safetensors"
    assert main.run(["motion", "make", "TASK", "sway", "--out", str(out)]) == 0
    told = capsys.readouterr().out.splitlines()
    assert told[-1] == f"wrote {out}"
    assert clip_for(out, ROBOT, 0.02).info.name == "sway"
    assert main.run(["motion", "info", str(out), "--task", "TASK"]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert shown[-len(told) + 1 :] == told[:-1]
    assert {"name      sway", "licence   Apache-2.0", "input     none, it was made", "fps       50"} < {*shown}
    assert any(line.startswith("balance   zero-moment point 84 mm within the feet at least") for line in shown)


def test_import_writes_what_was_said_and_refuses_what_is_unfit(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    out, motion = tmp_path / "a.safetensors", turned(lively())
    path = write_csv(tmp_path / "a.csv", rows_of(motion))
    words = ["motion", "import", "TASK", str(path), "--out", str(out), "--fps", "50"]
    assert main.run([*words, "--range", "2:90", "--source", "a test", "--licence", "CC0-1.0", "--name", "swing"]) == 0
    info = clip_for(out, ROBOT, 0.02).info
    assert (info.name, info.source, info.licence, info.options["range"]) == ("swing", "a test", "CC0-1.0", [2, 90])
    out.unlink()
    motion.joint_pos[20, ROBOT.joints.index("left_elbow_joint")] = 2.5
    write_csv(path, rows_of(motion))
    assert main.run(words) == 2
    told = capsys.readouterr().err
    assert told.startswith(f"error: '{path}': joint 'left_elbow_joint' is 0.406 rad outside its range, allowed 0.01")
    assert told.endswith("--anyway writes it all the same\n")
    assert not out.exists()
    assert main.run([*words, "--anyway"]) == 0
    assert "warning: joint 'left_elbow_joint'" in capsys.readouterr().err
    # 2.5 - 0.6 within a frame.
    assert clip_for(out, ROBOT, 0.02).joint_pos[20].max() == pytest.approx(2.5)


def test_words_that_cannot_be_meant(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert main.run(["motion", "make", "TASK", "sway", "--out", str(tmp_path / "sway.npz")]) == 2
    assert "sway.npz: must end in .safetensors" in capsys.readouterr().err
    assert main.run(["motion", "import", "TASK", "a.csv", "--out", "a.safetensors", "--range", "3-4"]) == 2
    assert "--range 3-4: must be FIRST:LAST" in capsys.readouterr().err
    assert main.run(["motion", "show", str(tmp_path / "no"), "--out", str(tmp_path / "a.avi")]) == 2
    assert "a.avi: must end in .mp4 or .gif or .png" in capsys.readouterr().err


@pytest.mark.slow
def test_show_draws_the_robot_in_every_picture(tmp_path: Path, genelab: Cli):
    """Eight pictures in two rows: none is empty, and they differ."""
    out, picture = tmp_path / "wave.safetensors", tmp_path / "wave.png"
    assert main.run(["motion", "make", "TASK", "wave", "--out", str(out)]) == 0
    drawn = genelab("motion", "show", str(out), "--out", str(picture))
    if "nothing can be drawn on this machine" in drawn.stderr:
        pytest.skip(drawn.stderr)
    assert (drawn.returncode, drawn.stdout) == (0, f"wrote {picture}: 8 frames\n"), drawn.stderr
    image = np.asarray(Image.open(picture).convert("RGB")).astype(int)
    assert image.shape == (540, 4 * 480, 3)
    tiles = [tile for row in np.split(image, 2, axis=0) for tile in np.split(row, 4, axis=1)]
    # In the middle of a picture stands the light grey robot on the dark ground.
    assert all(tile[60:220, 190:290].std() > 20.0 for tile in tiles)
    assert np.abs(tiles[3] - tiles[0]).max() > 60
