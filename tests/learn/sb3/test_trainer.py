import copy
from typing import Any

import numpy as np
import pytest
import torch

from genelab.config.agent import NetworkCfg, OffPolicyCfg, SacCfg
from genelab.config.base import Choice
from genelab.errors import InputError
from genelab.learn.guard import FaultError
from genelab.learn.sb3.trainer import SacTrainer
from genelab.learn.state import load_state, save_state
from tests.learn.sb3.point_mass import GROUPS, PlainPointMass, PointMass

pytestmark = pytest.mark.slow

SECONDS = ("collect_s", "update_s", "sample_s", "steps_per_s")


def _trainer(cfg: OffPolicyCfg, **env: Any) -> SacTrainer:
    torch.manual_seed(3)
    resets = env.pop("max_env_resets", 0)
    made = (PlainPointMass if cfg.her is None else PointMass)(**{"wall": 0.8, **env})
    return SacTrainer(cfg, "a" * 64, made, max_env_resets=resets)


@pytest.fixture(params=["sac", "tqc", "plain sac", "plain tqc"])
def any_cfg(request: pytest.FixtureRequest, sac_cfg: SacCfg) -> OffPolicyCfg:
    cfg = request.getfixturevalue(f"{request.param[-3:]}_cfg")
    return cfg.model_copy(update={"her": None}) if "plain" in request.param else cfg


def _untimed(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in SECONDS}


def _flat(tree: Any, path: str = "") -> dict[str, Any]:
    if isinstance(tree, dict):
        return {k: v for name, value in tree.items() for k, v in _flat(value, f"{path}/{name}").items()}
    if isinstance(tree, list | tuple):
        return {k: v for i, value in enumerate(tree) for k, v in _flat(value, f"{path}/{i}").items()}
    return {path: tree}


def _assert_equal(one: dict[str, Any], other: dict[str, Any]) -> None:
    first, second = _flat(one), _flat(other)
    assert list(first) == list(second)
    for name, value in first.items():
        same = torch.equal(value, second[name]) if isinstance(value, torch.Tensor) else value == second[name]
        assert same, name


def test_continues_bit_equal_after_a_reload(any_cfg: OffPolicyCfg, tmp_path):
    whole = _trainer(any_cfg)
    rows = [_untimed(whole.iterate()) for _ in range(6)]
    first = _trainer(any_cfg)
    assert [_untimed(first.iterate()) for _ in range(3)] == rows[:3]
    save_state(tmp_path / "state", "x", first.state_dict())
    # Elsewhere, with other weights and draws.
    np.random.seed(5)
    resumed = _trainer(any_cfg, seed=0)
    torch.manual_seed(8)
    resumed.load_state_dict(load_state(tmp_path / "state", "x"))
    assert [_untimed(resumed.iterate()) for _ in range(3)] == rows[3:]
    _assert_equal(resumed.state_dict(), whole.state_dict())
    assert resumed.checkpoint().weights_sha256 == whole.checkpoint().weights_sha256
    assert whole.buffer.full


def test_a_row_tells_what_happened(sac_cfg: SacCfg):
    trainer = _trainer(sac_cfg, wall=2.0)
    row = trainer.iterate()
    # 25 steps of 4 environments: the warm-up exactly, and one episode of each.
    assert row["loss/critic"] is row["q_value"] is None
    assert (row["iteration"], row["episodes_finished"], row["episode_length"]) == (0, 4, 20.0)
    assert row["buffer_transitions"] == 100
    assert row["reward/sparse"] == pytest.approx(row["step_reward"])
    row = trainer.iterate()
    assert row["loss/critic"] > 0.0
    assert -20.0 < row["q_value"] < 0.0
    assert row["buffer_transitions"] == 200
    assert 0.0 < row["sample_s"] < row["update_s"]
    assert trainer.model._n_updates == 25
    assert trainer.iterate()["buffer_transitions"] == 240


def test_warm_up_actions_are_uniform_and_later_ones_the_policys(sac_cfg: SacCfg):
    trainer = _trainer(sac_cfg)
    trainer.iterate()
    actions = torch.from_numpy(trainer.buffer.actions[:25]).flatten()
    assert actions.abs().max() <= 1.0
    assert actions.mean().abs() < 0.15
    assert actions.std() == pytest.approx(3**-0.5, abs=0.05)
    trainer.model.actor.mu.bias.data += 5.0
    trainer.model.actor.log_std.bias.data -= 5.0
    trainer.iterate()
    assert trainer.buffer.actions[25:27].mean() > 0.9


