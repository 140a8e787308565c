"""`genelab campaign`."""

import json
import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click
from pydantic import ValidationError

from genelab.cli.options import STORE, cfg_options, field_option
from genelab.cli.tasks import VARIANT
from genelab.config.commands import StoreCfg
from genelab.config.run import ExecutionCfg, LaunchCfg
from genelab.config.snapshot import first_problem
from genelab.errors import GenelabError, InputError
from genelab.records import names
from genelab.records.campaign import CampaignRecord, Decision, Event, Metric, Premise

if TYPE_CHECKING:
    from genelab.campaign.files import Campaign

NAME = click.argument("name", metavar="CAMPAIGN")
ITEM = click.argument("item", metavar="ITEM")
WHO = click.option("--who", help="Who decides; by default the user of this process.")
WHY = click.option("--why", metavar="TEXT", required=True, help="Why. Recorded.")
METRIC = click.option("--metric", type=click.Choice(get_args(Metric)), required=True, help="What the number measures.")
SEEDS = field_option("--seeds", LaunchCfg, "seeds", use_default=False, metavar="S,S,...")


@click.group
def command() -> None:
    """Queue trainings towards targets, and decide on each.

    A campaign lies in campaigns/NAME beside the store. What is wanted and what was decided is stored; how far it got
    follows from sweeps and entries.
    """


@command.command()
@NAME
@METRIC
@click.option("--purpose", required=True, metavar="TEXT", help="What the campaign is for.")
@click.option("--margin", type=float, help="Difference that counts, as for `genelab compare`.")
@click.option("--max-env-steps", type=int, help="Control steps of one run at most.")
@click.option("--max-runs", type=int, help="Runs, one for each seed, at most.")
@click.option("--max-hours", type=float, help="Hours of training at most, summed over runs.")
@click.option("--max-attempts", type=int, help="Launches of a failing seed, each time its item is queued.")
@click.option("--principle", "principles", multiple=True, metavar="TEXT", help="What to keep in mind. Repeatable.")
@WHO
@STORE
def new(
    name: str,
    metric: Metric,
    purpose: str,
    margin: float | None,
    principles: tuple[str, ...],
    who: str | None,
    store: Path,
    **caps: Any,
) -> None:
    """Begin a campaign. Its rules are fixed from then on."""
    from genelab.campaign.files import begin

    own: dict[str, Any] = {key.removeprefix("max_"): value for key, value in caps.items() if value is not None}
    fields: dict[str, Any] = {"schema": "genelab/campaign/1", "name": name, "purpose": purpose, "metric": metric}
    fields |= {"caps": own, "principles": principles} | ({} if margin is None else {"margin": margin})
    try:
        record = CampaignRecord.model_validate(fields)
    except ValidationError as error:
        raise InputError(first_problem(error)) from error
    begin(_folder(store, name), record, who)
    click.echo(f"campaign '{name}' begins in '{_folder(store, name)}'")


