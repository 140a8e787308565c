"""What entries say of targets and baselines. Every number comes from a checked entry."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from genelab.campaign.files import Campaign
from genelab.campaign.state import Entries, Standing
from genelab.compare.compare import compare, config_differences, is_judged_in
from genelab.compare.sides import of_entry
from genelab.config.choices import with_choices_of
from genelab.config.commands import CompareCfg
from genelab.config.snapshot import dump, first_problem, sha256_json
from genelab.config.task import TaskSpec
from genelab.errors import InputError
from genelab.publish.published import read_published
from genelab.records.build_entry import changes
from genelab.records.campaign import Metric, Target
from genelab.records.check import CheckedEntry
from genelab.records.compare import CompareRecord
from genelab.records.entry import SeedResult
from genelab.records.statistics import mean, seed_bounds
from genelab.registry import get_task
from genelab.runs.code import changed_since

CODE = {"genelab": ("envs", "evaluation", "families", "learn", "mdp", "sim", "rng.py")}
"""Parts of a package that a result depends on; all of any other one."""

_VALUES: dict[Metric, Callable[[SeedResult], float | None]] = {
    "return_mean": lambda run: run.metrics.return_mean,
    "success_rate": lambda run: run.metrics.success_rate,
    "final_average": lambda run: run.curve.final_average,
    "strength": lambda run: run.curve.strength,
    "stability": lambda run: run.curve.stability,
}
_IDLE: dict[Metric, Callable[[SeedResult], float | None]] = {
    "return_mean": lambda run: run.idle_return_mean,
    "success_rate": lambda run: run.idle_success_rate,
    "final_average": lambda run: run.idle_return_mean,
    "strength": lambda _: 0.0,
    "stability": lambda _: 0.0,
}

Word = Literal["reached", "missed", "undecided", "worthless", "not comparable", "no target", "no entry"]


@dataclass(frozen=True)
class TargetVerdict:
    """How far an entry is on the way to a target."""

    word: Word
    mean: float | None = None
    """Mean over seeds."""
    bounds: tuple[float, float] | None = None
    """One-sided 95 % bounds of it."""
    idle: float | None = None
    """What doing nothing earns."""
    share: float | None = None
    """(mean - idle) / (target - idle)."""


def values_of(entry: CheckedEntry, metric: Metric) -> list[float]:
    """The metric of each seed; empty if a seed is missing or does not have it."""
    found = [_VALUES[metric](run) for run in entry.record.runs]
    known = [value for value in found if value is not None]
    return known if entry.record.aggregate is not None and len(known) == len(found) else []


def idle_of(entry: CheckedEntry, metric: Metric) -> float | None:
    """What doing nothing earns, mean over seeds; None where the task has no such metric."""
    found = [value for run in entry.record.runs if (value := _IDLE[metric](run)) is not None]
    return mean(found) if found else None


def against_target(target: Target, entry: CheckedEntry | None) -> TargetVerdict:
    """Hold an entry against a target."""
    if target.value is None:
        return TargetVerdict("no target")
    if entry is None:
        return TargetVerdict("no entry", idle=target.idle)
    values, idle = values_of(entry, target.metric), idle_of(entry, target.metric)
    # A return of another environment is another quantity.
    other_environment = any(is_judged_in(override.path) for override in changes(entry.seeds[0]))
    if not values or other_environment or entry.record.protocol.sha256 != target.protocol_sha256:
        return TargetVerdict("not comparable", idle=idle)
    center, bounds = mean(values), seed_bounds(values)
    if idle is not None and target.value <= idle:
        return TargetVerdict("worthless", center, bounds, idle)
    share = None if idle is None else (center - idle) / (target.value - idle)
    word: Word = "undecided"
    if bounds is not None:
        word = "reached" if bounds[0] >= target.value else "missed" if bounds[1] < target.value else "undecided"
    return TargetVerdict(word, center, bounds, idle, share)


def standing_entry(
    campaign: Campaign, found: dict[str, Standing], target: Target, entries: Entries
) -> CheckedEntry | None:
    """The entry that stands for a target: of the item adopted last, or else of the task and variant as registered.

    Where there is neither, of the newest item that began a configuration. A change that nobody adopted never stands.
    """
    ours = [each for each in found.values() if each.item.task == target.task and each.item.variant == target.variant]
    adopted = [each for each in ours if each.judged and each.judged.decision == "adopt" and each.entry]
    if adopted:
        by_name = {each.item.id: each for each in adopted}
        last = next(e for e in reversed(campaign.events) if e.item in by_name and e is by_name[e.item].judged)
        return by_name[str(last.item)].entry
    own = [e for e in entries.values() if (e.record.task, e.record.variant) == (target.task, target.variant)]
    registered = next((entry for entry in own if entry.record.status == "reference"), None)
    return registered or next((each.entry for each in reversed(ours) if each.entry and not each.item.baseline), None)


def baseline_entry(each: Standing, found: dict[str, Standing], entries: Entries) -> CheckedEntry | None:
    """The entry of an item's baseline; None without a baseline, or as long as it has none."""
    if each.item.baseline is None:
        return None
    task, _, name = each.item.baseline.partition("/")
    return entries.get((task, name)) if name else found[each.item.baseline].entry


