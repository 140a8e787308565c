"""Drives an exported policy as its contract says, one frame of values a control step."""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from genelab.errors import InputError
from genelab.export.export import FORMATS, metadata_path
from genelab.learn.policy import in_blocks
from genelab.records.export import ExportRecord, Observation
from genelab.records.files import read_record, sha256_file


class ExportedPolicy:
    """A policy file with its contract. Needs neither the checkpoint nor the configuration behind it."""

    def __init__(self, path: Path) -> None:
        """Load the file.

        Raises:
            InputError: if it has no contract beside it, or one that is of another file, breaks its schema, or lacks the
                newest frame of a term.
        """
        if not path.is_file():
            raise InputError(f"policy '{path}' {'is no file' if path.exists() else 'does not exist'}")
        if not metadata_path(path).is_file():
            raise InputError(f"policy '{path}' has no '{metadata_path(path).name}' beside it to say how to run it")
        self.contract = read_record(metadata_path(path), ExportRecord)
        if (found := sha256_file(path)) != self.contract.file.sha256:
            raise InputError(f"policy '{path}' has sha256 {found}, its contract {self.contract.file.sha256}")
        self._run = FORMATS[self.contract.file.format].load(path)
        self.stacks = [Stack(each, str(path)) for each in (self.contract.observation, *self.contract.goals)]
        """The inputs, in order."""

    def inputs(self, frames: Mapping[str, Tensor], first: Tensor) -> list[Tensor]:
        """Every input with its history. Call once a control step.

        Args:
            frames: of each input by name, the columns of its newest frame, in order. Shape of each: (rows, columns).
            first: where it is the first frame of an episode, bool. Shape: (rows,).

        Returns:
            Shape of each: (rows, width).
        """
        return [stack.push(frames[stack.name], first) for stack in self.stacks]

    def __call__(self, inputs: list[Tensor]) -> Tensor:
        """Actions, the same however many rows there are. Shapes: (rows, width) of each input -> (rows, num_actions)."""
        return in_blocks(self._run, inputs)


class Stack:
    """One input: where each of its columns comes from, and the frames that it needs."""

    def __init__(self, observation: Observation, source: str) -> None:
        """Read the ages of the terms from the contract. `source` names the policy in an InputError."""
        self.name = observation.input.name
        newest = [term for term in observation.terms if term.age == 0]
        self.columns = [column for term in newest for column in range(term.start, term.stop)]
        """Columns of the newest frame in the input."""
        place = {term.name: self.columns.index(term.start) for term in newest}
        ages: list[int] = []
        sources: list[int] = []
        for term in observation.terms:
            if term.name not in place:
                raise InputError(f"policy '{source}': its contract has no newest frame of '{term.name}'")
            ages += [term.age] * (term.stop - term.start)
            sources += range(place[term.name], place[term.name] + term.stop - term.start)
        self._ages, self._sources = torch.tensor(ages), torch.tensor(sources)
        self._frames: Tensor | None = None

    def push(self, frame: Tensor, first: Tensor) -> Tensor:
        """The input with this frame as the newest. Shapes: (rows, columns), (rows,) bool -> (rows, width)."""
        copies = frame[:, None].expand(-1, int(self._ages.max()) + 1, -1)
        if self._frames is None or len(self._frames) != len(frame):
            # The first, or those of another number of environments.
            self._frames = copies
        moved = torch.cat([frame[:, None], self._frames[:, :-1]], dim=1)
        self._frames = torch.where(first[:, None, None], copies, moved)
        return self._frames[:, self._ages, self._sources]
