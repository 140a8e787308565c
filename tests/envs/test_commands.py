"""When commands change, without a simulator."""

import math

import pytest
import torch

from genelab.config.env import EnvCfg
from genelab.envs.parts.commands import Commands
from genelab.envs.purpose import Purpose
from genelab.mdp.state import BaseState, Names
from genelab.mdp.term import bind
from genelab.registry import get_task
from genelab_unitree import g1
from tests.envs.world import by_stream, constant, world
from tests.states import base_state, state_view

GO1 = get_task("Genelab-Velocity-Flat-Unitree-Go1-v0").env


def test_a_command_changes_when_its_time_is_over_and_not_before() -> None:
    around = world(GO1, 2)
    commands, state = Commands(around), around.read()
    everywhere = torch.tensor([True, True])
    # Half of 3 to 8 s are 5.5 s, 275 control steps; draws of 0.75 are 0.5 in -1 to 1.
    first = {"command/velocity": 0.75, "resample/velocity": 0.5}
    around.draw = by_stream(2, first)
    commands.start(everywhere)
    assert commands.drawn["velocity"].tolist() == [[0.5, 0.5, 0.5]] * 2
    second = by_stream(2, {"command/velocity": 0.25, "resample/velocity": 0.0})
    around.draw = second
    for _ in range(100):
        commands.advance(state)
    # A new episode of the first environment draws again, and counts anew.
    around.draw = by_stream(2, {**first, "command/velocity": 1.0})
    commands.start(torch.tensor([True, False]))
    around.draw = second
    changed: list[list[int]] = [[], []]
    for step in range(101, 500):
        before = commands.drawn["velocity"].clone()
        commands.advance(state)
        for env in torch.nonzero((commands.drawn["velocity"] != before).any(dim=1)).flatten().tolist():
            changed[env].append(step)
    assert changed == [[375], [275]]
    assert commands.drawn["velocity"].tolist() == [[-0.5, -0.5, -0.5]] * 2
    # The next time is drawn with the next command: 3 s.
    assert commands.memory["timer/velocity"].tolist() == [150 - (499 - 375), 150 - (499 - 275) % 150]


def test_a_command_follows_the_state_in_every_step() -> None:
    env = get_task("Genelab-Velocity-Flat-Unitree-G1-v0").env
    env = EnvCfg(**{**env.model_dump(), "commands": g1.heading_commands()})
    names = Names(env.robot.joints, env.robot.links)
    around = world(env, 2)
    commands = Commands(around)
    # Draws of 0.25: half a m/s backward and to the right, a heading of -pi/2, which the third in ten turns to.
    around.draw = constant(2, 0.25)
    commands.start(torch.tensor([True, True]))

    def shown(yaw: float) -> list[float]:
        quat = torch.tensor([math.cos(yaw / 2), 0.0, 0.0, math.sin(yaw / 2)]).expand(2, 4)
        views = {BaseState: base_state(names, 2, quat_w=quat)}
        state = state_view(names, 2, commands=commands.drawn, views=views)
        return commands.shown(state).commands["velocity"][0].tolist()

    assert shown(-math.pi / 2 - 0.4) == pytest.approx([-0.5, -0.5, 0.2])
    assert shown(-math.pi / 2 + 0.4) == pytest.approx([-0.5, -0.5, -0.2])
    # What reads the command sees three columns.
    assert bind("t", env.observations["policy"].terms["command"], env).columns() == ("x", "y", "turn")


def test_a_fixed_command_takes_the_place_of_one_that_follows() -> None:
    env = get_task("Genelab-Velocity-Flat-Unitree-G1-v0").env
    env = EnvCfg(**{**env.model_dump(), "commands": g1.heading_commands()})
    around = world(env, 2)
    fixed = torch.tensor([[0.5, 0.0, 0.0], [0.0, 0.0, 0.3]])
    around.purpose = Purpose(1, numbered=True, commands={"velocity": fixed})
    commands = Commands(around)
    commands.start(torch.tensor([True, True]))
    state = state_view(Names(env.robot.joints, env.robot.links), 2, commands=commands.drawn)
    assert torch.equal(commands.shown(state).commands["velocity"], fixed)
