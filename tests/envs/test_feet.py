"""What is sensed and shown of feet, without a simulator."""

import pytest
import torch
from torch import Tensor

from genelab.envs.parts.feet import Feet
from genelab.mdp.state import BaseState, Names
from genelab.registry import get_task
from tests.envs.world import world
from tests.states import base_state, state_view

GO1 = get_task("Genelab-Velocity-Flat-Unitree-Go1-v0").env
NAMES = Names(GO1.robot.joints, GO1.robot.links)


def _feet(force: Tensor) -> Feet:
    return Feet(world(GO1, 2, names=NAMES, contact_force_w=lambda: force))


def test_a_foot_is_in_the_air_for_as_long_as_nothing_pushes_it() -> None:
    force = torch.zeros(2, len(GO1.robot.links), 3)
    feet = _feet(force)
    shank = NAMES.link_id("FL_calf")
    column = list(GO1.feet.sites).index("FL") if GO1.feet else -1
    # 0.9 N in all, then 1.5 N of which no component is above 1 N: it is the norm that counts.
    pushes = [(0.0, 0.0, 0.9), (0.87, 0.87, 0.87), (0.0, 0.0, 0.0), (0.0, 0.0, 0.0)]
    seen: list[tuple[bool, float]] = []
    for push in pushes:
        force[0, shank] = torch.tensor(push)
        feet.sense()
        seen.append((bool(feet.memory["contact"][0, column]), float(feet.memory["air_s"][0, column])))
    assert [contact for contact, _ in seen] == [False, True, False, False]
    assert [air for _, air in seen] == pytest.approx([0.02, 0.0, 0.02, 0.04])
    # The other feet, and the other robot, never touched anything.
    air = feet.memory["air_s"].clone()
    air[0, column] = 0.08
    assert air.flatten().tolist() == pytest.approx([0.08] * 8)
    feet.start(torch.tensor([True, False]))
    assert feet.memory["air_s"].sum(dim=1).tolist() == pytest.approx([0.0, 4 * 0.08])


def test_a_foot_moves_with_its_shank() -> None:
    links = len(GO1.robot.links)
    feet = _feet(torch.zeros(2, links, 3))
    shank, column = NAMES.link_id("RR_calf"), list(GO1.feet.sites).index("RR") if GO1.feet else -1
    pos, vel, ang_vel = (torch.zeros(2, links, 3) for _ in range(3))
    quat = torch.tensor([1.0, 0.0, 0.0, 0.0]).repeat(2, links, 1)
    # A quarter turn about +y takes the shank's -z, along which the foot lies 0.213 m, to the world's -x.
    quat[1, shank] = torch.tensor([0.5**0.5, 0.0, 0.5**0.5, 0.0])
    pos[1, shank] = torch.tensor([1.0, 2.0, 3.0])
    vel[1, shank] = torch.tensor([0.1, 0.0, 0.0])
    ang_vel[1, shank] = torch.tensor([0.0, 2.0, 1.0])
    moving = {"link_pos_w": pos, "link_quat_w": quat, "link_ang_vel_w": ang_vel}
    base = base_state(NAMES, 2, link_lin_vel_w=vel)
    shown = feet.view(state_view(NAMES, 2, **moving, views={BaseState: base}))
    assert shown.pos_w[0, column].tolist() == pytest.approx([0.0, 0.0, -0.213])
    assert shown.pos_w[1, column].tolist() == pytest.approx([0.787, 2.0, 3.0], abs=1e-6)
    # (0, 2, 1) x (-0.213, 0, 0) = (0, -0.213, 0.426).
    assert shown.vel_w[1, column].tolist() == pytest.approx([0.1, -0.213, 0.426], abs=1e-6)
