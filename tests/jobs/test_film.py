"""Films of policies, in MuJoCo."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from PIL import Image

from genelab import cli
from genelab.config.commands import VideoCfg
from genelab.config.run import ExecutionCfg
from genelab.draw import films
from genelab.draw.depiction import Ball
from genelab.envs.make import make_env
from genelab.envs.purpose import Purpose
from genelab.errors import RunError
from genelab.evaluation.evaluate import IdlePolicy
from genelab.jobs import film
from genelab.registry import get_task
from genelab.sim.session import Session

PENDULUM = get_task("GeneLab-Inverted-Pendulum-v1").on("mujoco")
SESSION = Session("mujoco", torch.device("cpu"), 0, 1, {}, 0.0)


def _recorded(cfg: VideoCfg, every: int) -> list[film.Moment]:
    env = make_env(PENDULUM, Purpose.evaluation(PENDULUM, PENDULUM.protocol, episodes=[cfg.episode]), 1, SESSION)
    return film.record(PENDULUM, env, IdlePolicy(env), cfg, every, Fraction(100, every))


def test_episodes_follow_each_other_and_each_end_is_shown():
    """An idle pole falls within two seconds. Control steps are 0.01 s."""
    moments = _recorded(VideoCfg(policy="idle", seconds=6.0, episode=5), every=4)
    assert len(moments) == 150
    numbers = [moment.episode for moment in moments]
    assert numbers == sorted(numbers)
    assert {*numbers} >= {5, 6, 7}
    held = [moment for moment in moments if moment.episode == 5 and moment.end]
    assert [moment.end for moment in held] == ["pole angle"] * 15
    # The last state before the end, whether or not a picture of it was due.
    assert abs(held[0].seen.joint_pos[1]) > 0.37
    assert moments[0].text == "episode 5     0.0 s   return 0.00"


def test_a_task_with_a_goal_shows_it():
    task = get_task("GeneLab-Franka-Pick-And-Place-v0").on("mujoco")
    env = make_env(task, Purpose.evaluation(task, task.protocol), 1, SESSION)
    env.reset()
    [shown] = env.depict(env.state())
    [ball] = shown.marks
    assert isinstance(ball, Ball)
    assert ball.radius == 0.05
    assert ball.pos_w == pytest.approx(env.state().commands["goal_position"][0].numpy())
    assert "m from the goal" in shown.lines[0]


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch):
    for suffix in films.SIZES:
        monkeypatch.setitem(films.SIZES, suffix, (96, 54))


def _film(out: Path, policy: str) -> tuple[int, Fraction]:
    cfg = VideoCfg.model_validate({"policy": policy, "seconds": 0.4, "fps": 30})
    try:
        return film.write_film(PENDULUM, cfg, ExecutionCfg(), out, session=SESSION)
    except RunError as error:
        pytest.skip(str(error))


@pytest.mark.slow
@pytest.mark.usefixtures("small")
def test_films_have_the_pictures_and_the_rate_asked_for(tmp_path: Path):
    """30 a second would be every 3.33 control steps, so every fourth is shown."""
    assert _film(tmp_path / "a.mp4", "random") == (10, Fraction(25))
    with av.open(str(tmp_path / "a.mp4")) as container:
        assert container.streams.video[0].average_rate == 25
        assert len([*container.decode(video=0)]) == 10
    assert _film(tmp_path / "a.gif", "random") == (10, Fraction(25))
    with Image.open(tmp_path / "a.gif") as image:
        lasted = 0
        for frame in range(getattr(image, "n_frames", 1)):
            image.seek(frame)
            lasted += image.info["duration"]
        assert lasted == 400
    assert _film(tmp_path / "a.png", "random")[0] == 8
    assert Image.open(tmp_path / "a.png").size == (4 * 96, 2 * 54)


@pytest.mark.slow
@pytest.mark.usefixtures("small")
def test_the_same_seed_gives_the_same_pictures_and_another_policy_others(tmp_path: Path):
    for name, policy in (("a", "random"), ("b", "random"), ("c", "idle")):
        _film(tmp_path / f"{name}.png", policy)
    a, b, c = (np.asarray(Image.open(tmp_path / f"{name}.png").convert("RGB")) for name in "abc")
    assert np.array_equal(a, b)
    assert not np.array_equal(a, c)


MISSING = "checkpoint 'none.pt' does not exist: no file, no run directory and no entry in 'reference'"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--policy", "idle", "--out", "a.avi"], "--out a.avi: must end in .mp4 or .gif or .png"),
        (["--policy", "idle", "none.pt", "--out", "a.png"], MISSING),
        (["none.pt", "--variant", "cpu", "--out", "a.png"], "--variant cpu: CKPT says what it was trained as"),
    ],
)
def test_what_cannot_be_meant(words: list[str], told: str, capsys: pytest.CaptureFixture[str]):
    assert cli.run(["video", PENDULUM.id, *words]) == 2
    assert capsys.readouterr().err == f"error: {told}\n"
