"""The two ways a command ends badly, and the exit code of each."""

from collections.abc import Sequence
from pathlib import Path


class GenelabError(Exception):
    """Base of every error shown to a user as one line, without a traceback."""

    exit_code = 1


class InputError(GenelabError):
    """The input is wrong: names the field, the value and the rule. Nothing was written. Exit code 2."""

    exit_code = 2


class FileError(InputError):
    """A file is missing, unreadable, or holds something else than it should."""

    def __init__(self, path: str | Path, problem: str) -> None:
        super().__init__(f"'{path}': {problem}")
        self.path = Path(path)
        """The file."""
        self.problem = problem
        """One line on what is wrong, without the path."""


class RunError(GenelabError):
    """A run or a check failed although the input was right. Exit code 1."""

    exit_code = 1


class DivergedError(RunError):
    """A reward, a loss, a return or a weight is not finite."""

    def __init__(self, message: str = "", environments: Sequence[int] = ()) -> None:
        """`environments`: those in which it showed, if it belongs to any."""
        super().__init__(message)
        self.environments = list(environments)


class DrawError(RunError):
    """Nothing can be drawn on this machine."""
