from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from genelab.draw.films import write


def test_a_film_holds_every_picture_at_its_rate(tmp_path: Path):
    """Pictures of one grey each, from black to white, which a lossy format keeps nearly."""
    greys = np.linspace(0, 255, 10).astype(np.uint8)
    pictures = (np.full((48, 64, 3), grey, dtype=np.uint8) for grey in greys)
    assert write(tmp_path / "a.mp4", ".mp4", pictures, Fraction(25, 2)) == 10
    with av.open(str(tmp_path / "a.mp4")) as film:
        assert film.streams.video[0].average_rate == Fraction(25, 2)
        found = [frame.to_ndarray(format="rgb24") for frame in film.decode(video=0)]
    assert np.abs([frame.mean() for frame in found] - greys.astype(float)).max() < 5.0
    assert found[0].shape == (48, 64, 3)
