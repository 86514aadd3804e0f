"""Bits on the air: base-I indices ↔ packed bytes.

A *group* of `symbols` consecutive indices is one base-I number, first index least significant, stored in `bits` bits;
groups follow each other in one bit stream, least significant bit first. For I = 2^b a group is one index of b bits;
otherwise several indices share a group so that little is wasted: 5 trits in a byte, 27 base-5 symbols in 63 bits.
A last group with fewer indices takes only the bits that many need. Unused bits of the last byte are 0.
"""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from qcskit.codec.errors import QcsError

MAX_GROUP_BITS = 64
_FIXED_GROUPS = {3: (5, 8), 5: (27, 63), 7: (14, 40)}
"""Primes of the coded scheme: whole bytes where that costs under 2 %; part of the wire format."""


def group_of(levels: int) -> tuple[int, int]:
    """Return (symbols, bits) of a group: fixed for 3, 5, 7, else the densest of at most 64 bits (smallest on a tie).

    >>> [group_of(i) for i in (2, 3, 4, 5, 7)]
    [(1, 1), (5, 8), (1, 2), (27, 63), (14, 40)]
    """
    if not 2 <= levels <= 256:
        raise QcsError(f"levels = {levels}: a quantizer has 2 … 256 levels")
    if levels & (levels - 1) == 0:
        return 1, levels.bit_length() - 1
    if levels in _FIXED_GROUPS:
        return _FIXED_GROUPS[levels]
    best = (1, _bits_for(levels, 1))
    for symbols in range(2, MAX_GROUP_BITS):
        bits = _bits_for(levels, symbols)
        if bits > MAX_GROUP_BITS:
            break
        if bits * best[0] < best[1] * symbols:
            best = (symbols, bits)
    return best


def _bits_for(levels: int, symbols: int) -> int:
    return (levels**symbols - 1).bit_length()


@dataclass(frozen=True)
class Packing:
    """How `count` indices of `levels` levels become bytes.

    >>> Packing(10, 8).packed_bytes, Packing(10, 8).packed_bits
    (4, 30)
    >>> p = Packing(3, 4); p.unpack(p.pack(np.array([[1, 2, 3]], np.uint8)))
    array([[1, 2, 3]], dtype=uint8)
    """

    count: int
    levels: int

    def __post_init__(self) -> None:
        if self.count < 1:
            raise QcsError(f"count = {self.count}: there must be at least one index to pack")
        group_of(self.levels)

    @cached_property
    def group(self) -> tuple[int, int]:
        """(symbols, bits) of a full group."""
        return group_of(self.levels)

    @cached_property
    def _groups(self) -> list[tuple[int, int, int]]:
        """(first index, symbols, bits) of every group."""
        symbols, bits = self.group
        starts = range(0, self.count - symbols + 1, symbols)
        groups, rest = [(start, symbols, bits) for start in starts], self.count % symbols
        return [*groups, (self.count - rest, rest, _bits_for(self.levels, rest))] if rest else groups

    @cached_property
    def packed_bits(self) -> int:
        """Bits used per vector."""
        return sum(bits for _, _, bits in self._groups)

    @cached_property
    def packed_bytes(self) -> int:
        """Bytes sent per vector."""
        return math.ceil(self.packed_bits / 8)

    def pack(self, index: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return bytes (frames, packed_bytes) of indices (frames, count), each 0 … levels − 1."""
        if index.ndim != 2 or index.shape[1] != self.count:
            raise QcsError(f"indices have shape {index.shape}, expected (frames, {self.count})")
        if index.size and int(index.max()) >= self.levels:
            raise QcsError(f"an index is {int(index.max())}, largest allowed {self.levels - 1}")
        stream = []
        for start, symbols, bits in self._groups:
            weights = np.array([self.levels**j for j in range(symbols)], np.uint64)
            number = (index[:, start : start + symbols] * weights).sum(axis=1, dtype=np.uint64)
            stream.append(((number[:, None] >> np.arange(bits, dtype=np.uint64)) & np.uint64(1)).astype(np.uint8))
        return np.packbits(np.concatenate(stream, axis=1), axis=1, bitorder="little")

    def unpack(self, packed: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return indices (frames, count) of bytes (frames, packed_bytes).

        Raises QcsError on a wrong width or a group that no indices give (damaged bytes).
        """
        if packed.ndim != 2 or packed.shape[1] != self.packed_bytes or packed.dtype != np.uint8:
            raise QcsError(
                f"packed data is {packed.dtype} of shape {packed.shape}, expected uint8 (frames, {self.packed_bytes})"
            )
        bits_in = np.unpackbits(packed, axis=1, bitorder="little")
        if bits_in[:, self.packed_bits :].any():
            raise QcsError("the unused bits of a packet are not zero: the bytes are damaged")
        index = np.empty((packed.shape[0], self.count), np.uint8)
        position, base = 0, np.uint64(self.levels)
        for start, symbols, bits in self._groups:
            chunk = bits_in[:, position : position + bits].astype(np.uint64)
            number = (chunk << np.arange(bits, dtype=np.uint64)).sum(axis=1, dtype=np.uint64)
            position += bits
            for j in range(start, start + symbols):
                number, index[:, j] = np.divmod(number, base)
            if number.any():
                frame = int(np.flatnonzero(number)[0])
                raise QcsError(f"packed frame {frame} holds no valid indices: the bytes are damaged")
        return index
