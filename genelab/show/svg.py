"""Pictures as SVG text."""

import io
from collections.abc import Callable
from typing import Any


def svg(width: float, height: float, fill: Callable[[Any], None]) -> str:
    """SVG text of a picture. Equal drawings give equal text on one machine.

    Args:
        width: in inches.
        height: in inches.
        fill: draws into a matplotlib figure.
    """
    import matplotlib.style
    from matplotlib import rc_context
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    # Defaults first: a user's matplotlibrc must not show. Text stays text, so that no font goes into the file.
    style: Any = {"svg.hashsalt": "genelab", "svg.fonttype": "none", "font.sans-serif": ["DejaVu Sans", "Verdana"]}
    with matplotlib.style.context("default"), rc_context(style):
        figure: Any = Figure(figsize=(width, height), layout="constrained")
        FigureCanvasSVG(figure)
        fill(figure)
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    # Trailing blanks would make editors and hooks change the file.
    return "\n".join(line.rstrip() for line in buffer.getvalue().splitlines()) + "\n"
