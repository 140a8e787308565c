"""`genelab info`."""

import difflib
import json
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from genelab.cli.tasks import PATH, TASK, VARIANT
from genelab.config.fields import Leaf, leaves
from genelab.config.snapshot import config_sha256
from genelab.config.vector import VectorEnvCfg
from genelab.errors import InputError
from genelab.registry import get_task, variants_of

if TYPE_CHECKING:
    from genelab.config.task import TaskSpec

WIDTH = 100
"""Longest line of prose, characters."""


@click.command
@TASK
@PATH
@VARIANT
@click.option(
    "--changed", is_flag=True, help="Show only what differs from the defaults; with --variant, from the task itself."
)
@click.option("--sizes", is_flag=True, help="Count the columns of the observations. Imports torch: some seconds.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option(
    "--write",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write the values that are shown into a new file, for `genelab train TASK --config FILE`.",
)
def command(
    task_id: str,
    path: str | None,
    variant: str | None,
    changed: bool,
    sizes: bool,
    as_json: bool,
    write: Path | None,
) -> None:
    """Show every setting of a task: value, default and meaning.

    PATH is a part of the task, such as `env.rewards`; without it, a summary comes first. What lies in env, agent,
    train, start, stages, protocol or probe can be changed by `genelab train TASK --set PATH=VALUE`.
    Of a stage, what differs from the task's own is shown; `--json` has all. The joints of the robot follow, with their
    ranges.
    """
    if write is not None and as_json:
        raise click.UsageError("--write and --json exclude each other")
    task = get_task(task_id, variant)
    every = list(leaves(task))
    base = {leaf.path: leaf.value for leaf in leaves(get_task(task_id))} if changed and variant else None
    shown = [leaf for leaf in _below(every, path) if not changed or _differs(leaf, base)]
    if write is not None:
        _write(task, shown, write)
        return
    joints = {} if path or isinstance(task.env, VectorEnvCfg) else dict(task.env.robot.file.joints)
    if as_json:
        body = {"id": task.id, "config_sha256": config_sha256(task), "fields": [leaf._asdict() for leaf in shown]}
        click.echo(json.dumps(body | ({"joint_ranges": joints} if joints else {}), indent=2))
        return
    lines = [] if path else [*_head(task, sizes), ""]
    lines += _lines(_own_of_stages(shown, every, task), base)
    if joints and not changed:
        lines += ["", "Joints of the model file, with their ranges in m or rad:"]
        lines += [f"    {name} {list(ends) if ends else 'turns without end'}" for name, ends in joints.items()]
    for line in lines:
        click.echo(line)


def _below(every: Sequence[Leaf], path: str | None) -> list[Leaf]:
    """The values at a path or below it."""
    found = [leaf for leaf in every if path is None or f"{leaf.path}.".startswith(f"{path.rstrip('.')}.")]
    if not found:
        parts = {".".join(leaf.path.split(".")[:k]) for leaf in every for k in range(1, leaf.path.count(".") + 2)}
        nearest = difflib.get_close_matches(str(path), sorted(parts), n=3, cutoff=0.0)
        raise InputError(f"{path}: unknown path; nearest: {', '.join(nearest)}")
    return found


def _differs(leaf: Leaf, base: Mapping[str, object] | None) -> bool:
    """Whether a value differs from that of the base, or, without one, from the default."""
    if base is None:
        return leaf.required or leaf.value != leaf.default
    return leaf.path not in base or leaf.value != base[leaf.path]


def _own_of_stages(shown: Sequence[Leaf], every: Sequence[Leaf], task: "TaskSpec") -> list[Leaf]:
    """The values without those of stages that are the task's own."""
    own = {leaf.path: leaf.value for leaf in every}
    kept: list[Leaf] = []
    for leaf in shown:
        stage = next((f"stages.{name}." for name in task.stages if leaf.path.startswith(f"stages.{name}.")), None)
        path = leaf.path.removeprefix(stage or "")
        if stage is None or path not in own or own[path] != leaf.value:
            kept.append(leaf)
    return kept


