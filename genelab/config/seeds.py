"""Seeds as text: `1,2,3`, and ranges as in `1-10000,20001`."""

from collections.abc import Sequence
from functools import lru_cache
from itertools import groupby

MOST = 100_000
"""Most seeds of a range."""


def split(text: str) -> list[int | str]:
    """The seeds of a text, ranges expanded. What is no seed stays as it is, for whoever checks the numbers."""
    found: list[int | str] = []
    for part in text.split(","):
        first, dash, last = part.partition("-")
        if dash and first.strip().isdecimal() and last.strip().isdecimal() and 0 <= int(last) - int(first) < MOST:
            found += range(int(first), int(last) + 1)
        else:
            found.append(part)
    return found


@lru_cache(maxsize=16)
def parse(text: str) -> tuple[int, ...]:
    """Seeds that `join` wrote. Equal texts share one tuple: thousands of records of a sweep name the same seeds.

    Raises:
        ValueError: if it is no such text.
    """
    found = split(text)
    if not all(isinstance(seed, int) or seed.isdecimal() for seed in found):
        raise ValueError("must be seeds as in 1,2,3 or 1-1000")
    return tuple(map(int, found))


@lru_cache(maxsize=16)
def join(seeds: tuple[int, ...]) -> str:
    """Seeds as text, three and more in a row as a range."""
    told: list[str] = []
    for _, row in groupby(enumerate(seeds), key=lambda pair: pair[1] - pair[0]):
        numbers: Sequence[int] = [seed for _, seed in row]
        told += [f"{numbers[0]}-{numbers[-1]}"] if len(numbers) > 2 else map(str, numbers)
    return ",".join(told)
