import copy
import math
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from pydantic import ValidationError
from stable_baselines3 import PPO

from genelab.config.agent import PpoCfg
from genelab.errors import InputError
from genelab.export import onnx, torchscript
from genelab.learn import checkpoint as checkpoints
from genelab.learn.backend import backend_of
from genelab.learn.guard import FaultError
from genelab.learn.policy import DeterministicPolicy
from genelab.learn.sb3.ppo import Sb3PpoTrainer
from genelab.learn.state import load_state, save_state
from tests.learn.sb3.point_mass import PlainPointMass
from tests.learn.sb3.test_trainer import _assert_equal, _untimed
from tests.learn.sb3.vec_env import PlainVecEnv

pytestmark = [pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning"), pytest.mark.slow]


def _trainer(cfg: PpoCfg, **env: Any) -> Sb3PpoTrainer:
    torch.manual_seed(3)
    np.random.seed(3)
    resets = env.pop("max_env_resets", 0)
    return Sb3PpoTrainer(cfg, "a" * 64, PlainPointMass(**{"wall": 0.8, **env}), max_env_resets=resets)


def _theirs(cfg: PpoCfg, iterations: int, **options: Any) -> PPO:
    """The library on its own, with the same draws."""
    torch.manual_seed(3)
    np.random.seed(3)
    env: Any = PlainVecEnv(PlainPointMass(wall=0.8))
    model = PPO(
        "MlpPolicy", env, n_steps=24, batch_size=24, n_epochs=5, learning_rate=cfg.learning_rate, vf_coef=1.0,
        ent_coef=cfg.entropy_coef, max_grad_norm=1.0, device="cpu", **options,
        policy_kwargs={"net_arch": {"pi": [32, 32], "vf": [32, 32]}, "log_std_init": math.log(0.5)},
    )  # fmt: skip
    return model.learn(iterations * 24 * 4)


@pytest.mark.parametrize(("clipped", "clip_range_vf"), [(True, 0.2), (False, None)])
def test_trains_as_the_library_does(sb3_ppo_cfg: PpoCfg, clipped: bool, clip_range_vf: float | None):
    """Rollout, value of final states, advantages and updates, with and without clipped values.

    The library asks for the value of one final state at a time, which rounds otherwise than of all.
    """
    trainer = _trainer(sb3_ppo_cfg.model_copy(update={"use_clipped_value_loss": clipped}))
    rows = [trainer.iterate() for _ in range(3)]
    assert sum(int(row["episodes_finished"] or 0) for row in rows) > 8
    theirs = _theirs(sb3_ppo_cfg, 3, clip_range_vf=clip_range_vf)
    for name, weight in theirs.policy.state_dict().items():
        torch.testing.assert_close(trainer.model.policy.state_dict()[name], weight, rtol=1e-4, atol=1e-5)
    other = _theirs(sb3_ppo_cfg, 3, clip_range_vf=None if clipped else 0.2)
    apart = other.policy.state_dict()["value_net.weight"] - trainer.model.policy.value_net.weight
    assert apart.abs().max() > 1e-3


@pytest.mark.parametrize("normalization", ["running", "fixed", "none"])
def test_continues_bit_equal_after_a_reload(sb3_ppo_cfg: PpoCfg, normalization: str, tmp_path: Path):
    cfg = sb3_ppo_cfg.model_copy(update={"normalization": normalization})
    whole = _trainer(cfg)
    rows = [_untimed(whole.iterate()) for _ in range(6)]
    first = _trainer(cfg)
    assert [_untimed(first.iterate()) for _ in range(3)] == rows[:3]
    save_state(tmp_path / "state", "x", first.state_dict())
    # Elsewhere, with other weights and draws.
    resumed = _trainer(cfg)
    resumed.iterate()
    np.random.seed(5)
    resumed.load_state_dict(load_state(tmp_path / "state", "x"))
    assert [_untimed(resumed.iterate()) for _ in range(3)] == rows[3:]
    _assert_equal(resumed.state_dict(), whole.state_dict())
    assert resumed.checkpoint().weights_sha256 == whole.checkpoint().weights_sha256


@pytest.mark.parametrize("normalization", ["running", "fixed", "none"])
def test_a_policy_is_the_same_in_memory_in_its_file_in_the_library_and_exported(
    sb3_ppo_cfg: PpoCfg, normalization: str, tmp_path: Path
):
    cfg = sb3_ppo_cfg.model_copy(update={"normalization": normalization})
    trainer, backend = _trainer(cfg), backend_of(cfg)
    trainer.iterate()
    saved = trainer.save(tmp_path / "model.zip")
    loaded = checkpoints.load(tmp_path / "model.zip")
    assert loaded.weights_sha256 == saved.weights_sha256
    actor = backend.load_actor(loaded, cfg, 3, "here")
    rows = torch.randn(40, 10)
    policies = [DeterministicPolicy(each, torch.device("cpu"), cfg.actor_groups) for each in (trainer.actor(), actor)]
    expected = policies[0]({"policy": rows})
    assert torch.equal(policies[1]({"policy": rows}), expected)
    theirs, _ = PPO.load(tmp_path / "model.zip", device="cpu").predict(rows.numpy(), deterministic=True)
    np.testing.assert_allclose(theirs, expected, atol=1e-6)
    for name, written in (
        ("policy.onnx", onnx.serialise(backend.deployable(actor), {"obs": 10})),
        ("policy.pt", torchscript.serialise(backend.deployable(actor))),
    ):
        (tmp_path / name).write_bytes(written)
    for run in (onnx.load(tmp_path / "policy.onnx"), torchscript.load(tmp_path / "policy.pt")):
        torch.testing.assert_close(run(rows), expected, rtol=1e-5, atol=1e-5)
    (given,) = onnxruntime.InferenceSession(str(tmp_path / "policy.onnx")).get_inputs()
    assert given.name == "obs"
    networks = backend.networks(cfg, loaded.layout, 3, loaded, "here")
    normalizer = networks.normalizers["policy"]
    assert (normalizer is None) == (normalization == "none")
    if normalization == "running":
        assert int(normalizer.count) == 24 * 4  # type: ignore[union-attr, arg-type]
        observed = torch.from_numpy(trainer.model.rollout_buffer.observations)
        torch.testing.assert_close(normalizer._mean[0], observed.mean(0))  # type: ignore[union-attr, index]
    std = backend.action_std(loaded)
    torch.testing.assert_close(std, trainer.model.policy.log_std.exp().detach())


def test_weights_that_do_not_fit_are_refused(sb3_ppo_cfg: PpoCfg):
    trainer, backend = _trainer(sb3_ppo_cfg), backend_of(sb3_ppo_cfg)
    checkpoint = trainer.checkpoint()
    with pytest.raises(InputError, match="here: actor tensor 'features_extractor.normalizer._mean'"):
        backend.load_actor(checkpoint, sb3_ppo_cfg.model_copy(update={"normalization": "running"}), 3, "here")


def test_only_the_learner_sees_scaled_rewards(sb3_ppo_cfg: PpoCfg):
    trainers, rows = [], []
    for scale in (1.0, 0.01):
        trainers.append(_trainer(sb3_ppo_cfg.model_copy(update={"reward_scale": scale})))
        rows.append(trainers[-1].iterate())
    plain, scaled = trainers
    # The first rollout is by the same policy.
    for name in ("episode_return", "step_reward", "reward/sparse"):
        assert rows[0][name] == rows[1][name] != 0.0
    assert not torch.equal(plain.model.policy.action_net.weight, scaled.model.policy.action_net.weight)
    buffers = [trainer.model.rollout_buffer for trainer in (plain, scaled)]
    # The time limit comes with step 20, and with it a value.
    np.testing.assert_allclose(buffers[1].rewards[:19], 0.01 * buffers[0].rewards[:19], rtol=1e-6)


@pytest.mark.parametrize("poison_step", [30, 74])
def test_a_fault_leaves_the_trainer_at_the_start_of_the_iteration(sb3_ppo_cfg: PpoCfg, poison_step: int):
    cfg = sb3_ppo_cfg.model_copy(update={"normalization": "running"})
    healthy = _trainer(cfg)
    expected = [_untimed(healthy.iterate()) for _ in range(poison_step // 24 + 2)]
    trainer = _trainer(cfg, poison_step=poison_step)
    for _ in range(poison_step // 24):
        trainer.iterate()
    before = copy.deepcopy(trainer.state_dict())
    with pytest.raises(FaultError) as caught:
        trainer.iterate()
    fault = caught.value.fault
    assert (fault.phase, fault.tensor, fault.step) == ("rollout", "state/position", poison_step % 24)
    assert (fault.environments, fault.reproduced, fault.iteration) == ([1], True, poison_step // 24)
    _assert_equal(trainer.state_dict(), before)
    _assert_equal(caught.value.start, before)
    # Without the poison it goes on as if nothing had happened.
    trainer.env.poison_step = None  # type: ignore[attr-defined]
    assert [_untimed(trainer.iterate()) for _ in range(2)] == expected[-2:]


def test_a_broken_environment_that_is_reset_has_no_value(sb3_ppo_cfg: PpoCfg):
    trainer = _trainer(sb3_ppo_cfg, resets_broken=True, poison_step=5, max_env_resets=1)
    trainer.iterate()
    assert trainer.env_resets == 1
    buffer = trainer.model.rollout_buffer
    assert all(np.isfinite(array).all() for array in (buffer.rewards, buffer.returns, buffer.advantages))


@pytest.mark.parametrize(
    ("what", "tensor"),
    [("gradient", "gradient/log_std"), ("return", "rollout/returns"), ("loss", "loss/value")],
)
def test_the_first_thing_in_an_update_that_is_not_normal_is_named(sb3_ppo_cfg: PpoCfg, what: str, tensor: str):
    trainer = _trainer(sb3_ppo_cfg)
    trainer.iterate()
    before = copy.deepcopy(trainer.state_dict())
    own = trainer.model.rollout_buffer.compute_returns_and_advantage
    if what == "gradient":
        # Clipping spreads it to all.
        trainer.model.policy.value_net.weight.register_hook(lambda grad: grad * torch.nan)
    else:

        def poisoned(*args: Any) -> None:
            own(*args)
            trainer.model.rollout_buffer.returns[2, 1] = np.nan if what == "return" else 1e25

        trainer.model.rollout_buffer.compute_returns_and_advantage = poisoned  # type: ignore[method-assign]
    with pytest.raises(FaultError) as caught:
        trainer.iterate()
    assert (caught.value.fault.phase, caught.value.fault.tensor) == ("update", tensor)
    _assert_equal(trainer.state_dict(), before)


def test_learns_to_reach_the_goal(sb3_ppo_cfg: PpoCfg):
    trainer = _trainer(sb3_ppo_cfg.model_copy(update={"learning_rate": 3e-3, "gamma": 0.9}), num_envs=64, wall=2.0)
    returns = [trainer.iterate()["episode_return"] for _ in range(20)]
    assert returns[0] < -15.0  # type: ignore[operator]
    assert returns[-1] > -9.0  # type: ignore[operator]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"schedule": "adaptive"}, "schedule = 'adaptive': must be 'fixed'"),
        ({"symmetry": True}, "symmetry = True: must be False: stable_baselines3 does not have it"),
        ({"std_by_state": (0.1, 1.0)}, "std_by_state = .*stable_baselines3 does not have it"),
        ({"critic": {"hidden_dims": [8], "activation": "elu"}}, "critic.activation = 'elu': must be 'tanh'"),
        ({"actor": {"hidden_dims": [8], "activation": "gelu"}}, "Input should be 'elu', 'relu'"),
    ],
)
def test_what_the_library_does_not_have_is_refused(sb3_ppo_cfg: PpoCfg, changes: dict[str, Any], told: str):
    with pytest.raises(ValidationError, match=told):
        PpoCfg.model_validate({**sb3_ppo_cfg.model_dump(), **changes})
