"""Runs an exported policy beside the checkpoint that it came from."""

import math
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from genelab.config.run import ExecutionCfg
from genelab.config.task import ProtocolCfg
from genelab.envs.make import make_env
from genelab.envs.protocol import Env
from genelab.envs.purpose import Purpose
from genelab.envs.step import Observations
from genelab.errors import InputError
from genelab.evaluation.episodes import EpisodeTable, run_episodes
from genelab.evaluation.reload import reloaded_policy, require_layout
from genelab.export.contract import observation
from genelab.export.runner import ExportedPolicy
from genelab.jobs.session import start_session
from genelab.learn import checkpoint as checkpoints
from genelab.learn.backend import backend_of
from genelab.learn.policy import DeterministicPolicy
from genelab.records.contract import tolerance_of
from genelab.records.statistics import mean
from genelab.runs.run_dir import RunDir

RETURN_SHARE = 0.01
"""Largest difference of the mean returns, as a share of the checkpoint's. Actions that differ in their last bits lead a
robot elsewhere after some contacts, so that single episodes may differ by more."""


@dataclass(frozen=True)
class Comparison:
    """The same numbered episodes twice."""

    native: EpisodeTable
    """By the checkpoint."""
    exported: EpisodeTable
    """By the exported policy."""
    input_difference: float
    """Largest difference between an input put together from frames and the observation of the environment; NaN if one
    is not finite."""
    action_difference: float
    """Largest difference between an action of the exported policy and the checkpoint's for the same observation; NaN if
    one is not finite."""
    action_tolerance: float
    """Largest one allowed: that of `genelab export`."""

    @property
    def return_difference(self) -> float:
        """Difference of the mean returns, as a share of the checkpoint's."""
        native = mean(self.native.returns)
        return abs(mean(self.exported.returns) - native) / max(abs(native), 1e-9)

    @property
    def largest_return_difference(self) -> float:
        """Largest difference of an episode's return."""
        return max(abs(a - b) for a, b in zip(self.native.returns, self.exported.returns, strict=True))

    @property
    def problems(self) -> list[str]:
        """Where the exported policy is not the checkpoint's; empty if nowhere."""
        found: list[str] = []
        if self.input_difference != 0.0:
            found.append(f"inputs put together from frames differ by up to {self.input_difference:.3g}")
        if not self.action_difference <= self.action_tolerance:
            found.append(f"actions differ by up to {self.action_difference:.3g}, allowed {self.action_tolerance:.3g}")
        if not self.return_difference <= RETURN_SHARE:
            found.append(f"the mean return differs by {self.return_difference:.2%}, allowed {RETURN_SHARE:.0%}")
        return found


def roll_out(
    run_dir: RunDir, checkpoint: Path, policy_file: Path, protocol: ProtocolCfg, execution: ExecutionCfg
) -> Comparison:
    """Run the episodes of a protocol with a checkpoint and with the policy exported from it.

    The exported policy gets the newest frame of each observation, and puts its inputs together as its contract says.
    Starts the simulator: call once per process.

    Raises:
        InputError: if the policy was not exported from this checkpoint, its contract is of other observations, or the
            protocol samples actions.
        DivergedError: if a return is not finite.
    """
    task, record = run_dir.task(), run_dir.load()
    loaded = checkpoints.load_of_run(checkpoint, run_dir)
    policy = ExportedPolicy(policy_file)
    for field, found, expected in (
        ("task", policy.contract.task, task.id),
        ("config_sha256", policy.contract.config_sha256, record.config_sha256),
        ("checkpoint.weights_sha256", policy.contract.checkpoint.weights_sha256, loaded.weights_sha256),
    ):
        if found != expected:
            raise InputError(f"policy '{policy_file}': {field} = {found}, '{checkpoint}' has {expected}")
    if not protocol.deterministic:
        raise InputError("protocol.deterministic = false: an exported policy has no action noise")
    source = f"checkpoint '{checkpoint}'"
    learner, groups = backend_of(task.agent), task.agent.actor_groups
    claimed = (policy.contract.observation, *policy.contract.goals)
    expected = [observation(task, loaded, *pair, source) for pair in zip(groups, learner.input_names, strict=True)]
    for ours, theirs in zip(expected, claimed, strict=False):
        if ours.terms != theirs.terms or len(expected) != len(claimed):
            raise InputError(
                f"policy '{policy_file}': input '{theirs.input.name}' is laid out otherwise than '{checkpoint}'"
            )
    session, _ = start_session(protocol.seed, execution, task)
    native = reloaded_policy(task, loaded, session, source)
    env = make_env(task, Purpose.evaluation(task, protocol), protocol.num_envs, session)
    require_layout(env, loaded, source)
    first = run_episodes(env, native, protocol.episodes)
    driver = _Driver(env, policy, native, groups)
    second = run_episodes(env, driver, protocol.episodes)
    return Comparison(
        first, second, driver.input_difference, driver.action_difference, tolerance_of(driver.largest_action)
    )


def larger(a: float, b: float) -> float:
    """The larger of two numbers, NaN if one is. Python's `max` depends on their order."""
    return math.nan if math.isnan(a) or math.isnan(b) else max(a, b)


class _Driver:
    """The exported policy in the environment, beside the checkpoint's."""

    def __init__(self, env: Env, policy: ExportedPolicy, native: DeterministicPolicy, groups: tuple[str, ...]) -> None:
        self._env, self._policy, self._native, self._groups = env, policy, native, groups
        layout = env.layout()
        self._newest = {
            group: [c for row in layout[group] if row.get("age", 0) == 0 for c in range(row["start"], row["stop"])]
            for group in groups
        }
        self.input_difference = self.action_difference = self.largest_action = 0.0

    def __call__(self, observations: Observations) -> Tensor:
        """Actions of the exported policy. Shape: (num_envs, num_actions)."""
        rows = [observations[group].cpu() for group in self._groups]
        frames = {
            stack.name: full[:, self._newest[group]]
            for stack, group, full in zip(self._policy.stacks, self._groups, rows, strict=True)
        }
        inputs = self._policy.inputs(frames, (self._env.episode_step == 0).cpu())
        for built, full in zip(inputs, rows, strict=True):
            self.input_difference = larger(self.input_difference, float((built - full).abs().max()))
        actions, wanted = self._policy(inputs), self._native(observations).cpu()
        self.action_difference = larger(self.action_difference, float((actions - wanted).abs().max()))
        self.largest_action = max(self.largest_action, float(wanted.abs().max()))
        return actions.to(self._env.device)
