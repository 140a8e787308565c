"""Evaluates what a seed's training left, under the task's own protocol."""

from genelab import progress
from genelab.config.commands import VideoCfg
from genelab.config.run import ExecutionCfg
from genelab.config.task import TaskSpec
from genelab.errors import DrawError, RunError
from genelab.export.export import export_policy
from genelab.jobs.evaluate import assess
from genelab.jobs.film import write_film
from genelab.jobs.probe import probe
from genelab.jobs.session import start_session
from genelab.jobs.sim2sim import judge
from genelab.records import names
from genelab.records.derived import reload_told
from genelab.records.sim2sim import second_engine
from genelab.runs.files import write_atomic, write_record
from genelab.runs.run_dir import RunDir
from genelab.show.probe import draw
from genelab.sim.session import Session
from genelab.worker.loggers import Loggers

FILM_S = 8.0
"""Time that the film of a seed shows, s."""


def evaluate_run(run_dir: RunDir) -> None:
    """Evaluate the final checkpoint under the task's own protocol, probe it if the task says how, and finish the run.

    In this process. What was judged in Genesis is exported and judged in MuJoCo too. At last it is filmed.

    Raises:
        RunError: if the reloaded policy does not reproduce the in-memory one.
    """
    record, task = run_dir.update(status="evaluating", failure=None), run_dir.task()
    started = start_session(task.protocol.seed, record.execution.requested, task)
    result = assess(run_dir, run_dir.final_checkpoint, task.protocol, record.execution.requested, started=started)
    write_record(run_dir.eval_file, result)
    if result.round_trip is None:
        raise RunError(f"'{run_dir.round_trip_file}' does not belong to '{run_dir.final_checkpoint.name}'")
    if result.round_trip.differs:
        print(f"reload: {reload_told(result.round_trip)}", flush=True)
    if result.round_trip.broken:
        raise RunError(
            f"round trip: returns of the reloaded policy differ by up to {result.round_trip.max_abs_difference:.3g} "
            f"from those of the policy in memory; allowed: {result.round_trip.tolerance:.3g}"
        )
    if task.probe is not None:
        found = probe(run_dir, run_dir.final_checkpoint, record.execution.requested, started=started)
        write_record(run_dir.probe_file, found)
        write_atomic(run_dir.path / names.PROBE_PLOT, draw(found))
    # The film of what was trained in Genesis shows MuJoCo too: its scene is built in no time.
    film = task, record.execution.requested, started[0]
    if (other := second_engine(task)) is not None:
        export_policy(run_dir, run_dir.final_checkpoint, "onnx", run_dir.policy_file)
        execution = ExecutionCfg(device="cpu", threads=record.execution.requested.threads)
        film = task.on(other), execution, None
        write_record(run_dir.sim2sim_file, judge(task, run_dir.policy_file, execution, task.protocol, other))
    loggers = Loggers(run_dir)
    loggers.results(result)
    loggers.close()
    _film(run_dir, *film)
    run_dir.update(status="finished")


def _film(run_dir: RunDir, task: TaskSpec, execution: ExecutionCfg, session: Session | None) -> None:
    """Draw the first episodes in a strip. A machine without OpenGL says so, and the seed is as good without."""
    progress.phase("filming")
    trained = run_dir, run_dir.final_checkpoint
    try:
        write_film(task, VideoCfg(seconds=FILM_S), execution, run_dir.path / names.FILM, trained, session=session)
    except DrawError as error:
        print(f"no film: {error}", flush=True)
