"""Tables as plain text and as Markdown."""

import io
from collections.abc import Collection, Mapping, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

_WIDE = 100_000
"""Wider than any line, so that nothing is cut or wrapped."""


def table_lines(columns: Mapping[str, Sequence[str]], left: Collection[str]) -> list[str]:
    """The lines of a table, without colours.

    Args:
        columns: cells by the name of their column.
        left: columns that are aligned on the left; the others are numbers.
    """
    table = Table(box=None, pad_edge=False)
    for name in columns:
        table.add_column(Text(name), justify="left" if name in left else "right", no_wrap=True)
    for row in zip(*columns.values(), strict=True):
        table.add_row(*map(Text, row))
    text = io.StringIO()
    Console(file=text, width=_WIDE, color_system=None).print(table)
    return [line.rstrip() for line in text.getvalue().splitlines()]


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown. Its cells are safe for one (`genelab.show.text.cell`)."""
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|", *(f"| {' | '.join(row)} |" for row in rows)]
    return "\n".join(lines) + "\n"
