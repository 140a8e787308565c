"""`genelab info`."""

import json
from collections.abc import Iterator

import click

from genelab.cli.options import VARIANT
from genelab.config.fields import Leaf, leaves
from genelab.config.snapshot import config_sha256, dump
from genelab.config.task import TaskSpec
from genelab.registry import get_task, variants_of


@click.command
@click.argument("task_id", metavar="TASK")
@VARIANT
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(task_id: str, variant: str | None, as_json: bool) -> None:
    """Show every setting of a task: value, default and meaning.

    A path in env, agent, train, start, stages or protocol can be changed by `genelab train TASK --set PATH=VALUE`.
    Of a stage, what differs from the task's own is shown; `--json` has all. The joints of the robot follow, with their
    ranges.
    """
    task = get_task(task_id, variant)
    digest, joints = config_sha256(task), dict(task.env.robot.file.joints)
    if as_json:
        fields = [dump(leaf) for leaf in leaves(task)]
        click.echo(
            json.dumps({"id": task.id, "config_sha256": digest, "fields": fields, "joint_ranges": joints}, indent=2)
        )
        return
    click.echo(f"{task.id}: {task.summary}\nconfig_sha256 {digest}")
    others = variants_of(task.id)
    click.echo(f"variants: {', '.join(others)} (--variant)\n" if others and variant is None else "")
    for leaf in _shown(task):
        click.echo(f"{leaf.path} = {json.dumps(leaf.value)}{_default(leaf)}\n    {leaf.meaning}")
    click.echo("\nJoints of the model file, with their ranges in m or rad:")
    for joint, bounds in joints.items():
        click.echo(f"    {joint} {list(bounds) if bounds else 'turns without end'}")


def _shown(task: TaskSpec) -> Iterator[Leaf]:
    """Every value of the task itself, and of the stages before it those that differ from them."""
    own = {leaf.path: leaf.value for leaf in leaves(task)}
    for leaf in leaves(task):
        stage = next((f"stages.{name}." for name in task.stages if leaf.path.startswith(f"stages.{name}.")), None)
        path = leaf.path.removeprefix(stage or "")
        if stage is None or path not in own or own[path] != leaf.value:
            yield leaf


def _default(leaf: Leaf) -> str:
    if leaf.required:
        return ""
    return "  (default)" if leaf.value == leaf.default else f"  (default {json.dumps(leaf.default)})"