@command.command()
@NAME
@click.argument("task_id", metavar="TASK")
@VARIANT
@METRIC
@click.option("--value", type=float, help="The number to reach.")
@click.option("--published", metavar="LABEL", help="Take the mean of the published rows of the task with this label.")
@click.option(
    "--none", "nothing", is_flag=True, help="Record that there is no number worth reaching; --source says why."
)
@click.option("--source", metavar="TEXT", help="Where the number comes from. Needed with --value and --none.")
@click.option("--n-seeds", type=int, help="Seeds behind --value, if known.")
@click.option("--idle", type=float, help="What doing nothing earns, if the store has no entry of the task.")
@WHO
@STORE
def target(
    name: str,
    task_id: str,
    variant: str | None,
    metric: Metric,
    value: float | None,
    published: str | None,
    nothing: bool,
    source: str | None,
    n_seeds: int | None,
    idle: float | None,
    who: str | None,
    store: Path,
) -> None:
    """State what a task is to reach, or that no number of it proves anything. The same again replaces it."""
    from genelab.campaign.files import decide, editing
    from genelab.campaign.intake import entries_of
    from genelab.campaign.results import make_target

    if published is not None and n_seeds is not None:
        raise InputError("--n-seeds: goes with --value; with --published the rows are counted")
    if (value is not None) + (published is not None) + nothing != 1:
        raise InputError("a target needs one of --value, --published and --none")
    if published is None and not source:
        raise InputError("--source: must say where the number comes from, or why there is none")
    with editing(_folder(store, name)) as campaign:
        entries = entries_of(store)
        fields = {"metric": metric, "value": value, "n_seeds": n_seeds, "idle": idle, "source": source}
        made = make_target(campaign, entries, store, task_id, variant, published, fields)
        others = [t for t in campaign.record.targets if (t.task, t.variant) != (task_id, variant)]
        record = campaign.record.replace(targets=(*others, made))
        text = f"{task_id}{f' variant {variant}' if variant else ''}: " + (
            f"no target: {made.source}" if made.value is None else f"{made.value:.6g}, {made.source}"
        )
        decide(campaign.folder, who, "target", text, write={names.CAMPAIGN: record})
    click.echo(f"target of {text}")


@command.command()
@NAME
@ITEM
@click.argument("task_id", metavar="TASK")
@VARIANT
@click.option(
    "--set", "assignments", multiple=True, metavar="PATH=VALUE", help="Change a value of the task. Repeatable."
)
@SEEDS
@cfg_options("execution", ExecutionCfg, "device", "threads")
@click.option("--baseline", metavar="WHAT", help="What it is compared with: TASK/ENTRY, or another item.")
@click.option("--hypothesis", metavar="TEXT", help="What the change is hoped to do.")
@click.option("--expect", type=click.Choice(["better", "worse", "same"]), help="What the comparison should then say.")
@click.option("--premise", metavar="TEXT", help="What it takes for granted. Needs --premise-source.")
@click.option("--premise-source", metavar="TEXT", help="Where the premise is said or shown.")
@click.option("--joint", metavar="TEXT", help="Why several values change at once. The verdict then reads confounded.")
@click.option("--wave", metavar="TEXT", help="Name of a group of items.")
@click.option("--corrects", metavar="ITEM", help="A rejected item in whose place this one stands.")
@WHY
@WHO
@STORE
def add(
    name: str,
    item: str,
    task_id: str,
    variant: str | None,
    assignments: tuple[str, ...],
    seeds: tuple[int, ...] | None,
    execution: ExecutionCfg,
    premise: str | None,
    premise_source: str | None,
    why: str,
    who: str | None,
    store: Path,
    **intent: str | None,
) -> None:
    """Add an item: a training on several seeds, with one change to its baseline, or the first of a configuration.

    Prints the change, the cost, and what was tried before.
    """
    from genelab.campaign.files import decide, editing
    from genelab.campaign.intake import entries_of
    from genelab.campaign.items import describe, make_item, similar
    from genelab.config.overrides import apply_overrides, from_environment
    from genelab.registry import get_task

    if (premise is None) != (premise_source is None):
        raise InputError("--premise: needs --premise-source, and the other way round")
    registered = get_task(task_id, variant)
    options = from_environment(registered, assignments, os.environ)
    task, overrides = apply_overrides(registered, assignments, options)
    known = None if premise is None else Premise(text=premise, source=premise_source or "")
    with editing(_folder(store, name)) as campaign:
        entries = entries_of(store)
        told = {"id": item, "seeds": seeds or LaunchCfg().seeds, "execution": execution, "premise": known, "why": why}
        record, warnings = make_item(campaign, entries, task, overrides, **told, **intent)
        tried = list(similar(record, store, entries))
        decide(campaign.folder, who, "add", why, item=item, write={f"{names.ITEMS}/{item}.json": record})
    click.echo(f"change     {describe(record.changes)}")
    click.echo(f"cost       {len(record.seeds)} run(s) of {record.env_steps:,} control steps")
    for line in [*(f"warning: {warning}" for warning in warnings), *tried]:
        click.echo(line)
    click.echo(f"item '{item}' is a draft; `genelab campaign queue {name} {item}` puts it into the queue")


