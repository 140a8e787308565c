"""The learning curve of a seed: one JSON row per iteration, and the same numbers as TensorBoard events."""

import json
from pathlib import Path
from typing import Any

from genelab.config.snapshot import one_line
from genelab.errors import InputError
from genelab.records.files import parse_json
from genelab.runs.files import disk_errors, write_atomic

Row = dict[str, float | int | None]


class CurveWriter:
    """Appends rows to curve.jsonl and to the events file. Rows a killed attempt left from `start` on are dropped."""

    def __init__(self, path: Path, start: int) -> None:
        """Open for appending after iteration `start - 1`.

        Raises:
            InputError: if the file is damaged, or the disk is read-only.
            RunError: if the disk is full.
        """
        from torch.utils.tensorboard import SummaryWriter

        kept = [line for line, iteration in read_whole_rows(path) if iteration < start]
        write_atomic(path, b"".join(kept))
        self._path = path
        # Its full name holds the time and the machine.
        self._events_path = path.with_name("events.out.tfevents")
        with disk_errors(path):
            self._file = path.open("a", encoding="utf-8")
        with disk_errors(self._events_path):
            # Told from the first step on too: an attempt that was killed before its first save has logged some.
            self._events: Any = SummaryWriter(str(path.parent), purge_step=start)

    def append(self, row: Row) -> None:
        """Write one row to both. Raises RunError if the disk is full."""
        with disk_errors(self._path):
            self._file.write(json.dumps(row, allow_nan=False) + "\n")
            self._file.flush()
        # Its thread writes later, and what went wrong there comes up here or at a flush.
        with disk_errors(self._events_path):
            for name, value in row.items():
                if name != "iteration" and value is not None:
                    self._events.add_scalar(name if "/" in name else f"train/{name}", value, row["iteration"])

    def flush(self) -> None:
        """Put everything on disk. Call before a state is saved: rows before it are not written again.

        Raises:
            RunError: if the disk is full.
        """
        with disk_errors(self._events_path):
            self._events.flush()

    def close(self) -> None:
        """Flush and close both files. Raises RunError if the disk is full."""
        with disk_errors(self._path):
            self._file.close()
        with disk_errors(self._events_path):
            self._events.close()


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
