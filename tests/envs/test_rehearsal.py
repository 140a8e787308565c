"""Every registered task on a GPU that is not there: no two devices meet, and a step waits for nothing."""

import pytest
import torch
from torch import Tensor
from torch._subclasses.fake_tensor import DataDependentOutputException, FakeTensorMode

from genelab.envs.environment import Environment
from genelab.envs.purpose import Purpose
from genelab.mdp import state
from genelab.registry import all_tasks
from genelab.sim.properties import Properties
from tests.envs.rehearsal import CUDA, Indexing, Rehearsal, Waits

pytestmark = pytest.mark.slow

N = 64
STAGES = {f"{task.id}/{name or 'itself'}": stage for task in all_tasks() for name, stage in task.line()}


@pytest.fixture
def mode(monkeypatch: pytest.MonkeyPatch) -> FakeTensorMode:
    # What the engine holds is read back at the first write of a property, where a GPU may wait.
    monkeypatch.setattr(Properties, "_require", lambda *_: None)
    # Kept for the life of a process, and these would be of the modes of other tests.
    for cached in (state._columns, state._link_columns):
        cached.cache_clear()
    return FakeTensorMode(allow_non_fake_inputs=False)


@pytest.mark.parametrize("name", STAGES)
@pytest.mark.parametrize("training", [True, False])
def test_a_step_never_waits_for_the_gpu(mode: FakeTensorMode, name: str, training: bool) -> None:
    task = STAGES[name]
    engine, indexing = Rehearsal(mode, task.env, N), Indexing()
    purpose = Purpose.training(task, 1, reset_broken=True) if training else Purpose.evaluation(task, task.protocol)
    with mode, indexing:
        env = Environment(task.env, engine, purpose)
        observations = env.reset()
        indexing.stepping = True
        for _ in range(2):
            step = env.step(torch.zeros(N, env.num_actions, device=CUDA))
    shown: dict[str, Tensor] = {**observations, **step.observations, "reward": step.reward, "ended": step.terminated}
    assert {value.device for value in shown.values()} == {CUDA}


def test_what_would_wait_or_mix_devices_is_an_error(mode: FakeTensorMode) -> None:
    indexing = Indexing()
    with mode, indexing:
        indexing.stepping = True
        values = torch.zeros(4, 3, device=CUDA)
        assert values[:, 1:, None].shape == (4, 2, 1)
        assert values[..., -1][torch.zeros(2, dtype=torch.int64, device=CUDA)].shape == (2,)
        with pytest.raises(DataDependentOutputException):
            bool((values > 0.0).any())
        with pytest.raises(DataDependentOutputException):
            values[0, 0].item()
        with pytest.raises(Waits, match="mask"):
            values[values[:, 0] > 0.0]
        with pytest.raises(Waits, match="copied"):
            values[:, [0, 1]]
        with pytest.raises(RuntimeError, match="devices"):
            values + torch.zeros(4, 3)