def verdicts(campaign: Campaign, each: Standing, found: dict[str, Standing], entries: Entries) -> list[CompareRecord]:
    """The comparison of an item's entry with its baseline, and with the newest entry before it if that is another.

    Entries before it do not count if they hold a part of its own seeds, build on it, or were not adopted.
    """
    entry, named = each.entry, baseline_entry(each, found, entries)
    if entry is None:
        return []
    sides = [named] if named else []

    def counts(name: str) -> bool:
        # CAMPAIGN.ITEM or CAMPAIGN.ITEM.ROUND; an item's name has no dot.
        owner = found.get(name.removeprefix(f"{campaign.name}.").partition(".")[0])
        if owner is None or not name.startswith(f"{campaign.name}."):
            return True
        return owner is not each and owner.item.baseline != each.item.id and not _not_adopted(owner)

    if (before := _before(entry, entries, counts)) and before not in sides:
        sides.append(before)
    cfg = CompareCfg(metric=campaign.record.metric, margin=campaign.record.margin)
    # Another budget is a change that can be declared, and the record names it.
    return [compare(of_entry(side), of_entry(entry), cfg, any_budget=True) for side in sides]


def verdict_on(
    campaign: Campaign, each: Standing, found: dict[str, Standing], entries: Entries
) -> CompareRecord | None:
    """The comparison of an item's entry with its baseline; None as long as one of the two is missing."""
    named = baseline_entry(each, found, entries)
    return next(iter(verdicts(campaign, each, found, entries)), None) if named else None


def _not_adopted(each: Standing) -> bool:
    return each.judged.decision != "adopt" if each.judged else each.item.baseline is not None


def _before(entry: CheckedEntry, entries: Entries, counts: Callable[[str], bool]) -> CheckedEntry | None:
    """The newest entry of the same task and variant when this one was added, of those whose name counts."""
    task, name = entry.record.task, entry.record.supersedes
    while name is not None and (earlier := entries.get((task, name))):
        if earlier.record.variant == entry.record.variant and counts(name):
            return earlier
        name = earlier.record.supersedes
    return None


def told(record: CompareRecord) -> str:
    """A comparison in a few words."""
    word = record.verdict.replace("_", " ")
    word += " (confounded)" if len(record.config) > 1 else ""
    word += ", other budget" if record.across else ""
    word += ", not reliable" if record.unreliable else ""
    return f"{word} against {Path(record.a.given).name}" + (f": {record.reasons[0]}" if record.reasons else "")


def stale(entry: CheckedEntry) -> list[str]:
    """Why an entry no longer speaks for the task as it is now; empty if it does."""
    record, trained = entry.record, entry.seeds[0].task
    try:
        now = get_task(record.task, record.variant)
    except InputError:
        return ["the task is no longer registered"]
    if now.task_version != record.task_version:
        return [f"task version {record.task_version} -> {now.task_version}"]
    set_ = tuple(f"{override.path}." for override in record.overrides)
    found = [d.path for d in config_differences(trained, with_choices_of(now, trained))]
    moved = [path for path in found if not f"{path}.".startswith(set_)]
    return [f"configuration changed: {', '.join(moved[:3])}"] if moved else []


