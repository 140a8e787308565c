from collections.abc import Callable
from typing import Any

import pytest
import torch

from genelab.config.env import EnvCfg
from genelab.config.terms import ObservationTermCfg, PartCfg
from genelab.envs.environment import Environment
from genelab.envs.purpose import Purpose
from genelab.errors import InputError
from genelab.registry import get_task
from genelab.sim.engine import Engine

pytestmark = [pytest.mark.sim, pytest.mark.xdist_group("sim")]

Build = Callable[[str, int], Engine]
V0, V1 = "GeneLab-Inverted-Pendulum-v0", "GeneLab-Inverted-Pendulum-v1"


def _env(build: Build, task_id: str, num_envs: int, *, seed: int = 1, numbered: bool = False, **options: Any):
    return Environment(get_task(task_id).env, build(task_id, num_envs), Purpose(seed, numbered=numbered, **options))


def _actions(num_envs: int, step: int) -> torch.Tensor:
    return 0.3 * torch.sin(torch.arange(num_envs)[:, None] * 0.7 + step * 0.31)


def test_observation_is_value_plus_noise_times_scale(build: Build):
    env = _env(build, V1, 16, disturbances=False)
    clean = _env(build, V1, 16, disturbances=False, observation_noise=False)
    noisy, quiet = env.reset(), clean.reset()
    assert torch.equal(noisy["critic"], quiet["critic"])
    assert torch.equal(quiet["policy"], quiet["critic"])
    seen = [noisy, *(env.step(torch.zeros(16, 1)).observations for _ in range(3))]
    noise = torch.cat([each["policy"] - each["critic"] for each in seen])
    half_width = torch.tensor([0.005, 0.005, 0.005, 0.005, 0.02, 0.02, 0.02, 0.0])
    assert (noise.abs() <= half_width + 1e-7).all()
    # 64 draws fill most of the range.
    assert (noise.abs().max(dim=0).values > 0.8 * half_width - 1e-9).all()
    # Initial state: positions and velocities in +-0.05, velocities scaled by 0.1.
    assert noisy["critic"][:, :2].abs().max() <= 0.05
    assert 0.004 < noisy["critic"][:, 2:4].abs().max() <= 0.005


def test_reward_is_the_sum_of_weighted_terms_of_the_state_after_the_step(build: Build):
    env = _env(build, V1, 16, observation_noise=False, disturbances=False)
    env.reset()
    first = _actions(16, 0)
    env.step(first)
    action = _actions(16, 1)
    step = env.step(action)
    x, angle = step.observations["critic"][:, 0], step.observations["critic"][:, 1]
    x_vel, angle_vel = step.observations["critic"][:, 2] * 10, step.observations["critic"][:, 3] * 10
    rate = (action - first)[:, 0]
    expected = 0.01 * (
        1.0
        + 3.0 * torch.cos(angle)
        - 0.5 * angle**2
        - 0.05 * x**2
        - 0.005 * x_vel**2
        - 0.01 * angle_vel**2
        - 0.005 * rate**2
    )
    assert not (step.terminated | step.truncated).any()
    torch.testing.assert_close(step.reward, expected, rtol=1e-5, atol=1e-7)
    assert sum(env.metrics().values()) > 0.03


def test_a_fall_terminates_and_a_time_limit_truncates(build: Build):
    env = _env(build, V1, 16, disturbances=False, max_steps=30, final_observations=True)
    env.reset()
    # Half of the carts run off and drop their poles; the others barely move.
    drive = torch.where(torch.arange(16) % 2 == 0, 2.0, 0.0)[:, None]
    ended_early = torch.zeros(16, dtype=torch.bool)
    for k in range(1, 31):
        step = env.step(drive)
        assert not (step.terminated & step.truncated).any()
        assert (step.finished.length[step.truncated] == 30).all()
        fell = step.terminated
        # Computed only in the steps that need them.
        assert (step.finished.observations is not None) == bool((fell | step.truncated).any())
        if fell.any():
            final = step.finished.observations
            assert final is not None
            assert (final["critic"][fell, 1].abs() > 0.4).all()
            # What is returned is the next episode's first observation.
            assert (step.observations["critic"][fell, 1].abs() <= 0.05).all()
            assert (step.observations["critic"][fell, 7] == 0).all()
        ended_early |= fell
        if k < 30:
            assert not step.truncated.any()
    assert ended_early.tolist() == [k % 2 == 0 for k in range(16)]
    assert step.truncated[1::2].all()