def test_the_final_observation_is_stored_as_what_followed(sac_cfg: SacCfg):
    trainer = _trainer(sac_cfg, wall=0.5)
    trainer.iterate()
    buffer = trainer.buffer
    done = buffer.dones[:25].astype(bool)
    now, after = (o["achieved_goal"][:25] for o in (buffer.observations, buffer.next_observations))
    expected = (now + 0.2 * buffer.actions[:25]).clip(-1.0, 1.0)
    np.testing.assert_allclose(after, expected, atol=1e-6)
    assert (after[done & (buffer.timeouts[:25] == 0.0)][:, 0] > 0.5).all()
    assert done.sum() > 4


def test_learns_to_reach_the_goal():
    network = NetworkCfg(hidden_dims=(64, 64), activation="relu")
    cfg = SacCfg(
        actor=network, critic=network, num_steps_per_env=50, gradient_steps=2, batch_size=128, buffer_size=20_000,
        learning_starts=400, learning_rate=2e-3, gamma=0.9, tau=0.05, ent_coef=0.02, save_interval=1,
    )  # fmt: skip
    trainer = _trainer(cfg, num_envs=8, wall=2.0)
    rows = [trainer.iterate() for _ in range(9)]
    assert rows[0]["success_rate"] < 0.6
    assert rows[-1]["success_rate"] > 0.95
    assert rows[-1]["episode_return"] > -10.0
    assert rows[-1]["episode_return"] > rows[0]["episode_return"] + 6.0


