"""What is remembered of feet, and when commands change: without a simulator."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from genelab.envs.body import Body
from genelab.envs.parts import Commands
from genelab.mdp.state import Names
from genelab.registry import get_task

GO1 = get_task("Genelab-Velocity-Flat-Unitree-Go1-v0").env
CPU = torch.device("cpu")


class _Sim:
    """Contact forces as the test sets them; everything else that `Body` asks a simulation for at its start."""

    num_envs = 2
    device = CPU
    names = Names(tuple(GO1.robot.joints), GO1.robot.links)

    def __init__(self) -> None:
        self.force = torch.zeros(2, len(GO1.robot.links), 3)

    def contact_force_w(self) -> Tensor:
        return self.force


def test_a_foot_is_in_the_air_for_as_long_as_nothing_pushes_it() -> None:
    sim = _Sim()
    body = Body(GO1, sim)  # type: ignore[arg-type]
    shank = sim.names.link_id("FL_calf")
    column = list(GO1.feet.sites).index("FL_foot") if GO1.feet else -1
    # 0.9 N in all, then 1.5 N of which no component is above 1 N: it is the norm that counts.
    pushes = [(0.0, 0.0, 0.9), (0.87, 0.87, 0.87), (0.0, 0.0, 0.0), (0.0, 0.0, 0.0)]
    seen: list[tuple[bool, float]] = []
    for push in pushes:
        sim.force[0, shank] = torch.tensor(push)
        body.advance()
        seen.append((bool(body.memory["feet_contact"][0, column]), float(body.memory["feet_air_s"][0, column])))
    assert [contact for contact, _ in seen] == [False, True, False, False]
    assert [air for _, air in seen] == pytest.approx([0.02, 0.0, 0.02, 0.04])
    # The other feet, and the other robot, never touched anything.
    air = body.memory["feet_air_s"].clone()
    air[0, column] = 0.08
    assert air.flatten().tolist() == pytest.approx([0.08] * 8)
    body.start(torch.tensor([True, False]))
    assert body.memory["feet_air_s"].sum(dim=1).tolist() == pytest.approx([0.0, 4 * 0.08])


def test_a_foot_moves_with_its_shank() -> None:
    sim = _Sim()
    body = Body(GO1, sim)  # type: ignore[arg-type]
    links = len(GO1.robot.links)
    shank, column = sim.names.link_id("RR_calf"), list(GO1.feet.sites).index("RR_foot") if GO1.feet else -1
    pos, vel, ang_vel = (torch.zeros(2, links, 3) for _ in range(3))
    quat = torch.tensor([1.0, 0.0, 0.0, 0.0]).repeat(2, links, 1)
    # A quarter turn about +y takes the shank's -z, along which the foot lies 0.213 m, to the world's -x.
    quat[1, shank] = torch.tensor([0.5**0.5, 0.0, 0.5**0.5, 0.0])
    pos[1, shank] = torch.tensor([1.0, 2.0, 3.0])
    vel[1, shank] = torch.tensor([0.1, 0.0, 0.0])
    ang_vel[1, shank] = torch.tensor([0.0, 2.0, 1.0])
    sim.link_lin_vel_w = lambda: vel  # type: ignore[attr-defined]
    sim.joint_torque = lambda: torch.zeros(2, 12)  # type: ignore[attr-defined]
    sim.joint_range = torch.zeros(2, 12)  # type: ignore[attr-defined]
    sim.ground = None  # type: ignore[attr-defined]
    state = body.read(pos, quat, ang_vel, torch.zeros(2, 3))
    assert state.feet_pos_w[0, column].tolist() == pytest.approx([0.0, 0.0, -0.213])
    assert state.feet_pos_w[1, column].tolist() == pytest.approx([0.787, 2.0, 3.0], abs=1e-6)
    # (0, 2, 1) x (-0.213, 0, 0) = (0, -0.213, 0.426).
    assert state.feet_vel_w[1, column].tolist() == pytest.approx([0.1, -0.213, 0.426], abs=1e-6)


def _draw(streams: dict[str, float]) -> Any:
    return lambda stream, dim: torch.full((2, dim), streams[stream])


def test_a_command_changes_when_its_time_is_over_and_not_before() -> None:
    commands = Commands(GO1, 2, CPU)
    state: Any = SimpleNamespace(joint_pos=torch.zeros(2, 12))
    everywhere = torch.tensor([True, True])
    # Half of 3 to 8 s are 5.5 s, 275 control steps; draws of 0.75 are 0.5 in -1 to 1.
    first = {"command/velocity": 0.75, "resample/velocity": 0.5}
    commands.start(everywhere, lambda: state, _draw(first))
    assert commands.values["velocity"].tolist() == [[0.5, 0.5, 0.5]] * 2
    second = _draw({"command/velocity": 0.25, "resample/velocity": 0.0})
    for _ in range(100):
        commands.advance(state, second)
    # A new episode of the first environment draws again, and counts anew.
    commands.start(torch.tensor([True, False]), lambda: state, _draw({**first, "command/velocity": 1.0}))
    changed: list[list[int]] = [[], []]
    for step in range(101, 500):
        before = commands.values["velocity"].clone()
        commands.advance(state, second)
        for env in torch.nonzero((commands.values["velocity"] != before).any(dim=1)).flatten().tolist():
            changed[env].append(step)
    assert changed == [[375], [275]]
    assert commands.values["velocity"].tolist() == [[-0.5, -0.5, -0.5]] * 2
    # The next time is drawn with the next command: 3 s.
    assert commands.memory["timer/velocity"].tolist() == [150 - (499 - 375), 150 - (499 - 275) % 150]
