"""Where the time of a SAC training goes, what its resume state costs, and how fast demonstrations are collected."""

import sys
import tempfile
import time
from argparse import Namespace
from pathlib import Path

from benchmarks.common import FRANKA, MIB, SEED, parser
from genelab.config.commands import CollectCfg
from genelab.config.overrides import apply_overrides
from genelab.jobs.collect import collect
from genelab.jobs.demonstrations import prefill
from genelab.jobs.trainer import make_trainer
from genelab.learn.protocol import Trainer
from genelab.learn.state import load_state, save_state
from genelab.registry import get_task
from genelab.sim.make import start
from genelab.sim.session import Session

STEPS = 200


def collected(path: Path, args: Namespace, session: Session) -> None:
    """Collect demonstrations and print episodes per second, without the build."""
    times: list[float] = []
    task, cfg = get_task(args.task), CollectCfg(steps=STEPS)
    header = collect(task, cfg, session, path, lambda _: times.append(time.perf_counter()))
    assert header.collection is not None
    # The first step compiles.
    spent = (times[-1] - times[0]) * STEPS / (STEPS - 1)
    episodes = header.collection.episodes
    print(f"demonstrations: {episodes / spent:.1f} episodes/s, {episodes * 100 / spent:.0f} transitions/s")


def resume_cost(trainer: Trainer, path: Path) -> None:
    """Save and load the resume state once, and print seconds and size."""
    begin = time.perf_counter()
    save_state(path, "bench", trainer.state_dict())
    saved = time.perf_counter()
    trainer.load_state_dict(load_state(path, "bench"))
    loaded = time.perf_counter()
    size, rows = path.stat().st_size / MIB, trainer.state_dict()["buffer"]["rows"].shape
    print(
        f"resume state: {size:.0f} MiB of {rows[0] * rows[1]} transitions, "
        f"saved in {saved - begin:.2f} s, loaded in {loaded - saved:.2f} s"
    )


def main() -> None:
    """Print the shares of simulation, replay sampling and updates."""
    options = parser(__doc__, repeats=1, iterations=6, tasks=(FRANKA,))
    options.add_argument("--variant", default=None, help="variant of the task")
    args = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "demos.safetensors"
        session = start(SEED, args.device, args.threads, "genesis")
        collected(path, args, session)
        settings = [f"agent.demo_path={path}", f"train.iterations={args.iterations}"]
        task, _ = apply_overrides(get_task(args.task, args.variant), settings)
        trainer = make_trainer(task, "0" * 64, session, SEED, nan_policy="stop", max_env_resets=1)
        prefill(trainer, task)
        rows = [trainer.iterate() for _ in range(args.iterations)]
        resume_cost(trainer, Path(folder) / "state.safetensors")
    learning = [row for row in rows if row["loss/critic"] is not None]
    if not learning:
        sys.exit(f"--iterations {args.iterations}: learning had not begun")
    collecting, update, sample = (
        sum(float(row[n] or 0.0) for row in learning) for n in ("collect_s", "update_s", "sample_s")
    )
    whole = collecting + update
    print(f"{args.variant or 'full'}, {len(learning)} iterations of {task.agent.num_steps_per_env} control steps:")
    for name, value in (("simulation", collecting), ("replay sampling", sample), ("updates", update - sample)):
        print(f"{name:18}{value:8.2f} s{value / whole:8.1%}")
