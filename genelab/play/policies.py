"""What may act in the viewer: checkpoints of a run, and what needs no training."""

import re
from pathlib import Path

import torch
from torch import Tensor

from genelab.config.task import TaskSpec
from genelab.envs.protocol import SceneEnv
from genelab.envs.step import Observations
from genelab.errors import InputError
from genelab.evaluation.episodes import Policy
from genelab.evaluation.evaluate import IdlePolicy, RandomPolicy
from genelab.evaluation.reload import require_layout
from genelab.functions import resolve_function
from genelab.learn.backend import backend_of
from genelab.learn.checkpoint import load_of_run
from genelab.learn.policy import DeterministicPolicy
from genelab.records import names
from genelab.runs.run_dir import RunDir

IDLE, RANDOM, SCRIPTED = "idle", "random", "scripted"


class Policies:
    """The policies that a viewer offers, by name."""

    def __init__(self, task: TaskSpec, env: SceneEnv, run_dir: RunDir | None, given: str = IDLE) -> None:
        """`run_dir`: the run whose checkpoints are offered; None for none. `given`: one more, whatever it is called."""
        self._task, self._env, self._run_dir, self._given = task, env, run_dir, given

    @property
    def names(self) -> list[str]:
        """What there is now: a running training adds checkpoints."""
        found = [IDLE, RANDOM, *([SCRIPTED] if self._task.demonstrator else [])]
        found += [path.name for path in checkpoints_in(self._run_dir)] if self._run_dir else []
        return [*dict.fromkeys([*found, self._given])]

    def load(self, name: str) -> Policy:
        """The policy of a name; of a checkpoint, its mean action.

        Raises:
            InputError: if it is no checkpoint of this run, or does not fit the environment.
        """
        if name == IDLE:
            return IdlePolicy(self._env)
        if name == RANDOM:
            return RandomPolicy(self._env)
        if name == SCRIPTED and self._task.demonstrator:
            return _Scripted(self._env, self._task.demonstrator)
        if self._run_dir is None:
            raise InputError(f"policy '{name}': no checkpoint was given, so there are {', '.join(self.names)}")
        path, agent = self._run_dir.path / name, self._task.agent
        checkpoint = load_of_run(path, self._run_dir)
        actor = backend_of(agent).load_actor(checkpoint, agent, self._env.num_actions, f"checkpoint '{path}'")
        require_layout(self._env, checkpoint, f"checkpoint '{path}'")
        return DeterministicPolicy(actor, self._env.device, agent.actor_groups)


def checkpoints_in(run_dir: RunDir) -> list[Path]:
    """Checkpoints of a run: those of stages, then the oldest first. Raises InputError as `RunDir.trainer`."""
    found = [*run_dir.path.glob(names.CHECKPOINT[run_dir.trainer].format("*")), run_dir.final_checkpoint]
    numbered = {path: re.search(r"_(\d+)\.", path.name) for path in found if path.is_file()}
    ordered = sorted(numbered, key=lambda path: int(match[1]) if (match := numbered[path]) else 2**31)
    return [*sorted(run_dir.path.glob(names.STAGE_CHECKPOINT.format("*"))), *ordered]


class _Scripted:
    """The controller that demonstrates the task. It looks at the state."""

    def __init__(self, env: SceneEnv, reference: str) -> None:
        self._env, self._controller = env, resolve_function(reference)(env.cfg, env.num_envs, env.device)

    @torch.inference_mode()
    def __call__(self, observations: Observations) -> Tensor:
        self._controller.reset(self._env.episode_step == 0)
        return self._controller(self._env.state())
