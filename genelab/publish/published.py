"""Rows of the published reference tables that stand beside ours."""

from pathlib import Path
from typing import TypeVar

from pydantic import NonNegativeFloat, PositiveFloat, PositiveInt, TypeAdapter, ValidationError

from genelab.config.snapshot import first_problem
from genelab.errors import FileError
from genelab.records.base import Record
from genelab.records.files import read_json
from genelab.records.statistics import Sample, excess

R = TypeVar("R", bound=Record)

FILE = Path("upstream", "published_numbers.json")
"""Place in the store."""


DIFFERENCES = Path("upstream", "differences.json")
"""Place in the store."""


class Difference(Record):
    """Where our task of a published name is another one."""

    task: str
    """Task identifier."""
    told: str
    """What differs, in a few words."""
    page: str
    """Page that lists it, relative to the rendered one."""


class PublishedRow(Record):
    """One seed of a published table."""

    task: str
    """Published task identifier."""
    label: str
    """Version of the published table."""
    seed: int
    """Training seed."""
    return_mean: float
    """Mean return over episodes."""
    return_std: NonNegativeFloat
    """Population standard deviation over episodes."""
    success_rate: float | None
    """Share of successes; null if not emitted."""
    length_mean: PositiveFloat | None
    """Mean episode length, control steps; null if not stated."""
    convergence: PositiveInt | None
    """Published convergence; equals the budget."""
    convergence_unit: str | None
    """Unit of it."""
    budget: str | None
    """Training budget, in words."""
    train_wall: str | None
    """Training wall-clock, in words."""
    eval_wall_s: PositiveFloat | None
    """Evaluation wall-clock, s."""
    hardware: str | None
    """Machine, in words; null if not stated."""
    num_envs: PositiveInt | None
    """Environments of the evaluation."""
    episodes: PositiveInt | None
    """Episodes of the evaluation."""
    eval_seed: int | None
    """Evaluation seed."""
    notes: str | None
    """Remarks on the row."""

    def above(self, baseline: Sample) -> bool | None:
        """Whether the row is clearly above our baseline of the same task; None if its episodes are not stated."""
        if self.episodes is None:
            return None
        return excess(Sample(self.episodes, self.return_mean, self.return_std), baseline).passed


def read_published(store: Path) -> list[PublishedRow]:
    """Read the published rows of a store; none if it has no such file.

    Raises:
        FileError: if the file is broken.
    """
    return _read(store / FILE, TypeAdapter(list[PublishedRow]))


def read_differences(store: Path) -> dict[str, Difference]:
    """Read where our tasks differ from the published ones of the same name, by task; empty without such a file.

    Raises:
        FileError: if the file is broken.
    """
    return {difference.task: difference for difference in _read(store / DIFFERENCES, TypeAdapter(list[Difference]))}


def _read(path: Path, rows: TypeAdapter[list[R]]) -> list[R]:
    if not path.is_file():
        return []
    try:
        return rows.validate_python(read_json(path), strict=True)
    except ValidationError as error:
        raise FileError(path, first_problem(error)) from error
