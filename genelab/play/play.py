"""Serves a task in the browser until it is stopped."""

from collections.abc import Callable

from genelab.config.commands import PlayCfg
from genelab.config.run import ExecutionCfg
from genelab.config.task import TaskSpec
from genelab.envs.terms import check_terms
from genelab.play.page import Page, require_viser
from genelab.play.player import Player
from genelab.play.policies import IDLE, Policies
from genelab.runs.run_dir import RunDir
from genelab.sim.facts import SceneFacts
from genelab.sim.make import scene_shapes, start


def open_page(
    task: TaskSpec, cfg: PlayCfg, execution: ExecutionCfg, run_dir: RunDir | None = None, policy: str = IDLE
) -> Page:
    """Start the simulator and serve a task. Call once per process.

    Args:
        task: the task.
        cfg: simulator, first episode, where to serve.
        execution: device and threads.
        run_dir: the run whose checkpoints may act; None for none.
        policy: name of the policy that acts first.

    Raises:
        InputError: if viser is missing, a term is wrong, or the checkpoint does not fit the task.
        RunError: if the simulator holds something else than the config says.
    """
    require_viser()
    task = task.on(cfg.engine)
    check_terms(task)
    session = start(task.protocol.seed, execution.device, execution.threads, task.env.engine)
    player = Player(task, session, cfg.episode)
    shapes = scene_shapes(task.scene, SceneFacts(task.scene, 1, session))
    return Page(task.id, player, Policies(task, player.env, run_dir, policy), shapes, cfg, policy)


def play(page: Page, tell: Callable[[str], None]) -> None:
    """Say where the page is, and step until Ctrl-C."""
    tell(f"open {page.url}; stop with Ctrl-C")
    try:
        page.run()
    except KeyboardInterrupt:
        tell("stopped")
    finally:
        page.server.stop()
