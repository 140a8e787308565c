"""Cameras computed from what moves."""

import math

import numpy as np
import pytest

from genelab.draw.camera import ABOVE, BELOW, BESIDE, FOV_Y, STILL, Camera, Followed, frame, smoothed

ASPECT = 16 / 9


def _seen(camera: Camera, points: np.ndarray) -> np.ndarray:
    """Where points are in the picture, from -1 to 1. Shape: (any, 2)."""
    right, up, forward = ((points - camera.lookat_w) @ camera.axes.T).T
    tan = math.tan(FOV_Y / 2) * (camera.distance + forward)
    return np.stack([right / (tan * ASPECT), up / tan], axis=1)


@pytest.mark.parametrize("spread", [(1.0, 1.0, 1.0), (5.0, 0.1, 0.5), (0.1, 0.1, 3.0), (0.1, 4.0, 0.1)])
def test_a_still_camera_is_as_near_as_all_points_allow(spread: tuple[float, float, float]):
    points = np.random.default_rng(0).uniform(-1.0, 1.0, (20, 30, 3)) * spread + (10.0, -4.0, 1.0)
    cameras = frame([*points], [STILL] * 20, ASPECT)
    assert len({camera.lookat_w.tobytes() for camera in cameras}) == 1
    seen = _seen(cameras[0], points.reshape(-1, 3))
    assert (abs(seen[:, 0]) < BESIDE + 1e-9).all()
    assert (seen[:, 1] < ABOVE + 1e-9).all()
    assert (seen[:, 1] > -BELOW - 1e-9).all()
    # Not farther away than it must be, and in the middle of the narrower direction.
    touches = [seen[:, 0].max() / BESIDE, seen[:, 1].max() / ABOVE]
    assert max(touches) == pytest.approx(1.0)
    assert max(-seen[:, 0].min() / BESIDE, -seen[:, 1].min() / BELOW) == pytest.approx(1.0)


def test_what_is_thin_is_looked_at_from_the_side_if_the_camera_stands_still():
    thin = [np.array([[-2.0, 0.0, 0.0], [2.0, 0.1, 1.0]])]
    still, moving = frame(thin, [STILL], ASPECT)[0], frame(thin, [Followed(np.zeros(3), 0.0)], ASPECT)[0]
    assert abs(still.axes[2, 0]) < 0.2 < abs(moving.axes[2, 0])


def test_a_camera_turns_with_the_heading_at_the_start():
    points = np.array([[0.3, 0.0, 0.0], [-0.3, 0.2, 0.5]])
    quarter = np.array([[0.0, 0.3, 0.0], [-0.2, -0.3, 0.5]])
    first = frame([points], [Followed(np.zeros(3), 0.0)], ASPECT)[0]
    other = frame([quarter], [Followed(np.zeros(3), math.pi / 2)], ASPECT)[0]
    assert _seen(first, points) == pytest.approx(_seen(other, quarter))


def test_a_path_is_smoothed_without_delay():
    line = np.linspace([0.0, 0.0, 0.0], [4.0, 2.0, 0.0], 200)
    sway = line + 0.1 * np.sin(2 * math.pi * 3.0 * 0.02 * np.arange(200))[:, None] * (0.0, 1.0, 0.0)
    assert np.abs(smoothed(sway, 0.02) - line)[70:-70].max() < 1e-3
    assert smoothed(line[:3], 0.02).shape == (3, 3)
