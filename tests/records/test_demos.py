import io
import json
import pickle
import random
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from genelab.errors import InputError
from genelab.records import demos as module
from genelab.records.demos import encode_demos, read_demos
from tests.inspection.demo_files import LAYOUT, ROWS, demos, header, raw_observations


class Trap:
    """Leaves a mark if it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> Any:
        return (Path.touch, (self.mark,))


@pytest.fixture
def arrays() -> dict[str, Any]:
    """The arrays of a good file."""
    good = demos(raw_observations())
    text = json.dumps(good.header.model_dump(mode="json")).encode()
    return {
        "header": np.frombuffer(text, np.uint8),
        "observations/policy": good.observations["policy"],
        "actions": good.actions,
        "ends": good.ends,
    }


def refused(path: Path) -> str:
    with pytest.raises(InputError) as error:
        read_demos(path)
    text = str(error.value)
    assert str(path) in text
    assert "\n" not in text
    return text


def saved(path: Path, arrays: dict[str, Any]) -> Path:
    np.savez(path, **arrays)
    return path


def with_header(arrays: dict[str, Any], **changes: Any) -> dict[str, Any]:
    data = json.loads(arrays["header"].tobytes()) | changes
    return arrays | {"header": np.frombuffer(json.dumps(data).encode(), np.uint8)}


def test_what_was_written_is_read(tmp_path: Path):
    path = tmp_path / "demos.npz"
    written = demos(raw_observations())
    path.write_bytes(encode_demos(written))
    read = read_demos(path)
    assert read.header == written.header
    assert np.array_equal(read.observations["policy"], written.observations["policy"])
    assert np.array_equal(read.actions, written.actions)
    assert read.ends is not None
    assert read.ends.sum() == ROWS // 100
    assert encode_demos(read) == path.read_bytes()


def test_later_fields_and_arrays_are_left_alone(tmp_path: Path, arrays: dict[str, Any]):
    later = with_header(arrays, recorder="teleoperation", cameras=[{"name": "wrist"}])
    del later["ends"]
    read = read_demos(saved(tmp_path / "later.npz", later | {"rewards": np.zeros(ROWS)}))
    assert read.header == header()
    assert read.ends is None


def test_an_array_of_objects_is_not_unpickled(tmp_path: Path, arrays: dict[str, Any]):
    for name in ("actions", "header", "observations/policy"):
        mark = tmp_path / "unpickled"
        trapped = np.array([Trap(mark)], dtype=object)
        text = refused(saved(tmp_path / "trap.npz", arrays | {name: trapped}))
        assert f"array '{name}' that cannot be read" in text
        assert not mark.exists()
        # The trap works.
        pickle.loads(pickle.dumps(Trap(mark)))
        assert mark.exists()
        mark.unlink()


def test_a_pickle_by_another_name_is_not_unpickled(tmp_path: Path):
    path, mark = tmp_path / "demos.npz", tmp_path / "unpickled"
    path.write_bytes(pickle.dumps(Trap(mark)))
    assert "is torn or no .npz" in refused(path)
    assert not mark.exists()


def test_torn_and_foreign_files(tmp_path: Path):
    whole, path = encode_demos(demos(raw_observations())), tmp_path / "demos.npz"
    assert "does not exist" in refused(path)
    for data in (b"", b"PK\x03\x04", whole[: len(whole) // 2], whole[:-10], bytes(500)):
        path.write_bytes(data)
        assert "torn or no .npz" in refused(path)
    np.save(path.with_suffix(".npy"), np.zeros(3))
    path.write_bytes(path.with_suffix(".npy").read_bytes())
    assert "torn or no .npz" in refused(path)


def test_a_damaged_file_is_refused_or_reads_as_it_was(tmp_path: Path):
    good = demos(raw_observations()[:20])
    whole, path, draw = encode_demos(good), tmp_path / "demos.npz", random.Random(1)
    for _ in range(400):
        data = bytearray(whole)
        for _ in range(draw.randint(1, 3)):
            data[draw.randrange(len(data))] = draw.randrange(256)
        path.write_bytes(data)
        try:
            read = read_demos(path)
        except InputError:
            continue
        assert read.header == good.header
        assert np.array_equal(read.actions, good.actions)


@pytest.mark.parametrize(
    ("name", "array", "told"),
    [
        ("actions", None, "has no array 'actions'"),
        ("header", None, "has no header"),
        ("observations/policy", None, "holds the observation groups [], its header's layout ['policy']"),
        ("observations/critic", np.zeros((ROWS, 1), np.float32), "groups ['critic', 'policy'], its header's"),
        ("observations/policy", np.zeros((ROWS, 5), np.float32), "of shape (1000, 5), it must be (rows, 6)"),
        ("observations/policy", np.zeros((3, 6), np.float32), "has 3 rows, 'actions' 1000"),
        ("observations/policy", np.zeros((ROWS, 6)), "of type float64, it must be float32"),
        ("actions", np.zeros(ROWS, np.float32), "of shape (1000,), it must be (rows, columns)"),
        ("actions", np.zeros((0, 2), np.float32), "with one row or more"),
        ("actions", np.zeros((ROWS, 3), np.float32), "has 3 columns, its header names 2"),
        ("ends", np.zeros(ROWS, np.float32), "'ends' of type float32"),
        ("ends", np.zeros(7, np.bool_), "it must be bool (1000,)"),
        ("header", np.zeros((2, 2), np.uint8), "must be a uint8 array of one dimension"),
        ("header", np.frombuffer(b'{"schema": NaN}', np.uint8), "not valid JSON: holds NaN"),
        ("header", np.frombuffer(b"\xff\xfe\xfa", np.uint8), "not valid JSON"),
        ("header", np.frombuffer(b"[" * 100_000, np.uint8), "not valid JSON"),
    ],
)
def test_a_wrong_array_is_named(tmp_path: Path, arrays: dict[str, Any], name: str, array: Any, told: str):
    changed = {**arrays, name: array}
    assert told in refused(saved(tmp_path / "x.npz", {n: a for n, a in changed.items() if a is not None}))


def test_a_name_chosen_by_the_file_does_not_reach_the_terminal_raw(tmp_path: Path, arrays: dict[str, Any]):
    path = saved(tmp_path / "x.npz", arrays | {"observations/\x1b[2J\n" + "x" * 10_000: np.zeros(1)})
    text = refused(path)
    assert text.isprintable()
    assert len(text) < len(str(path)) + 400


def bomb(size: int, shape: tuple[int, ...], dtype: str = "<f4") -> bytes:
    """A member of an .npz that claims an array and is `size` bytes of zeros."""
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": dtype, "fortran_order": False, "shape": shape})
    return stream.getvalue() + bytes(size)


# Arguments of `bomb`, not its bytes: they would be part of the test's name.
@pytest.mark.parametrize(
    ("name", "member", "told"),
    [
        ("header", (2**25, (2**25,), "|u1"), "claims a header of 33554432 bytes, it must have at most 4194304"),
        ("actions", (2**25, (ROWS, 2)), "'actions' that cannot be read: it has 33554432 bytes, float32 of shape"),
        ("ends", (2**25, (2**25,), "|b1"), "it must be bool (1000,)"),
        ("observations/policy", (2**25, (2**20, 8)), "of shape (1048576, 8), it must be (rows, 6)"),
        ("observations/policy", (24 * 2**20, (2**20, 6)), "has 1048576 rows, 'actions' 1000"),
        ("observations/more", (2**25, (2**23, 1)), "groups ['more', 'policy'], its header's layout ['policy']"),
    ],
)
def test_what_is_larger_than_the_header_says_is_not_unpacked(
    tmp_path: Path, arrays: dict[str, Any], monkeypatch: pytest.MonkeyPatch, name: str, member: Any, told: str
):
    path, whole = saved(tmp_path / "x.npz", {n: a for n, a in arrays.items() if n != name}), module._array

    def unpacked(archive: zipfile.ZipFile, which: str) -> Any:
        assert which == "header"
        assert name != "header"
        return whole(archive, which)

    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"{name}.npy", bomb(*member))
    assert path.stat().st_size < 2**18
    monkeypatch.setattr(module, "_array", unpacked)
    assert told in refused(path)


def test_more_than_any_memory_holds_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "x.npz"
    path.write_bytes(encode_demos(demos(raw_observations())))
    held = 1000 * (6 + 2) * 4 + 1000
    monkeypatch.setattr(module, "MAX_BYTES", held)
    assert read_demos(path)
    monkeypatch.setattr(module, "MAX_BYTES", held - 1)
    assert f"claims {held} bytes of arrays, it must hold at most {held - 1}" in refused(path)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"task": "Reach\x1b[2J\n-v1"}, "task = "),
        ({"schema": "genelab/demos/2"}, "schema = 'genelab/demos/2'"),
        ({"normalized": "yes"}, "normalized = 'yes'"),
        ({"layout": {"../policy": LAYOUT}}, "layout.../policy"),
        ({"layout": {"policy": LAYOUT[1:]}}, "layout.policy: the terms do not cover the columns"),
        ({"layout": {"policy": []}}, "layout.policy: the terms do not cover the columns"),
        ({"layout": {"policy": [{"name": "a", "start": 0, "stop": 6, "bounds": [[0, 1]]}]}}, "bounds: 1 pairs for 6"),
    ],
)
def test_a_wrong_header_is_named(tmp_path: Path, arrays: dict[str, Any], changes: dict[str, Any], told: str):
    text = refused(saved(tmp_path / "x.npz", with_header(arrays, **changes)))
    assert "has a wrong header: " in text
    assert told in text