def test_staggered_first_episodes_end_one_after_the_other(build: Build):
    env = _env(build, V0, 16, disturbances=False, max_steps=32, staggered=True)
    env.reset()
    lengths = torch.zeros(16, dtype=torch.int64)
    for _ in range(33):
        step = env.step(torch.zeros(16, 1))
        lengths = torch.where(step.truncated, step.finished.length, lengths)
    assert lengths.tolist() == [2 * (k + 1) for k in range(16)]


def test_published_pendulum_runs_its_thousand_steps_whatever_it_does(build: Build):
    env = _env(build, V0, 16, disturbances=False)
    env.reset()
    for k in range(1000):
        step = env.step(_actions(16, k))
        assert not step.terminated.any()
        assert bool(step.truncated.any()) == (k == 999)
    assert (step.finished.length == 1000).all()
    assert (step.finished.episode_return > 39.0).all()


def _cart_jumps(env: Environment, steps: int) -> torch.Tensor:
    """Change of the idle cart's observed velocity in each step, m/s. Shape: (steps - 1, num_envs)."""
    idle = torch.zeros(env.num_envs, 1)
    speeds = torch.stack([env.step(idle).observations["critic"][:, 2] * 10 for _ in range(steps)])
    assert (speeds.abs() <= 0.5 + 1e-4).all()
    return speeds[1:] - speeds[:-1]


def test_pushes_come_in_training_within_their_interval_and_range(build: Build):
    env = _env(build, V0, 16)
    env.reset()
    # The PD law changes the velocity by at most kv 0.5 / mass x dt = 0.033 m/s in a step; weak pushes are not seen.
    pushed = _cart_jumps(env, 999).abs() > 0.06
    times = [(pushed[:, i].nonzero().flatten() + 2).tolist() for i in range(16)]
    gaps = [b - a for row in times for a, b in zip([0, *row], row, strict=False)]
    assert len(gaps) >= 20
    # A gap may span an unseen push, but none is shorter than 2 s.
    assert min(gaps) >= 199
    assert min(gaps) <= 400


def test_no_push_without_disturbances(build: Build):
    env = _env(build, V0, 16, disturbances=False)
    env.reset()
    assert _cart_jumps(env, 600).abs().max() < 0.06


@pytest.mark.parametrize("disturbances", [False, True])
def test_an_episode_is_the_same_in_any_environment_of_any_batch(build: Build, disturbances: bool):
    """Numbered episodes: 4 and 16 environments give the same observations, bit for bit."""

    def trace(num_envs: int) -> dict[int, list[torch.Tensor]]:
        # An interval that several pushes fit into, since these episodes are short.
        cfg = get_task(V1).env
        push = cfg.disturbances["push"].model_copy(update={"interval_s": (0.1, 0.3)})
        cfg = cfg.model_copy(update={"disturbances": {"push": push}})
        env = Environment(cfg, build(V1, num_envs), Purpose(1, numbered=True, disturbances=disturbances))
        observations = env.reset()["policy"]
        found: dict[int, list[torch.Tensor]] = {}
        for _ in range(1040):
            numbers = env.episode_number.clone()
            for i, number in enumerate(numbers.tolist()):
                found.setdefault(number, []).append(observations[i].clone())
            step = env.step(0.5 * observations[:, :1])
            observations = step.observations["policy"]
        return found

    few, many = trace(4), trace(16)
    checked = 0
    for number, rows in few.items():
        other = many[number]
        for a, b in zip(rows, other, strict=False):
            assert torch.equal(a, b)
            checked += 1
    assert len(few) > 20
    assert checked > 1500


def test_one_disturbance_does_not_undo_another(build: Build):
    cfg = get_task(V1).env
    push = cfg.disturbances["push"].model_copy(update={"interval_s": (0.02, 0.02)})
    both = {
        name: push.model_copy(update={"params": {"joints": [joint], "velocity_range": [speed, speed]}})
        for name, joint, speed in (("cart", "slider", 0.3), ("pole", "hinge", 0.2))
    }
    env = Environment(cfg.model_copy(update={"disturbances": both}), build(V1, 16), Purpose(1, numbered=False))
    env.reset()
    env.step(torch.zeros(16, 1))
    observed = env.step(torch.zeros(16, 1)).observations["critic"][:, 2:4] * 10
    torch.testing.assert_close(observed, torch.tensor([[0.3, 0.2]]).expand(16, 2))


def test_training_draws_depend_on_the_seed(build: Build):
    first = _env(build, V1, 16, seed=1).reset()["critic"]
    assert torch.equal(_env(build, V1, 16, seed=1).reset()["critic"], first)
    assert not torch.equal(_env(build, V1, 16, seed=2).reset()["critic"], first)


