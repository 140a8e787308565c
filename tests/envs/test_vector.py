"""Environments that are no scene, on real environments of gymnasium, and on some that do what they must not."""

import dataclasses
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium import spaces
from pydantic import ValidationError

from genelab.config.run import ExecutionCfg
from genelab.config.snapshot import config_sha256, dump_task, load_task
from genelab.config.task import TaskSpec
from genelab.config.vector import VectorEnvCfg
from genelab.envs.purpose import Purpose
from genelab.envs.vector import PROOF_STEPS, VectorEnvironment
from genelab.errors import DivergedError, InputError, RunError
from genelab.evaluation.episodes import run_episodes
from genelab.evaluation.evaluate import IdlePolicy, RandomPolicy
from genelab.families.gymnasium.config import gym_env
from genelab.jobs.session import start_session
from genelab.learn.rsl_rl.backend import make_trainer, warm_start
from genelab.records.stamps import other_sums
from genelab.registry import get_task

PENDULUM = "Pendulum-v1"


def task(env_id: str = PENDULUM) -> TaskSpec:
    return get_task(f"Gym-{env_id}")


def training(cfg: VectorEnvCfg, num_envs: int = 3, seed: int = 1, **changes: Any) -> VectorEnvironment:
    return VectorEnvironment(cfg, num_envs, dataclasses.replace(Purpose(seed, numbered=False), **changes))


def run(env: VectorEnvironment, steps: int, first: int = 0) -> list[torch.Tensor]:
    """Steps with actions that the step number decides; returns observations and rewards."""
    found: list[torch.Tensor] = []
    for number in range(first, first + steps):
        action = torch.sin(torch.arange(env.num_envs * env.num_actions) + 0.7 * number).reshape(env.num_envs, -1)
        step = env.step(action)
        found += [step.observations["policy"], step.reward]
    return found


@pytest.mark.parametrize("env_id", [PENDULUM, "MountainCarContinuous-v0", "HalfCheetah-v5", "Ant-v5"])
def test_a_restored_environment_goes_on_bit_for_bit(env_id: str) -> None:
    cfg = gym_env(env_id)
    env, other = training(cfg), training(cfg, seed=2)
    env.reset()
    run(env, 30)
    state = env.state_dict()
    wanted = run(env, 40, first=30)
    other.reseed(env.purpose.seed)
    other.load_state_dict(state)
    assert all(torch.equal(*pair) for pair in zip(run(other, 40, first=30), wanted, strict=True))


def test_numbered_episodes_do_not_depend_on_the_number_of_environments() -> None:
    spec = task("Hopper-v5")
    returns = []
    for width in (1, 3, 5):
        env = VectorEnvironment(spec.env, width, Purpose.evaluation(spec, spec.protocol))  # pyright: ignore
        returns.append(run_episodes(env, RandomPolicy(env), 7).return_)
    assert returns[0] == returns[1] == returns[2]
    assert len(set(returns[0])) == 7


def test_an_episode_earns_what_gymnasium_says_it_does() -> None:
    spec = task()
    env = VectorEnvironment(spec.env, 2, Purpose.evaluation(spec, spec.protocol))  # pyright: ignore
    found = run_episodes(env, IdlePolicy(env), 2)
    assert found.length == (200, 200)
    # The first observation of an episode says where it started.
    angle = [torch.atan2(row[1], row[0]).item() for row in env.reset()["policy"]]
    speed = [row[2].item() for row in env.reset()["policy"]]
    for k in range(2):
        one = gymnasium.make(PENDULUM).unwrapped
        one.reset()
        one.state = np.array([angle[k], speed[k]])  # pyright: ignore
        total = sum(float(one.step(np.zeros(1, dtype=np.float32))[1]) for _ in range(200))
        assert found.return_[k] == pytest.approx(total, rel=1e-4)