@command.command()
@NAME
@click.argument("items", metavar="[ITEM]...", nargs=-1)
@click.option(
    "--priority", type=click.IntRange(0), help="Place in the queue, 0 first; by default the one it had, or 0."
)
@WHO
@STORE
def queue(name: str, items: tuple[str, ...], priority: int | None, who: str | None, store: Path) -> None:
    """Put items into the queue; without one, show it. A failed item gets as many attempts again."""
    from genelab.campaign.files import decide, editing
    from genelab.campaign.intake import entries_of
    from genelab.campaign.items import planned_runs, require_useful, resolve, within
    from genelab.campaign.state import next_items, standings

    with editing(_folder(store, name)) as campaign:
        entries = entries_of(store)
        found = standings(campaign, entries)
        for item in items:
            each = found[campaign.item(item).id]
            if each.state not in ("draft", "failed", "withdrawn"):
                raise InputError(f"item '{item}' is {each.state}: only what is a draft, failed or withdrawn is queued")
            resolve(each.item)
            require_useful(campaign, each.item, found, entries)
        runs = planned_runs(found, again=items)
        if items and (warning := within("runs of the campaign", runs, campaign.record.caps.runs)):
            click.echo(f"warning: {warning}")
        for item in items:
            decide(campaign.folder, who, "queue", item=item, priority=priority)
            click.echo(f"item '{item}' is queued")
    if not items:
        for each in next_items(found):
            click.echo(f"{each.priority}  {each.item.id}  {each.item.task}  seeds {','.join(map(str, each.seeds))}")


@command.command(name="next")
@NAME
@STORE
def next_(name: str, store: Path) -> None:
    """Show the item that a launch would begin with, and the `genelab train` command that does the same."""
    from genelab.campaign.files import load
    from genelab.campaign.intake import entries_of
    from genelab.campaign.items import command_of
    from genelab.campaign.state import next_items, standings

    campaign = load(_folder(store, name))
    waiting = next_items(standings(campaign, entries_of(store)))
    if not waiting:
        click.echo("nothing is queued")
        return
    click.echo(f"{waiting[0].item.id}: {waiting[0].item.why}\n{shlex.join(command_of(campaign, waiting[0]))}")


@command.command()
@NAME
@ITEM
@click.option("--priority", type=click.IntRange(0), required=True, help="Place in the queue, 0 first.")
@WHY
@WHO
@STORE
def move(name: str, item: str, priority: int, why: str, who: str | None, store: Path) -> None:
    """Change the place of an item in the queue."""
    _decide(store, name, item, who, "move", why, ("draft", "queued", "failed"), priority=priority)


@command.command()
@NAME
@ITEM
@WHY
@WHO
@STORE
def withdraw(name: str, item: str, why: str, who: str | None, store: Path) -> None:
    """Take an item out of the queue. It stays in the list, and `queue` brings it back."""
    _decide(store, name, item, who, "withdraw", why, ("draft", "queued", "failed", "trained"))


@command.command()
@NAME
@ITEM
@WHY
@WHO
@STORE
def refute(name: str, item: str, why: str, who: str | None, store: Path) -> None:
    """Record that the premise of an item is wrong, for good.

    Every item that builds on it is closed, unless it is entered: that one is flagged. None can be added or queued.
    """
    from genelab.campaign.files import decide, editing
    from genelab.campaign.intake import entries_of
    from genelab.campaign.state import CLOSED, standings

    with editing(_folder(store, name)) as campaign:
        premise = campaign.item(item).premise
        if premise is None:
            raise InputError(f"item '{item}' has no premise")
        for each in standings(campaign, entries_of(store)).values():
            builds = each.item.premise is not None and each.item.premise.text == premise.text
            # That of the item itself records it, whatever became of the item.
            if each.item.id == item or (builds and each.state not in CLOSED):
                decide(campaign.folder, who, "refute", f"premise refuted: {why}", item=each.item.id)
                is_open = each.state not in (*CLOSED, "entered", "published")
                click.echo(f"item '{each.item.id}' is {'closed' if is_open else f'{each.state}, its premise refuted'}")


