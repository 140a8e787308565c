"""All tasks, by name."""

from collections.abc import Callable

from genelab_control import acrobot, ball_in_cup, cartpole, finger, pendulum, point_mass, reacher
from genelab_control.domain import ControlTask, Suite

Make = Callable[[Suite], ControlTask]
"""Makes a task as a suite defines it."""

TASKS: dict[str, Make] = {
    **acrobot.TASKS,
    **ball_in_cup.TASKS,
    **cartpole.TASKS,
    **finger.TASKS,
    **pendulum.TASKS,
    **point_mass.TASKS,
    **reacher.TASKS,
}
"""By the tasks' names, without suite and version. Each module of a domain has a `TASKS` of this kind."""
