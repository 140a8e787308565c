"""The learning curve of a seed: one JSON row per iteration."""

import json
from pathlib import Path

from genelab.config.snapshot import one_line
from genelab.errors import InputError
from genelab.records.files import parse_json
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
        kept = [line for line, iteration in read_whole_rows(path) if iteration < start]
        self.kept: list[Row] = [parse_json(line) for line in kept]
        """Rows that were there before."""
        write_atomic(path, b"".join(kept))
        self._path = path
        with disk_errors(path):
            self._file = path.open("a", encoding="utf-8")

    def append(self, row: Row) -> None:
        """Write one row, at once. Raises RunError if the disk is full."""
        with disk_errors(self._path):
            self._file.write(json.dumps(row, allow_nan=False) + "\n")
            self._file.flush()

    def close(self) -> None:
        """Close the file. Raises RunError if the disk is full."""
        with disk_errors(self._path):
            self._file.close()


def read_whole_rows(path: Path) -> list[tuple[bytes, int]]:
    """Whole lines with their iterations. A kill can tear the last line; resuming rewrites its iteration anyway.

    Raises:
        InputError: if another line is no row.
    """
    if not path.is_file():
        return []
    whole = path.read_bytes().split(b"\n")[:-1]
    return [(line + b"\n", _iteration(path, number, line)) for number, line in enumerate(whole, start=1)]


def _iteration(path: Path, number: int, line: bytes) -> int:
    try:
        row = parse_json(line)
    except (ValueError, RecursionError) as error:
        raise InputError(f"'{path}': line {number} is not valid JSON: {one_line(str(error))}") from error
    iteration = row.get("iteration") if isinstance(row, dict) else None
    if type(iteration) is not int:
        raise InputError(f"'{path}': line {number} has no iteration")
    return iteration
