"""When commands change, without a simulator."""

import torch

from genelab.envs.parts.commands import Commands
from genelab.registry import get_task
from tests.envs.world import by_stream, world

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
