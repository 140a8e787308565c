"""Goals: what is achieved beside what is desired, and the terms that follow from the two alone.

A term whose first argument is called `goal` can be computed again for another goal, which hindsight replay needs.
"""

from dataclasses import dataclass

from pydantic import PositiveFloat
from torch import Tensor

from genelab.mdp.term import OfGoal, term


@dataclass(frozen=True)
class GoalView:
    """Goals of many states."""

    achieved: Tensor
    """What is the case. Shape: (rows, dim)."""
    desired: Tensor
    """What is wanted, in the same unit and frame. Shape: (rows, dim)."""
    tolerance: float
    """Distance at which a goal counts as reached."""

    @property
    def distance(self) -> Tensor:
        """Euclidean distance. Shape: (rows,)."""
        return (self.desired - self.achieved).norm(dim=1)

    @property
    def reached(self) -> Tensor:
        """Whether the goal is reached, bool. Shape: (rows,)."""
        return self.distance <= self.tolerance


@term(OfGoal())
def achieved(goal: GoalView) -> Tensor:
    """What is achieved, in the unit of the goal. Shape: (rows, dim)."""
    return goal.achieved


@term(OfGoal())
def desired(goal: GoalView) -> Tensor:
    """What is desired, in the unit of the goal. Shape: (rows, dim)."""
    return goal.desired


@term(OfGoal())
def error(goal: GoalView) -> Tensor:
    """Desired minus achieved, in the unit of the goal. Shape: (rows, dim)."""
    return goal.desired - goal.achieved


def not_reached(goal: GoalView) -> Tensor:
    """One where the goal is not reached, else zero. Shape: (rows,)."""
    return (~goal.reached).to(goal.achieved.dtype)


def lifted(goal: GoalView, low: float, height: PositiveFloat) -> Tensor:
    """How high an achieved position is above `low`, as a share of `height`, within 0 and 1. In m. Shape: (rows,)."""
    return ((goal.achieved[:, 2] - low) / height).clamp(0.0, 1.0)
