import random

import numpy as np
import torch

from genelab.learn.generators import generator_states, restore_generators


def _draws() -> tuple[float, float, float]:
    return random.random(), float(np.random.rand()), float(torch.rand(()))


def test_restored_generators_draw_the_same_again():
    device = torch.device("cpu")
    states = generator_states(device)
    first = _draws()
    assert _draws() != first
    restore_generators(states, device)
    assert _draws() == first
