"""A folder that runs a policy without genelab: what it does is what the environment does."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from genelab.cli import run
from genelab.envs.environment import Environment
from genelab.envs.purpose import Purpose
from genelab.export import bundle
from genelab.export.bundle import write_bundle
from genelab.export.runner import ExportedPolicy
from genelab.jobs.sim2sim import Driver
from genelab.registry import get_task
from genelab.runs.run_dir import RunDir
from genelab.sim.mujoco.simulation import Simulation
from genelab.sim.session import Session

from .conftest import TASK, create_run, make_checkpoint, save, save_round_trip

pytestmark = pytest.mark.slow

G1 = "Genelab-Velocity-Flat-Unitree-G1-v0"
GO2W = "Genelab-Velocity-Flat-Unitree-Go2W-v0"
ALONE = """
import importlib.abc, re, runpy, sys
from importlib.metadata import packages_distributions, requires

mine = {re.match("[A-Za-z0-9._-]+", line)[0].lower() for line in requires("genelab")}
mine -= {"numpy", "onnxruntime", "mujoco"}
known = packages_distributions()


class Missing(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if {d.lower() for d in known.get(name.partition(".")[0], ())} & {*mine, "genelab"}:
            raise ModuleNotFoundError(name)


sys.meta_path.insert(0, Missing())
sys.argv = ["run_policy.py", *sys.argv[1:]]
runpy.run_path("run_policy.py", run_name="__main__")
"""
"""As on a machine that has numpy, onnxruntime and mujoco, and nothing else that genelab needs."""


def _run(folder: Path, *args: str, code: int = 0) -> str:
    words = [sys.executable, "-P", "-c", ALONE, *args]
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout if code == 0 else done.stderr


def _mujoco(task_id: str) -> tuple[Environment, Simulation]:
    """One environment that begins in the default pose, without anything that is drawn."""
    env = get_task(task_id).on("mujoco").env
    nothing = {"position_range": [0.0, 0.0], "velocity_range": [0.0, 0.0]}
    nothing |= {key: [0.0, 0.0] for key in ("x_range", "y_range", "z_range", "yaw_range")}
    still = {
        name: event.model_copy(
            update={"params": event.params | {k: v for k, v in nothing.items() if k in event.params}}
        )
        for name, event in env.reset_events.items()
    }
    env = env.model_copy(update={"reset_events": still})
    sim = Simulation(env, 1, Session("mujoco", torch.device("cpu"), 1, 1, {}, 0.0))
    return Environment(env, sim, Purpose(1, numbered=True, disturbances=False, observation_noise=False)), sim


def test_the_pendulum_goes_where_the_environment_takes_it(run_dir: RunDir, tmp_path: Path) -> None:
    write_bundle(run_dir, run_dir.final_checkpoint, tmp_path / "bundle")
    told = _run(tmp_path / "bundle", "--seconds", "0.5").splitlines()
    assert len(told) == 1
    found = [float(value) for value in re.findall(r"-?\d+\.\d*", told[0].partition("[")[2])]

    env, sim = _mujoco(TASK)
    policy = ExportedPolicy(tmp_path / "bundle" / "policy.onnx")
    driver = Driver(env, policy, ("policy",), "policy")
    env.step(driver(env.reset()))
    assert found == pytest.approx(sim.joint_pos()[0].tolist(), abs=1e-3)

    scene = tmp_path / "bundle" / "scene.xml"
    scene.write_text(scene.read_text().replace('mass="0.1"', 'mass="0.2"'))
    assert _run(tmp_path / "bundle", code=2).startswith("error: 'scene.xml' was changed")


@pytest.mark.parametrize(
    ("task_id", "variant"),
    [pytest.param(GO2W, "cpu", id="five-frames-on-wheels"), pytest.param(G1, None, id="explicit-actuators")],
)
def test_a_robot_goes_where_the_environment_takes_it(tmp_path: Path, task_id: str, variant: str | None) -> None:
    """A floating base with random weights, for half a second after the first."""
    task = get_task(task_id, variant)
    run_dir = create_run(tmp_path / "seed_5", task)
    env, sim = _mujoco(task_id)
    save(run_dir.final_checkpoint, make_checkpoint(task, torch.zeros(1, 1), layout=env.layout()))
    width = env.layout()["policy"][-1]["stop"]
    save_round_trip(run_dir, {"policy": torch.randn(120, width, generator=torch.Generator().manual_seed(2))})
    folder = tmp_path / "bundle"
    write_bundle(run_dir, run_dir.final_checkpoint, folder)
    told = _run(folder, "--seconds", "1.5", "--command", "0.5", "-0.2", "0.1")
    found = [float(value) for value in re.findall(r"(-?\d+\.\d+) (?:m|rad)/s", told.splitlines()[-1])]

    command = torch.tensor([[0.5, -0.2, 0.1]])
    env = Environment(env.cfg, sim, Purpose.fixed(1, {"velocity": command}, [0], observation_noise=False))
    policy = Driver(env, ExportedPolicy(folder / "policy.onnx"), ("policy",), "policy")
    observations, velocities = env.reset(), []
    for _ in range(75):
        observations = env.step(policy(observations)).observations
        base = env.state().floating
        velocities.append(torch.cat([base.lin_vel_b[0, :2], base.ang_vel_b[0, 2:]]))
    mean = torch.stack(velocities[50:]).mean(dim=0)
    assert found == pytest.approx(mean.tolist(), abs=0.05)


def test_the_script_makes_what_a_bundle_may_hold() -> None:
    script = Path(bundle.__file__).with_name(bundle.SCRIPT).read_text()
    assert set(re.findall(r'case "(\w+)":', script)) == bundle.KNOWN


def test_what_cannot_be_bundled_is_told(run_dir: RunDir, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    words = ["export", TASK, str(run_dir.final_checkpoint), "--bundle", str(tmp_path)]
    assert run(words) == 2
    assert "must be a new folder or an empty one" in capsys.readouterr().err
    assert run([*words, "--out", "policy.onnx"]) == 2
    assert "--bundle takes neither --out nor --format" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
