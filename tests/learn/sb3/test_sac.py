import math
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from sb3_contrib import TQC
from stable_baselines3 import SAC
from stable_baselines3.common.logger import Logger

from genelab.learn.guard import FaultError
from genelab.learn.sb3.buffer import GoalReplayBuffer
from genelab.learn.sb3.sac import ADAM, GuardedCritics, GuardedSac, GuardedTqc
from tests.learn.sb3.conftest import fill
from tests.learn.sb3.point_mass import PointMass
from tests.learn.sb3.vec_env import GoalVecEnv


def _model(cls: type[Any], hidden: list[int], activation: type[torch.nn.Module] = torch.nn.ReLU) -> Any:
    """A model with a buffer of random steps, the same for every class."""
    torch.manual_seed(0)
    env = PointMass(wall=0.7)
    policy: dict[str, Any] = {"net_arch": hidden, "activation_fn": activation}
    if issubclass(cls, GuardedCritics):
        policy["optimizer_kwargs"] = ADAM
    settings: dict[str, Any] = {"learning_rate": 1e-3, "gamma": 0.95, "tau": 0.05, "ent_coef": 0.1}
    vec_env: Any = GoalVecEnv(env)
    model = cls("MultiInputPolicy", vec_env, buffer_size=4000, policy_kwargs=policy, device="cpu", **settings)
    model.set_logger(Logger(None, []))
    buffer = GoalReplayBuffer(env, 4000)
    fill([buffer], env, 120)
    if isinstance(model, GuardedCritics):
        model.reward_range, model.replay_buffer = env.reward_range, buffer
    else:
        model.replay_buffer = SimpleNamespace(sample=lambda batch_size, **_: buffer.sample(batch_size))
    return model


@pytest.mark.parametrize("hidden", [[64, 64], [37], [256, 128, 64]])
@pytest.mark.parametrize("activation", [torch.nn.ReLU, torch.nn.ELU])
@pytest.mark.parametrize("pair", [(GuardedSac, SAC), (GuardedTqc, TQC)])
@pytest.mark.slow
def test_update_equals_that_of_the_library(
    pair: tuple[type[Any], type[Any]], hidden: list[int], activation: type[torch.nn.Module]
):
    ours, theirs = (_model(cls, hidden, activation) for cls in pair)
    before = {name: weight.clone() for name, weight in ours.policy.state_dict().items()}
    for model in (ours, theirs):
        torch.manual_seed(7)
        model.train(gradient_steps=20, batch_size=100)
    for name, weight in theirs.policy.state_dict().items():
        torch.testing.assert_close(ours.policy.state_dict()[name], weight, rtol=1e-4, atol=1e-5, msg=name)
        assert (weight - before[name]).abs().max() > 1e-3, name
    for part in ("actor", "critic"):
        mine, other = (getattr(m, part).optimizer.state_dict()["state"] for m in (ours, theirs))
        for number, state in other.items():
            torch.testing.assert_close(mine[number]["exp_avg"], state["exp_avg"], rtol=1e-3, atol=1e-5)
    logged = theirs.logger.name_to_value
    assert float(ours.metrics[0]) / 20 == pytest.approx(logged["train/critic_loss"], rel=1e-4)
    assert float(ours.metrics[1]) / 20 == pytest.approx(logged["train/actor_loss"], rel=1e-4)


def _third_row_nan(grad: torch.Tensor) -> torch.Tensor:
    return grad.index_fill(0, torch.tensor([2]), torch.nan)


def _poison(model: GuardedSac, what: str) -> None:
    if what == "reward":
        model.replay_buffer.rewards[:] = torch.nan
        model.replay_buffer.her_ratio = 0.0
    elif what == "actor":
        model.actor.mu.bias.data[1] = torch.nan
    elif what == "critic":
        model.critic.qf1[0].weight.data[3, 2] = torch.nan
    elif what == "target":
        model.critic_target.qf0[0].weight.data[3, 2] = torch.nan
    elif what == "large":
        model.critic.qf1[-1].bias.data += 400.0
    elif what == "gradient":
        model.critic.qf0[0].weight.register_hook(_third_row_nan)
    elif what == "actor gradient":
        model.actor.log_std.weight.register_hook(lambda grad: grad * torch.inf)


@pytest.mark.parametrize(
    ("what", "tensor"),
    [
        ("reward", "loss/critic"),
        ("actor", "log_prob"),
        ("critic", "q_value/critic_1"),
        ("target", "loss/critic"),
        ("large", "q_value/critic_1"),
        ("gradient", "gradient/critic/qf0.0.weight"),
        ("actor gradient", "gradient/actor/log_std.weight"),
    ],
)
def test_the_first_thing_that_is_not_normal_is_named(what: str, tensor: str):
    model = _model(GuardedSac, [32, 32])
    model.train(gradient_steps=2, batch_size=64)
    _poison(model, what)
    with pytest.raises(FaultError) as caught:
        model.train(gradient_steps=3, batch_size=64)
    fault = caught.value.fault
    assert (fault.phase, fault.tensor, fault.mini_batch) == ("update", tensor, 2)
    assert list(caught.value.tensors) == [tensor]
    if what == "large":
        assert "must lie between" in fault.rule
        assert "the rewards allow" in fault.rule
    else:
        assert not math.isfinite(fault.value)


def test_bounds_of_q_values_hold_for_the_best_and_worst_episode():
    model = _model(GuardedSac, [32])
    model.reward_range = (-1.0, 0.2)
    low, high = model.q_bounds(-3.0, 2.0)
    # Rewards -1 and 0.2; bonus of 0.1 per nat; 19 steps after the first one.
    worst, best = -1.0 + 19 * (-1.0 - 0.2), 0.2 + 19 * (0.2 + 0.3)
    assert float(low) == pytest.approx(worst - (best - worst), rel=1e-5)
    assert float(high) == pytest.approx(best + (best - worst), rel=1e-5)
    model.reward_range = (1.0, 2.0)
    low, high = model.q_bounds(0.0, 0.0)
    # An episode that ends at once earns the least.
    assert float(low) == pytest.approx(1.0 - (40.0 - 1.0), rel=1e-5)


def test_values_beyond_what_the_rewards_allow_are_found_while_they_are_finite():
    model = _model(GuardedSac, [64, 64])
    model.gamma, model.tau, model.ent_coef = 0.9, 1.0, 1e-4
    model.reward_range = (-0.05, 0.0)
    with pytest.raises(FaultError, match="q_value/critic_. is .*the rewards allow"):
        model.train(gradient_steps=300, batch_size=64)
    assert all(weight.isfinite().all() for weight in model.critic.parameters())
    # The true range of the rewards raises no alarm.
    model.reward_range = (-1.0, 0.0)
    model.train(gradient_steps=100, batch_size=64)


@pytest.mark.parametrize("bound", [-20.0, 2.0])
def test_an_action_noise_on_its_bound_is_named(bound: float):
    model = _model(GuardedSac, [32, 32])
    model.train(gradient_steps=2, batch_size=64)
    with torch.no_grad():
        model.actor.log_std.weight[1].zero_()
        model.actor.log_std.bias[1] = bound
    with pytest.raises(FaultError) as caught:
        model.train(gradient_steps=1, batch_size=64)
    assert caught.value.fault.tensor == "action_log_std/1"
    assert "where its gradient is not 0" in caught.value.fault.rule
    # Rows within the bounds keep it alive.
    with torch.no_grad():
        model.actor.log_std.weight[1, 0] = 100.0 if bound < 0.0 else -100.0
    model.start_counting()
    model.train(gradient_steps=1, batch_size=64)
