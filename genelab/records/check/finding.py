"""What a check finds."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from genelab.config.snapshot import one_line
from genelab.errors import FileError, RunError

T = TypeVar("T")


class Finding(NamedTuple):
    """One thing that is not as claimed."""

    path: Path
    """File or directory."""
    message: str
    """One line on what is wrong."""
    missing_seed: bool = False
    """Whether it is the plain absence of a seed's result. An entry may declare those, nothing else."""

    def __str__(self) -> str:
        return one_line(f"{self.path}: {self.message}")


def attempt(findings: list[Finding], path: Path, read: Callable[..., T], *arguments: Any) -> T | None:
    """Read `path`; on failure add a finding and return None."""
    try:
        return read(path, *arguments)
    except FileError as error:
        findings.append(Finding(error.path, error.problem))
    except RunError as error:
        findings.append(Finding(path, str(error)))
    return None
