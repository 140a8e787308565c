"""`genelab motion`."""

import re
from pathlib import Path
from typing import Any

import click

from genelab.config.env import EnvCfg
from genelab.config.scene import RobotCfg
from genelab.config.task import TaskSpec
from genelab.errors import InputError
from genelab.registry import get_task, registered_tasks
from genelab.runs.files import atomic_path, require_place

SUFFIX = ".safetensors"
"""Ending of a clip's file."""
OUT = click.option(
    "--out", type=click.Path(path_type=Path), metavar="FILE", required=True, help=f"Write the clip here, {SUFFIX}."
)


@click.group
def command() -> None:
    """Import, make, measure and draw motion clips.

    A clip is what a robot is to do, frame by frame: joints and links of one robot, one frame for every control step.
    """


@command.command("import")
@click.argument("task_id", metavar="TASK")
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
@OUT
@click.option("--fps", type=click.FloatRange(0.0, min_open=True), help="Frames per second, where FILE does not say.")
@click.option("--quat", type=click.Choice(["xyzw", "wxyz"]), help="Order of its quaternions, where it is unclear.")
@click.option(
    "--order",
    type=click.Choice(["depth-first", "breadth-first"]),
    help="Order of its joints and links, where they have no names; by default that which fits the robot.",
)
@click.option("--range", "frames", metavar="FIRST:LAST", help="Take these frames alone, counted from 1.")
@click.option("--ground", is_flag=True, help="Lift all frames by one constant, so that the feet are on the ground.")
@click.option("--fill-wrists", is_flag=True, help="Give the wrists their default positions, where FILE has none.")
@click.option("--name", help="What the clip shows; by default the name of FILE.")
@click.option("--source", help="Where the motion comes from. Recorded as given.")
@click.option("--licence", help="Its licence. Recorded as given.")
@click.option("--anyway", is_flag=True, help="Write a clip that breaks joint ranges or speeds, floats, sinks or slips.")
def import_command(
    task_id: str,
    file: Path,
    out: Path,
    fps: float | None,
    quat: Any,
    order: Any,
    frames: str | None,
    ground: bool,
    fill_wrists: bool,
    name: str | None,
    source: str | None,
    licence: str | None,
    anyway: bool,
) -> None:
    """Import a motion of another program as a clip for the robot of TASK.

    FILE is a csv or npy of positions, an npz of mjlab, whole_body_tracking or holosoma, a csv of SEED, or a clip; its
    content tells which. Links are computed anew, and frames are resampled to the control steps of TASK.
    """
    task = get_task(task_id)
    require_place("--out", out, SUFFIX, inputs=[file])

    from genelab.families.tracking.formats import Given
    from genelab.families.tracking.importing import Import, import_clip
    from genelab.families.tracking.recipes import motions_of

    given = Given(fps, quat, order, fill_wrists)
    asked = Import(given, _range(frames), ground, name, source, licence)
    robot = task.scene.robot
    found = import_clip(file, robot, motions_of(robot), 1.0 / task.scene.control_dt, asked)
    for warning in found.warnings:
        click.echo(f"warning: {warning}", err=True)
    for line in found.quality.lines():
        click.echo(line)
    if (problems := found.quality.problems()) and not anyway:
        raise InputError(f"'{file}': {problems[0]}{_more(problems)}; --anyway writes it all the same")
    for problem in problems:
        click.echo(f"warning: {problem}", err=True)
    _write(found.clip.encode(), out)


@command.command("make")
@click.argument("task_id", metavar="TASK")
@click.argument("name", metavar="NAME")
@OUT
def make_command(task_id: str, name: str, out: Path) -> None:
    """Make one of the clips that are known for the robot of TASK.

    The feet stand flat and still, and the zero-moment point of inverse dynamics lies within them. The same NAME gives
    the same bytes. An unknown NAME lists the known ones.
    """
    task = get_task(task_id)
    require_place("--out", out, SUFFIX)

    from genelab.families.tracking.kinematics import motion_of
    from genelab.families.tracking.making import make_clip
    from genelab.families.tracking.quality import quality_of
    from genelab.families.tracking.recipes import motions_of

    robot, motions = task.scene.robot, motions_of(task.scene.robot)
    clip = make_clip(name, robot, motions, 1.0 / task.scene.control_dt)
    quality = quality_of(motion_of(clip), robot, motions.feet)
    for line in quality.lines():
        click.echo(line)
    if problems := quality.problems():
        raise InputError(f"clip '{name}': {problems[0]}{_more(problems)}")
    _write(clip.encode(), out)


@command.command("info")
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
@click.option("--task", "task_id", metavar="TASK", help="Measure for its robot; by default the first that fits.")
def info_command(file: Path, task_id: str | None) -> None:
    """Tell what a clip is, where it comes from, and what it asks of the robot."""
    from genelab.families.tracking.clip import Clip, clip_for
    from genelab.families.tracking.kinematics import motion_of
    from genelab.families.tracking.quality import quality_of
    from genelab.families.tracking.recipes import motions_of

    clip = Clip.read(file)
    info = clip.info
    task = get_task(task_id) if task_id else _task_of(file, info.model_sha256)
    if task_id:
        clip_for(file, task.scene.robot, task.scene.control_dt)
    for field, value in {
        "name": info.name,
        "source": info.source,
        "licence": info.licence,
        "model": f"{info.model} {info.model_sha256}",
        "input": info.input_sha256 or "none, it was made",
        "fps": f"{info.fps:g}",
        **info.options,
    }.items():
        click.echo(f"{field:<9} {value}")
    robot: RobotCfg = task.scene.robot
    quality = quality_of(motion_of(clip), robot, motions_of(robot).feet)
    for line in [*quality.lines(), *(f"unfit     {problem}" for problem in quality.problems())]:
        click.echo(line)


@command.command("show")
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
@click.option(
    "--out", type=click.Path(path_type=Path), metavar="FILE", required=True, help="Draw it here, .mp4, .gif or .png."
)
def show_command(file: Path, out: Path) -> None:
    """Draw a clip, without a display: a film (.mp4, .gif) or a strip of frames (.png)."""
    require_place("--out", out, ".mp4", ".gif", ".png")

    from genelab.families.tracking.clip import Clip
    from genelab.families.tracking.pictures import write_pictures

    count = write_pictures(Clip.read(file), out)
    click.echo(f"wrote {out}: {count} frames")


def _range(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    if not (found := re.fullmatch(r"(\d+):(\d+)", text)):
        raise InputError(f"--range {text}: must be FIRST:LAST, numbers of frames")
    return int(found[1]), int(found[2])


def _task_of(file: Path, model_sha256: str) -> TaskSpec:
    # Those of a benchmark last: it has many.
    for known in sorted(registered_tasks(), key=lambda known: known.group is not None):
        task = get_task(known.id)
        if isinstance(task.env, EnvCfg) and task.env.robot.model_sha256 == model_sha256:
            return task
    raise InputError(f"clip '{file}': no registered task has a robot of its model {model_sha256}")


def _write(content: bytes, out: Path) -> None:
    with atomic_path(out) as part:
        part.write_bytes(content)
    click.echo(f"wrote {out}")


def _more(problems: list[str]) -> str:
    return f", and {len(problems) - 1} more" if len(problems) > 1 else ""
