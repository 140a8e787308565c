import math
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from genelab.config.env import EnvCfg
from genelab.config.task import TaskSpec
from genelab.config.terms import IntervalEventCfg, ObservationTermCfg, RewardTermCfg
from genelab.envs.environment import Environment
from genelab.envs.purpose import Purpose
from genelab.errors import DivergedError
from genelab.learn.guard import Fault, FaultError, UpdateGuard, Watch
from genelab.learn.rsl_rl.backend import make_trainer
from genelab.learn.rsl_rl.trainer import PpoTrainer
from genelab.registry import get_task
from genelab.sim.engine import Engine
from genelab.worker.training import _counters  # pyright: ignore[reportPrivateUsage]

pytestmark = [pytest.mark.sim, pytest.mark.xdist_group("sim")]

TASK, NUM_ENVS, CULPRIT = "GeneLab-Inverted-Pendulum-v1", 16, 3

Build = Callable[[str, int], Engine]


def _task(env: dict[str, Any] | None = None, **agent: Any) -> TaskSpec:
    task = get_task(TASK)
    cfg, train = task.env.model_copy(update=env), task.train.model_copy(update={"num_envs": NUM_ENVS})
    agent = {"normalization": "running", **agent}
    return task.model_copy(update={"env": cfg, "train": train, "agent": task.agent.model_copy(update=agent)})


def _trainer(build: Build, task: TaskSpec, *, reset_broken: bool = False, cap: int = 100) -> PpoTrainer:
    torch.manual_seed(0)
    env = Environment(
        task.env,
        build(TASK, NUM_ENVS),
        Purpose(1, numbered=False, reset_broken=reset_broken),
    )
    return make_trainer(task, "a" * 64, env, max_env_resets=cap)


def _cfg() -> EnvCfg:
    return get_task(TASK).env


def _bad_reward(value: str, step: int = 5) -> dict[str, Any]:
    params = {"value": value, "step": step, "environment": CULPRIT}
    term = RewardTermCfg(func="tests.faults:reward_of", weight=1.0, params=params)
    return {"rewards": {**_cfg().rewards, "injected": term}}


def _bad_observation(group: str, func: str, **params: Any) -> dict[str, Any]:
    cfg = _cfg().observations[group]
    terms = {**cfg.terms, "injected": ObservationTermCfg(func=f"tests.faults:{func}", params=params)}
    return {"observations": {**_cfg().observations, group: cfg.model_copy(update={"terms": terms})}}


def _kick() -> dict[str, Any]:
    event = IntervalEventCfg(func="tests.faults:kick", params={"environment": CULPRIT}, interval_s=(0.05, 0.05))
    return {"disturbances": {"kick": event}}


def _fault_of(trainer: PpoTrainer) -> FaultError:
    weights = trainer.checkpoint().weights_sha256
    with pytest.raises(FaultError) as caught:
        trainer.iterate()
    # Back where the iteration began: what can be saved from here is not poisoned.
    assert trainer.checkpoint().weights_sha256 == weights
    assert trainer.iteration == 0
    return caught.value


@pytest.mark.parametrize("value", ["nan", "inf", "-inf"])
@pytest.mark.parametrize("each_step", [True, False])
def test_a_reward_that_is_not_finite_names_term_step_and_environment(build: Build, value: str, each_step: bool):
    trainer = _trainer(build, _task(_bad_reward(value)))
    # False is how a GPU is asked: once a rollout.
    trainer.guard.checks_each_step = each_step
    error = _fault_of(trainer)
    fault = error.fault
    assert (fault.phase, fault.tensor, fault.step, fault.environments) == ("rollout", "reward/injected", 4, [CULPRIT])
    assert fault.reproduced
    assert fault.last_normal == "reward/action_rate of step 4"
    assert str(fault.value) == value
    assert str(error.tensors["reward/injected"][CULPRIT].item()) == value
    assert len(error.actions) == (5 if each_step else 24)


