"""Files of overrides: one `PATH = VALUE` on a line, with the values that `--set` takes.

# Weight of the term.
env.rewards.alive.weight = 2.0
"""

import json
import textwrap
from collections.abc import Iterable
from pathlib import Path

from pydantic import JsonValue

from genelab.config.fields import Leaf
from genelab.config.overrides import PARTS, may_change, parse
from genelab.errors import FileError, InputError

COMMENT = "#"
"""Begins a line that says nothing."""


def read_overrides(path: Path) -> dict[str, tuple[str, JsonValue]]:
    """The overrides of a file, as `options` of `apply_overrides`, named by file and line.

    Raises:
        InputError: if the file cannot be read, or a line is no `PATH = VALUE`; names the line.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except OSError as error:
        raise FileError(path, f"cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise FileError(path, "is no text in UTF-8") from error
    found: dict[str, tuple[str, JsonValue]] = {}
    for number, line in enumerate(map(str.strip, lines), start=1):
        if line and not line.startswith(COMMENT):
            name, equals, value = line.partition("=")
            found[f"{path}:{number}"] = parse(f"{name.strip()}{equals}{value.strip()}", f"{path}:{number}")
    return found


def override_lines(leaves: Iterable[Leaf]) -> list[str]:
    """Values of a task as the lines of a file of overrides, each meaning once. What cannot be set is left out.

    Raises:
        InputError: if nothing of it can be set.
    """
    lines: list[str] = []
    told: set[str] = set()
    for leaf in leaves:
        if not may_change(leaf):
            continue
        if leaf.meaning not in told:
            told.add(leaf.meaning)
            lines += ["", *(f"{COMMENT} {line}" for line in textwrap.wrap(" ".join(leaf.meaning.split()), 118))]
        # A choice that is open cannot be set to nothing.
        off = f"{COMMENT} " if leaf.required and leaf.value is None else ""
        lines.append(f"{off}{leaf.path} = {json.dumps(leaf.value)}")
    if not lines:
        raise InputError(f"--write: nothing that is shown can be set; only {', '.join(PARTS)} can")
    return lines[1:]
