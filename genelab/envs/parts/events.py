"""What is written to the simulator: the start of an episode, and what disturbs a robot now and then."""

import torch
from torch import Tensor

from genelab.envs.parts.part import Part, World
from genelab.mdp.state import StateView
from genelab.mdp.term import bind


class ResetEvents(Part):
    """Writes the state in which an episode starts, in the order of the config."""

    def __init__(self, world: World) -> None:
        """Bind the terms."""
        super().__init__()
        self._world = world
        self._events = {
            n: bind(f"env.reset_events.{n}", event, world.cfg) for n, event in world.cfg.reset_events.items()
        }

    def start(self, mask: Tensor) -> None:
        """Write what the events say, each of which sees what those before it wrote."""
        for name, event in self._events.items():
            self._world.sim.write(event(self._world.event(f"reset/{name}")), mask)


class Disturbances(Part):
    """Counts down, and writes what is due.

    In training a timer runs on across episodes; a numbered episode has its own.
    """

    def __init__(self, world: World) -> None:
        """Bind the terms. No time is drawn yet."""
        super().__init__()
        self._world = world
        self._intervals = {name: event.interval_s for name, event in world.cfg.disturbances.items()}
        self._events = {
            n: bind(f"env.disturbances.{n}", event, world.cfg) for n, event in world.cfg.disturbances.items()
        }
        self.memory |= {name: world.zeros(dtype=torch.int64) for name in self._events}
        """Control steps until each is due, int64. Shape of each: (num_envs,)."""

    def begin(self) -> None:
        """Draw when they are due first."""
        for name in self._events:
            self.memory[name] = self._time(name)

    def start(self, mask: Tensor) -> None:
        """Draw when they are due in a numbered episode."""
        for name in self._events if self._world.purpose.numbered else ():
            self.memory[name] = torch.where(mask, self._time(name), self.memory[name])

    def advance(self, state: StateView) -> bool:
        """Write the disturbances that are due."""
        written = False
        for name, event in self._events.items():
            timer = self.memory[name] - 1
            due = timer <= 0
            if self._world.needed(due):
                # Read again after a write, or one disturbance would undo another.
                current = self._world.read() if written else state
                self._world.sim.write(event(self._world.event(f"disturbance/{name}", current)), due)
                timer = torch.where(due, self._time(name), timer)
                written = True
            self.memory[name] = timer
        return written

    def _time(self, name: str) -> Tensor:
        """Control steps until the next one, int64. Shape: (num_envs,)."""
        return self._world.steps_within(self._intervals[name], f"interval/{name}")
