"""Commands: what the policy is asked for, and when it is asked for something else."""

import dataclasses

import torch
from torch import Tensor

from genelab.envs.parts.part import Part, World
from genelab.mdp.state import Drawn, StateView
from genelab.mdp.term import bind


class Commands(Part):
    """Draws commands when episodes start and, where the config says so, again within them."""

    def __init__(self, world: World) -> None:
        """Bind the terms. Nothing is drawn yet."""
        super().__init__()
        self._world, self._cfg = world, world.cfg.commands
        self.held: dict[str, Tensor] = dict(world.purpose.commands)
        """What is asked for in place of what is drawn, by name of the command. Shape of each: (num_envs, dim)."""
        self._terms = {name: bind(f"env.commands.{name}", command, world.cfg) for name, command in self._cfg.items()}
        self._intervals = {name: cmd.resample_s for name, cmd in self._cfg.items() if cmd.resample_s is not None}
        self._followers = {
            name: bind(f"env.commands.{name}.follow", command.follow, world.cfg)
            for name, command in self._cfg.items()
            if command.follow is not None
        }
        self.begin()

    def begin(self) -> None:
        """Forget all commands. Until they are drawn they are 0, of those whose terms say how wide they are."""
        self.memory.clear()
        widths = {name: len(term.columns() or ()) for name, term in self._terms.items()}
        self.memory |= {f"value/{name}": self._world.zeros(width) for name, width in widths.items() if width}
        self.memory |= {f"timer/{name}": self._world.zeros(dtype=torch.int64) for name in self._intervals}

    @property
    def drawn(self) -> dict[str, Tensor]:
        """What was drawn, by name of the command. Shape of each: (num_envs, dim)."""
        return {name: self.memory[f"value/{name}"] for name in self._terms if f"value/{name}" in self.memory}

    def shown(self, state: StateView) -> StateView:
        """A state whose commands are those held, those that follow from state and draws, and else what was drawn."""
        if not self._followers and not self.held:
            return state
        following = {
            name: term(Drawn(state, state.commands[name]))
            for name, term in self._followers.items()
            if name not in self.held
        }
        return dataclasses.replace(state, commands={**state.commands, **following, **self.held})

    def start(self, mask: Tensor) -> None:
        """Draw the commands of new episodes, and the times at which they change."""
        for name in self._terms:
            drawn = self._drawn(name, None)
            old = self.memory.get(f"value/{name}", drawn)
            self.memory[f"value/{name}"] = torch.where(mask[:, None], drawn, old)
        for name in self._intervals:
            timer = self.memory[f"timer/{name}"]
            self.memory[f"timer/{name}"] = torch.where(mask, self._time(name), timer)

    def advance(self, state: StateView) -> bool:
        """Count down, and draw again what is due."""
        for name in self._intervals:
            timer = self.memory[f"timer/{name}"] - 1
            due = timer <= 0
            if self._world.needed(due):
                value = self.memory[f"value/{name}"]
                self.memory[f"value/{name}"] = torch.where(due[:, None], self._drawn(name, state), value)
                timer = torch.where(due, self._time(name), timer)
            self.memory[f"timer/{name}"] = timer
        return False

    def _drawn(self, name: str, state: StateView | None) -> Tensor:
        return self._terms[name](self._world.event(f"command/{name}", state))

    def _time(self, name: str) -> Tensor:
        """Control steps until the next command, int64. Shape: (num_envs,)."""
        return self._world.steps_within(self._intervals[name], f"resample/{name}")
