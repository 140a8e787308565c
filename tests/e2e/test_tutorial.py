"""The tutorial, run as a reader would: the files that it shows, then its commands in order.

`GENELAB_REFRESH=1 pytest tests/e2e/test_tutorial.py` writes what the commands print into the page.
"""

import os
import re
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.conftest import apart

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "start" / "tutorial.md"
PACKAGE = ROOT / "tests" / "example_package"
CONSOLE = re.compile(r"```console\n(.*?)```", re.DOTALL)
PROGRESS = re.compile(r"\d{4}-\d\d-\d\dT\S+Z ")
FILE = re.compile(r"```\w+\n(?:# |<!-- )([\w/.]+)(?: -->)?\n(.*?)```", re.DOTALL)

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


def test_the_files_of_the_page_are_those_of_the_example_package() -> None:
    shown = dict(FILE.findall(PAGE.read_text()))
    assert shown == {str(path.relative_to(PACKAGE)): path.read_text() for path in PACKAGE.rglob("*.*") if known(path)}


def known(path: Path) -> bool:
    return path.suffix in (".py", ".xml", ".toml")


def masked(text: str) -> list[list[str]]:
    """The words of each line, without what depends on the machine: numbers, digests and widths of columns."""
    text = re.sub(r"\b[0-9a-f]{12,64}\b", "DIGEST", text)
    text = re.sub(r"[-+]?\d[\d.,]*(e[-+]\d+)?", "N", text)
    return [line.split() for line in text.splitlines()]


@pytest.mark.timeout(3600)
def test_the_commands_print_what_the_page_shows(install: Callable[[str], Path], tmp_path: Path) -> None:
    site = install("example_package")

    def run(block: re.Match[str]) -> str:
        lines: list[str] = []
        for command in re.findall(r"^\$ (.*)$", block[1], re.MULTILINE):
            program, *words = shlex.split(command)
            assert program == "genelab"
            done = apart(*words, timeout=1800, path=site, cwd=tmp_path)
            assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
            # What shows progress alone is left out: how many lines there are depends on the time.
            printed = [line.rstrip() for line in done.stdout.splitlines() if not PROGRESS.match(line)]
            lines += [f"$ {command}", *printed]
        return "\n".join(["```console", *lines, "```"])

    page = PAGE.read_text()
    printed = CONSOLE.sub(run, page)
    if os.environ.get("GENELAB_REFRESH"):
        PAGE.write_text(printed)
    assert masked(printed) == masked(page)
