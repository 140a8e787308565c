"""The `genelab` command. Commands are imported when they run, so that help and listing stay fast."""

import importlib
import io
import os
import re
import sys
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path

import click

from genelab import __version__
from genelab.errors import GenelabError

COMMANDS = {
    "list": ("genelab.cli.list", "List the registered tasks, with the best published result of each."),
    "info": ("genelab.cli.info", "Show every setting of a task: value, default and meaning."),
    "train": ("genelab.cli.train", "Train a task on several seeds and evaluate each."),
    "eval": ("genelab.cli.eval", "Evaluate a checkpoint on numbered episodes, beside an idle and a random policy."),
    "replay-guard": ("genelab.cli.replay_guard", "Repeat the iteration that a guard stopped, up to its fault."),
    "collect-demos": ("genelab.cli.collect_demos", "Collect demonstrations of a task by its scripted controller."),
    "inspect": (
        "genelab.cli.inspect",
        "Show what every dimension of observations and actions holds, and flag what looks wrong.",
    ),
    "probe": (
        "genelab.cli.probe",
        "Drive a policy with fixed commands and report how much of each it achieves.",
    ),
    "plot": ("genelab.cli.plot", "Draw the learning curves of several runs, sweeps and entries into one picture."),
    "video": ("genelab.cli.video", "Film episodes of a task's evaluation, without a display."),
    "play": ("genelab.cli.play", "Watch and steer a policy live in the browser."),
    "motion": ("genelab.families.tracking.cli", "Import, make, measure and draw motion clips."),
    "export": ("genelab.cli.export", "Export a policy with its contract."),
    "sim2sim": ("genelab.cli.sim2sim", "Evaluate an exported policy in another simulator."),
    "doctor": ("genelab.cli.doctor", "Show what genelab finds on this machine, and what is wrong with it."),
    "check": ("genelab.cli.check", "Recompute what records claim: aggregates, hashes, verdicts, seeds."),
    "compare": (
        "genelab.cli.compare",
        "Compare the results of two sets of seeds: B, the new one, with A, the old one.",
    ),
    "report": (
        "genelab.cli.report",
        "Make a folder of static pages about results: tables, interactive curves, comparisons, films.",
    ),
    "diff": ("genelab.cli.diff", "Show where two configurations differ."),
    "campaign": ("genelab.cli.campaign", "Queue trainings towards targets, and decide on each."),
    "reference": ("genelab.cli.reference", "Add to and list the store of published entries."),
    "hub": ("genelab.cli.hub", "Publish entries and policies on the Hugging Face Hub, copy and verify them."),
    "render": (
        "genelab.cli.render",
        "Render docs/reference-runs.md and the learning curves from the checked entries of the store.",
    ),
}
"""Module and first help line of each command. The module's attribute `command` is the click command."""

INTERRUPTED = 130


class LazyGroup(click.Group):
    """A group that knows its commands by name and imports one only to run it or to show its own help."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names in the order of the table."""
        # Not list(): in this package that is the module of the command.
        return [*COMMANDS]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command; None if there is none of that name."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(COMMANDS[cmd_name][0]).command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command of a line; an unknown one, or an option given twice, is an error."""
        if args[0] not in COMMANDS and not args[0].startswith("-"):
            nearest = get_close_matches(args[0], COMMANDS, n=1)
            hint = f"nearest: {nearest[0]}" if nearest else "`genelab --help` lists them"
            raise click.UsageError(f"no command '{args[0]}'; {hint}", ctx)
        name, command, words = super().resolve_command(ctx, args)
        if command is not None:
            _refuse_repeated(command, words, ctx)
        return name, command, words

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the table without importing the commands."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


def _refuse_repeated(command: click.Command, words: list[str], parent: click.Context) -> None:
    """Refuse an option given twice: click would take the last one and say nothing."""
    context = click.Context(command, parent=parent)
    try:
        _, rest, order = command.make_parser(context).parse_args([*words])
    except click.UsageError:
        # Told when the command runs.
        return
    for option in order:
        once = isinstance(option, click.Option) and not (option.multiple or option.is_flag)
        if once and order.count(option) > 1:
            raise click.UsageError(f"{option.opts[0]}: given twice", context)
    below = command.get_command(context, rest[0]) if isinstance(command, click.Group) and rest else None
    if below is not None:
        _refuse_repeated(below, rest[1:], context)


def _dashes(token: str) -> str:
    return token.replace("_", "-")


@click.group(
    cls=LazyGroup,
    # The published protocol writes --log_dir but --num-envs: both spellings of every option work.
    context_settings={
        "token_normalize_func": _dashes,
        "help_option_names": ["-h", "--help"],
        "show_default": True,
        "max_content_width": 120,
    },
)
@click.version_option(__version__, message="%(prog)s %(version)s")
def group() -> None:
    """Train, evaluate and publish robot-learning results that anyone can check.

    Begin with `genelab list`, then `genelab train TASK --seeds 1,2,3`. `genelab COMMAND -h` explains a command.
    """


def run(args: Sequence[str] | None = None) -> int:
    """Run a command line and return its exit code. An expected error is one line on stderr.

    A command returns None or its exit code.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A terminal or locale may know fewer characters than we print.
        sys.stdout.reconfigure(errors="replace")
    words = [_from_home(word) for word in (sys.argv[1:] if args is None else args)]
    if odd := [word for word in words if word.encode(errors="replace").decode() != word]:
        # Records hold the command and what it names, and are read as UTF-8.
        return _fail(f"{odd[0]!a}: must be text that UTF-8 can hold", 2)
    try:
        code = group.main(words, prog_name="genelab", standalone_mode=False)
    except click.Abort:
        return _fail("interrupted", INTERRUPTED)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return error.exit_code
    except click.ClickException as error:
        # The values that an option takes would stand on lines of their own.
        return _fail(" ".join(error.format_message().split()), error.exit_code)
    except GenelabError as error:
        return _fail(str(error), error.exit_code)
    except OSError as error:
        from genelab.runs.files import disk_error

        where = error.filename or "no file named"
        told = disk_error(error, Path(str(where)))
        if told is None:
            raise
        # Not its words: the file may have been read.
        return _fail(f"{error.strerror}: {where}", told.exit_code)
    return code if isinstance(code, int) else 0


def _from_home(word: str) -> str:
    """Expand `~` behind `=`, as in `--store=~/runs`: shells do not, and a folder of that name is a trap."""
    # Not Path.expanduser, which raises where there is no home.
    home = os.path.expanduser("~")  # noqa: PTH111
    return re.sub(r"^((?:[\w.-]+=)+)~(?=/|$)", lambda found: found[1] + home, word)


def _fail(message: str, code: int) -> int:
    click.echo(f"error: {message}", err=True)
    return code


def main() -> None:
    """Entry point of the `genelab` script."""
    sys.exit(run())
