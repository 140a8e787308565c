"""What the camera of a scene sees."""

import numpy as np
import pytest

from genelab.registry import get_task
from genelab.sim.genesis.simulation import Simulation
from genelab.sim.session import Session

pytestmark = [pytest.mark.sim, pytest.mark.xdist_group("sim")]

FROM, TO = (-3.0, 0.0, 1.0), (0.0, 0.0, 1.0)


def _horizon(picture: np.ndarray, column: int) -> int:
    """The first row that is not of the colour of the sky."""
    rows = picture[:, column].astype(int)
    return int((np.abs(rows - rows[0]).sum(axis=1) > 20).argmax())


def test_the_horizon_is_level_whatever_was_seen_before(sim_session: Session) -> None:
    sim = Simulation(get_task("Genelab-Velocity-Flat-Unitree-Go1-v0").env, 1, sim_session, camera=(160, 120))
    first = sim.picture(FROM, TO)
    for angle in np.linspace(0.0, 3.0, 20):
        sim.picture((2.0 * np.cos(angle), 2.0 * np.sin(angle), 1.5), (0.3, 0.2, 0.3))
    again = sim.picture(FROM, TO)
    assert np.array_equal(first, again)
    left, right = _horizon(again, 2), _horizon(again, -3)
    assert 40 < left < 80
    assert abs(left - right) <= 2
