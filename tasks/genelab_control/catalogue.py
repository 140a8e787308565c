"""All tasks, by name."""

from collections.abc import Callable

from genelab_control import (
    acrobot,
    ball_in_cup,
    cartpole,
    cheetah,
    finger,
    fish,
    hopper,
    humanoid,
    pendulum,
    point_mass,
    reacher,
    swimmer,
    walker,
)
from genelab_control.domain import ControlTask, Suite

Make = Callable[[Suite], ControlTask]
"""Makes a task as a suite defines it."""

TASKS: dict[str, Make] = {
    **acrobot.TASKS,
    **ball_in_cup.TASKS,
    **cartpole.TASKS,
    **cheetah.TASKS,
    **finger.TASKS,
    **fish.TASKS,
    **hopper.TASKS,
    **humanoid.TASKS,
    **pendulum.TASKS,
    **point_mass.TASKS,
    **reacher.TASKS,
    **swimmer.TASKS,
    **walker.TASKS,
}
"""By the tasks' names, without suite and version. Each module of a domain has a `TASKS` of this kind."""