def test_evaluation_and_training_streams_are_disjoint(build: Build):
    training = _env(build, V1, 16, seed=0).reset()["critic"]
    evaluation = _env(build, V1, 16, seed=0, numbered=True).reset()["critic"]
    assert not torch.equal(training, evaluation)


def test_a_restored_environment_goes_on_bit_equal(build: Build):
    env = _env(build, V1, 16)
    env.reset()
    for k in range(300):
        env.step(_actions(16, k))
    saved = env.state_dict()

    def roll() -> list[torch.Tensor]:
        steps = [env.step(_actions(16, k)) for k in range(250)]
        return [t for s in steps for t in (s.observations["policy"], s.reward, s.finished.episode_return, s.terminated)]

    first = roll()
    env.load_state_dict(saved)
    assert all(torch.equal(a, b) for a, b in zip(first, roll(), strict=True))


def test_a_wrong_parameter_names_the_term(build: Build):
    cfg = get_task(V1).env
    term = cfg.terminations["pole_angle"].model_copy(update={"params": {"joints": ["hinge"], "limt": 0.4}})
    broken = cfg.model_copy(update={"terminations": {**cfg.terminations, "pole_angle": term}})
    with pytest.raises(InputError, match="env.terminations.pole_angle.params.*limt"):
        Environment(broken, build(V1, 16), Purpose(1, numbered=False))
    missing = cfg.terminations["pole_angle"].model_copy(update={"func": "genelab.mdp.terminations:no_such"})
    broken = cfg.model_copy(update={"terminations": {"pole_angle": missing}})
    with pytest.raises(InputError, match="has no function 'no_such'"):
        Environment(broken, build(V1, 16), Purpose(1, numbered=False))


def _with_parts(cfg: EnvCfg, **parts: str) -> EnvCfg:
    """With parts, and an observation of what they count."""
    group = cfg.observations["policy"]
    terms = group.terms | {"counted": ObservationTermCfg(func="tests.envs.counting:counted")}
    return cfg.model_copy(
        update={
            "parts": {name: PartCfg(func=f"tests.envs.counting:{func}") for name, func in parts.items()},
            "observations": cfg.observations | {"policy": group.model_copy(update={"terms": terms})},
        }
    )


def test_a_part_of_a_stranger_counts_is_seen_and_is_saved(build: Build):
    cfg = _with_parts(get_task(V1).env, counter="counter")
    env = Environment(cfg, build(V1, 16), Purpose(1, numbered=True, max_steps=3))
    assert env.reset()["policy"][:, -1].tolist() == [0.0] * 16
    seen = [env.step(_actions(16, k)).observations["policy"][0, -1].item() for k in range(4)]
    assert seen == [1.0, 2.0, 0.0, 1.0]
    assert env.state_dict()["parts/counter/steps"].tolist() == [1] * 16


@pytest.mark.parametrize(
    ("parts", "told"),
    [
        ({"a": "counter", "b": "counter"}, r"env\.parts\.b: shows Count, which 'parts/a' shows already"),
        ({"a": "nothing"}, r"env\.parts\.a\.func = 'tests\.envs\.counting:nothing': must return a Part"),
        ({}, "this term needs Count, which no part of the environment shows"),
    ],
)
def test_parts_that_do_not_fit_are_refused(build: Build, parts: dict[str, str], told: str):
    with pytest.raises((InputError, ValueError), match=told):
        Environment(_with_parts(get_task(V1).env, **parts), build(V1, 16), Purpose(1, numbered=True))


def test_as_many_bounds_as_dimensions_or_one(build: Build):
    cfg = get_task(V1).env
    group = cfg.observations["policy"]
    for count, allowed in ((1, True), (2, True), (3, False)):
        term = group.terms["joint_pos"].model_copy(update={"bounds": ((-1.0, 1.0),) * count})
        groups = {**cfg.observations, "policy": group.model_copy(update={"terms": {**group.terms, "joint_pos": term}})}
        wrong = cfg.model_copy(update={"observations": groups})
        if allowed:
            row = Environment(wrong, build(V1, 16), Purpose(1, numbered=False)).layout()["policy"][0]
            assert row["bounds"] == [[-1.0, 1.0]] * 2
        else:
            with pytest.raises(InputError, match=r"joint_pos\.bounds: 3 pairs, the term has 2 dimensions"):
                Environment(wrong, build(V1, 16), Purpose(1, numbered=False))
