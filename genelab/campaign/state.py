"""Where the items of a campaign stand, derived from decisions, sweeps and entries."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from genelab.campaign.files import Campaign
from genelab.records import names
from genelab.records.artifact import read_artifacts
from genelab.records.campaign import EventRecord, ItemRecord
from genelab.records.check import CheckedEntry
from genelab.records.check.seeds import is_launched
from genelab.records.files import read_record, sha256_file
from genelab.records.sweep import SweepRecord
from genelab.runs.run_dir import RunDir

RUNS = Path("runs", "campaigns")
"""Directory of the sweeps: `<RUNS>/<campaign>/<item>`."""

State = Literal[
    "draft", "queued", "running", "failed", "trained", "entered", "published", "judged", "rejected", "withdrawn"
]
CLOSED: tuple[State, ...] = ("judged", "rejected", "withdrawn")
Entries = Mapping[tuple[str, str], CheckedEntry]
"""Entries of the store by task and name."""


@dataclass(frozen=True)
class Standing:
    """Where an item stands."""

    item: ItemRecord
    state: State
    note: str
    """Why, as far as the state alone does not say it."""
    seeds: tuple[int, ...]
    """Seeds, those added by `repeat` included."""
    rounds: int
    """1, and one more for each decision to repeat it."""
    priority: int
    """Place in the queue, 0 first."""
    begun: int
    """Seeds of which a run was begun."""
    entry: CheckedEntry | None
    """The newest entry that it made; one of an earlier round while more seeds are trained."""
    judged: EventRecord | None
    """The decision that closed it."""


def standing(
    item: ItemRecord,
    events: Sequence[EventRecord],
    entries: Sequence[CheckedEntry | None],
    sweep: SweepRecord | None,
    *,
    attempts: int,
    held: bool,
    hosted: bool = False,
) -> Standing:
    """Derive where an item stands.

    Args:
        item: as intended.
        events: the decisions on it, in order.
        entries: what it made, an entry or None for each round so far.
        sweep: its sweep.json; None if there is none.
        attempts: launches of a failing seed each time the item is queued.
        held: whether a launch is running on its sweep.
        hosted: whether there is a hosted copy of its newest entry.
    """
    repeats = [event for event in events if event.decision == "repeat"]
    seeds = tuple(dict.fromkeys([*item.seeds, *(seed for event in repeats for seed in event.seeds)]))
    made = entries[-1]
    queued = [event for event in events if event.what == "queue"]
    priority = next((event.priority for event in reversed(events) if event.priority is not None), 0)
    moves = [event for event in events if event.what in ("queue", "withdraw", "refute", "reject")]
    judged = next((e for e in reversed(events) if e.what == "judge" and e.decision != "repeat"), None)
    state, note = "draft", ""
    if rejected := next((event for event in events if event.what == "reject"), None):
        state, note = "rejected", rejected.why
    elif moves and (moves[-1].what == "withdraw" or (moves[-1].what == "refute" and made is None)):
        state, note = "withdrawn", moves[-1].why
    elif made is not None:
        state = "judged" if judged else "published" if hosted else "entered"
        refuted = next((event.why for event in moves if event.what == "refute"), "")
        note = f"{judged.decision}: {judged.why}" if judged else refuted
    elif sweep is not None and held:
        state = "running"
    elif sweep is not None:
        state, note = _of_sweep(sweep, seeds, attempts * max(1, len(queued)), queued=bool(queued))
    elif queued:
        state = "queued"
    newest = next((entry for entry in reversed(entries) if entry is not None), None)
    begun = {seed.seed for seed in sweep.seeds if seed.attempts} if sweep else set[int]()
    begun |= set(newest.record.seeds.planned) if newest else set()
    return Standing(item, state, note, seeds, 1 + len(repeats), priority, len(begun), newest, judged)


def _of_sweep(sweep: SweepRecord, seeds: Sequence[int], allowed: int, *, queued: bool) -> tuple[State, str]:
    found = {entry.seed: entry for entry in sweep.seeds}
    bad = [e for e in sweep.seeds if e.state in ("failed", "crashed") and e.attempts >= allowed]
    if bad:
        return "failed", f"seed {bad[0].seed}, {bad[0].attempts} attempts: {bad[0].reason}"
    if all(seed in found and found[seed].state == "finished" for seed in seeds):
        return "trained", ""
    told = [f"seed {seed} {found[seed].state}" if seed in found else f"seed {seed} new" for seed in seeds]
    return "queued" if queued else "draft", "goes on: " + ", ".join(told)


def standings(campaign: Campaign, entries: Entries, runs: Path | None = RUNS) -> dict[str, Standing]:
    """Where every item stands, by its name.

    Args:
        campaign: the campaign.
        entries: those of the store.
        runs: directory of all campaigns' sweeps; None to go by what is committed alone.

    Raises:
        FileError: if a sweep.json or the record of hosted copies is broken.
    """
    found: dict[str, Standing] = {}
    hosted_in: dict[Path, set[tuple[str, str, str]]] = {}
    sweeps = runs / campaign.name if runs else None
    # One look at the directory: most items of a long queue have none there.
    begun = {path.name for path in sweeps.iterdir()} if sweeps and sweeps.is_dir() else set[str]()
    for item in campaign.items.values():
        events = campaign.of(item.id)
        rounds = 1 + sum(event.decision == "repeat" for event in events)
        named = [entries.get((item.task, campaign.entry_id(item.id, k))) for k in range(1, rounds + 1)]
        made = [e if e and e.record.config_sha256 == item.config_sha256 else None for e in named]
        folder = sweeps / item.id if sweeps and item.id in begun else None
        sweep_file = folder / names.SWEEP if folder else None
        sweep = read_record(sweep_file, SweepRecord) if sweep_file and sweep_file.is_file() else None
        held = folder is not None and sweep is not None and is_launched(folder)
        attempts = campaign.record.caps.attempts
        hosted = made[-1] is not None and _hosted(made[-1], hosted_in)
        each = standing(item, events, made, sweep, attempts=attempts, held=held, hosted=hosted)
        if stranger := next((e for e, own in zip(named, made, strict=True) if e and not own), None):
            name = f"{item.task}/{stranger.record.entry_id}"
            each = replace(each, state="rejected", note=f"the entry of its name, {name}, is of another configuration")
        found[item.id] = each
    return found


def spent_hours(campaign: Campaign, found: Mapping[str, Standing], runs: Path = RUNS) -> float:
    """Wall-clock of all trainings of a campaign so far, h: of run.json, or of the entry where that is gone."""
    total = 0.0
    for name, item in found.items():
        if not item.begun:
            continue
        folders = [RunDir(path) for path in sorted((runs / campaign.name / name).glob("seed_*"))]
        records = [folder.load() for folder in folders if folder.exists()]
        trained = sum(attempt.wall_s or 0.0 for record in records for attempt in record.attempts)
        total += max(trained, item.entry.record.cost.train_wall_s if item.entry else 0.0)
    return total / 3600.0


def next_items(found: Mapping[str, Standing]) -> list[Standing]:
    """What is to be trained, in order: what was begun, then by priority, then by age."""
    waiting = [each for each in found.values() if each.state == "queued"]
    return sorted(waiting, key=lambda each: (not each.note, each.priority))


def _hosted(entry: CheckedEntry, known: dict[Path, set[tuple[str, str, str]]]) -> bool:
    """Whether an entry has a hosted copy. `known`: what each store says of its entries, as far as it was read."""
    record, store = entry.record, entry.path.parents[1]
    if store not in known:
        known[store] = {(r.task, r.entry_id, r.entry_sha256) for r in read_artifacts(store / names.ARTIFACTS)}
    return bool(known[store]) and (record.task, record.entry_id, sha256_file(entry.path / names.ENTRY)) in known[store]
