"""Writes films."""

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray


def encode(path: Path, pictures: Iterable[NDArray[np.uint8]], rate: Fraction, size: tuple[int, int]) -> int:
    """Encode pictures as H.264 in an MP4 file.

    Args:
        path: the file.
        pictures: RGB. Shape of each: (height, width, 3).
        rate: pictures a second.
        size: width and height, even numbers of pixels.

    Returns:
        How many pictures there were.
    """
    count = 0
    with av.open(str(path), mode="w", format="mp4") as container:
        stream: Any = container.add_stream("libx264", rate=rate)
        stream.width, stream.height = size
        stream.pix_fmt = "yuv420p"
        for picture in pictures:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
            count += 1
        container.mux(stream.encode())
    return count
