"""Pictures as SVG text or PNG."""

import io
from collections.abc import Callable
from typing import Any

PNG_DPI = 150


def svg(width: float, height: float, fill: Callable[[Any], None]) -> str:
    """SVG text of a picture. Equal drawings give equal text on one machine.

    Args:
        width: in inches.
        height: in inches.
        fill: draws into a matplotlib figure.
    """
    text = _drawn(width, height, fill, "svg", metadata={"Date": None, "Creator": None}).decode()
    # Trailing blanks would make editors and hooks change the file.
    return "\n".join(line.rstrip() for line in text.splitlines()) + "\n"


def png(width: float, height: float, fill: Callable[[Any], None]) -> bytes:
    """The same as PNG."""
    return _drawn(width, height, fill, "png", dpi=PNG_DPI)


def _drawn(width: float, height: float, fill: Callable[[Any], None], kind: str, **options: Any) -> bytes:
    import matplotlib.style
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    # Defaults first: a user's matplotlibrc must not show. Text stays text, so that no font goes into the file.
    style: Any = {"svg.hashsalt": "genelab", "svg.fonttype": "none", "font.sans-serif": ["DejaVu Sans", "Verdana"]}
    with matplotlib.style.context("default"), rc_context(style):
        figure: Any = Figure(figsize=(width, height), layout="constrained")
        fill(figure)
        buffer = io.BytesIO()
        figure.savefig(buffer, format=kind, **options)
    return buffer.getvalue()
