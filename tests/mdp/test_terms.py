import math

import pytest
import torch

from genelab.mdp import events, observations, rewards, terminations
from genelab.mdp.state import EventContext, Names, StateView
from tests.states import state_view


@pytest.fixture
def state() -> StateView:
    """Two environments, joints (slider, hinge_1, hinge_2), one link rotated by 90 degrees about y."""
    half = math.sqrt(0.5)
    return state_view(
        Names(("slider", "hinge_1", "hinge_2"), ("pole",), ("cube", "lid")),
        2,
        joint_pos=torch.tensor([[1.0, 0.3, -0.2], [-2.0, 0.0, 0.8]]),
        joint_vel=torch.tensor([[0.5, 2.0, -1.0], [0.0, 0.0, 3.0]]),
        default_joint_pos=torch.tensor([0.25, 0.0, 0.0]),
        link_pos_w=torch.tensor([[[0.1, 0.2, 0.3]], [[0.4, 0.5, 0.6]]]),
        link_quat_w=torch.tensor([[[half, 0.0, half, 0.0]]]).expand(2, 1, 4),
        link_ang_vel_w=torch.tensor([[[1.0, 2.0, 3.0]]]).expand(2, 1, 3),
        object_pos_w=torch.tensor([[[0.5, 0.0, 0.02], [1.0, 1.0, 1.0]], [[0.6, 0.1, -0.2], [1.0, 1.0, 1.0]]]),
        action=torch.tensor([[0.7], [-0.1]]),
        previous_action=torch.tensor([[0.2], [0.0]]),
        episode_step=torch.tensor([3, 4]),
        max_episode_steps=8,
    )


def test_observations(state: StateView):
    assert observations.joint_pos_rel(state, ["hinge_1", "slider"]).tolist()[0] == pytest.approx([0.3, 0.75])
    assert observations.joint_vel_rel(state, ["hinge_2"]).tolist() == [[-1.0], [3.0]]
    assert torch.equal(observations.last_action(state), state.action)
    # A link turned by +90 degrees about y has its x axis along -z and its z axis along +x of the world.
    assert observations.link_ang_vel(state, "pole").tolist()[0] == pytest.approx([-3.0, 2.0, 1.0], abs=1e-6)
    assert observations.link_pos(state, "pole")[1].tolist() == pytest.approx([0.4, 0.5, 0.6])
    assert observations.object_pos(state, "cube")[1].tolist() == pytest.approx([0.6, 0.1, -0.2])
    assert observations.time_left(state).tolist() == [[0.625], [0.5]]


def test_rewards(state: StateView):
    assert rewards.alive(state).tolist() == [1.0, 1.0]
    hinges = ["hinge_1", "hinge_2"]
    assert rewards.joint_cos(state, hinges)[0] == pytest.approx((math.cos(0.3) + math.cos(-0.2)) / 2)
    assert rewards.chain_cos(state, hinges)[0] == pytest.approx((math.cos(0.3) + math.cos(0.1)) / 2)
    assert rewards.joint_square(state, hinges).tolist() == pytest.approx([0.13, 0.64])
    assert rewards.joint_vel_square(state, hinges).tolist() == pytest.approx([5.0, 9.0])
    assert rewards.joint_difference_square(state, "hinge_1", "hinge_2").tolist() == pytest.approx([0.25, 0.64])
    assert rewards.action_rate(state).tolist() == pytest.approx([0.25, 0.01])


def test_termination_counts_any_joint_and_both_signs(state: StateView):
    assert terminations.joint_abs_above(state, ["slider"], 1.5).tolist() == [False, True]
    assert terminations.joint_abs_above(state, ["hinge_1", "hinge_2"], 0.25).tolist() == [True, True]


def test_a_fallen_object_ends_the_episode(state: StateView):
    assert terminations.object_below(state, "cube", -0.1).tolist() == [False, True]


def test_unknown_joint_names_the_known_ones(state: StateView):
    with pytest.raises(ValueError, match=r"unknown joint \['hinge'\]; known: \['slider', 'hinge_1', 'hinge_2'\]"):
        rewards.joint_square(state, ["hinge"])


def test_events_use_their_whole_range_and_leave_other_joints_alone(state: StateView):
    def zeros(dim: int) -> torch.Tensor:
        return torch.zeros(2, dim)

    low = events.uniform_joint_state(EventContext(state, zeros), (-0.1, 0.3), (-1.0, 1.0))
    assert low.joint_pos is not None
    assert low.joint_vel is not None
    assert low.joint_pos[0].tolist() == pytest.approx([0.15, -0.1, -0.1])
    assert low.joint_vel[1].tolist() == [-1.0, -1.0, -1.0]
    push = events.set_joint_velocity(EventContext(state, lambda dim: zeros(dim) + 0.75), ["slider"], (-0.5, 0.5))
    assert push.joint_pos is None
    assert push.joint_vel is not None
    assert push.joint_vel.tolist() == [[0.25, 2.0, -1.0], [0.25, 0.0, 3.0]]
