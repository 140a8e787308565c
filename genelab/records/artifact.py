"""A row of artifacts.jsonl, at the root of a store: where a hosted copy of an entry lies. Rows are only ever added."""

from pathlib import Path
from typing import Literal

from pydantic import AwareDatetime, Field, ValidationError

from genelab.config.base import Sha256
from genelab.errors import FileError
from genelab.records.base import Record
from genelab.records.entry import Artifact, EntryId
from genelab.records.files import read_rows, short_problem


class ArtifactRecord(Record):
    """A hosted copy. An entry cannot name it itself: the commit holds the entry."""

    schema_: Literal["genelab/artifact/1"] = Field(alias="schema")
    """Name and version of this schema."""
    task: str
    """Task identifier."""
    entry_id: EntryId
    """Name of the entry."""
    entry_sha256: Sha256
    """Digest of its entry.json, which holds those of all other files."""
    artifact: Artifact
    """The copy."""
    recorded_at: AwareDatetime
    """When it was seen there, UTC."""


def read_artifacts(path: Path) -> list[ArtifactRecord]:
    """Rows of an artifacts.jsonl, the oldest first; none without the file. Raises FileError naming line and field."""
    if not path.is_file():
        return []
    found: list[ArtifactRecord] = []
    for number, line in enumerate(read_rows(path), start=1):
        try:
            found.append(ArtifactRecord.model_validate(line))
        except ValidationError as error:
            raise FileError(path, f"line {number}: {short_problem(error)}") from error
    return found
