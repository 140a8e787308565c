"""What an item trains, and what is refused before it is queued: most wasted runs can be seen here."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from genelab.campaign.files import Campaign, campaigns_of, load
from genelab.campaign.results import code_changes, require_metric
from genelab.campaign.state import CLOSED, RUNS, Entries, Standing, standings
from genelab.compare.compare import config_differences
from genelab.config.choices import require_made, with_choices_of
from genelab.config.overrides import Override, apply_overrides
from genelab.config.run import LaunchCfg
from genelab.config.snapshot import canonical_json, config_sha256, first_problem
from genelab.config.task import TaskSpec
from genelab.errors import InputError
from genelab.records.campaign import Caps, ItemRecord
from genelab.records.compare import FieldDifference
from genelab.registry import get_task
from genelab.sweep.plan import SweepPlan, make_plan

WARN_FROM = 0.8
"""Share of a cap from which on there is a warning."""


def resolve(item: ItemRecord) -> tuple[TaskSpec, list[Override]]:
    """The configuration of an item, from the registry as it is now.

    Raises:
        InputError: if it is not the one that was added, or a chosen file is gone.
    """
    assignments = [f"{o.path}={canonical_json(o.new)}" for o in item.overrides]
    task, overrides = apply_overrides(get_task(item.task, item.variant), assignments)
    if (found := config_sha256(task)) != item.config_sha256:
        raise InputError(
            f"item '{item.id}': its configuration is another one than when it was added: config_sha256 "
            f"{item.config_sha256[:12]} -> {found[:12]}; the registered task was changed. Withdraw it and add it again"
        )
    return task, overrides


def plan_of(campaign: Campaign, each: Standing, parallel: int = 1, runs: Path = RUNS) -> SweepPlan:
    """The plan that `genelab train` makes of an item. Raises InputError as `resolve` and `make_plan`."""
    task, overrides = resolve(each.item)
    cfg = LaunchCfg(seeds=each.seeds, parallel=parallel, log_dir=str(runs / campaign.name / each.item.id))
    return make_plan(task, overrides, each.item.execution, cfg)


def command_of(campaign: Campaign, each: Standing, runs: Path = RUNS) -> list[str]:
    """The `genelab train` command that does the same."""
    item = each.item
    words = ["genelab", "train", item.task, *(("--variant", item.variant) if item.variant else ())]
    words += ["--seeds", ",".join(map(str, each.seeds))]
    for override in item.overrides:
        words += ["--set", f"{override.path}={canonical_json(override.new)}"]
    words += ["--device", item.execution.device, "--threads", str(item.execution.threads)]
    return [*words, "--log-dir", str(runs / campaign.name / item.id)]


def make_item(
    campaign: Campaign,
    entries: Entries,
    task: TaskSpec,
    overrides: Sequence[Override],
    **intent: Any,
) -> tuple[ItemRecord, list[str]]:
    """Check an item and complete it with what follows from its configuration.

    Args:
        campaign: what it is to belong to.
        entries: those of the store.
        task: resolved.
        overrides: what was set in the registered task.
        intent: the other fields of the record.

    Returns:
        The record, and warnings.

    Raises:
        InputError: if it changes nothing, or more than one value without a reason, or is there already, costs too much,
            leaves a choice open, or names no proper baseline.
    """
    require_made(task)
    require_metric(campaign, task)
    if idle := next((override for override in overrides if not override.effective), None):
        raise InputError(f"--set {idle.path} = {idle.new!r}: changes nothing, the registered task has that value")
    base = _base(campaign, entries, task, intent["baseline"])
    changes = config_differences(with_choices_of(base, task), task)
    try:
        item = ItemRecord(
            schema="genelab/campaign_item/1",
            task=task.id,
            variant=task.variant,
            overrides=tuple(overrides),
            config_sha256=config_sha256(task),
            changes=tuple(changes),
            env_steps=task.env_steps(task.all_iterations),
            **intent,
        )
    except ValidationError as error:
        raise InputError(first_problem(error)) from error
    if item.id in campaign.items:
        raise InputError(f"item '{item.id}' exists already in campaign '{campaign.name}'")
    if (item.task, entry_id := campaign.entry_id(item.id)) in entries:
        raise InputError(f"item '{item.id}': the store has an entry {item.task}/{entry_id} already; take another name")
    _require_one_change(item)
    found = standings(campaign, entries)
    require_useful(campaign, item, found, entries)
    if item.corrects is not None and found[campaign.item(item.corrects).id].state != "rejected":
        raise InputError(f"--corrects {item.corrects}: is not rejected, so there is nothing to correct")
    return item, budget(campaign.record.caps, item, runs=planned_runs(found) + len(item.seeds))


def planned_runs(found: Mapping[str, Standing], again: Collection[str] = ()) -> int:
    """Runs of all items; of those that were withdrawn, and are not in `again`, only the ones that were begun."""
    return sum(
        each.begun if name not in again and each.state == "withdrawn" else len(each.seeds)
        for name, each in found.items()
    )


def budget(caps: Caps, item: ItemRecord, *, runs: int) -> list[str]:
    """Warnings on what an item costs. Raises InputError beyond a cap."""
    told = (
        within("control steps of a run", item.env_steps, caps.env_steps),
        within("runs of the campaign", runs, caps.runs),
    )
    return [warning for warning in told if warning]


def within(what: str, value: float, cap: float | None) -> str | None:
    """A warning from 80 % of a cap on. Raises InputError beyond 100 %."""
    if cap is None or value < WARN_FROM * cap:
        return None
    told = f"{what}: {value:,.6g} of at most {cap:,.6g}, {value / cap:.0%} of the cap"
    if value > cap:
        raise InputError(told)
    return told


def similar(item: ItemRecord, store: Path, entries: Entries) -> Iterator[str]:
    """Judged items of all campaigns that changed the same value of the same task, one line each."""
    paths = {change.path for change in item.changes}
    for folder in campaigns_of(store):
        campaign = load(folder)
        for each in standings(campaign, entries, None).values():
            shared = [change for change in each.item.changes if change.path in paths]
            if each.judged and each.item.task == item.task and shared:
                told = "; ".join(f"{c.path}: {canonical_json(c.a)} -> {canonical_json(c.b)}" for c in shared)
                yield f"tried before: {campaign.name}/{each.item.id}, {told}, {each.note}"


def _base(campaign: Campaign, entries: Entries, task: TaskSpec, baseline: str | None) -> TaskSpec:
    """The configuration that an item's is held against."""
    if baseline is None:
        return get_task(task.id, task.variant)
    if "/" not in baseline:
        other = campaign.item(baseline)
        if other.task != task.id:
            raise InputError(f"--baseline {baseline}: is an item of '{other.task}', not of '{task.id}'")
        return resolve(other)[0]
    entry = entries.get((baseline.split("/")[0], baseline.split("/", 1)[1]))
    if entry is None:
        known = [f"{owner}/{name}" for owner, name in entries if owner == task.id]
        raise InputError(f"--baseline {baseline}: is no item and no TASK/ENTRY; known: {', '.join(known) or 'none'}")
    record = entry.record
    if record.task != task.id:
        raise InputError(f"--baseline {baseline}: is of '{record.task}', not of '{task.id}'")
    if record.aggregate is None:
        raise InputError(f"--baseline {baseline}: has no mean, since seeds of it are missing")
    # Of equal trainings the best one is a lucky one.
    equal = [other.record for other in entries.values() if _equal(other.record, record)]
    newest = max(equal, key=lambda other: other.created_at)
    if newest.entry_id != record.entry_id:
        raise InputError(
            f"--baseline {baseline}: {record.task}/{newest.entry_id} is of the same configuration and newer; "
            "the better one of equal trainings is luck, so name the newest"
        )
    return entry.seeds[0].task


