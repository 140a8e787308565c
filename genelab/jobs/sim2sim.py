"""Judges an exported policy in a simulator, from the file and its contract alone."""

import time
from datetime import UTC, datetime
from pathlib import Path

import torch
from torch import Tensor

from genelab.config.run import ExecutionCfg
from genelab.config.scene import EngineName
from genelab.config.task import ProtocolCfg, TaskSpec
from genelab.envs.make import make_scene
from genelab.envs.protocol import Env
from genelab.envs.purpose import Purpose
from genelab.envs.step import Observations
from genelab.errors import InputError, RunError
from genelab.evaluation.episodes import run_episodes
from genelab.evaluation.evaluate import IdlePolicy
from genelab.evaluation.probe import fixed_commands, measure
from genelab.export.runner import ExportedPolicy
from genelab.jobs.session import start_session
from genelab.mdp.term import bind_function
from genelab.records.contract import action_of, robot_of, timing_of
from genelab.records.derived import baseline_of, metrics_of
from genelab.records.eval import protocol_as_used
from genelab.records.probe import ProbeCase, case_of
from genelab.records.sim2sim import Sim2SimRecord
from genelab.sim.session import Session


def judge(
    task: TaskSpec, policy_file: Path, execution: ExecutionCfg, protocol: ProtocolCfg, engine: EngineName
) -> Sim2SimRecord:
    """Run the episodes of a task's protocol, and its probe, with an exported policy.

    Needs no checkpoint: inputs are put together as the contract says. Starts the simulator: call once per process.

    Args:
        task: says what is rewarded and how an episode begins.
        policy_file: the policy, its contract beside it.
        execution: device and threads.
        protocol: the protocol to use.
        engine: the simulator.

    Raises:
        InputError: if the policy is one of another task, or its contract of another robot, action or timing.
        DivergedError: if a return is not finite, or a state broke.
    """
    policy, task = ExportedPolicy(policy_file), task.on(engine)
    _require_contract_of(task, policy, policy_file)
    session, stamps = start_session(protocol.seed, execution, task)
    env = make_scene(task, Purpose.evaluation(task, protocol), protocol.num_envs, session)
    driver = Driver(env, policy, task.agent.actor_groups, str(policy_file))
    begin = time.perf_counter()
    episodes = run_episodes(env, driver, protocol.episodes)
    wall_s = time.perf_counter() - begin
    idle = run_episodes(env, IdlePolicy(env), protocol.episodes, whose="the idle baseline")
    return Sim2SimRecord(
        schema="genelab/sim2sim/1",
        task=task.id,
        seed=policy.contract.seed,
        config_sha256=policy.contract.config_sha256,
        policy_sha256=policy.contract.file.sha256,
        weights_sha256=policy.contract.checkpoint.weights_sha256,
        code=stamps.code,
        packages=stamps.packages,
        hardware=stamps.hardware,
        backend=stamps.backend,
        protocol=protocol_as_used(protocol, env.max_steps),
        episodes=episodes,
        metrics=metrics_of(episodes),
        idle=baseline_of(idle),
        probe=_probe(task, policy, session, str(policy_file)),
        wall_s=wall_s,
        finished_at=datetime.now(UTC),
    )


class Driver:
    """An exported policy in an environment.

    It gets the newest frame of each observation, and puts its input together as its contract says. That must be what
    the environment shows.
    """

    def __init__(self, env: Env, policy: ExportedPolicy, groups: tuple[str, ...], source: str) -> None:
        """Compare the observations.

        Args:
            env: the environment.
            policy: the policy.
            groups: observation groups that it reads, one for each of its inputs.
            source: names the policy in errors.

        Raises:
            InputError: if the environment shows other terms than the contract has.
        """
        self._env, self._policy, self._groups = env, policy, groups
        layout = env.layout()
        claimed = (policy.contract.observation, *policy.contract.goals)
        if len(groups) != len(claimed):
            raise InputError(f"policy '{source}': has {len(claimed)} inputs, the task shows {', '.join(groups)}")
        for group, each in zip(groups, claimed, strict=True):
            rows = layout[group]
            told = [(term.name, term.start, term.stop, term.age, term.scale, term.func) for term in each.terms]
            found = [
                (row["name"], row["start"], row["stop"], row.get("age", 0), row["scale"], row["func"]) for row in rows
            ]
            if told != found:
                raise InputError(f"policy '{source}': input '{each.input.name}' is laid out otherwise than the task's")

    def __call__(self, observations: Observations) -> Tensor:
        """Actions. Call once a control step. Shape: (num_envs, num_actions).

        Raises:
            RunError: if an input is not the observation.
        """
        rows = [observations[group].cpu() for group in self._groups]
        frames = {stack.name: row[:, stack.columns] for stack, row in zip(self._policy.stacks, rows, strict=True)}
        inputs = self._policy.inputs(frames, (self._env.episode_step == 0).cpu())
        for group, built, whole in zip(self._groups, inputs, rows, strict=True):
            if not torch.equal(built, whole):
                raise RunError(f"'{group}' as put together from frames by the policy's contract is another observation")
        return self._policy(inputs).to(self._env.device)


def _require_contract_of(task: TaskSpec, policy: ExportedPolicy, path: Path) -> None:
    contract = policy.contract
    pairs = {
        "task": (contract.task, task.id),
        "action": (contract.action, action_of(task.scene)),
        "robot": (contract.robot, robot_of(task.scene)),
        "timing": (contract.timing, timing_of(task.scene)),
    }
    for field, (found, wanted) in pairs.items():
        if found != wanted:
            told = f": {found!r}, not {wanted!r}" if isinstance(found, str) else ""
            raise InputError(f"policy '{path}': {field} in its contract is not that of task '{task.id}'{told}")


def _probe(task: TaskSpec, policy: ExportedPolicy, session: Session, source: str) -> tuple[ProbeCase, ...]:
    cfg = task.probe
    if cfg is None:
        return ()
    commands, purpose = fixed_commands(task, cfg)
    env = make_scene(task, purpose, len(commands), session)
    driver = Driver(env, policy, task.agent.actor_groups, source)
    achieved, fell = measure(env, driver, commands, cfg, bind_function("probe", cfg.achieved, {}, task.scene))
    shape = len(cfg.cases), cfg.num_envs
    rows = zip(cfg.cases.items(), achieved.reshape(shape).tolist(), fell.reshape(shape).tolist(), strict=True)
    return tuple(case_of(name, command, values, falls) for (name, command), values, falls in rows)
