from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import pytest
import torch

from genelab.config.env import EnvCfg
from genelab.config.snapshot import config_sha256
from genelab.config.task import TaskSpec
from genelab.envs.goal import Goal
from genelab.envs.terms import ObservationGroup
from genelab.export.export import export_policy
from genelab.learn.checkpoint import Checkpoint
from genelab.learn.round_trip import write_round_trip
from genelab.learn.rsl_rl.checkpoint import save
from genelab.learn.rsl_rl.networks import build_actor, build_critic
from genelab.mdp.state import Names, StateView
from genelab.records.export import ExportFormat
from genelab.registry import get_task
from genelab.runs.run_dir import RunDir
from tests.records.factory import planned_run
from tests.states import state_view

TASK = "GeneLab-Inverted-Pendulum-v1"
ROWS = 120

MakeRun = Callable[..., RunDir]
Exported = Callable[[ExportFormat], Path]


@pytest.fixture(scope="session")
def observations() -> torch.Tensor:
    """Observations whose columns differ in mean and width. Shape: (ROWS, 8)."""
    torch.manual_seed(3)
    return torch.randn(ROWS, 8) * torch.linspace(0.02, 2.0, 8) + torch.linspace(-1.0, 1.0, 8)


def state_of(env: EnvCfg) -> StateView:
    """A state of one environment, without a simulator. Its numbers mean nothing."""
    names = Names(env.robot.joints, env.robot.links, tuple(env.objects))
    action = torch.zeros(1, len(env.action_columns))
    return state_view(
        names,
        1,
        commands=dict.fromkeys(env.commands, torch.zeros(1, 3)),
        action=action,
        previous_action=action,
        max_episode_steps=env.max_episode_steps,
    )


def layout_of(task: TaskSpec) -> dict[str, object]:
    """What the environment tells: measured on one state, without a simulator."""
    state = state_of(task.env)
    goal = Goal(task.env).of(state) if task.env.goal else None
    groups = [ObservationGroup(name, task.env, noise=False) for name in task.env.observations]
    for group in groups:
        group.measure(state, goal)
    return {group.name: group.layout() for group in groups}


def make_checkpoint(
    task: TaskSpec, observations: torch.Tensor, weights_seed: int = 1, layout: dict[str, Any] | None = None
) -> Checkpoint:
    """Random weights and a normaliser that has seen the observations."""
    torch.manual_seed(weights_seed)
    layout = layout or layout_of(task)
    actor = build_actor(task.agent, layout, len(task.env.action_columns))
    critic = build_critic(task.agent, layout)
    if task.agent.normalization == "running":
        actor.train().obs_normalizer.update(observations)  # pyright: ignore
    return Checkpoint(config_sha256(task), 150, layout, actor.state_dict(), critic.state_dict())


def create_run(folder: Path, task: TaskSpec) -> RunDir:
    """The directory of seed 5, as a launch leaves it."""
    return planned_run(folder, task, seed=5)


def save_round_trip(run_dir: RunDir, observations: dict[str, torch.Tensor]) -> None:
    """Write what a run leaves in memory's place, with these observations."""
    write_round_trip(run_dir.round_trip_file, "0" * 64, [1.0], observations)


@pytest.fixture(scope="session")
def make_run(observations: torch.Tensor) -> MakeRun:
    """Writes a run directory as training leaves it, as far as an export reads it."""

    def make(folder: Path, normalization: Literal["running", "fixed", "none"] = "running") -> RunDir:
        task = get_task(TASK)
        task = task.model_copy(update={"agent": task.agent.model_copy(update={"normalization": normalization})})
        run_dir = create_run(folder, task)
        save(run_dir.final_checkpoint, make_checkpoint(task, observations))
        save_round_trip(run_dir, {"policy": observations})
        return run_dir

    return make


@pytest.fixture(scope="session")
def run_dir(make_run: MakeRun, tmp_path_factory: pytest.TempPathFactory) -> RunDir:
    """A run that tests only read."""
    return make_run(tmp_path_factory.mktemp("run") / "seed_5")


@pytest.fixture(scope="session")
def exported(run_dir: RunDir, tmp_path_factory: pytest.TempPathFactory) -> Exported:
    """The policy file of that run by format, exported once."""
    made: dict[ExportFormat, Path] = {}

    def get(file_format: ExportFormat) -> Path:
        if file_format not in made:
            made[file_format] = tmp_path_factory.mktemp(file_format) / f"policy.{file_format}"
            export_policy(run_dir, run_dir.final_checkpoint, file_format, made[file_format])
        return made[file_format]

    return get
