"""Numbers and names as the page prints them."""

from collections.abc import Sequence

NONE = "-"
"""What a table shows where there is no value."""


def number(value: float | None, digits: int = 3) -> str:
    """A number in the published precision."""
    if value is None:
        return NONE
    text = f"{value:.{digits}f}"
    return text.lstrip("-") if float(text) == 0.0 else text


def seconds(value: float | None) -> str:
    """A wall-clock time."""
    return NONE if value is None else f"{value:.1f} s"


def single(values: Sequence[float], digits: int = 3) -> str:
    """One number if all print alike, else their range."""
    low, high = number(min(values), digits), number(max(values), digits)
    return low if low == high else f"{low} to {high}"


def cell(value: object) -> str:
    """Any text, made safe for one line of a Markdown table."""
    return " ".join(str(value).replace("|", "\\|").replace("<", "&lt;").split())