def test_an_exploding_observation_is_named(build: Build):
    fault = _fault_of(_trainer(build, _task(_bad_observation("critic", "exploding")))).fault
    # e^90 is above the largest float32.
    assert (fault.tensor, fault.step) == ("observation/critic/injected", 8)
    # All that have not fallen in between.
    assert len(fault.environments) >= NUM_ENVS - 4
    assert fault.value == math.inf


def test_a_diverging_environment_is_named_by_its_physics(build: Build):
    fault = _fault_of(_trainer(build, _task(_kick()))).fault
    assert fault.environments == [CULPRIT]
    assert fault.tensor == "speed above 1000 m/s or rad/s"
    # Thrown at the end of step 4, which its observation shows; the state is read in the next.
    assert fault.step == 5


@pytest.mark.parametrize("decimation", [1, 2, 3, 4, 7])
@pytest.mark.parametrize("every", [1, 2, 3])
@pytest.mark.parametrize("reset_broken", [False, True])
def test_a_simulator_error_anywhere_in_a_step_is_one_environments_business(
    build: Build, decimation: int, every: int, reset_broken: bool
):
    """Genesis looks for errors every ten physics steps and then stops for the whole batch."""
    dt = _cfg().sim.dt * decimation
    event = IntervalEventCfg(func="tests.faults:kick", params={"environment": CULPRIT}, interval_s=(every * dt,) * 2)
    task = _task({"decimation": decimation, "disturbances": {"kick": event}})
    trainer = _trainer(build, task, reset_broken=reset_broken)
    if not reset_broken:
        fault = _fault_of(trainer).fault
        assert (fault.environments, fault.reproduced) == ([CULPRIT], True)
        return
    trainer.iterate()
    assert trainer.env.broken_count.nonzero().flatten().tolist() == [CULPRIT]


def test_what_was_let_pass_leaves_the_normaliser_alone(build: Build):
    """A diverging environment passes through huge finite values; one would spoil the statistics for good."""
    spreads: list[torch.Tensor] = []
    resets = 0
    for change in ({}, _kick()):
        trainer = _trainer(build, _task({"disturbances": {}, **change}), reset_broken=True)
        for _ in range(3):
            trainer.iterate()
        normalizer: Any = trainer.algorithm.actor.obs_normalizer
        spreads.append(normalizer.std)
        resets = trainer.env_resets
    assert resets > 5
    torch.testing.assert_close(spreads[1], spreads[0], rtol=0.5, atol=0.05)


def test_a_first_observation_that_is_not_finite_is_not_let_pass(build: Build, monkeypatch: pytest.MonkeyPatch):
    """A new episode that begins broken would only begin so again; `reset-env` is about those that break."""
    change = _bad_observation("policy", "not_a_number", step=0, environment=CULPRIT)
    fault = _fault_of(_trainer(build, _task(change), reset_broken=True)).fault
    assert (fault.phase, fault.tensor, fault.environments) == ("start", "observation/policy/injected", [CULPRIT])

    monkeypatch.setattr("tests.faults._STEPPED", [])
    change = _bad_observation("policy", "born_broken", environment=CULPRIT)
    trainer = _trainer(build, _task({**change, "episode_length_s": 0.1}), reset_broken=True)
    fault = _fault_of(trainer).fault
    assert (fault.phase, fault.tensor, fault.environments) == ("rollout", "observation/policy/injected", [CULPRIT])
    assert trainer.env_resets == 0


def test_what_was_let_pass_is_not_taken_for_what_stopped_the_run(build: Build, monkeypatch: pytest.MonkeyPatch):
    """A broken reward in one environment is reset in step 1; the simulator gives up on all in step 8."""
    trainer = _trainer(build, _task(_bad_reward("nan", step=2)), reset_broken=True)
    step, start = trainer.env.step, trainer.env.state_dict()["num_steps"]

    def give_up(action: torch.Tensor) -> Any:
        if trainer.env.state_dict()["num_steps"] == start + 8:
            raise DivergedError("the simulator stopped")
        return step(action)

    monkeypatch.setattr(trainer.env, "step", give_up)
    fault = _fault_of(trainer).fault
    assert (fault.tensor, fault.step, fault.rule) == ("simulator error", 8, "the simulator stopped")


