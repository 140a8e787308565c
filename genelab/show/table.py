"""Tables as plain text and as Markdown."""

from collections.abc import Collection, Mapping, Sequence

from rich.cells import cell_len


def table_lines(columns: Mapping[str, Sequence[str]], left: Collection[str]) -> list[str]:
    """The lines of a table, without colours.

    Args:
        columns: cells by the name of their column.
        left: columns that are aligned on the left; the others are numbers.
    """
    padded: list[list[str]] = []
    for name, cells in columns.items():
        widths = [cell_len(cell) for cell in (name, *cells)]
        widest = max(widths)
        pairs = zip((name, *cells), (" " * (widest - width) for width in widths), strict=True)
        padded.append([cell + blank if name in left else blank + cell for cell, blank in pairs])
    return ["  ".join(row).rstrip() for row in zip(*padded, strict=True)]


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown. Its cells are safe for one (`genelab.show.text.cell`)."""
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|", *(f"| {' | '.join(row)} |" for row in rows)]
    return "\n".join(lines) + "\n"
