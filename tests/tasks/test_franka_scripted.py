from collections.abc import Callable

import pytest
import torch

from genelab.envs.environment import Environment
from genelab.envs.purpose import Purpose
from genelab.registry import get_task
from genelab.sim.engine import Engine
from genelab_franka.scripted import APPROACH, CLOSE, HOLD, Controller

TASK = "GeneLab-Franka-Pick-And-Place-v0"


@pytest.mark.sim
@pytest.mark.xdist_group("sim")
def test_every_episode_succeeds_and_its_phases_follow_each_other(build: Callable[[str, int], Engine]):
    """Two episodes of each of 4 environments. See docs/reference/franka.md."""
    cfg = get_task(TASK).env
    env = Environment(
        cfg,
        build(TASK, 4),
        Purpose(42, numbered=False, final_observations=True),
    )
    env.reset()
    controller, returns = Controller(cfg, 4, env.device), []
    for episode in range(2):
        assert (controller.phase == APPROACH).all()
        phases, closing, grip = [], torch.zeros(4, dtype=torch.int64), []
        for k in range(100):
            action = controller(env.state())
            assert float(action.abs().max()) <= 1.0
            grip.append(torch.where(controller.phase < CLOSE, 1.0, -1.0) == action[:, 3])
            phases.append(controller.phase)
            closing += controller.phase == CLOSE
            step = env.step(action)
            assert bool(step.truncated.all()) == (k == 99), episode
            assert not step.terminated.any()
            controller.reset(step.truncated)
        trace = torch.stack(phases)
        assert (trace[1:] >= trace[:-1]).all()
        assert (trace[-1] == HOLD).all()
        # Grasped and at the goal well within the first half.
        assert (trace[50] == HOLD).all()
        assert closing.tolist() == [4] * 4
        assert torch.stack(grip).all()
        assert step.finished.success is not None
        assert step.finished.success_at_end is not None
        assert step.finished.success.all()
        assert step.finished.success_at_end.all()
        returns += step.finished.episode_return.tolist()
    # Of the 640 the lowest return was -34.5, the highest 4.7.
    assert all(-40.0 < value < 10.0 for value in returns)
    assert -30.0 < sum(returns) / len(returns) < -8.0


def test_it_begins_again_only_where_an_episode_ended() -> None:
    controller = Controller(get_task(TASK).env, 3, torch.device("cpu"))
    controller.phase, controller._closing = torch.tensor([2, 5, 4]), torch.tensor([3, 0, 0])
    controller.reset(torch.tensor([True, False, True]))
    assert (controller.phase.tolist(), controller._closing.tolist()) == ([0, 5, 0], [0, 0, 0])


def test_it_moves_a_hand_and_no_joints() -> None:
    with pytest.raises(ValueError, match="by differential IK, not by 'joint_targets'"):
        Controller(get_task("GeneLab-Inverted-Pendulum-v1").env, 3, torch.device("cpu"))
