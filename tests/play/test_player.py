"""What is played and how it is steered, in MuJoCo, without a page."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from genelab.cli import run
from genelab.config.run import ExecutionCfg
from genelab.envs.parts.commands import Commands
from genelab.evaluation.evaluate import RandomPolicy
from genelab.families.tracking.motion import Motion, MotionState
from genelab.mdp.terrain import HeightMap
from genelab.play.controls import goal_command
from genelab.play.player import Player
from genelab.play.policies import Policies, checkpoints_in
from genelab.play.scene import piece_of
from genelab.registry import get_task
from genelab.runs.run_dir import RunDir
from genelab.sim.facts import SceneFacts
from genelab.sim.make import scene_shapes
from genelab.sim.session import Session
from tests.clips import G1_TRACKING, swaying, with_clip

SESSION = Session("mujoco", torch.device("cpu"), 0, 1, {}, 0.0)
PENDULUM = get_task("GeneLab-Inverted-Pendulum-v1").on("mujoco")
GO1 = get_task("Genelab-Velocity-Flat-Unitree-Go1-v0").on("mujoco")
FRANKA = get_task("GeneLab-Franka-Pick-And-Place-v0").on("mujoco")


def _columns(player: Player, group: str, term: str) -> slice:
    row = next(row for row in player.env.layout()[group] if row["name"] == term)
    return slice(row["start"], row["stop"])


def test_a_held_command_is_what_the_policy_reads_until_it_is_let_go() -> None:
    player = Player(GO1, SESSION, 0)
    commands, columns = player.env.part(Commands), _columns(player, "policy", "command")
    drawn = player.env.state().commands["velocity"].clone()
    commands.held["velocity"] = torch.tensor([[0.7, -0.2, 0.4]])
    player.step()
    assert player.observations["policy"][0, columns].tolist() == pytest.approx([0.7, -0.2, 0.4])
    # The next episode has it too, from its first step.
    player.restart(player.number + 1)
    assert player.observations["policy"][0, columns].tolist() == pytest.approx([0.7, -0.2, 0.4])
    del commands.held["velocity"]
    player.restart(0)
    assert torch.equal(player.observations["policy"][0, columns], drawn[0])


def test_a_held_goal_is_what_policy_and_reward_know() -> None:
    assert goal_command(FRANKA.env) == "goal_position"
    assert goal_command(GO1.env) is None
    player = Player(FRANKA, SESSION, 0)
    cube = player.env.state().object_pos_w[:, 0].clone()
    player.env.part(Commands).held["goal_position"] = cube
    before = player.episode_return
    player.step()
    assert torch.equal(player.observations["desired_goal"], cube)
    # The cube lies at the goal: nothing is missing, and nothing is lifted.
    assert player.episode_return - before == pytest.approx(0.0, abs=1e-3)
    assert bool(player.env.step(torch.zeros(1, 4)).finished.success_at_end[0])  # type: ignore[index]


@pytest.mark.slow
def test_a_scripted_controller_may_act() -> None:
    player = Player(FRANKA, SESSION, 2)
    policies = Policies(FRANKA, player.env, None)
    assert policies.names == ["idle", "random", "scripted"]
    player.policy = policies.load("scripted")
    while player.ended is None:
        player.step()
    assert player.ended.cause == "time limit"
    assert player.ended.seconds == 5.0
    # It gets there, and most of the time is left.
    assert player.ended.episode_return > -30.0


def test_episodes_of_a_motion_start_where_they_are_told(tmp_path: Path) -> None:
    robot = get_task(G1_TRACKING).env.robot
    player = Player(with_clip(swaying(robot, 100), tmp_path).on("mujoco"), SESSION, 0)
    player.env.part(Motion).start_frame = 40
    player.restart()
    state = player.env.state()
    motion = state.of(MotionState)
    assert int(motion.frame[0]) == 40
    assert torch.allclose(state.joint_pos, motion.wanted.joint_pos, atol=1e-6)
    # The first frame of the clip is another one.
    assert not torch.allclose(state.joint_pos, motion.frames.joint_pos[:1], atol=1e-3)


def test_an_episode_tells_why_it_ended_and_can_be_played_again() -> None:
    player = Player(PENDULUM, SESSION, 3)
    first = {name: value.clone() for name, value in player.observations.items()}
    player.policy = RandomPolicy(player.env)
    total = 0.0
    while player.ended is None:
        total = player.episode_return
        player.step()
    assert player.ended.number == 3
    assert player.ended.cause in {name.replace("_", " ") for name in PENDULUM.env.terminations}
    # All rewards but that of the last step.
    assert player.ended.episode_return == pytest.approx(total, abs=2.0)
    assert (player.number, player.seconds, player.episode_return) == (4, 0.0, 0.0)
    player.restart(3)
    assert all(torch.equal(player.observations[name], value) for name, value in first.items())
    player.step()
    assert player.seconds == pytest.approx(PENDULUM.env.control_dt)


@pytest.mark.slow
def test_every_link_is_drawn_and_a_standing_robot_touches_the_ground() -> None:
    player = Player(GO1, SESSION, 0)
    for _ in range(100):
        player.step()
    assert player.ended is None
    shapes, state = scene_shapes(GO1.env, SceneFacts(GO1.env, 1, SESSION)), player.env.state()
    assert {shape.link for shape in shapes} == set(GO1.env.robot.links)
    lowest: dict[str, float] = {}
    for shape in shapes:
        assert shape.link
        k = state.names.link_id(shape.link)
        w, x, y, z = state.link_quat_w[0, k].tolist()
        # The last row of the rotation matrix.
        up = np.array([2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)])
        height = float((shape.vertices @ up).min() + state.link_pos_w[0, k, 2])
        lowest[shape.link] = min(lowest.get(shape.link, np.inf), height)
    for leg in ("FR", "FL", "RR", "RL"):
        assert lowest[f"{leg}_calf"] == pytest.approx(0.0, abs=0.004)
    assert lowest["trunk"] > 0.1


def test_a_piece_of_terrain_is_the_ground_that_bodies_touch() -> None:
    heights = torch.rand(40, 30, generator=torch.Generator().manual_seed(1))
    terrain = HeightMap(heights, 0.25, (-5.0, -3.0))
    vertices, faces = piece_of(terrain, np.array([0.0, 4.0]), 2.0)
    # 2 m to each side, but for the edge of the terrain at y = 4.25.
    assert (vertices[:, 0].min(), vertices[:, 0].max()) == (-2.0, 2.0)
    assert vertices[:, 1].max() == pytest.approx(4.25)
    for points in (vertices, vertices[faces].mean(axis=1)):
        ground = terrain.height_at(torch.tensor(points[:, :2], dtype=torch.float32))
        assert np.allclose(points[:, 2], ground.numpy(), atol=1e-5)
    # Seen from above.
    first, second, third = (vertices[faces[:, k]] for k in range(3))
    assert (np.cross(second - first, third - first)[:, 2] > 0).all()


def test_checkpoints_are_offered_in_the_order_of_the_training(tmp_path: Path) -> None:
    run_dir = RunDir.create(
        tmp_path, GO1, seed=1, seeds_planned=[1], command=[], overrides=[], execution=ExecutionCfg()
    )
    for name in ("model_1000.pt", "model_99.pt", "model_final.pt", "stage_gait.pt", "notes.pt"):
        (tmp_path / name).touch()
    found = [path.name for path in checkpoints_in(run_dir)]
    assert found == ["stage_gait.pt", "model_99.pt", "model_1000.pt", "model_final.pt"]


def test_without_viser_there_is_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setitem(sys.modules, "viser", None)
    assert run(["play", PENDULUM.id]) == 2
    assert capsys.readouterr().err == "error: genelab play needs viser: pip install 'genelab[play]'\n"
