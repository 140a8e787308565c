"""The part of a terrain that is drawn."""

import numpy as np
import torch

from genelab.registry import get_task
from genelab.sim.terrain import generate


def test_a_part_of_a_terrain_has_its_heights_where_they_were():
    cfg = get_task("Genelab-Velocity-Rough-Unitree-Go1-v0").env.terrain
    assert cfg is not None
    whole = generate(cfg)
    part = whole.around(np.array([-7.03, 2.0]), np.array([4.0, 1e6]))
    assert part.corner[0] <= -7.03 < part.corner[0] + part.horizontal_scale
    assert part.size[1] < whole.size[1] / 2
    places = torch.rand(200, 2, generator=torch.Generator().manual_seed(0)) * 10.0 + torch.tensor([-7.0, 3.0])
    inside = places[places[:, 0] < 4.0]
    assert torch.allclose(
        part.height_map("cpu").height_at(inside), whole.height_map("cpu").height_at(inside), atol=1e-4
    )
