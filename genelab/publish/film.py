"""Writes pictures of an episode into a file, with the numbers drawn in."""

import math
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

COMMAND, VELOCITY = (46, 160, 67), (31, 119, 180)
"""Colours of what is asked for and of what is, RGB."""
RADIUS = 60
"""Of the dial, pixels. Its rim is 1 m/s."""


def drawn(
    image: NDArray[np.uint8],
    lines: list[str],
    command: tuple[float, float, float] | None,
    velocity: tuple[float, float, float] | None,
) -> NDArray[np.uint8]:
    """A picture with text, and a dial seen from above: forward is up, left is left.

    Shapes: (height, width, 3) -> (height, width, 3), RGB.
    """
    from PIL import Image, ImageDraw, ImageFont

    picture = Image.fromarray(np.ascontiguousarray(image))
    canvas: Any = ImageDraw.Draw(picture)
    font: Any = ImageFont.load_default(size=15)
    for row, line in enumerate(lines):
        canvas.text((12, 10 + 20 * row), line, font=font, fill=(255, 255, 255), stroke_width=2, stroke_fill=(0, 0, 0))
    if command is not None and velocity is not None:
        x, y = picture.width - RADIUS - 16, RADIUS + 16
        canvas.ellipse((x - RADIUS, y - RADIUS, x + RADIUS, y + RADIUS), fill=(255, 255, 255), outline=(90, 90, 90))
        for (ahead, left, turn), colour, width in ((command, COMMAND, 5), (velocity, VELOCITY, 3)):
            tip = (x - RADIUS * left, y - RADIUS * ahead)
            canvas.line((x, y, *tip), fill=colour, width=width)
            canvas.ellipse((tip[0] - width, tip[1] - width, tip[0] + width, tip[1] + width), fill=colour)
            # A turn to the left runs counter-clockwise from straight ahead, 90 degrees for 1 rad/s.
            start, end = sorted((-90.0, -90.0 - math.degrees(turn * math.pi / 2)))
            if end - start > 1.0:
                inset = 3 * width
                box = (x - RADIUS + inset, y - RADIUS + inset, x + RADIUS - inset, y + RADIUS - inset)
                canvas.arc(box, start, end, fill=colour, width=width)
        for row, (name, colour) in enumerate((("command", COMMAND), ("velocity", VELOCITY))):
            canvas.text((x - 30, y + RADIUS + 6 + 18 * row), name, font=font, fill=colour)
    return np.asarray(picture)


def write_mp4(path: Path, pictures: Iterable[NDArray[np.uint8]], rate: Fraction) -> int:
    """Encode pictures as H.264; returns how many.

    Args:
        path: the file.
        pictures: shape of each: (height, width, 3), RGB, even numbers of pixels.
        rate: pictures a second.

    Raises:
        ValueError: if there are none.
    """
    import av

    count = 0
    with av.open(str(path), mode="w", format="mp4") as container:
        stream: Any = container.add_stream("libx264", rate=rate)
        stream.pix_fmt = "yuv420p"
        for picture in pictures:
            if count == 0:
                stream.height, stream.width = picture.shape[:2]
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
            count += 1
        if count == 0:
            raise ValueError("no pictures")
        container.mux(stream.encode())
    return count
