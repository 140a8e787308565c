"""Films a policy: what happens is recorded first, then framed, then drawn."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import groupby
from pathlib import Path
from typing import Any, Protocol, cast

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from genelab.config.commands import VideoCfg
from genelab.config.run import ExecutionCfg
from genelab.config.task import TaskSpec
from genelab.draw import films
from genelab.draw.camera import STILL, Followed, frame, smoothed
from genelab.draw.depiction import Canvas, Depiction, Mark, Picture, Pose
from genelab.draw.stage import EnvStage
from genelab.envs.make import make_env
from genelab.envs.protocol import Env, SceneEnv
from genelab.envs.purpose import Purpose
from genelab.envs.simulations import SimulationsState
from genelab.envs.step import Step
from genelab.envs.vector import VectorEnvironment
from genelab.errors import DivergedError, InputError
from genelab.evaluation.episodes import Policy
from genelab.evaluation.evaluate import IdlePolicy, RandomPolicy
from genelab.evaluation.reload import reloaded
from genelab.functions import resolve_function
from genelab.jobs.session import start_session
from genelab.learn import checkpoint as checkpoints
from genelab.mdp.state import StateView
from genelab.progress import counted
from genelab.runs.files import atomic_path
from genelab.runs.run_dir import RunDir
from genelab.sim.facts import SceneFacts
from genelab.sim.session import Session

HOLD_S = 0.6
"""For so long the end of an episode is shown, s."""
TERRAIN_M = 12.0
"""What of a terrain is drawn around the robot's way, m. All of it takes a second for a picture."""
FULL_WIDTH = 960
"""A picture this wide has all text. A smaller one has less, and in smaller letters."""


class Overlay(Protocol):
    """What a task adds to films of it: a class that is called with the task."""

    def restart(self) -> None:
        """Forget what was seen: the next state is of another episode."""
        ...

    def depict(self, state: StateView) -> Depiction:
        """Look at the state at the beginning of a control step; the film shows its first environment."""
        ...


@dataclass(frozen=True)
class Moment:
    """What one picture shows."""

    episode: int
    """Number of the episode."""
    seen: Pose | Picture | SimulationsState
    """Where everything is. Of an environment that draws itself, what it draws from."""
    depictions: tuple[Depiction, ...]
    text: str
    """Episode, time and return so far."""
    end: str = ""
    """How the episode has ended; empty while it runs."""

    @property
    def marks(self) -> list[Mark]:
        """Shapes in the scene."""
        return [mark for depiction in self.depictions for mark in depiction.marks]


def write_film(
    task: TaskSpec,
    cfg: VideoCfg,
    execution: ExecutionCfg,
    out: Path,
    trained: tuple[RunDir, Path] | None = None,
    *,
    session: Session | None = None,
) -> tuple[int, Fraction]:
    """Film numbered episodes of the task's evaluation, one after the other until the time is filled.

    Starts the simulator unless it is given: call once per process.

    Args:
        task: the task.
        cfg: policy, length, first episode, and how many pictures a second at most; fewer if the policy acts less
            often, or if their distance is no whole number of control steps.
        execution: device and threads.
        out: the file; its ending is a key of `films.SIZES`.
        trained: run and checkpoint of a trained policy.
        session: the running simulator, seeded for the task's protocol.

    Returns:
        How many pictures it has, and how many a second.

    Raises:
        InputError: if the checkpoint does not belong to the run.
        DrawError: if nothing can be drawn on this machine.
        DivergedError: if a state broke.
    """
    session = session or start_session(task.protocol.seed, execution, task)[0]
    env, policy = _env_and_policy(task, cfg, session, trained)
    # As many as fit, but not more often than the policy acts.
    every = max(math.ceil(round(1.0 / (cfg.fps * task.env.control_dt), 6)), 1)
    # Of the simulated time, so that the film is as fast as the robot.
    rate = 1 / (every * Fraction(task.env.control_dt).limit_denominator(10**6))
    moments = record(task, env, policy, cfg, every, rate)
    title = f"{task.id}   {cfg.policy}, {task.env.engine}"
    with atomic_path(out) as part:
        shown = films.shown(moments, out.suffix)
        if isinstance(env, VectorEnvironment):
            drawn = (_labelled(env.picture(cast(Any, moment.seen)), moment, title) for moment in shown)
        else:
            drawn = _pictures(task, session, moments, rate, title, out.suffix)
        pictures = counted(drawn, "frames", len(shown))
        count = films.write(part, out.suffix, pictures, rate)
    return count, rate


def _env_and_policy(
    task: TaskSpec, cfg: VideoCfg, session: Session, trained: tuple[RunDir, Path] | None
) -> tuple[Env, Policy]:
    purpose = Purpose.evaluation(task, task.protocol, episodes=[cfg.episode])
    if cfg.policy == "trained":
        if trained is None:
            raise InputError("a trained policy needs a checkpoint")
        run_dir, path = trained
        return reloaded(task, checkpoints.load_of_run(path, run_dir), purpose, 1, session, f"checkpoint '{path}'")
    env = make_env(task, purpose, 1, session)
    return env, IdlePolicy(env) if cfg.policy == "idle" else RandomPolicy(env)


