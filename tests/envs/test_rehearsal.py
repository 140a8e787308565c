"""Every registered task on a GPU that is not there: no two devices meet, a step waits for nothing, and an update of PPO
only where it may.
"""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode

from genelab.config.env import EnvCfg
from genelab.config.overrides import apply_overrides
from genelab.envs.environment import Environment
from genelab.envs.purpose import Purpose
from genelab.families.velocity import terms
from genelab.learn.rsl_rl import backend, trainer
from genelab.mdp import state
from genelab.registry import all_tasks, get_task
from genelab.sim.properties import Properties
from tests.clips import G1_TRACKING, ready, standing, with_clip
from tests.envs.rehearsal import CUDA, Indexing, Random, Rehearsal, Waits

pytestmark = pytest.mark.slow

N = 64
SCENES = [task for task in all_tasks() if isinstance(task.env, EnvCfg)]
STAGES = {f"{task.id}/{name or 'itself'}": stage for task in SCENES for name, stage in task.line()}


@pytest.fixture
def mode(monkeypatch: pytest.MonkeyPatch) -> FakeTensorMode:
    # What the engine holds is read back at the first write of a property, where a GPU may wait.
    monkeypatch.setattr(Properties, "_require", lambda *_: None)
    # Kept for the life of a process, and these would be of the modes of other tests.
    for cached in (state._columns, state._link_columns, terms._table):
        cached.cache_clear()
    return FakeTensorMode(allow_non_fake_inputs=False)


@pytest.mark.parametrize("name", STAGES)
@pytest.mark.parametrize("training", [True, False])
def test_a_step_never_waits_for_the_gpu(mode: FakeTensorMode, tmp_path: Path, name: str, training: bool) -> None:
    task = ready(STAGES[name], tmp_path)
    engine, indexing = Rehearsal(mode, task.env, N), Indexing()
    purpose = Purpose.training(task, 1, reset_broken=True) if training else Purpose.evaluation(task, task.protocol)
    with mode, indexing:
        env = Environment(task.env, engine, purpose)
        observations = env.reset()
        # What is kept for the life of the process is copied in the first step.
        for indexing.stepping in (False, True, True):
            step = env.step(torch.zeros(N, env.num_actions, device=CUDA))
    shown: dict[str, Tensor] = {**observations, **step.observations, "reward": step.reward, "ended": step.terminated}
    assert {value.device for value in shown.values()} == {CUDA}


def test_adaptive_starts_never_wait_for_the_gpu(mode: FakeTensorMode, tmp_path: Path) -> None:
    task = with_clip(standing(get_task(G1_TRACKING).env.robot, 200), tmp_path)
    task, _ = apply_overrides(task, ["env.parts.motion.params.adaptive=true"])
    engine, indexing = Rehearsal(mode, task.env, N), Indexing()
    with mode, indexing:
        env = Environment(task.env, engine, Purpose.training(task, 1))
        env.reset()
        for indexing.stepping in (False, True):
            env.step(torch.zeros(N, env.num_actions, device=CUDA))
    assert env.state_dict()["parts/motion/failures"].device == CUDA


WAITS = {
    "guard.__call__": "once a rollout and observation: what it begins from is finite",
    "rollout._require_normal": "once a rollout: nothing in it was not finite",
    "rollout.row": "once a rollout: returns and lengths of the episodes that ended",
    "environment.<dictcomp>": "once a rollout: mean rewards for the curve",
    "environment.metrics": "once a rollout: terminations by cause for the curve",
    "trainer._iterate": "once a rollout: mean reward and action noise for the curve",
    "guard.by_environment": "once an update and tensor: what it learns from is finite",
    "ppo.update": "rsl_rl, once a mini-batch: the divergence sets the learning rate, losses are added up",
    "normalization.update": "rsl_rl, once an update and network: how many observations are new",
    "guard.finite": "once a mini-batch: gradients and weights are finite",
    "guard.within": "once a mini-batch: the action noise can still move",
}
"""Where a training may wait for the GPU, as module and function."""


def test_ppo_waits_where_it_may_and_nowhere_else(mode: FakeTensorMode, monkeypatch: pytest.MonkeyPatch) -> None:
    task = get_task("Genelab-Velocity-Flat-Unitree-Go1-v0")
    task = task.model_copy(update={"agent": task.agent.model_copy(update={"num_steps_per_env": 2, "symmetry": True})})
    # What needs a torch with CUDA: modules are built on the device, not moved there; nothing is differentiated.
    monkeypatch.setattr(nn.Module, "to", lambda module, *_: module)
    monkeypatch.setattr(trainer, "generator_states", lambda _: {})
    engine, indexing = Rehearsal(mode, task.env, N), Indexing(WAITS)
    with mode, indexing, Random(), torch.no_grad():
        env = Environment(task.env, engine, Purpose.training(task, 1, reset_broken=False))
        with torch.device(CUDA):
            learner = backend.make_trainer(task, "0" * 64, env)
        weights = [*learner.algorithm.actor.parameters(), *learner.algorithm.critic.parameters()]

        def backward(_: Tensor) -> None:
            for weight in weights:
                weight.grad = torch.zeros_like(weight)

        monkeypatch.setattr(Tensor, "backward", backward)
        for indexing.stepping in (False, True):
            row = learner.iterate()
    assert row["iteration"] == 1
    assert {weight.device for weight in weights} == {CUDA}
    assert indexing.waited == set(WAITS)


def test_what_would_wait_or_mix_devices_is_an_error(mode: FakeTensorMode) -> None:
    indexing = Indexing()
    with mode, indexing:
        indexing.stepping = True
        values = torch.zeros(4, 3, device=CUDA)
        assert values[:, 1:, None].shape == (4, 2, 1)
        assert values[..., -1][torch.zeros(2, dtype=torch.int64, device=CUDA)].shape == (2,)
        with pytest.raises(Waits, match="test"):
            bool((values > 0.0).any())
        with pytest.raises(Waits, match="test"):
            values[0, 0].item()
        with pytest.raises(Waits, match="mask"):
            values[values[:, 0] > 0.0]
        with pytest.raises(Waits, match="copied"):
            values[:, [0, 1]]
        for copied in (lambda: values.cpu(), lambda: values.to("cpu"), lambda: values.to(torch.device("cpu"))):
            with pytest.raises(Waits, match="from the device"):
                copied()
        with pytest.raises(Waits, match="to the device"):
            torch.tensor([1.0], device=CUDA)
        assert values.to(torch.float64).dtype == torch.float64
        with pytest.raises(RuntimeError, match="devices"):
            values + torch.zeros(4, 3)