def test_the_time_limit_truncates_and_a_fall_terminates() -> None:
    env = training(gym_env(PENDULUM), final_observations=True)
    env.reset()
    for _ in range(199):
        step = env.step(torch.zeros(3, 1))
    assert not step.truncated.any()
    step = env.step(torch.zeros(3, 1))
    assert step.truncated.all()
    assert not step.terminated.any()
    assert step.finished.observations is not None
    assert not torch.equal(step.finished.observations["policy"], step.observations["policy"])
    assert env.metrics() == {"termination/time_out": 3, "termination/terminated": 0}
    hopper = training(gym_env("Hopper-v5"))
    hopper.reset()
    ends = [hopper.step(torch.ones(3, 3)) for _ in range(100)]
    assert any(bool(step.terminated.any()) for step in ends)
    assert hopper.metrics()["termination/terminated"] > 0


def test_staggered_first_episodes_end_one_after_the_other_and_later_ones_last_as_long_as_ever() -> None:
    env = training(gym_env(PENDULUM), 4, staggered=True)
    env.reset()
    ends: dict[int, list[int]] = {k: [] for k in range(4)}
    for number in range(1, 421):
        if number == 100:
            # Nothing beside the numbers of the episodes is remembered of it.
            state = env.state_dict()
            env = training(gym_env(PENDULUM), 4, staggered=True)
            env.load_state_dict(state)
        step = env.step(torch.zeros(4, 1))
        for k in torch.nonzero(step.truncated).flatten().tolist():
            ends[k].append(number)
    assert ends == {0: [50, 250], 1: [100, 300], 2: [150, 350], 3: [200, 400]}


def test_actions_are_cut_and_mapped_to_the_bounds() -> None:
    env = training(gym_env(PENDULUM), 1)
    env.reset()
    inner = env._simulations._envs[0].unwrapped  # pyright: ignore
    for action, torque in ((1.0, 2.0), (-0.5, -1.0), (7.0, 2.0)):
        env.step(torch.tensor([[action]]))
        assert inner.last_u == torque


def test_a_snapshot_of_the_task_is_the_task() -> None:
    spec = task()
    assert load_task(dump_task(spec), "here") == spec
    assert config_sha256(spec) != config_sha256(task("HalfCheetah-v5"))


def test_what_needs_a_robot_says_so() -> None:
    with pytest.raises(InputError, match=r"env\.make = .*: is no scene with a robot"):
        _ = task().scene
    with pytest.raises(InputError, match=r"--engine genesis: .* runs in gymnasium alone"):
        task().on("genesis")


def test_what_needs_a_scene_is_refused_in_a_task_without_one() -> None:
    for changes in ({"baselines": ("frozen",)}, {"drawn_starts": 0.5}):
        (field,) = changes
        with pytest.raises(ValidationError, match=rf"{field} = .*: must be .*: env\.make is no scene"):
            TaskSpec.model_validate({**dict(task()), **changes})


def test_a_training_starts_from_the_policy_of_another() -> None:
    spec = task()
    assert isinstance(spec.env, VectorEnvCfg)
    trainers = [make_trainer(spec, "0" * 64, training(spec.env, seed=seed)) for seed in (1, 2)]
    warm_start(trainers[1], trainers[0].checkpoint(), spec, "the other")
    first, second = (trainer.checkpoint() for trainer in trainers)
    assert all(torch.equal(tensor, second.actor[name]) for name, tensor in first.actor.items())
    assert all(torch.equal(tensor, second.critic[name]) for name, tensor in first.critic.items())


def test_a_record_has_the_versions_of_what_the_environment_depends_on() -> None:
    spec = task()
    env = gym_env(PENDULUM, packages=("pytest",))
    _, stamps = start_session(1, ExecutionCfg(device="cpu"), spec.model_copy(update={"env": env}))
    assert stamps.packages["pytest"] == pytest.__version__
    other = dataclasses.replace(stamps, packages=stamps.packages | {"pytest": "0.1", "pydantic": "0.1"})
    assert other_sums(stamps, other, "rsl_rl") == (f"pytest: {pytest.__version__} -> 0.1",)


