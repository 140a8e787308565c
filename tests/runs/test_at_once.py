import subprocess
import sys
from pathlib import Path

import pytest

WRITE = """
import pathlib, sys
from genelab.runs.files import write_atomic
for k in range(100):
    write_atomic(pathlib.Path(sys.argv[1]), sys.argv[2] * 20000)
"""


@pytest.mark.slow
def test_writers_of_one_file_at_once_never_tear_it_or_fail(tmp_path: Path) -> None:
    path = tmp_path / "eval.json"
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITE, str(path), letter], stderr=subprocess.PIPE) for letter in "abcd"
    ]
    seen: set[str] = set()
    while any(writer.poll() is None for writer in writers):
        if path.is_file():
            text = path.read_text()
            assert text == text[0] * 20000
            seen.add(text[0])
    errors = [writer.communicate()[1].decode() for writer in writers]
    assert [writer.returncode for writer in writers] == [0] * 4, "\n".join(errors)
    assert len(seen) > 1
    assert [found.name for found in tmp_path.iterdir()] == ["eval.json"]
