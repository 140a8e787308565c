"""Writes pictures of an episode into a file, with the numbers drawn in."""

from collections.abc import Callable, Iterable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


def drawn(
    image: NDArray[np.uint8], lines: list[str], overlay: Callable[[Any, tuple[int, int]], None] | None
) -> NDArray[np.uint8]:
    """A picture with text, and whatever `overlay` draws on a canvas of this width and height.

    Shapes: (height, width, 3) -> (height, width, 3), RGB.
    """
    from PIL import Image, ImageDraw, ImageFont

    picture = Image.fromarray(np.ascontiguousarray(image))
    canvas: Any = ImageDraw.Draw(picture)
    font: Any = ImageFont.load_default(size=15)
    for row, line in enumerate(lines):
        canvas.text((12, 10 + 20 * row), line, font=font, fill=(255, 255, 255), stroke_width=2, stroke_fill=(0, 0, 0))
    if overlay is not None:
        overlay(canvas, picture.size)
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