@pytest.mark.parametrize("poison_step", [30, 74])
def test_a_fault_leaves_the_trainer_at_the_start_of_the_iteration(sac_cfg: SacCfg, poison_step: int, tmp_path):
    healthy = _trainer(sac_cfg)
    expected = [_untimed(healthy.iterate()) for _ in range(poison_step // 25 + 2)]
    trainer = _trainer(sac_cfg, poison_step=poison_step)
    for _ in range(poison_step // 25):
        trainer.iterate()
    before = copy.deepcopy(trainer.state_dict())
    with pytest.raises(FaultError) as caught:
        trainer.iterate()
    error = caught.value
    fault = error.fault
    assert (fault.phase, fault.tensor, fault.step) == ("rollout", "state/position", poison_step % 25)
    assert (fault.environments, fault.reproduced, fault.iteration) == ([1], True, poison_step // 25)
    assert len(error.actions) == poison_step % 25 + 1
    _assert_equal(trainer.state_dict(), before)
    _assert_equal(error.start, before)
    # As the report of a guard writes it, the buffer included.
    save_state(tmp_path / "state", "x", error.start)
    _assert_equal(load_state(tmp_path / "state", "x"), before)
    # Without the poison it goes on as if nothing had happened.
    trainer.env.poison_step = None
    assert [_untimed(trainer.iterate()) for _ in range(2)] == expected[-2:]


def test_a_fault_of_an_update_is_undone_and_can_be_repeated(sac_cfg: SacCfg):
    trainer = _trainer(sac_cfg)
    trainer.iterate()
    trainer.iterate()
    before = copy.deepcopy(trainer.state_dict())
    trainer.model.reward_range = (0.0, 1e-6)
    trainer.model.ent_coef = 1e-9
    tensors = []
    for _ in range(2):
        with pytest.raises(FaultError) as caught:
            trainer.iterate()
        assert caught.value.fault.phase == "update"
        assert caught.value.fault.tensor.startswith("q_value/critic_")
        tensors.append(caught.value.tensors)
        _assert_equal(trainer.state_dict(), before)
        _assert_equal(caught.value.start, before)
    _assert_equal(*tensors)


def test_broken_environments_are_reset_up_to_a_limit(sac_cfg: SacCfg):
    env = {"resets_broken": True, "poison_step": 30}
    trainer = _trainer(sac_cfg, **env, max_env_resets=1)
    for _ in range(2):
        trainer.iterate()
    assert trainer.env_resets == 1
    buffer = trainer.buffer
    assert np.isfinite(buffer._table).all()
    # The episode ends with the step before, cut short; what broke is no part of any.
    assert (buffer.dones[29, 1], buffer.timeouts[29, 1]) == (1.0, 1.0)
    started = buffer.ep_start[29, 1]
    assert buffer.ep_length[started:32, 1].tolist() == [30 - started] * (30 - started) + [0, 0]
    assert buffer.ep_start[31, 1] == 31
    _assert_never_drawn(trainer, (30, 1))
    strict = _trainer(sac_cfg, **env)
    strict.iterate()
    with pytest.raises(FaultError, match="at most 0 broken environments"):
        strict.iterate()
    assert strict.env_resets == 0


@pytest.mark.parametrize("poison_step", [0, 20, 60, 61])
def test_a_broken_step_is_never_judged_by_a_goal_that_it_reached(sac_cfg: SacCfg, poison_step: int, tmp_path):
    """At the start of an episode, where no row is left of it, and on either side of the end of the buffer."""
    trainer = _trainer(sac_cfg, wall=2.0, resets_broken=True, poison_step=poison_step, max_env_resets=1)
    # To the end of the iteration that it breaks in, and until the episode after it has ended.
    for _ in range(poison_step // 25 + 2):
        trainer.iterate()
    _assert_never_drawn(trainer, (poison_step % 60, 1))
    save_state(tmp_path / "state", "x", trainer.state_dict())
    resumed = _trainer(sac_cfg, wall=2.0, resets_broken=True)
    resumed.load_state_dict(load_state(tmp_path / "state", "x"))
    _assert_never_drawn(resumed, (poison_step % 60, 1))


def _assert_never_drawn(trainer: SacTrainer, where: tuple[int, int]) -> None:
    """Neither the row itself nor the goal that it achieved; and what is drawn is right, whatever its goal."""
    buffer = trainer.buffer
    action = buffer.actions[where].tobytes()
    sample = buffer.sample(8000)
    assert action not in {row.tobytes() for row in sample.actions.numpy()}
    moved = (sample.observations["achieved_goal"] + 0.2 * sample.actions).clamp(-1.0, 1.0)
    torch.testing.assert_close(sample.next_observations["achieved_goal"], moved)
    expected = trainer.env.compute_reward(
        sample.next_observations["achieved_goal"], sample.observations["desired_goal"]
    )
    assert torch.equal(sample.rewards[:, 0], expected)
    assert buffer.drawable == (buffer.ep_length > 0).sum()


def test_a_fault_after_a_reset_restores_the_episode_that_was_cut_short(
    sac_cfg: SacCfg, monkeypatch: pytest.MonkeyPatch
):
    trainer = _trainer(sac_cfg, wall=2.0, resets_broken=True, poison_step=25, max_env_resets=0)
    trainer.iterate()
    before = copy.deepcopy(trainer.state_dict())
    with pytest.raises(FaultError, match="at most 0 broken environments"):
        trainer.iterate()
    _assert_equal(trainer.state_dict(), before)


def _demos(num_envs: int = 4, steps: int = 40) -> dict[str, Any]:
    """Walk to the goal."""
    env = PointMass(num_envs, seed=9)
    now = env.reset()
    columns: dict[str, list[Any]] = {}
    for _ in range(steps):
        action = (5.0 * (now["desired_goal"] - now["achieved_goal"])).clamp(-1.0, 1.0)
        step = env.step(action)
        done = (step.terminated | step.truncated)[:, None]
        row = {"actions": action, "rewards": step.reward, "terminated": step.terminated, "truncated": step.truncated}
        for name in GROUPS:
            row[f"observations/{name}"] = now[name]
            final = step.finished.observations or step.observations
            row[f"next_observations/{name}"] = torch.where(done, final[name], step.observations[name])
        for name, value in row.items():
            columns.setdefault(name, []).append(value.numpy())
        now = step.observations
    return {name: np.stack(values) for name, values in columns.items()}


def test_demonstrations_fill_the_buffer_once_and_count_no_steps(sac_cfg: SacCfg):
    cfg = SacCfg.model_validate({**sac_cfg.model_dump(), "learning_starts": 120})
    trainer = _trainer(cfg)
    demos = _demos()
    assert trainer.prefill(demos) == 160
    assert (trainer.buffer.drawable, trainer.model.num_timesteps) == (160, 0)
    assert trainer.buffer.timeouts.sum() == 8
    np.testing.assert_array_equal(trainer.buffer.actions[:40], demos["actions"])
    assert trainer.prefill(demos) == 0
    trainer.iterate()
    assert trainer.buffer.size() == 60
    resumed = _trainer(cfg)
    resumed.load_state_dict(trainer.state_dict())
    assert resumed.prefill(demos) == 0


def test_a_training_with_demonstrations_does_not_begin_without_them(sac_cfg: SacCfg):
    chosen = Choice(what="demonstrations", kind="file", value="demos.safetensors", sha256="0" * 64)
    cfg = sac_cfg.model_copy(update={"demo_path": chosen})
    trainer = _trainer(cfg)
    with pytest.raises(
        ValueError, match="agent.demo_path = 'demos.safetensors': call prefill before the first iteration"
    ):
        trainer.iterate()
    trainer.prefill(_demos())
    # A state from before the first iteration has them.
    resumed = _trainer(cfg)
    resumed.load_state_dict(trainer.state_dict())
    assert resumed.prefill(_demos()) == 0
    row, fresh = resumed.iterate(), _trainer(cfg)
    fresh.prefill(_demos())
    assert _untimed(row) == _untimed(fresh.iterate())


def test_a_reward_without_bounds_is_refused(sac_cfg: SacCfg):
    env: Any = PointMass()
    env.reward_range = None
    with pytest.raises(InputError, match="env.rewards: every term needs bounds, with which the guard of SAC compares"):
        SacTrainer(sac_cfg, "a" * 64, env)


def test_a_final_observation_that_is_not_finite_is_found(sac_cfg: SacCfg, monkeypatch: pytest.MonkeyPatch):
    trainer = _trainer(sac_cfg, wall=2.0)
    env: Any = trainer.env
    whole = env.step

    def step(action: torch.Tensor) -> Any:
        result = whole(action)
        if result.finished.observations is not None:
            result.finished.observations["desired_goal"][:] = torch.nan
        return result

    monkeypatch.setattr(env, "step", step)
    with pytest.raises(FaultError) as caught:
        trainer.iterate()
    # The episodes of the point mass have 20 steps.
    assert (caught.value.fault.phase, caught.value.fault.step) == ("rollout", 19)
    assert trainer.buffer.size() == 0


def test_without_goals_every_whole_transition_can_be_drawn_at_once(sac_cfg: SacCfg, tmp_path):
    """As it was, whatever ends later; a broken one never."""
    cfg = sac_cfg.model_copy(update={"her": None, "learning_starts": 10_000})
    trainer = _trainer(cfg, wall=0.5, resets_broken=True, poison_step=7, max_env_resets=1)
    trainer.iterate()
    buffer = trainer.buffer
    assert buffer.drawable == 4 * 25 - 1
    drawn = buffer.sample(5000)
    rows = torch.cat([drawn.observations["policy"], drawn.actions, drawn.rewards], 1)
    stored = np.concatenate([buffer.observations["policy"], buffer.actions, buffer.rewards[..., None]], 2)[:25]
    kept = {stored[t, e].tobytes() for t in range(25) for e in range(4) if (t, e) != (7, 1)}
    found, counts = np.unique([row.tobytes() for row in rows.numpy()], return_counts=True)
    assert set(found) == kept
    # 5000 draws over 99: 50 each, give or take 5 standard deviations.
    assert counts.min() > 15
    assert counts.max() < 90
    # A time limit is no terminal state, and what follows an ended episode is its final state.
    moved = (drawn.observations["policy"][:, :3] + 0.2 * drawn.actions.clamp(-1.0, 1.0)).clamp(-1.0, 1.0)
    torch.testing.assert_close(drawn.next_observations["policy"][:, :3], moved)
    beyond = drawn.next_observations["policy"][:, 0] > 0.5
    assert torch.equal(drawn.dones[:, 0] == 1.0, beyond)
    # Overwritten rows leave the draw.
    trainer.iterate()
    trainer.iterate()
    assert (buffer.full, buffer.drawable) == (True, 4 * 60)
    assert _untimed(trainer.iterate())["buffer_transitions"] == 240


@pytest.mark.parametrize("algorithm", ["sac", "tqc"])
def test_learns_to_reach_the_goal_without_hindsight(algorithm: str, request: pytest.FixtureRequest):
    cfg = request.getfixturevalue(f"{algorithm}_cfg")
    network = NetworkCfg(hidden_dims=(64, 64), activation="relu")
    fast = {"actor": network, "critic": network, "num_steps_per_env": 50, "gradient_steps": 2, "batch_size": 128}
    more = {"buffer_size": 20_000, "learning_rate": 2e-3, "gamma": 0.9, "ent_coef": 0.02, "her": None}
    trainer = _trainer(cfg.model_copy(update={**fast, **more}), num_envs=8, wall=2.0)
    returns = [trainer.iterate()["episode_return"] for _ in range(7)]
    assert returns[0] < -14.0  # type: ignore[operator]
    assert returns[-1] > -6.0  # type: ignore[operator]
