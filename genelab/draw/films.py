"""Writes films: MP4, GIF, or a strip of pictures as PNG."""

import itertools
from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, TypeVar

import av
import numpy as np
from PIL import Image

from genelab.draw.depiction import Picture

T = TypeVar("T")

TILES, COLUMNS = 8, 4
"""Pictures in a strip, and in one of its rows."""
SIZES = {".mp4": (960, 540), ".gif": (480, 270), ".png": (480, 270)}
"""Width and height of a picture by the file's ending, pixels; of a strip, of one of its pictures."""


def shown(moments: Sequence[T], suffix: str) -> Sequence[T]:
    """Those moments of a film that are drawn: in a strip a few, spread evenly, otherwise all."""
    if suffix != ".png":
        return moments
    return [moments[k] for k in np.linspace(0, len(moments) - 1, min(TILES, len(moments))).round().astype(int)]


def write(path: Path, suffix: str, pictures: Iterable[Picture], rate: Fraction) -> int:
    """Write pictures to a file.

    Args:
        path: the file, whatever it is called.
        suffix: a key of `SIZES`, which says what it becomes.
        pictures: all of one size, in even numbers of pixels.
        rate: pictures a second.

    Returns:
        How many pictures there were.
    """
    match suffix:
        case ".mp4":
            return _mp4(path, pictures, rate)
        case ".gif":
            return _gif(path, pictures, rate)
        case _:
            return _strip(path, pictures)


def _mp4(path: Path, pictures: Iterable[Picture], rate: Fraction) -> int:
    """H.264."""
    count = 0
    with av.open(str(path), mode="w", format="mp4") as container:
        stream: Any = container.add_stream("libx264", rate=rate)
        stream.pix_fmt = "yuv420p"
        for picture in pictures:
            if count == 0:
                stream.height, stream.width = picture.shape[:2]
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
            count += 1
        container.mux(stream.encode())
    return count


def _gif(path: Path, pictures: Iterable[Picture], rate: Fraction) -> int:
    images = [Image.fromarray(picture) for picture in pictures]
    # One palette for all, or the ground would flicker.
    palette = images[len(images) // 2].quantize(256, method=Image.Quantize.FASTOCTREE)
    reduced = [image.quantize(palette=palette, dither=Image.Dither.NONE) for image in images]
    # A GIF counts in hundredths of a second: each picture lasts to the nearest one, so that the film is not too slow.
    ends = [round(100 * k / rate) for k in range(len(images) + 1)]
    lasts = [10 * (after - before) for before, after in itertools.pairwise(ends)]
    reduced[0].save(path, format="gif", save_all=True, append_images=reduced[1:], duration=lasts, loop=0)
    return len(images)


def _strip(path: Path, pictures: Iterable[Picture]) -> int:
    tiles = [*pictures]
    height, width = tiles[0].shape[:2]
    columns = min(COLUMNS, len(tiles))
    strip = Image.new("RGB", (columns * width, -(-len(tiles) // columns) * height))
    for number, tile in enumerate(tiles):
        strip.paste(Image.fromarray(tile), (number % columns * width, number // columns * height))
    # A palette makes it a third as large.
    strip.quantize(256, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE).save(
        path, format="png", optimize=True
    )
    return len(tiles)
