"""The directory of a campaign, read and verified, and the one way to change it."""

import getpass
import hashlib
import json
from collections import defaultdict
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from genelab.config.snapshot import first_problem
from genelab.errors import FileError, InputError
from genelab.records import names
from genelab.records.base import Record
from genelab.records.campaign import CampaignRecord, Event, EventRecord, ItemRecord
from genelab.records.files import R, parse_record, parse_rows, read_bytes, short_problem
from genelab.runs.files import disk_errors, write_atomic
from genelab.runs.lock import locked

FOLDER = "campaigns"
"""Folder of all campaigns, beside the store whose entries they make."""


@dataclass(frozen=True)
class Campaign:
    """A campaign as its files have it."""

    folder: Path
    record: CampaignRecord
    items: dict[str, ItemRecord]
    """By name, the oldest first."""
    events: tuple[EventRecord, ...]

    @property
    def name(self) -> str:
        """Its name."""
        return self.record.name

    def item(self, name: str) -> ItemRecord:
        """An item by its whole name. Raises InputError if there is none, and names the nearest."""
        if name not in self.items:
            nearest = get_close_matches(name, self.items, n=3, cutoff=0.0)
            raise InputError(f"campaign '{self.name}' has no item '{name}'; nearest: {', '.join(nearest) or 'none'}")
        return self.items[name]

    def of(self, item: str) -> list[EventRecord]:
        """The decisions on an item."""
        return self._by_item.get(item, [])

    @cached_property
    def _by_item(self) -> dict[str | None, list[EventRecord]]:
        found: dict[str | None, list[EventRecord]] = defaultdict(list)
        for event in self.events:
            found[event.item].append(event)
        return dict(found)

    def refutation(self, item: ItemRecord) -> str | None:
        """Why the premise of an item does not hold; None if nobody refuted it."""
        for event in self.events:
            if event.what == "refute" and event.item is not None and item.premise is not None:
                refuted = self.items[event.item].premise
                if refuted is not None and refuted.text == item.premise.text:
                    return event.why
        return None

    def entry_id(self, item: str, rounds: int = 1) -> str:
        """Name of the entry that an item makes; `rounds` rises with every decision to repeat it."""
        return f"{self.name}.{item}" + (f".{rounds}" if rounds > 1 else "")


def campaigns_of(store: Path) -> list[Path]:
    """Directories of all campaigns beside a store, by name."""
    return sorted(path.parent for path in (store.parent / FOLDER).glob(f"*/{names.CAMPAIGN}"))


def load(folder: Path) -> Campaign:
    """Read and verify a campaign. It is read again once if a file does not fit: a command may have come in between.

    Raises:
        InputError: if there is none.
        FileError: if a file is broken, or is not what the command wrote that is recorded last.
    """
    if not (folder / names.CAMPAIGN).is_file():
        known = [path.parent.name for path in sorted(folder.parent.glob(f"*/{names.CAMPAIGN}"))]
        raise InputError(
            f"there is no campaign '{folder.name}' in '{folder.parent}'; known: {', '.join(known) or 'none'}"
        )
    try:
        return _read(folder)
    except FileError:
        return _read(folder)


def _read(folder: Path) -> Campaign:
    events = _events(folder / names.EVENTS)
    written: dict[str | None, list[str | None]] = defaultdict(list)
    for event in events:
        written[event.file].append(event.sha256)
    record = _sealed(folder, names.CAMPAIGN, CampaignRecord, written)
    if record.name != folder.name:
        raise FileError(folder / names.CAMPAIGN, f"name = '{record.name}': must be that of its directory")
    found = [path.name for path in (folder / names.ITEMS).glob("*.json")]
    items = {(item := _sealed(folder, f"{names.ITEMS}/{name}", ItemRecord, written)).id: item for name in found}
    # A killed `add` may have left its decision without the file.
    gone = {event.item for event in events if event.what != "add" and event.item} - items.keys()
    if gone:
        raise FileError(
            folder / names.ITEMS / f"{min(gone)}.json", f"missing, though {names.EVENTS} has decisions on it"
        )
    age = {event.item: place for place, event in enumerate(events) if event.what == "add"}
    return Campaign(folder, record, {name: items[name] for name in sorted(items, key=lambda name: age[name])}, events)


@contextmanager
def editing(folder: Path) -> Generator[Campaign]:
    """Hold a campaign for this process and read it. Raises as `load`; HeldError if another process holds it."""
    if not folder.is_dir():
        load(folder)
    with locked(folder):
        yield load(folder)


def begin(folder: Path, record: CampaignRecord, who: str | None) -> None:
    """Make the directory of a campaign. Raises InputError if there is one, or it cannot be written."""
    if (folder / names.CAMPAIGN).exists():
        raise InputError(f"campaign '{record.name}' exists already in '{folder.parent}'")
    with disk_errors(folder):
        (folder / names.ITEMS).mkdir(parents=True, exist_ok=True)
    with locked(folder):
        decide(folder, who, "new", record.purpose, write={names.CAMPAIGN: record})


def decide(
    folder: Path, who: str | None, what: Event, why: str = "", *, write: dict[str, Record] | None = None, **told: Any
) -> None:
    """Append a decision, and then write the file that it is about. The caller holds the campaign.

    Args:
        folder: of the campaign.
        who: who decided; None for the user of this process.
        what: kind of decision.
        why: why.
        write: path in the campaign and the record to write there, at most one.
        told: other fields of the event.
    """
    for name, record in (write or {}).items():
        told |= {"file": name, "sha256": hashlib.sha256(_text(record)).hexdigest()}
    try:
        event = EventRecord(
            schema="genelab/campaign_event/1",
            at=datetime.now(UTC),
            who=who or getpass.getuser(),
            what=what,
            why=why,
            **told,
        )
    except ValidationError as error:
        raise InputError(first_problem(error)) from error
    path = folder / names.EVENTS
    line = json.dumps(event.model_dump(mode="json", exclude_defaults=True)) + "\n"
    write_atomic(path, (path.read_bytes() if path.exists() else b"") + line.encode())
    for name, record in (write or {}).items():
        write_atomic(folder / name, _text(record))


def _text(record: Record) -> bytes:
    return (json.dumps(record.model_dump(mode="json"), indent=2) + "\n").encode()


def _events(path: Path) -> tuple[EventRecord, ...]:
    events: list[EventRecord] = []
    data = read_bytes(path)
    parse_rows(path, data)
    for number, line in enumerate(data.splitlines(), start=1):
        try:
            events.append(EventRecord.model_validate_json(line, strict=True))
        except ValidationError as error:
            raise FileError(path, f"line {number}: {short_problem(error)}") from error
    return tuple(events)


def _sealed(folder: Path, name: str, model: type[R], written: Mapping[str | None, list[str | None]]) -> R:
    """Read a file that is as one of our commands left it. `written`: digests of what they wrote, by file."""
    path = folder / name
    data = read_bytes(path)
    # The last decision may be one whose command was killed before it wrote the file.
    if hashlib.sha256(data).hexdigest() not in written.get(name, [])[-2:]:
        raise FileError(path, "was edited by hand; restore it, and change a campaign by `genelab campaign` alone")
    return parse_record(path, data, model)