def test_a_count_outlives_the_policy_it_was_made_under(build: Build):
    counted = _trainer(build, _task(_bad_reward("nan")), reset_broken=True)
    counted.iterate()
    later = _trainer(build, _task())
    later.load_state_dict(counted.state_dict())
    record: Any = SimpleNamespace(stages=())
    assert _counters(record, later) == {"env_resets": 4}
    assert _counters(record, _trainer(build, _task())) == {}


def test_an_action_noise_driven_below_zero_is_found_at_its_mini_batch(build: Build):
    # Steps of Adam are about as long as the learning rate.
    trainer = _trainer(build, _task(init_std=0.05, learning_rate=0.03, schedule="fixed", entropy_coef=0.0))
    distribution: Any = trainer.algorithm.actor.distribution
    steps: list[float] = []
    step = trainer.algorithm.optimizer.step

    def downwards() -> None:
        distribution.std_param.grad.fill_(1.0)
        try:
            # The guard looks right behind it.
            step()
        finally:
            steps.append(distribution.std_param.item())

    trainer.algorithm.optimizer.step = downwards  # pyright: ignore
    fault = _fault_of(trainer).fault
    assert (fault.phase, fault.tensor, fault.mini_batch) == ("update", "action/std", 1)
    assert steps[0] > 0.0 > steps[1]
    assert fault.value == pytest.approx(steps[1])
    assert fault.last_normal == "weight/critic/mlp.4.bias of mini-batch 1"


def test_an_action_noise_on_its_bound_is_dead(build: Build):
    trainer = _trainer(build, _task(init_std=5e-7))
    fault = _fault_of(trainer).fault
    assert (fault.tensor, fault.phase) == ("action/std", "update")
    assert "gradient is not 0" in fault.rule


def test_a_gradient_of_nan_behind_finite_losses_is_found(build: Build):
    """Where the ratio overflows, the clipped loss stays finite, and its gradient is 0 x inf."""
    trainer = _trainer(build, _task())
    compute = trainer.algorithm.compute_returns

    def with_an_unlikely_action(observations: Any) -> None:
        compute(observations)
        storage: Any = trainer.algorithm.storage
        best = storage.advantages.flatten().argmax()
        storage.actions_log_prob.view(-1)[best] = -200.0

    trainer.algorithm.compute_returns = with_an_unlikely_action  # pyright: ignore
    fault = _fault_of(trainer).fault
    assert fault.phase == "update"
    assert fault.tensor.startswith("gradient/actor/")
    assert math.isnan(fault.value)
    assert fault.last_normal.startswith(("rollout/advantages", "action/std of mini-batch"))


def test_a_broken_environment_is_reset_counted_and_leaves_the_others_alone(build: Build):
    def rollout(cfg: EnvCfg) -> tuple[torch.Tensor, Environment]:
        env = Environment(
            cfg,
            build(TASK, NUM_ENVS),
            Purpose(1, numbered=False, reset_broken=True),
        )
        env.reset()
        rows: list[torch.Tensor] = []
        for k in range(12):
            step = env.step(torch.full((NUM_ENVS, 1), 0.01 * k))
            rows.append(torch.cat([step.observations["policy"], step.reward[:, None], step.terminated[:, None]], 1))
        return torch.stack(rows), env

    clean, _ = rollout(_task({"disturbances": {}}).env)
    others = [i for i in range(NUM_ENVS) if i != CULPRIT]
    for change in (
        {"disturbances": {}, **_bad_observation("policy", "not_a_number", step=5, environment=CULPRIT)},
        _kick(),
    ):
        broken, env = rollout(_task(change).env)
        assert torch.isfinite(broken).all()
        # The injected observation is a column of its own.
        columns = [*range(8), -2, -1]
        assert torch.equal(broken[:, others][..., columns], clean[:, others])
        assert env.broken_count.nonzero().flatten().tolist() == [CULPRIT]
        hits = broken[:, CULPRIT, -1].nonzero().flatten().tolist()
        assert len(hits) == int(env.broken_count.sum()) > 0
        # Ended as a fall. A step in which the state or what it shows is broken earns nothing.
        earned = 0.0 if "observations" in change else pytest.approx(0.04, abs=1e-3)
        assert broken[hits, CULPRIT, -2].tolist() == [earned] * len(hits)


