import torch
from torch import Tensor, nn

from genelab.learn.policy import BLOCK_ROWS, DeterministicPolicy


class _Actor(nn.Module):
    """A product of each group; notes the shapes that it is called with."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(30, 4), nn.Linear(3, 4)
        self.seen: list[dict[str, tuple[int, ...]]] = []

    def forward(self, observations: dict[str, Tensor]) -> Tensor:
        self.seen.append({group: tuple(rows.shape) for group, rows in observations.items()})
        return self.first(observations["observation"]) - self.second(observations["goal"])


def test_every_group_comes_in_whole_blocks_of_the_same_rows():
    torch.manual_seed(0)
    actor = _Actor()
    policy = DeterministicPolicy(actor, torch.device("cpu"), ("observation", "goal"))
    groups = {"observation": torch.randn(50, 30), "goal": torch.randn(50, 3), "critic": torch.randn(50, 7)}
    whole = policy(groups)
    assert whole.shape == (50, 4)
    assert actor.seen == [{"observation": (BLOCK_ROWS, 30), "goal": (BLOCK_ROWS, 3)}] * 4
    torch.testing.assert_close(whole, actor(groups))
    for count in (1, 16, 33):
        assert torch.equal(policy({group: rows[:count] for group, rows in groups.items()}), whole[:count])