def record(task: TaskSpec, env: Env, policy: Policy, cfg: VideoCfg, every: int, rate: Fraction) -> list[Moment]:
    """What happens, every so many control steps, until the time is filled."""
    wanted, hold = -(-task.env.control_steps(cfg.seconds) // every), round(HOLD_S * rate)
    overlay: Overlay | None = resolve_function(task.overlay)(task) if task.overlay else None
    moments: list[Moment] = []
    observations, episode, number, earned = env.reset(), cfg.episode, 0, 0.0

    def told() -> str:
        return f"episode {episode}   {number * task.env.control_dt:5.1f} s   return {earned:.2f}"

    while len(moments) < wanted:
        now = Moment(episode, *_look(env, overlay), told())
        if number % every == 0:
            moments.append(now)
        step = env.step(policy(observations))
        if bool(step.broken[0]):
            raise DivergedError(f"the state of episode {episode} broke after {(number + 1) * task.env.control_dt:g} s")
        observations, number, earned = step.observations, number + 1, earned + float(step.reward[0])
        if bool((step.terminated | step.truncated)[0]):
            moments += [replace(now, text=told(), end=_end_of(step))] * hold
            episode, number, earned = episode + 1, 0, 0.0
            if overlay is not None:
                overlay.restart()
    return moments[:wanted]


def _look(env: Env, overlay: Overlay | None) -> tuple[Pose | Picture | SimulationsState, tuple[Depiction, ...]]:
    """What there is to see of the first environment."""
    if isinstance(env, VectorEnvironment):
        return env.look(), ()
    scene = cast(SceneEnv, env)
    state = scene.state()
    return scene.pose(), (*scene.depict(state), *([overlay.depict(state)] if overlay else []))


def _end_of(step: Step) -> str:
    """Why the episode of the first environment ended."""
    causes = [name.replace("_", " ") for name, cause in step.finished.causes.items() if bool(cause[0])]
    reached = step.finished.success_at_end
    goal = [] if reached is None else ["goal reached" if bool(reached[0]) else "goal not reached"]
    return ", ".join([*(causes or ["time limit"]), *goal])


def _pictures(
    task: TaskSpec, session: Session, moments: Sequence[Moment], rate: Fraction, title: str, suffix: str
) -> Iterator[Picture]:
    facts, size = SceneFacts(task.scene, 1, session), films.SIZES[suffix]
    followed = _followed(moments, float(1 / rate))
    if facts.heightfield is not None:
        way = np.stack([each.pos_w[:2] for each in followed])
        facts.heightfield = facts.heightfield.around(way.min(axis=0) - TERRAIN_M, way.max(axis=0) + TERRAIN_M)
    stage = EnvStage(task.scene, facts, size)
    points = [stage.points_of(_pose(moment), moment.marks) for moment in moments]
    stage.stand_on(min(float(each[:, 2].min()) for each in points))
    cameras = frame(points, followed, size[0] / size[1])
    try:
        for moment, camera in films.shown([*zip(moments, cameras, strict=True)], suffix):
            yield _labelled(stage.picture_of(_pose(moment), camera, moment.marks), moment, title)
    finally:
        stage.close()


def _followed(moments: Sequence[Moment], dt: float) -> list[Followed]:
    """Where the base goes, smoothed, and how it was turned when its episode began. Moments are `dt` apart, s."""
    followed: list[Followed] = []
    for _, group in groupby(moments, key=lambda moment: moment.episode):
        bases = [_pose(moment).base_pose_w for moment in group]
        if bases[0] is None:
            followed += [STILL] * len(bases)
            continue
        path = np.stack([base for base in bases if base is not None])
        w, x, y, z = bases[0][3:]
        yaw = math.atan2(2.0 * (w * z + x * y), 1.0 - 2.0 * (y * y + z * z))
        followed += [Followed(pos, yaw) for pos in smoothed(path[:, :3], dt)]
    return followed


def _pose(moment: Moment) -> Pose:
    assert isinstance(moment.seen, Pose)
    return moment.seen


def _labelled(drawn: Picture, moment: Moment, title: str) -> Picture:
    picture = Image.fromarray(drawn)
    canvas: Canvas = ImageDraw.Draw(picture)
    full = picture.width >= FULL_WIDTH
    font: Any = ImageFont.load_default(size=15 if full else 12)
    lines = [title, moment.text]
    if full:
        lines += [line for depiction in moment.depictions for line in depiction.lines]
    if moment.end:
        lines.append(f"ended: {moment.end}")
    for row, line in enumerate(lines):
        canvas.text(
            (12, 8 + (20 if full else 15) * row),
            line,
            font=font,
            fill=(255, 255, 255),
            stroke_width=2,
            stroke_fill=(0, 0, 0),
        )
    for depiction in moment.depictions:
        if depiction.draw is not None:
            depiction.draw(canvas, picture.size)
    return np.asarray(picture)