@command.command()
@NAME
@field_option("--parallel", LaunchCfg, "parallel")
@click.option("--limit", type=click.IntRange(1), help="Items at most.")
@click.option("--preview", is_flag=True, help="Train though the code is not committed. `intake` will not take it.")
@STORE
def launch(name: str, parallel: int, limit: int | None, preview: bool, store: Path) -> int:
    """Train the queue, one item after the other, as `genelab train` does.

    The same command goes on where it stopped, whatever ended it.
    """
    from genelab.campaign.files import load
    from genelab.campaign.intake import entries_of
    from genelab.campaign.launch import launch_queue

    folder = load(_folder(store, name)).folder
    return launch_queue(folder, entries_of(store), click.echo, parallel=parallel, limit=limit, preview=preview)


@command.command()
@NAME
@click.argument("items", metavar="[ITEM]...", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="Every item that is trained or entered.")
@STORE
@field_option("--docs", StoreCfg, "docs", metavar="DIR")
def intake(name: str, items: tuple[str, ...], everything: bool, store: Path, docs: Path) -> int:
    """Take trained items in: check, compare declared with effective changes, enter, compare, render.

    Stops at the first step that fails and says which. The same again does what is left. With --all, an item that fails
    does not keep the others waiting, and what is entered already is compared and rendered again.
    """
    from genelab.campaign.files import editing
    from genelab.campaign.intake import entries_of
    from genelab.campaign.intake import intake as take_in
    from genelab.campaign.page import pages
    from genelab.campaign.state import standings
    from genelab.publish.render import compose, write

    def render() -> None:
        rendering = compose(store, docs)
        write(rendering._replace(texts=rendering.texts | pages(store, docs)))

    if bool(items) == everything:
        raise InputError("intake needs an ITEM or --all, and not both")
    with editing(_folder(store, name)) as campaign:
        found = standings(campaign, entries_of(store))
        if not everything:
            for item in items:
                take_in(campaign, found[campaign.item(item).id], store, render, click.echo)
            return 0
        failed = 0
        chosen = [each for each in found.values() if each.state in ("trained", "entered", "published")]
        for each in chosen:
            try:
                # The pages once, in the end.
                take_in(campaign, each, store, lambda: None, click.echo)
            except GenelabError as error:
                click.echo(f"error: {error}", err=True)
                failed += 1
        # Also if an earlier intake was killed before it.
        render()
    if not chosen:
        click.echo("no item is trained or entered")
    return 1 if failed else 0


