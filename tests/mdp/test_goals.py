import pytest
import torch

from genelab.mdp import goals
from genelab.mdp.goals import GoalView

GOAL = GoalView(
    achieved=torch.tensor([[0.5, 0.0, 0.02], [0.5, 0.1, 0.07], [0.5, 0.0, 0.50], [0.5, 0.0, 0.00]]),
    desired=torch.tensor([[0.5, 0.0, 0.02], [0.53, 0.14, 0.07], [0.2, 0.4, 0.50], [0.5, 0.0, 0.06]]),
    tolerance=0.05,
)


def test_distance_is_euclidean_over_all_dimensions() -> None:
    assert GOAL.distance.tolist() == pytest.approx([0.0, 0.05, 0.5, 0.06], abs=1e-7)


def test_a_goal_is_reached_up_to_the_tolerance() -> None:
    assert GOAL.reached.tolist()[::2] == [True, False]
    assert not bool(GOAL.reached[3])
    line = torch.tensor([[0.25], [0.25], [0.25]])
    view = GoalView(line, torch.tensor([[0.0], [0.5], [0.5000001]]), 0.25)
    # At the tolerance itself it is, and a last bit beyond not.
    assert view.reached.tolist() == [True, True, False]


def test_terms_of_the_goal() -> None:
    assert torch.equal(goals.achieved(GOAL), GOAL.achieved)
    assert torch.equal(goals.desired(GOAL), GOAL.desired)
    assert goals.error(GOAL)[1].tolist() == pytest.approx([0.03, 0.04, 0.0], abs=1e-7)
    view = GoalView(GOAL.achieved, GOAL.desired, 0.055)
    assert goals.not_reached(view).tolist() == [0.0, 0.0, 1.0, 1.0]
    assert goals.not_reached(view).dtype == torch.float32
    # Shares of 0.1 m above 0.02 m: none, a half, cut at one, and cut at none below.
    assert goals.lifted(GOAL, low=0.02, height=0.1).tolist() == pytest.approx([0.0, 0.5, 1.0, 0.0])