def _equal(a: Any, b: Any) -> bool:
    same = ("task", "task_version", "config_sha256")
    return all(getattr(a, name) == getattr(b, name) for name in same)


def _require_one_change(item: ItemRecord) -> None:
    if item.baseline is not None and not item.changes:
        raise InputError(
            f"item '{item.id}': changes nothing in its baseline {item.baseline}; more seeds of the same are added by "
            "`genelab campaign judge ITEM --decision repeat --seeds S,S`"
        )
    paths = ", ".join(change.path for change in item.changes)
    if item.baseline is not None and (item.hypothesis is None or item.expect is None):
        raise InputError(f"--hypothesis and --expect: must say what the change of {paths} is hoped to do")
    if item.baseline is None and (item.hypothesis or item.expect):
        raise InputError("--hypothesis: needs a --baseline, or nothing will tell whether it holds")
    if len(item.changes) > 1 and item.joint is None:
        raise InputError(
            f"item '{item.id}': changes {len(item.changes)} values at once ({paths}), which teaches nothing about any; "
            "make an item of each, or say why with --joint"
        )


def require_useful(campaign: Campaign, item: ItemRecord, found: Mapping[str, Standing], entries: Entries) -> None:
    """Check that the training of an item, in the campaign or to be added, can tell something new.

    Raises:
        InputError: if its premise is refuted, or another open item, or an entry that is not its own and of the code as
            it is now, has its configuration.
    """
    if why := campaign.refutation(item):
        raise InputError(f"item '{item.id}': {why}")
    others = [each for each in found.values() if each.item.id != item.id]
    same = [each for each in others if each.item.config_sha256 == item.config_sha256]
    if twin := next((each for each in same if each.state not in CLOSED), None):
        raise InputError(f"item '{item.id}': '{twin.item.id}' trains the same configuration and is {twin.state}")
    rounds = found[item.id].rounds if item.id in found else 0
    own = [campaign.entry_id(item.id, k + 1) for k in range(rounds)]
    for (task, name), entry in entries.items():
        if (
            task == item.task
            and name not in own
            and entry.record.config_sha256 == item.config_sha256
            and code_changes(entry) == []
        ):
            raise InputError(
                f"item '{item.id}': {task}/{name} is of the same configuration and code, so it teaches nothing new; "
                "more seeds are added by `genelab campaign judge ITEM --decision repeat --seeds S,S`"
            )


def describe(changes: Sequence[FieldDifference]) -> str:
    """Changes on one line."""
    return "; ".join(f"{c.path}: {canonical_json(c.a)} -> {canonical_json(c.b)}" for c in changes) or "none"