def code_changes(entry: CheckedEntry) -> list[str] | None:
    """Files of environment and learner that differ from those that an entry was made by; None if that is not known."""
    found: list[str] = []
    for stamp in entry.record.code:
        if stamp.commit is None or stamp.dirty is not False:
            return None
        changed = changed_since(stamp.name, stamp.commit, CODE.get(stamp.name, (".",)))
        if changed is None:
            return None
        found += changed
    return found


def stale_code(campaign: Campaign, found: dict[str, Standing], target: Target, entries: Entries) -> list[str]:
    """A line if code that a target's result depends on was changed since, or that is not known."""
    entry = standing_entry(campaign, found, target, entries)
    if entry is None or (changed := code_changes(entry)) == []:
        return []
    name = f"{entry.record.task}/{entry.record.entry_id}"
    return [
        f"{name}: "
        + ("its commit is not known here" if changed is None else f"changed since: {', '.join(changed[:3])}")
    ]


def regressed(found: dict[str, Standing], compared: Mapping[str, Sequence[CompareRecord]]) -> list[str]:
    """Items that are worse than what they are compared with, or cannot be compared, and that nobody closed.

    One line each. `compared`: the `verdicts` on every item.
    """
    return [
        f"{each.item.id}: {told(record)}"
        for each in found.values()
        if each.state in ("entered", "published")
        for record in compared[each.item.id]
        if record.verdict == "regression"
        or record.unreliable
        # A first training may differ from those before it in anything.
        or (record.verdict == "not_comparable" and each.item.baseline is not None)
    ]


def make_target(
    campaign: Campaign,
    entries: Entries,
    store: Path,
    task_id: str,
    variant: str | None,
    published: str | None,
    fields: dict[str, Any],
) -> Target:
    """Check and complete a target.

    Args:
        campaign: whose target it is to be.
        entries: those of the store.
        store: root of the store.
        task_id: task.
        variant: its variant.
        published: label of published rows whose mean it is; None for a number that is given.
        fields: metric, value, n_seeds, idle and source.

    Raises:
        InputError: if the metric is not the campaign's, or the number is not above doing nothing or has no source.
    """
    metric: Metric = fields["metric"]
    if metric != campaign.record.metric:
        rule = f"campaign '{campaign.name}' judges {campaign.record.metric}, and numbers of other metrics prove nothing"
        raise InputError(f"--metric {metric}: {rule}")
    task = get_task(task_id, variant)
    require_metric(campaign, task)
    if published is not None:
        value, count = published_target(store, task_id, published, metric)
        told = f"mean of the published rows of {published}"
        fields |= {"value": value, "n_seeds": count, "source": "; ".join(filter(None, [told, fields["source"]]))}
    own = next((entry for entry in entries.values() if entry.record.task == task_id), None)
    idle = fields["idle"] if own is None else idle_of(own, metric)
    if fields["value"] is not None and idle is not None and fields["value"] <= idle:
        rule = f"is not above what doing nothing earns, {idle:.6g}, so it proves nothing; record that with --none"
        raise InputError(f"target {fields['value']:.6g} of '{task_id}': {rule}")
    try:
        return Target(task=task_id, variant=variant, protocol_sha256=sha256_json(dump(task.protocol)), **fields)
    except ValidationError as error:
        raise InputError(first_problem(error)) from error


def require_metric(campaign: Campaign, task: TaskSpec) -> None:
    """Check that a task has the metric of a campaign. Raises InputError."""
    if campaign.record.metric == "success_rate" and task.env.goal is None:
        raise InputError(f"campaign '{campaign.name}' judges success_rate, and '{task.id}' has no goal")


def published_target(store: Path, task: str, label: str, metric: Metric) -> tuple[float, int]:
    """Mean over the published rows of a task, and how many there are.

    Raises:
        InputError: if there is none, or the tables do not have the metric.
    """
    rows = [row for row in read_published(store) if row.task == task]
    ours = [row for row in rows if row.label == label]
    if not ours:
        labels = ", ".join(dict.fromkeys(row.label for row in rows)) or "none"
        raise InputError(f"--published {label}: no row of '{task}' has this label; it has: {labels}")
    found: list[float | None] = [getattr(row, metric, None) for row in ours]
    known = [value for value in found if value is not None]
    if len(known) < len(found):
        raise InputError(f"--published {label}: the published rows do not state {metric}")
    return mean(known), len(known)
