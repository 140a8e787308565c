"""The learning curve of a seed: one JSON row per iteration, and the same numbers as TensorBoard events."""

import json
from pathlib import Path
from typing import Any

from genelab.runs.files import disk_errors, write_atomic

Row = dict[str, float | int | None]


class CurveWriter:
    """Appends rows to curve.jsonl and to the events file. Rows a killed attempt left from `start` on are dropped."""

    def __init__(self, path: Path, start: int) -> None:
        """Open for appending after iteration `start - 1`.

        Raises:
            RunError, InputError: if the disk is full or read-only.
        """
        from torch.utils.tensorboard import SummaryWriter

        kept = [line for line, row in _rows(path) if row["iteration"] < start]
        write_atomic(path, "".join(kept))
        self._path = path
        with disk_errors(path):
            self._file = path.open("a", encoding="utf-8")
        self._events: Any = SummaryWriter(str(path.parent), purge_step=start or None)

    def append(self, row: Row) -> None:
        """Write one row to both."""
        with disk_errors(self._path):
            self._file.write(json.dumps(row, allow_nan=False) + "\n")
            self._file.flush()
        for name, value in row.items():
            if name != "iteration" and value is not None:
                self._events.add_scalar(name if "/" in name else f"train/{name}", value, row["iteration"])

    def flush(self) -> None:
        """Put everything on disk. Call before a state is saved: rows before it are not written again."""
        self._events.flush()

    def close(self) -> None:
        """Flush and close both files."""
        with disk_errors(self._path):
            self._file.close()
        self._events.close()


def _rows(path: Path) -> list[tuple[str, Any]]:
    """Whole lines with their rows. A kill can tear the last line; resuming rewrites its iteration anyway."""
    if not path.is_file():
        return []
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    return [(line, json.loads(line)) for line in lines if line.endswith("\n")]