def _lines(shown: Sequence[Leaf], base: Mapping[str, object] | None) -> list[str]:
    """Values, each with what it differs from. A meaning is told once."""
    lines: list[str] = []
    told: set[str] = set()
    for leaf in shown:
        if base is not None:
            beside = f"  (task {json.dumps(base[leaf.path])})" if leaf.path in base else ""
        elif leaf.required:
            beside = ""
        else:
            beside = "  (default)" if leaf.value == leaf.default else f"  (default {json.dumps(leaf.default)})"
        lines.append(f"{leaf.path} = {json.dumps(leaf.value)}{beside}")
        if leaf.meaning not in told:
            told.add(leaf.meaning)
            lines += textwrap.wrap(leaf.meaning, WIDTH, initial_indent="    ", subsequent_indent="    ")
    return lines


def _head(task: "TaskSpec", sizes: bool) -> list[str]:
    """What one wants to know first."""
    env, agent = task.env, task.agent
    others = [] if task.variant else variants_of(task.id)
    action = env.action_columns
    if isinstance(env, VectorEnvCfg):
        made, kind = ("made by", env.make), "vector"
    else:
        made, kind = ("robot", f"{env.robot.model}, {len(env.robot.joints)} joints"), env.action.kind
    *stages, (name, whole) = task.budget()
    rows = [
        made,
        *(("observations", line) for line in _observations(task, sizes)),
        ("actions", f"{len(action)} ({kind}): {', '.join(action)}"),
        ("control", f"{1 / env.control_dt:g} Hz, in {env.engine}"),
        ("episodes", f"{env.length_s:g} s, {env.max_episode_steps} control steps"),
        ("learner", f"{agent.algorithm} of {agent.trainer}"),
        *stages,
        (name, f"{whole}; {task.env_steps(task.all_iterations):,} control steps in all"),
        ("evaluation", f"{task.protocol.episodes} episodes"),
        ("variants", f"{', '.join(others)} (--variant)" if others else task.variant or "none"),
        ("config", config_sha256(task)),
    ]
    lines = [f"{task.id}: {task.summary}", ""]
    for name, text in rows:
        lines += textwrap.wrap(text, WIDTH, initial_indent=f"{name:14}", subsequent_indent=" " * 14)
    return lines


def _observations(task: "TaskSpec", sizes: bool) -> list[str]:
    lines: list[str] = []
    for name, group in task.env.observations.items():
        counted = f" {_size(task, name)}" if sizes else ""
        frames = f", {group.history} frames" if group.history > 1 else ""
        lines.append(f"{name}{counted}{frames}: {', '.join(group.terms)}")
    return lines


def _size(task: "TaskSpec", group: str) -> str:
    """Number of columns of an observation group."""
    if isinstance(task.env, VectorEnvCfg):
        return str(sum(len(part.columns) for part in task.env.observation.values()))
    # Brings torch with it.
    from genelab.mdp.term import observed

    columns = [term.columns() for term in observed(task.env, group)]
    if any(names is None for names in columns):
        return "(a term does not say its columns)"
    return str(sum(len(names or ()) for names in columns) * task.env.observations[group].history)


def _write(task: "TaskSpec", shown: Sequence[Leaf], file: Path) -> None:
    from genelab.config.override_file import override_lines
    from genelab.runs.files import atomic_path, require_place

    if file.exists():
        raise InputError(f"--write {file}: exists; choose another name")
    require_place("--write", file)
    variant = f" --variant {task.variant}" if task.variant else ""
    head = f"# For `genelab train {task.id}{variant} --config {file.name}`."
    lines = [head, "", *override_lines(shown)]
    with atomic_path(file) as part:
        part.write_text("\n".join(lines) + "\n", encoding="utf-8")
    click.echo(f"wrote {file}")
