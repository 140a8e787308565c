"""Control tasks as genelab's own: every one is made, numbered, saved and drawn."""

import hashlib

import numpy as np
import pytest
import torch

from genelab.config.task import TaskSpec
from genelab.config.vector import VectorEnvCfg
from genelab.envs.purpose import Purpose
from genelab.envs.vector import PROOF_STEPS, VectorEnvironment
from genelab.errors import InputError
from genelab.evaluation.episodes import run_episodes
from genelab.evaluation.evaluate import IdlePolicy, RandomPolicy
from genelab.registry import get_task, registered_tasks
from genelab_control.catalogue import TASKS

IDS = [task.id for task in registered_tasks() if task.robot == "Control suite"]


def env_of(spec: TaskSpec, num_envs: int, purpose: Purpose) -> VectorEnvironment:
    assert isinstance(spec.env, VectorEnvCfg)
    return VectorEnvironment(spec.env, num_envs, purpose)


def test_all_tasks_of_both_suites_are_registered() -> None:
    assert len(IDS) == 50
    assert {task_id.split("-")[1] for task_id in IDS} == set(TASKS)


@pytest.mark.parametrize("task_id", IDS)
def test_a_task_steps_and_its_restored_simulations_do_the_same(task_id: str) -> None:
    spec = get_task(task_id)
    env = env_of(spec, 2, Purpose(1, numbered=False))
    observations = env.reset()["policy"]
    assert observations.shape == (2, sum(len(part.columns) for part in spec.env.observation.values()))  # pyright: ignore
    for number in range(PROOF_STEPS + 2):
        step = env.step(torch.sin(torch.arange(2 * env.num_actions) + 0.3 * number).reshape(2, -1))
        if number == 0:
            # Compares with restored simulations in the steps to come.
            env.state_dict()
        assert not step.broken.any()
        assert ((step.reward >= 0.0) & (step.reward <= 1.0)).all()


@pytest.mark.parametrize("task_id", ["DMC-FishSwim-v0", "Playground-FingerTurnHard-v0", "DMC-HumanoidWalk-v0"])
def test_a_start_depends_on_the_number_of_the_episode_alone(task_id: str) -> None:
    spec = get_task(task_id)
    starts = []
    for width in (1, 4, 7):
        numbers = range(7 - width, 7)
        purpose = Purpose.evaluation(spec, spec.protocol, episodes=list(numbers))
        starts.append(env_of(spec, width, purpose).reset()["policy"][-1])
    assert torch.equal(starts[0], starts[1])
    assert torch.equal(starts[0], starts[2])
    first = env_of(spec, 7, Purpose.evaluation(spec, spec.protocol)).reset()["policy"]
    assert len({tuple(row.tolist()) for row in first}) == 7


def test_starts_of_both_suites_differ_where_the_suites_do() -> None:
    # DMC draws any angle, Playground one in [0, pi): sines of both signs, and none below 0.
    sines: dict[str, torch.Tensor] = {}
    for suite, column in (("DMC", 1), ("Playground", 0)):
        spec = get_task(f"{suite}-PendulumSwingup-v0")
        sines[suite] = env_of(spec, 64, Purpose.evaluation(spec, spec.protocol)).reset()["policy"][:, column]
    assert sines["DMC"].min() < -0.9
    assert sines["Playground"].min() >= 0.0


@pytest.mark.slow
def test_doing_nothing_earns_what_it_is_known_to_earn() -> None:
    spec = get_task("DMC-CartpoleBalance-v0")
    env = env_of(spec, 10, Purpose.evaluation(spec, spec.protocol))
    # Measured on dm_control: 758 and 295 over 10 episodes.
    assert np.mean(run_episodes(env, IdlePolicy(env), 10).return_) == pytest.approx(758, abs=60)
    assert np.mean(run_episodes(env, RandomPolicy(env), 10).return_) == pytest.approx(295, abs=60)


def test_another_model_is_refused() -> None:
    spec = get_task("DMC-CheetahRun-v0")
    assert isinstance(spec.env, VectorEnvCfg)
    params = {**spec.env.params, "model_sha256": hashlib.sha256(b"another").hexdigest()}
    with pytest.raises(InputError, match=r"env\.params\.model_sha256 = .*: the model's is"):
        VectorEnvironment(spec.env.model_copy(update={"params": params}), 1, Purpose(1, numbered=False))


@pytest.mark.slow
def test_a_picture_shows_the_simulation() -> None:
    spec = get_task("Playground-CheetahRun-v0")
    env = env_of(spec, 1, Purpose(1, numbered=False))
    env.reset()
    seen = env.look()
    first = env.picture(seen)
    for _ in range(20):
        env.step(torch.ones(1, env.num_actions))
    assert first.shape == (360, 480, 3)
    assert (env.picture(env.look()) != first).mean() > 0.01
    np.testing.assert_array_equal(env.picture(seen), first)
    env.close()