@command.command()
@NAME
@ITEM
@click.option("--decision", type=click.Choice(get_args(Decision)), required=True, help="What follows from it.")
@SEEDS
@WHY
@WHO
@STORE
def judge(
    name: str, item: str, decision: Decision, seeds: tuple[int, ...] | None, why: str, who: str | None, store: Path
) -> None:
    """Close an item that is entered, or repeat it with more seeds, which are pooled with those it has."""
    from genelab.campaign.items import planned_runs, within
    from genelab.campaign.results import told, verdict_on
    from genelab.campaign.state import Entries, Standing

    def check(campaign: "Campaign", found: dict[str, Standing], entries: Entries) -> None:
        baseline = found[item].item.baseline
        verdict = verdict_on(campaign, found[item], found, entries)
        if baseline and not verdict:
            raise InputError(f"item '{item}' has no verdict yet: its baseline '{baseline}' has no entry")
        if decision == "adopt" and verdict and verdict.verdict == "not_comparable":
            raise InputError(f"--decision adopt: item '{item}' is {told(verdict)}, so nothing speaks for it")
        if (decision == "repeat") != (seeds is not None):
            raise InputError("--seeds: must be given with --decision repeat, and only then")
        if old := set(seeds or ()) & set(found[item].seeds):
            raise InputError(f"--seeds {min(old)}: item '{item}' has it already; only new seeds tell something new")
        runs = planned_runs(found) + len(seeds or ())
        if warning := within("runs of the campaign", runs, campaign.record.caps.runs):
            click.echo(f"warning: {warning}")

    fields = {"decision": decision, "seeds": seeds or ()}
    _decide(store, name, item, who, "judge", why, ("entered", "published"), check, **fields)


@command.command()
@NAME
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@STORE
def status(name: str, as_json: bool, store: Path) -> int:
    """Show where targets and items stand, and what is stale. Exit code 1 if anything regressed."""
    from genelab.campaign.files import load
    from genelab.campaign.intake import entries_of
    from genelab.campaign.page import ITEM_HEAD, TARGET_HEAD, item_row, target_row
    from genelab.campaign.results import regressed, stale_code, verdicts
    from genelab.campaign.state import next_items, spent_hours, standings
    from genelab.show.table import table_lines

    campaign, entries = load(_folder(store, name)), entries_of(store)
    found = standings(campaign, entries)
    targets = [target_row(campaign, target, found, entries) for target in campaign.record.targets]
    compared = {name: verdicts(campaign, each, found, entries) for name, each in found.items()}
    items = [item_row(each, found, compared[name]) for name, each in found.items()]
    worse = regressed(found, compared)
    old = [line for target in campaign.record.targets for line in stale_code(campaign, found, target, entries)]
    waiting = [each.item.id for each in next_items(found)]
    tables = {"targets": (TARGET_HEAD, targets), "items": (ITEM_HEAD, items)}
    if as_json:
        shown: dict[str, Any] = {
            key: [dict(zip(head, row, strict=True)) for row in rows] for key, (head, rows) in tables.items()
        }
        hours = round(spent_hours(campaign, found), 4)
        click.echo(json.dumps({**shown, "queue": waiting, "hours": hours, "stale": old, "regressed": worse}, indent=2))
        return 1 if worse else 0
    for head, rows in tables.values():
        columns = {column: [row[k] for row in rows] for k, column in enumerate(head)}
        click.echo("\n".join([*table_lines(columns, left=head), ""]))
    click.echo(f"next: {waiting[0] if waiting else 'nothing is queued'}")
    click.echo(f"hours of training so far: {spent_hours(campaign, found):.2f}")
    for line in [*(f"stale: {line}" for line in old), *(f"regressed: {line}" for line in worse)]:
        click.echo(line)
    return 1 if worse else 0


def _folder(store: Path, name: str) -> Path:
    from genelab.campaign.files import FOLDER

    return store.parent / FOLDER / name


def _decide(
    store: Path,
    name: str,
    item: str,
    who: str | None,
    what: Event,
    why: str,
    states: tuple[str, ...],
    check: Any = None,
    **told: Any,
) -> None:
    """Record a decision on an item in one of some states."""
    from genelab.campaign.files import decide, editing
    from genelab.campaign.intake import entries_of
    from genelab.campaign.state import standings

    with editing(_folder(store, name)) as campaign:
        entries = entries_of(store)
        found = standings(campaign, entries)
        state = found[campaign.item(item).id].state
        if state not in states:
            raise InputError(f"item '{item}' is {state}: {what} needs one that is {' or '.join(states)}")
        if check:
            check(campaign, found, entries)
        decide(campaign.folder, who, what, why, item=item, **told)
    click.echo(f"{what}: item '{item}'")