class Strange(gymnasium.Env[Any, Any]):
    """A point that is pushed, with a fault."""

    observation_space = spaces.Box(-10.0, 10.0, (1,))
    action_space = spaces.Box(-1.0, 1.0, (1,))

    def __init__(self, fault: str = "", speed: float = 1.0) -> None:
        self.fault, self.speed = fault, speed
        self.hidden: list[float] = [0.0]
        if fault == "discrete":
            self.action_space = spaces.Discrete(3)

    def _seen(self) -> np.ndarray:
        width = 2 if self.fault == "wide" and self.steps > 3 else 1
        value = self.place + (sum(self.hidden) if self.fault == "hides" else 0.0)
        return np.full(width, np.nan if self.fault == "nan" and self.steps > 3 else value, dtype=np.float32)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        super().reset(seed=None if self.fault == "deaf" else seed)
        self.place, self.steps, self.hidden = float(self.np_random.uniform()), 0, [0.0]
        return self._seen(), {}

    def step(self, action: Any) -> Any:
        self.place += self.speed * float(action[0])
        self.steps += 1
        self.hidden.append(0.01)
        return self._seen(), 1.0, False, False, {}


gymnasium.register("Strange-v0", Strange, max_episode_steps=100)


@pytest.mark.parametrize(
    ("env_id", "params", "told"),
    [
        ("Nothing-v0", {}, "gymnasium environment 'Nothing-v0': cannot be made"),
        ("CartPole-v1", {}, r"takes Discrete\(2\); must be a Box with bounds"),
        ("Strange-v0", {"fault": "discrete"}, r"takes Discrete\(3\)"),
        ("Strange-v0", {"weight": 3.0}, r"cannot be made with \{'weight': 3.0\}: .*weight"),
        ("Strange-v0", {"wrappers": ["NoSuchWrapper"]}, "env.params.wrappers = 'NoSuchWrapper'"),
        ("Strange-v0", {"observation_keys": ["a"]}, "env.params.observation_keys"),
        ("Strange-v0", {"wrappers": "ClipReward"}, "env.params.wrappers = 'ClipReward': must be a list of names"),
        ("Strange-v0", {"action_repeat": 0.5}, "env.params.action_repeat = 0.5: must be a whole number above 0"),
    ],
)
def test_an_environment_that_does_not_fit_is_refused(env_id: str, params: dict[str, Any], told: str) -> None:
    with pytest.raises(InputError, match=told):
        gym_env(env_id, **params)


def test_an_environment_that_ignores_seeds_is_refused() -> None:
    with pytest.raises(InputError, match="two resets with one seed differ"):
        training(gym_env("Strange-v0", fault="deaf"))


def test_an_environment_that_changes_its_shape_is_caught() -> None:
    env = training(gym_env("Strange-v0", fault="wide"))
    env.reset()
    with pytest.raises(DivergedError, match="shows 2 numbers, its space has 1"):
        run(env, 10)


def test_a_value_that_is_not_finite_is_broken() -> None:
    env = training(gym_env("Strange-v0", fault="nan"))
    env.reset()
    steps = [env.step(torch.zeros(3, 1)) for _ in range(4)]
    assert [bool(step.broken.any()) for step in steps] == [False, False, False, True]


def test_a_state_that_cannot_be_restored_is_caught_in_training() -> None:
    env = training(gym_env("Strange-v0", fault="hides"))
    env.reset()
    run(env, 5)
    env.state_dict()
    with pytest.raises(RunError, match=r"env\.resume = 'exact': 1 steps after a save and a restore, the observation"):
        run(env, PROOF_STEPS)
    loose = training(gym_env("Strange-v0", fault="hides").model_copy(update={"resume": "none"}))
    loose.reset()
    run(loose, 5)
    state = loose.state_dict()
    run(loose, PROOF_STEPS)
    loose.load_state_dict(state)
    assert loose.episode_step.tolist() == [0, 0, 0]


def test_settings_reach_the_environment() -> None:
    cfg = gym_env("Strange-v0", speed=0.5, action_repeat=4, episode_steps=10)
    assert cfg.episode_steps == 3
    env = training(cfg, 1)
    start = env.reset()["policy"]
    step = env.step(torch.ones(1, 1))
    assert step.observations["policy"] - start == pytest.approx(2.0)
    assert step.reward.item() == 4.0
