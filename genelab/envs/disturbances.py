"""What disturbs a robot now and then, and when it does so next."""

from collections.abc import Callable

import torch
from torch import Tensor

from genelab.config.env import EnvCfg
from genelab.envs.parts import Draw, Memory, control_steps
from genelab.mdp.state import EventContext, StateView
from genelab.mdp.term import bind
from genelab.sim.engine import Engine


class Disturbances:
    """Counts down, and writes what is due."""

    def __init__(self, cfg: EnvCfg, sim: Engine, *, enabled: bool) -> None:
        """Bind the terms. No time is drawn yet."""
        self._cfg = cfg
        self._sim = sim
        self._events = {
            name: bind(f"env.disturbances.{name}", event, cfg) for name, event in cfg.disturbances.items() if enabled
        }
        self.memory: Memory = {
            name: torch.zeros(sim.num_envs, dtype=torch.int64, device=sim.device) for name in self._events
        }
        """Control steps until each is due, int64. Shape of each: (num_envs,)."""

    def start(self, mask: Tensor, draw: Draw) -> None:
        """Draw when they are due where masked. Shape: (num_envs,) bool."""
        for name, timer in self.memory.items():
            self.memory[name] = torch.where(mask, self._time(name, draw), timer)

    def advance(self, state: StateView, read: Callable[[], StateView], draw: Draw) -> bool:
        """Write the disturbances that are due; returns whether any was.

        Args:
            state: as it was read after the physics.
            read: reads it again.
            draw: uniform draws of this step.
        """
        written = False
        for name, event in self._events.items():
            timer = self.memory[name] - 1
            due = timer <= 0
            # Asking a GPU would make it wait.
            if due.device.type != "cpu" or bool(due.any()):
                # Read again after a write, or one disturbance would undo another.
                current = read() if written else state
                context = EventContext(current, lambda dim, name=name: draw(f"disturbance/{name}", dim))
                self._sim.write(event(context), due)
                timer = torch.where(due, self._time(name, draw), timer)
                written = True
            self.memory[name] = timer
        return written

    def _time(self, name: str, draw: Draw) -> Tensor:
        """Control steps until the next one, int64. Shape: (num_envs,)."""
        draws = draw(f"interval/{name}", 1)[:, 0]
        return control_steps(self._cfg.disturbances[name].interval_s, draws, self._cfg.control_dt)
