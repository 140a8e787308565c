import json
from pathlib import Path

import pytest

from genelab.errors import InputError
from genelab.runs.curve import CurveWriter


def write(path: Path, start: int, end: int) -> None:
    writer = CurveWriter(path, start)
    for iteration in range(start, end):
        writer.append({"iteration": iteration, "episode_return": 1.0, "wall_s": None})
    # No close: it is killed.


def test_rows_of_killed_attempts_are_counted_once(tmp_path: Path) -> None:
    """The first attempt is killed before it saved anything, the second after two iterations."""
    path = tmp_path / "curve.jsonl"
    write(path, 0, 3)
    write(path, 0, 4)
    write(path, 2, 5)
    assert [json.loads(line)["iteration"] for line in path.read_text().splitlines()] == [0, 1, 2, 3, 4]
    assert [row["iteration"] for row in CurveWriter(path, 3).kept] == [0, 1, 2]


@pytest.mark.parametrize("line", [b"{}", b'{"iteration": "0"}', b"[]", b'{"iteration": NaN}', b"\xff", b"[" * 100_000])
def test_a_damaged_row_stops_a_resume_in_one_line(tmp_path: Path, line: bytes) -> None:
    path = tmp_path / "curve.jsonl"
    path.write_bytes(b'{"iteration": 0}\n' + line + b'\n{"iteration": 2}\n{"iter')
    with pytest.raises(InputError, match="line 2") as caught:
        CurveWriter(path, 3)
    assert str(caught.value).isprintable()