def test_a_reward_that_is_not_finite_is_let_pass_up_to_the_cap(build: Build):
    trainer = _trainer(build, _task(_bad_reward("nan")), reset_broken=True)
    row = trainer.iterate()
    # Its episode began anew after step 5, so that it is broken again every fifth step: 4 times in 24.
    assert trainer.env_resets == 4
    assert all(value is None or math.isfinite(value) for value in row.values())
    state = trainer.state_dict()
    assert int(state["env"]["broken_count"].sum()) == 4


@pytest.mark.parametrize(("each_step", "cap", "steps"), [(True, 3, 20), (True, 1, 10), (False, 3, 24)])
def test_the_cap_of_resets_stops_the_rollout_at_the_step_that_passes_it(
    build: Build, each_step: bool, cap: int, steps: int
):
    """The fourth of the resets every fifth step comes in the twentieth. A GPU is asked once a rollout."""
    trainer = _trainer(build, _task(_bad_reward("nan")), reset_broken=True, cap=cap)
    trainer.guard.checks_each_step = each_step
    error = _fault_of(trainer)
    assert (error.fault.phase, error.fault.value, error.fault.environments) == ("resets", cap + 1, [CULPRIT])
    assert "--max-env-resets" in error.fault.rule
    assert len(error.actions) == steps


def test_a_fault_that_cannot_be_repeated_says_so(build: Build, monkeypatch: pytest.MonkeyPatch):
    trainer = _trainer(build, _task())
    step, calls = trainer.env.step, [0]

    def once(action: torch.Tensor) -> Any:
        result = step(action)
        calls[0] += 1
        if calls[0] == 3:
            result.reward[CULPRIT] = math.nan
        return result

    monkeypatch.setattr(trainer.env, "step", once)
    fault = _fault_of(trainer).fault
    assert (fault.reproduced, fault.step) == (False, 2)


def test_letting_broken_environments_pass_does_not_change_a_sound_run(build: Build):
    weights: list[str] = []
    for reset_broken in (False, True):
        trainer = _trainer(build, _task(), reset_broken=reset_broken)
        trainer.iterate()
        trainer.iterate()
        weights.append(trainer.checkpoint().weights_sha256)
    assert weights[0] == weights[1]


@pytest.mark.parametrize("normalization", ["running", "fixed", "none"])
def test_every_normalisation_trains(build: Build, normalization: str):
    """Without a normaliser there are no statistics to check."""
    trainer = _trainer(build, _task(normalization=normalization))
    assert math.isfinite(trainer.iterate()["step_reward"])
    assert trainer.iteration == 1


def test_a_watch_notes_the_first_and_what_came_before():
    watch = Watch()
    watch("a", torch.zeros(4, 2))
    watch.step = 1
    watch("b", torch.tensor([[0.0, 1.0], [math.inf, 0.0], [math.nan, 0.0]]))
    watch("c", torch.full((3,), math.nan))
    assert watch.fault == Fault("rollout", "b", math.inf, "must be finite", "a of step 0", step=1, environments=[1, 2])


def test_the_guard_of_an_update_names_the_step_and_the_environments_of_a_rollout():
    value = torch.zeros(4, 5, 1)
    value[2, 1] = value[2, 3] = math.inf
    value[3] = math.nan
    with pytest.raises(FaultError) as caught:
        UpdateGuard().by_environment([("fine", torch.zeros(4, 5, 1)), ("returns", value)])
    fault = caught.value.fault
    assert (fault.tensor, fault.step, fault.environments, fault.last_normal) == ("returns", 2, [1, 3], "fine")
