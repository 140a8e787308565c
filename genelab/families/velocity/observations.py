"""Observations that only velocity tasks have. Each returns (num_envs, dim)."""

from torch import Tensor

from genelab.families.velocity.sensors import SwingState
from genelab.mdp.state import StateView
from genelab.mdp.term import BY_NAME, PerFoot, term


@term(PerFoot(), unit="m", mirror=BY_NAME)
def foot_height(state: StateView) -> Tensor:
    """Height of each foot above the ground beneath it, m."""
    return state.of(SwingState).height
