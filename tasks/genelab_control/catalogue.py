"""All tasks, by name."""

from collections.abc import Callable

from genelab_control.domain import ControlTask, Suite

Make = Callable[[Suite], ControlTask]
"""Makes a task as a suite defines it."""

TASKS: dict[str, Make] = {}
"""By the tasks' names, without suite and version. Each module of a domain has a `TASKS` of this kind."""
