"""Trains what is queued, one item after the other, as `genelab train` does."""

import shutil
from collections.abc import Callable
from pathlib import Path

from genelab.campaign.files import load
from genelab.campaign.items import command_of, plan_of, planned_runs, require_useful, within
from genelab.campaign.state import RUNS, Entries, Standing, next_items, spent_hours, standings
from genelab.errors import InputError, RunError
from genelab.runs.code import code_stamp
from genelab.runs.files import FREE_BYTES, disk_errors
from genelab.runs.gpu import visible_gpus
from genelab.runs.lock import locked


def launch_queue(
    folder: Path,
    entries: Entries,
    say: Callable[[str], None],
    *,
    parallel: int,
    limit: int | None,
    preview: bool,
    runs: Path = RUNS,
) -> int:
    """Train the queue to its end and return the exit code: 0, 1 if an item did not finish, 128 + signal if stopped.

    What an earlier launch began goes on first, where it was saved. An item is tried once in a launch.

    Args:
        folder: of the campaign.
        entries: those of the store.
        say: told what happens.
        parallel: seeds at the same time.
        limit: items at most; None for all.
        preview: train although the code is not committed. `intake` will not take the result.
        runs: directory of all campaigns' sweeps.

    Raises:
        InputError: if another launch of the campaign is running, the code is not committed, or a cap is exceeded.
        RunError: if the disk is full.
    """
    place = runs / folder.name
    with disk_errors(place):
        place.mkdir(parents=True, exist_ok=True)
    tried: set[str] = set()
    failed = 0
    with locked(place):
        while limit is None or len(tried) < limit:
            # Each time anew: the queue may have been changed meanwhile.
            campaign = load(folder)
            found = standings(campaign, entries, runs)
            waiting = [each for each in next_items(found) if each.item.id not in tried]
            if not waiting:
                break
            each, caps = waiting[0], campaign.record.caps
            tried.add(each.item.id)
            try:
                require_useful(campaign, each.item, found, entries)
                blocked = _blocked(each, place)
            except InputError as error:
                blocked = str(error)
            if blocked:
                say(f"{each.item.id}: blocked: {blocked}")
                failed += 1
                continue
            hours = spent_hours(campaign, found, runs)
            if caps.hours is not None and hours >= caps.hours:
                raise InputError(f"hours of the campaign: {hours:.2f} of at most {caps.hours:g} are spent")
            _require_committed(each, preview=preview)
            told = (
                within("hours of the campaign", hours, caps.hours),
                within("runs of the campaign", planned_runs(found), caps.runs),
            )
            for warning in filter(None, told):
                say(f"warning: {warning}")
            say(f"{each.item.id}: {each.note or 'begins'}")
            code = _train(campaign.folder, each, parallel, runs)
            if code >= 128:
                return code
            failed += code != 0
    say(f"{len(tried)} item(s) launched, {failed} did not finish" if tried else "nothing is queued")
    return 1 if failed else 0


def _train(folder: Path, each: Standing, parallel: int, runs: Path) -> int:
    # They bring what `genelab campaign status` does not need.
    from genelab.jobs.demonstrations import checked_demonstrations
    from genelab.sweep.executors.local import LocalExecutor
    from genelab.sweep.launcher import launch
    from genelab.sweep.live import view_for

    campaign = load(folder)
    plan = plan_of(campaign, each, parallel, runs)
    if plan.trains:
        checked_demonstrations(plan.task)
    return launch(plan, command_of(campaign, each, runs), view_for(plan), LocalExecutor())


def _blocked(each: Standing, place: Path) -> str | None:
    """What an item needs that this machine does not have."""
    if each.item.execution.device.startswith("cuda") and not visible_gpus():
        return f"needs the device {each.item.execution.device}, and there is no GPU"
    scarce = shutil.disk_usage(place).free < FREE_BYTES
    return f"less than {FREE_BYTES / 2**30:g} GiB is free at '{place}'" if scarce else None


def _require_committed(each: Standing, *, preview: bool) -> None:
    from genelab.registry import get_task

    stamps = [code_stamp(package) for package in ("genelab", get_task(each.item.task).package)]
    dirty = [stamp.name for stamp in stamps if stamp.dirty or stamp.problem]
    if dirty and not preview:
        raise RunError(
            f"the code of {', '.join(dirty)} is not committed, so the result could never be an entry; commit it, or "
            "train to look at it with --preview"
        )
