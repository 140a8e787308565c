"""What an environment remembers from step to step beside the simulator: each part with its own tensors.

Every part keeps its tensors in `memory`, by name; the environment saves and restores them.
"""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from genelab.config.actions import JointTargetsCfg
from genelab.config.env import EnvCfg
from genelab.mdp.normal import standard_normal
from genelab.mdp.state import EventContext, StateView
from genelab.mdp.term import bind

Memory = dict[str, Tensor]
Draw = Callable[[str, int], Tensor]
"""Uniform draws of this step by stream name. Shape: (num_envs, dim)."""


class Commands:
    """What the policy is asked for, and when it is asked for something else."""

    def __init__(
        self, cfg: EnvCfg, num_envs: int, device: torch.device, fixed: Mapping[str, Tensor] | None = None
    ) -> None:
        """Bind the terms. Nothing is drawn yet.

        Args:
            cfg: the environment.
            num_envs: parallel environments.
            device: of every tensor.
            fixed: commands that are never drawn, by name. Shape of each: (num_envs, dim).
        """
        self._cfg = cfg
        self._fixed = fixed or {}
        self._terms = {name: bind(f"env.commands.{name}", command, cfg) for name, command in cfg.commands.items()}
        self._resampled = [
            name for name, command in cfg.commands.items() if command.resample_s is not None and name not in self._fixed
        ]
        self.memory: Memory = {
            f"timer/{name}": torch.zeros(num_envs, dtype=torch.int64, device=device) for name in self._resampled
        }

    @property
    def values(self) -> dict[str, Tensor]:
        """Commands by name. Shape of each: (num_envs, dim)."""
        return {name: self.memory[f"value/{name}"] for name in self._terms if f"value/{name}" in self.memory}

    def start(self, mask: Tensor, state: Callable[[], StateView], draw: Draw) -> None:
        """Draw the commands of new episodes, and the times at which they change. Shape: (num_envs,) bool."""
        for name in self._terms:
            drawn = self._fixed[name] if name in self._fixed else self._drawn(name, state(), draw)
            old = self.memory.get(f"value/{name}", drawn)
            self.memory[f"value/{name}"] = torch.where(mask[:, None], drawn, old)
        for name in self._resampled:
            timer = self.memory[f"timer/{name}"]
            self.memory[f"timer/{name}"] = torch.where(mask, self._time(name, draw), timer)

    def advance(self, state: StateView, draw: Draw) -> None:
        """Count down, and draw again what is due."""
        for name in self._resampled:
            timer = self.memory[f"timer/{name}"] - 1
            due = timer <= 0
            if state.joint_pos.device.type != "cpu" or bool(due.any()):
                value = self.memory[f"value/{name}"]
                self.memory[f"value/{name}"] = torch.where(due[:, None], self._drawn(name, state, draw), value)
                timer = torch.where(due, self._time(name, draw), timer)
            self.memory[f"timer/{name}"] = timer

    def _drawn(self, name: str, state: StateView, draw: Draw) -> Tensor:
        return self._terms[name](EventContext(state, lambda dim: draw(f"command/{name}", dim)))

    def _time(self, name: str, draw: Draw) -> Tensor:
        """Control steps until the next command, int64. Shape: (num_envs,)."""
        interval = self._cfg.commands[name].resample_s
        assert interval is not None
        return control_steps(interval, draw(f"resample/{name}", 1)[:, 0], self._cfg.control_dt)


def control_steps(interval_s: tuple[float, float], draws: Tensor, control_dt: float) -> Tensor:
    """Times uniform in an interval as control steps, at least one, int64. Shapes: (num_envs,) -> (num_envs,)."""
    low, high = interval_s
    return ((low + (high - low) * draws) / control_dt).round().to(torch.int64).clamp_(min=1)


class Delay:
    """Makes actions late and noisy, as between a policy and real motors."""

    def __init__(self, cfg: JointTargetsCfg, num_envs: int, device: torch.device) -> None:
        """Start with zero actions on the way."""
        self._low, self._high = cfg.latency
        self._noise_std = cfg.noise_std
        self.memory: Memory = {
            "lag": torch.zeros(num_envs, dtype=torch.int64, device=device),
            "on_the_way": torch.zeros(num_envs, self._high + 1, len(cfg.columns), device=device),
        }

    def start(self, mask: Tensor, draw: Draw) -> None:
        """Forget what is on the way, and draw how late actions are. Shape: (num_envs,) bool."""
        drawn = self._low + (draw("latency", 1)[:, 0] * (self._high - self._low + 1)).to(torch.int64)
        self.memory["lag"] = torch.where(mask, drawn, self.memory["lag"])
        self.memory["on_the_way"] = self.memory["on_the_way"].masked_fill(mask[:, None, None], 0.0)

    def applied(self, action: Tensor, draw: Draw) -> Tensor:
        """What reaches the motors. Shape: (num_envs, num_actions)."""
        on_the_way = torch.cat([action[:, None], self.memory["on_the_way"][:, :-1]], dim=1)
        self.memory["on_the_way"] = on_the_way
        rows = torch.arange(len(action), device=action.device)
        late = on_the_way[rows, self.memory["lag"]]
        if self._noise_std > 0.0:
            late = late + self._noise_std * standard_normal(draw("action_noise", 2 * action.shape[1]))
        return late


class History:
    """The last frames of an observation group."""

    def __init__(self, frames: int) -> None:
        self._frames = frames
        self.memory: Memory = {}

    def stacked(self, frame: Tensor, first: Tensor, *, keep: bool) -> Tensor:
        """This frame behind those before it, oldest first; copies of it where it is the first of an episode.

        Shapes: (num_envs, dim), (num_envs,) bool -> (num_envs, frames x dim).

        Args:
            frame: of this control step.
            first: where it is the first of an episode.
            keep: whether it becomes part of the history. Only what the policy sees does.
        """
        copies = frame[:, None].expand(-1, self._frames, -1)
        kept = self.memory.get("frames", copies)
        frames = torch.where(first[:, None, None], copies, torch.cat([kept[:, 1:], frame[:, None]], dim=1))
        if keep:
            self.memory["frames"] = frames
        return frames.flatten(1)


class Measures:
    """Sums of what an evaluation measures over an episode."""

    def __init__(self, cfg: EnvCfg, num_envs: int, device: torch.device) -> None:
        """Bind the terms."""
        self._terms = {name: bind(f"env.measures.{name}", measure, cfg) for name, measure in cfg.measures.items()}
        self.memory: Memory = {n: torch.zeros(num_envs, dtype=torch.float64, device=device) for n in self._terms}

    def add(self, state: StateView) -> None:
        """Measure the state after a control step."""
        for name, term in self._terms.items():
            self.memory[name] = self.memory[name] + term(state)

    def means(self, steps: Tensor) -> dict[str, Tensor]:
        """Means over the episode so far, float64. Shapes: (num_envs,) -> (num_envs,) each."""
        return {name: total / steps.clamp(min=1) for name, total in self.memory.items()}

    def start(self, mask: Tensor) -> None:
        """Begin anew. Shape: (num_envs,) bool."""
        for name, total in self.memory.items():
            self.memory[name] = total.masked_fill(mask, 0.0)
