"""Takes a finished item in: checked, entered, compared and rendered. Every step may be done already."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from genelab.campaign.files import Campaign, decide, load
from genelab.campaign.results import told, verdicts
from genelab.campaign.state import RUNS, Entries, Standing, standings
from genelab.compare.compare import config_differences
from genelab.config.choices import with_choices_of
from genelab.config.snapshot import canonical_json, config_sha256
from genelab.config.task import TaskSpec
from genelab.errors import InputError, RunError
from genelab.publish.store import add_entry, load_store
from genelab.records import names
from genelab.records.campaign import ItemRecord
from genelab.records.check import check_sweep
from genelab.records.seed_files import SeedFiles
from genelab.registry import get_task


class Step(NamedTuple):
    """One step of an intake."""

    name: str
    done: Callable[[], bool]
    """Whether it is done, by the files."""
    do: Callable[[], object]
    """Do it. Raises GenelabError; what it began leaves nothing behind that would be taken for done."""


def entries_of(store: Path) -> Entries:
    """The entries of a store by task and name, checked, the newest of a task first. Raises RunError on a finding."""
    return {(entry.record.task, entry.record.entry_id): entry for entry in load_store(store)}


def steps(
    campaign: Campaign, each: Standing, store: Path, render: Callable[[], None], say: Callable[[str], None], runs: Path
) -> list[Step]:
    """The steps of an item's intake, in order."""
    item, sweep_dir = each.item, runs / campaign.name / each.item.id
    entry_id = campaign.entry_id(item.id, each.rounds)

    def entered() -> bool:
        return (store / item.task / entry_id / names.ENTRY).is_file()

    def checked() -> list[SeedFiles]:
        _, seeds, findings = check_sweep(sweep_dir, None)
        if findings:
            raise RunError(f"{findings[0]}" + (f" (and {len(findings) - 1} more)" if len(findings) > 1 else ""))
        if lost := set(each.seeds) - {seed.run.seed for seed in seeds}:
            raise RunError(f"'{sweep_dir}': seed {min(lost)} is missing")
        return seeds

    def config() -> None:
        seeds = checked()
        if why := wrong_training(each, seeds) or wrong_config(item, seeds[0].task):
            decide(campaign.folder, None, "reject", why, item=item.id)
            raise RunError(f"rejected: {why}; a correction is a new item with --corrects {item.id}")

    def code() -> None:
        for seed in checked():
            for stamp in (*seed.train.code, *seed.eval.code):
                if stamp.dirty or stamp.problem:
                    raise RunError(f"seed {seed.run.seed} ran code of {stamp.name} that is not committed: a preview")

    def enter() -> None:
        add_entry(sweep_dir, entry_id, store, reason=f"campaign {campaign.name}: {item.hypothesis or item.why}")

    def judge() -> None:
        entries = entries_of(store)
        found = standings(load(campaign.folder), entries, runs)
        for record in verdicts(campaign, found[item.id], found, entries):
            say(f"{item.id}: {told(record)}")

    return [
        # It counts the control steps again, so they are those that the caps allowed.
        Step("check", entered, checked),
        Step("declared changes", entered, config),
        Step("committed code", entered, code),
        Step("entry", entered, enter),
        # Nothing of these is stored but the page, which is as the entries are.
        Step("comparison", lambda: False, judge),
        Step("page", lambda: False, render),
    ]


def intake(
    campaign: Campaign,
    each: Standing,
    store: Path,
    render: Callable[[], None],
    say: Callable[[str], None],
    runs: Path = RUNS,
) -> None:
    """Take an item in. The same again goes on at the first step that is not done. The caller holds the campaign.

    Raises:
        InputError: if the item is not trained, or is closed.
        RunError: if a step fails; names it.
    """
    if each.state in ("draft", "queued", "running", "failed", "withdrawn", "rejected"):
        raise InputError(f"item '{each.item.id}' is {each.state}{f' ({each.note})' if each.note else ''}, not trained")
    for step in steps(campaign, each, store, render, say, runs):
        if step.done():
            continue
        try:
            step.do()
        except RunError as error:
            raise RunError(f"{each.item.id}, step '{step.name}': {error}") from error
    say(f"{each.item.id}: taken in as {each.item.task}/{campaign.entry_id(each.item.id, each.rounds)}")


def wrong_training(each: Standing, seeds: Sequence[SeedFiles]) -> str | None:
    """How the trainings differ from those that were declared, apart from their configuration; None if they do not."""
    for seed in seeds:
        if seed.run.parent is not None:
            return f"seed {seed.run.seed} began from the policy of another run, which was not declared"
    trained = {seed.run.seed for seed in seeds}
    if trained != set(each.seeds):
        return f"seeds {_listed(trained)} were trained, declared {_listed(each.seeds)}"
    return None


def _listed(seeds: Iterable[int]) -> str:
    return ",".join(map(str, sorted(seeds)))


def wrong_config(item: ItemRecord, trained: TaskSpec) -> str | None:
    """How what was trained differs from what was declared; None if it does not."""
    if (trained.id, trained.variant) != (item.task, item.variant):
        return f"trained {_name(trained.id, trained.variant)}, declared {_name(item.task, item.variant)}"
    if config_sha256(trained) == item.config_sha256:
        return None
    registered = with_choices_of(get_task(item.task, item.variant), trained)
    found = {change.path: change.b for change in config_differences(registered, trained)}
    declared = {override.path: override.new for override in item.overrides}
    told = [
        f"{path} = {canonical_json(value)} was declared and is not in effect"
        for path, value in declared.items()
        if found.get(path) != value
    ]
    told += [
        f"{path} = {canonical_json(value)} was not declared" for path, value in found.items() if path not in declared
    ]
    return "; ".join(told) or "a chosen file, or the registered task, is another one than when the item was added"


def _name(task: str, variant: str | None) -> str:
    return task + (f" variant {variant}" if variant else "")
