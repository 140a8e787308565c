"""The learning curve of a seed: one JSON row per iteration."""

import json
from pathlib import Path
from typing import cast

from genelab.errors import FileError
from genelab.records.files import read_rows
from genelab.runs.files import disk_errors, write_atomic

Row = dict[str, float | int | None]


class CurveWriter:
    """Appends rows to curve.jsonl. Rows a killed attempt left from `start` on are dropped."""

    def __init__(self, path: Path, start: int) -> None:
        """Open for appending after iteration `start - 1`.

        Raises:
            InputError: if the file is damaged, or the disk is read-only.
            RunError: if the disk is full.
        """
        # A kill can tear the last line; resuming writes its iteration anyway.
        rows: list[Row] = read_rows(path, growing=True) if path.is_file() else []
        iterations = [row.get("iteration") for row in rows]
        if odd := [number for number, found in enumerate(iterations, start=1) if type(found) is not int]:
            raise FileError(path, f"line {odd[0]} has no iteration")
        self.kept = [row for row, found in zip(rows, iterations, strict=True) if cast(int, found) < start]
        """Rows that were there before."""
        write_atomic(path, "".join(map(_line, self.kept)))
        self._path = path
        with disk_errors(path):
            self._file = path.open("a", encoding="utf-8")

    def append(self, row: Row) -> None:
        """Write one row, at once. Raises RunError if the disk is full."""
        with disk_errors(self._path):
            self._file.write(_line(row))
            self._file.flush()

    def close(self) -> None:
        """Close the file. Raises RunError if the disk is full."""
        with disk_errors(self._path):
            self._file.close()


def _line(row: Row) -> str:
    return json.dumps(row, allow_nan=False) + "\n"
