"""Runs a sweep of fake workers in a process of its own: `launch.py LAUNCH_CFG_JSON`."""

import sys
from pathlib import Path

from genelab.config.overrides import apply_overrides
from genelab.config.run import ExecutionCfg, LaunchCfg
from genelab.registry import get_task
from genelab.sweep.executors.local import LocalExecutor
from genelab.sweep.launcher import launch
from genelab.sweep.live import LineView
from genelab.sweep.plan import SweepPlan, make_plan

WORKER = (sys.executable, str(Path(__file__).with_name("fake_worker.py")))
ASSIGNMENTS = ["train.iterations=10", "train.num_envs=8", "protocol.episodes=4"]


def plan_of(cfg: LaunchCfg, execution: ExecutionCfg) -> SweepPlan:
    """Plan the pendulum on a small budget."""
    task, overrides = apply_overrides(get_task("GeneLab-Inverted-Pendulum-v1"), ASSIGNMENTS)
    return make_plan(task, overrides, execution, cfg)


def run(cfg: LaunchCfg, execution: ExecutionCfg) -> int:
    """Launch the pendulum on a small budget."""
    plan = plan_of(cfg, execution)
    return launch(plan, ["genelab", "train"], LineView(plan), LocalExecutor(WORKER))


if __name__ == "__main__":
    sys.exit(run(LaunchCfg.model_validate_json(sys.argv[1]), ExecutionCfg()))
