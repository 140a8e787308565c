import torch

from genelab.rng import Stream, philox4x32


def _words(*values: int) -> tuple[torch.Tensor, ...]:
    return tuple(torch.tensor([value]) for value in values)


def test_known_answers_of_the_reference_implementation():
    # Random123, kat_vectors: "philox4x32 10".
    ones = 0xFFFFFFFF
    cases = [
        ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
        ((ones,) * 4, (ones,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
        (
            (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
            (0xA4093822, 0x299F31D0),
            (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
        ),
    ]
    for counter, key, expected in cases:
        found = philox4x32(_words(*counter), key)  # pyright: ignore
        assert tuple(int(word) for word in found) == expected


def test_draws_depend_on_index_and_step_alone():
    stream = Stream.of(7, "noise")
    index = torch.arange(1000)
    step = torch.full((1000,), 12)
    whole = stream.uniform(index, step, 6)
    order = torch.randperm(1000)
    assert torch.equal(stream.uniform(index[order], step, 6), whole[order])
    assert torch.equal(stream.uniform(index[40:41], step[:1], 6), whole[40:41])
    # A wider draw starts with the narrower one.
    assert torch.equal(stream.uniform(index, step, 9)[:, :6], whole)


def test_seed_stream_index_step_and_column_all_matter():
    index, step = torch.arange(200), torch.full((200,), 3)
    base = Stream.of(1, "reset").uniform(index, step, 4)
    others = [
        Stream.of(2, "reset").uniform(index, step, 4),
        Stream.of(1, "noise").uniform(index, step, 4),
        Stream.of(1, "reset").uniform(index + 200, step, 4),
        Stream.of(1, "reset").uniform(index, step + 1, 4),
        base.roll(1, dims=1),
        base.roll(1, dims=0),
    ]
    for other in others:
        assert (other == base).float().mean() < 0.01


def test_uniform_fills_the_unit_interval_evenly():
    draws = Stream.of(3, "x").uniform(torch.arange(50_000), torch.zeros(50_000, dtype=torch.int64), 4).double()
    assert draws.min() >= 0.0
    assert draws.max() < 1.0
    # Mean and variance of U(0, 1), five standard errors.
    count = draws.numel()
    assert abs(draws.mean() - 0.5) < 5 * (1 / 12 / count) ** 0.5
    assert abs(draws.var() - 1 / 12) < 5 * (1 / 180 / count) ** 0.5
    columns = torch.corrcoef(draws.T) - torch.eye(4)
    assert columns.abs().max() < 5 / 50_000**0.5
    steps = draws[:-1, 0] - 0.5, draws[1:, 0] - 0.5
    assert abs((steps[0] * steps[1]).mean() * 12) < 5 / 50_000**0.5
