"""Counter-based random numbers: every draw is a pure function of (seed, stream, index, step).

The generator is Philox4x32-10 of Salmon et al., "Parallel random numbers: as easy as 1, 2, 3" (SC 2011). It uses
integer arithmetic only, so one key gives the same bits on every device, in any batch size and in any order, and there
is no state to save.
"""

import hashlib
from dataclasses import dataclass

import torch
from torch import Tensor

_MASK = 0xFFFFFFFF
_MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
_WEYL = (0x9E3779B9, 0xBB67AE85)
_ROUNDS = 10


def philox4x32(counter: tuple[Tensor, Tensor, Tensor, Tensor], key: tuple[int, int]) -> tuple[Tensor, ...]:
    """Philox4x32-10. Counter words and results are int64 tensors of one shape holding unsigned 32-bit values."""
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(_ROUNDS):
        # The 64-bit products wrap around in int64; the mask makes the arithmetic shift a logical one.
        p0, p1 = c0 * _MULTIPLIERS[0], c2 * _MULTIPLIERS[1]
        c0 = (p1 >> 32).bitwise_and_(_MASK).bitwise_xor_(c1).bitwise_xor_(k0)
        c2 = (p0 >> 32).bitwise_and_(_MASK).bitwise_xor_(c3).bitwise_xor_(k1)
        c1, c3 = p1.bitwise_and_(_MASK), p0.bitwise_and_(_MASK)
        k0, k1 = (k0 + _WEYL[0]) & _MASK, (k1 + _WEYL[1]) & _MASK
    return c0, c1, c2, c3


@dataclass(frozen=True)
class Stream:
    """A named stream of one seed."""

    key: tuple[int, int]

    @classmethod
    def of(cls, seed: int, name: str) -> "Stream":
        """Derive the key from seed and name by SHA-256, so that no two streams share draws by accident."""
        digest = hashlib.sha256(f"{seed}/{name}".encode()).digest()
        return cls((int.from_bytes(digest[:4], "little"), int.from_bytes(digest[4:8], "little")))

    def uniform(self, index: Tensor, step: Tensor, dim: int) -> Tensor:
        """Uniform float32 draws in [0, 1) on a grid of 2^-24.

        Args:
            index: environment or episode numbers, int64 in [0, 2^32). Shape: (n,).
            step: control steps, int64 in [0, 2^32). Shape: (n,).
            dim: draws per row.

        Returns:
            Shape: (n, dim).
        """
        blocks = -(-dim // 4)
        shape = (index.shape[0], blocks)
        block = torch.arange(blocks, device=index.device).expand(shape)
        zero = torch.zeros(shape, dtype=torch.int64, device=index.device)
        counter = (block, step[:, None].expand(shape), index[:, None].expand(shape), zero)
        words = torch.stack(philox4x32(counter, self.key), dim=-1).reshape(shape[0], 4 * blocks)[:, :dim]
        # 24 bits fill a float32 mantissa exactly; more would round and could reach 1.
        return (words >> 8).to(torch.float32) * 2.0**-24
