"""Demonstrations of pick and place, small and made without a simulator, and the task that chose them."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from genelab.config.overrides import apply_overrides
from genelab.config.snapshot import config_sha256, dump
from genelab.config.task import TaskSpec
from genelab.records.demos import ActionColumn, Collection, DemoHeader, Demos, LayoutRow, encode_demos
from genelab.registry import get_task

TASK = get_task("GeneLab-Franka-Pick-And-Place-v0")
NUM_ENVS, STEPS = 64, 2
TERMS = {"joint_pos": 9, "joint_vel": 9, "last_action": 4, "time_left": 1}
"""Columns of the terms that are no position."""
WIDTHS = {"observation": 35, "achieved_goal": 3, "desired_goal": 3}


def demos(num_envs: int = NUM_ENVS, task: TaskSpec = TASK, **header: Any) -> Demos:
    """Two steps of every environment, the second of which ends an episode."""
    rows, rng = num_envs * STEPS, np.random.default_rng(0)

    def groups() -> dict[str, Any]:
        return {group: rng.normal(size=(rows, width)).astype(np.float32) for group, width in WIDTHS.items()}

    ends = np.arange(rows) >= num_envs
    made = Collection(
        num_envs=num_envs,
        steps=STEPS,
        seed=42,
        env=dump(task.env),
        episodes=num_envs,
        return_mean=-1.0,
        success_rate=0.5,
        success_at_end_rate=0.25,
    )
    told = DemoHeader(
        schema="genelab/demos/2",
        task=task.id,
        config_sha256=config_sha256(task),
        task_version=task.task_version,
        layout={group: _layout(task, group, width) for group, width in WIDTHS.items()},
        normalized=False,
        actions=tuple(ActionColumn(name=name) for name in task.env.action_columns),
        collection=made,
    )
    arrays = {f"{when}/{group}": a for when in ("observations", "next_observations") for group, a in groups().items()}
    arrays |= {
        "actions": rng.uniform(-1.0, 1.0, (rows, 4)).astype(np.float32),
        "rewards": reward(arrays["next_observations/achieved_goal"], arrays["observations/desired_goal"]),
        "terminated": np.zeros(rows, np.bool_),
        "truncated": ends,
    }
    return Demos(told.model_copy(update=header), arrays)


def reward(achieved: np.ndarray, desired: np.ndarray) -> np.ndarray:
    """The task's reward. Shapes: (rows, 3), (rows, 3) -> (rows,)."""
    far = np.linalg.norm(desired - achieved, axis=1) > 0.05
    return (0.2 * np.clip((achieved[:, 2] - 0.02) / 0.1, 0.0, 1.0) - far).astype(np.float32)


def _layout(task: TaskSpec, group: str, width: int) -> tuple[LayoutRow, ...]:
    """The terms of a group, as the environment lays them out."""
    rows: list[LayoutRow] = []
    for name, cfg in task.env.observations[group].terms.items():
        start = rows[-1].stop if rows else 0
        told = {key: value for key, value in dump(cfg).items() if key in ("func", "scale", "params")}
        rows.append(LayoutRow(name=name, start=start, stop=start + TERMS.get(name, 3), **told))
    assert rows[-1].stop == width
    return tuple(rows)


def chosen(path: Path, what: Demos) -> TaskSpec:
    """The task with a file of these demonstrations."""
    path.write_bytes(encode_demos(what))
    return apply_overrides(TASK, [f"agent.demo_path={path}"])[0]


def changed(what: Demos, **arrays: Any) -> Demos:
    """Demonstrations with other arrays."""
    return replace(what, arrays={**what.arrays, **arrays})
