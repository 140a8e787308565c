"""Commands that are read off a motion."""

import torch
from torch import Tensor

from genelab.families.tracking.motion import MotionState
from genelab.mdp.state import Drawn, EventContext
from genelab.mdp.term import term


@term(("nothing",))
def nothing(context: EventContext) -> Tensor:
    """Draws nothing: for a command that follows a motion alone."""
    return torch.zeros_like(context.state.joint_pos[:, :1])


@term(("x", "y", "turn"), unit="m/s, m/s and rad/s", mirror=(1.0, -1.0, -1.0))
def of_the_clip(drawn: Drawn) -> Tensor:
    """The velocity that the clip was made for, at its frame; 0 where it rests."""
    return drawn.state.of(MotionState).wanted.command
