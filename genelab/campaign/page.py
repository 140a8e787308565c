"""The page of a campaign, and the same as plain rows for `genelab campaign status`."""

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

from genelab.campaign.files import Campaign, campaigns_of, load
from genelab.campaign.intake import entries_of
from genelab.campaign.items import describe
from genelab.campaign.results import (
    TargetVerdict,
    against_target,
    idle_of,
    stale,
    standing_entry,
    told,
    values_of,
    verdicts,
)
from genelab.campaign.state import Entries, Standing, standings
from genelab.publish.render import fill
from genelab.records.campaign import Caps, Target
from genelab.records.compare import CompareRecord
from genelab.records.statistics import mean
from genelab.show.text import NONE, cell, number

PAGES = "campaigns"
"""Folder of the pages in that of the docs."""
TARGET_HEAD = ("task", "target", "doing nothing", "entry", "seeds", "reached so far", "share of the way", "verdict")
ITEM_HEAD = ("item", "task", "change", "seeds", "state", "compared", "decision")


def pages(store: Path, docs: Path) -> dict[Path, str]:
    """The text of the page of every campaign beside a store. Equal files give equal text on any machine.

    Raises:
        FileError: if a file of a campaign is broken or was edited by hand.
        RunError: if the check of an entry has findings.
    """
    folders = campaigns_of(store)
    if not folders:
        return {}
    entries = entries_of(store)
    texts: dict[Path, str] = {}
    for folder in folders:
        campaign = load(folder)
        # What runs on some machine is not committed, and no part of the page.
        found = standings(campaign, entries, None)
        items = [(each, item_row(each, found, verdicts(campaign, each, found, entries))) for each in found.values()]
        by_wave = sorted(items, key=lambda pair: pair[0].item.wave or "")
        texts[docs / PAGES / f"{folder.name}.md"] = fill(
            "genelab.campaign",
            "campaign.md",
            campaign=campaign.record,
            caps=_caps(campaign.record.caps),
            target_head=TARGET_HEAD,
            targets=[target_row(campaign, target, found, entries) for target in campaign.record.targets],
            sources=[(_named(target.task, target.variant), target.source) for target in campaign.record.targets],
            item_head=ITEM_HEAD,
            waves=[
                (wave, [row for _, row in pairs], [each.item for each, _ in pairs])
                for wave, group in groupby(by_wave, key=lambda pair: pair[0].item.wave)
                for pairs in [list(group)]
            ],
            no_benefit=[
                (each.item.id, cell(describe(each.item.changes)), cell(each.judged.why))
                for each in found.values()
                if each.judged and each.judged.decision in ("revert", "drop") and each.item.changes
            ],
            events=[
                (f"{e.at:%Y-%m-%d}", cell(e.who), e.what, e.item or NONE, cell(e.why))
                for e in campaign.events
                if e.what not in ("new", "add", "queue")
            ],
            shown=_other_metrics(campaign, found, entries),
        )
    return texts


def target_row(campaign: Campaign, target: Target, found: dict[str, Standing], entries: Entries) -> tuple[str, ...]:
    """The row of a target."""
    entry = standing_entry(campaign, found, target, entries)
    verdict = against_target(target, entry)
    gone = stale(entry) if entry else []
    return (
        cell(_named(target.task, target.variant)),
        NONE if target.value is None else number(target.value) + (f" (n = {target.n_seeds})" if target.n_seeds else ""),
        number(target.idle if entry is None else idle_of(entry, target.metric)),
        NONE if entry is None else entry.record.entry_id,
        NONE if entry is None else ",".join(map(str, entry.record.seeds.finished)),
        _reached(verdict),
        NONE if verdict.share is None else f"{verdict.share:.0%}",
        verdict.word + (f", **stale**: {cell(gone[0])}" if gone else ""),
    )


def item_row(each: Standing, found: dict[str, Standing], compared: Sequence[CompareRecord]) -> tuple[str, ...]:
    """The row of an item. `compared`: the `verdicts` on it."""
    item = each.item
    waits = each.entry is not None and item.baseline in found and found[str(item.baseline)].entry is None
    texts = [told(record) for record in compared] + [f"waits for {item.baseline}"] * waits
    # The variant is that of the entry, wherever there is one.
    variant = each.entry.record.variant if each.entry else item.variant
    return (
        item.id,
        cell(_named(item.task, variant)),
        cell(describe(item.changes)),
        ",".join(map(str, each.seeds)),
        each.state + (f" ({cell(each.note)})" if each.note and not each.judged else ""),
        cell("; ".join(texts)) or NONE,
        cell(each.note) if each.judged else NONE,
    )


def _other_metrics(campaign: Campaign, found: dict[str, Standing], entries: Entries) -> list[tuple[str, ...]]:
    """Entries with every metric. They are shown; one is judged."""
    rows: list[tuple[str, ...]] = []
    for target in campaign.record.targets:
        if (entry := standing_entry(campaign, found, target, entries)) is None:
            continue
        values = [values_of(entry, metric) for metric in ("return_mean", "final_average", "strength", "stability")]
        consistency = entry.record.aggregate.consistency if entry.record.aggregate else None
        shown = [number(mean(each)) if each else NONE for each in values]
        rows.append((cell(_named(target.task, target.variant)), entry.record.entry_id, *shown, number(consistency)))
    return rows


def _reached(verdict: TargetVerdict) -> str:
    if verdict.mean is None:
        return NONE
    bounds = "" if verdict.bounds is None else f" ({number(verdict.bounds[0])} to {number(verdict.bounds[1])})"
    return number(verdict.mean) + bounds


def _named(task: str, variant: str | None) -> str:
    return task + (f", variant {variant}" if variant else "")


def _caps(caps: Caps) -> str:
    told: Sequence[str] = [
        f"{value:,} {what}"
        for value, what in (
            (caps.env_steps, "control steps a run"),
            (caps.runs, "runs"),
            (caps.hours, "hours of training"),
            (caps.attempts, "attempts of a failing seed"),
        )
        if value is not None
    ]
    return ", ".join(told)
