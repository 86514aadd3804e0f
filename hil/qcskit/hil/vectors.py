"""The vectors of a run: the bundle's golden ones first, then fresh ones drawn from its source model.

A vector is what one packet is made of: `inputs` values in, `windows` source vectors behind it.
"""

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from qcskit.codec import seeds
from qcskit.codec.interface import Array, Codec, Packets
from qcskit.hil.stream import Vectors

BLOCK = 8192

InputKind = Literal["counts", "inputs"]


class VectorSet:
    """`count` vectors of a codec, reproducible from seed; `part(a, b)` gives any stretch of them.

    kind: int16 ADC counts, or the network inputs that the codec makes of them. Raises QcsError if it makes none.
    """

    def __init__(self, codec: Codec, count: int, seed: int = 1, kind: InputKind = "counts") -> None:
        self.codec, self.count, self.seed, self.kind = codec, count, seed, kind
        self._values(np.empty((0, codec.inputs), np.int16))
        self.golden = min(count, len(codec.bundle.vectors["counts"]))
        """How many of them are golden vectors of the bundle."""
        self._drawn: tuple[int, NDArray[np.int16], Array] | None = None

    def part(self, start: int, stop: int) -> tuple[Vectors, Array]:
        """Return vectors start … stop − 1 as the board takes them, and their sources (vectors · windows, N)."""
        counts, sources = [], []
        if start < self.golden:
            cut, vectors = slice(start, min(stop, self.golden)), self.codec.bundle.vectors
            counts.append(vectors["counts"][cut])
            sources.append(self._by_packet(vectors["x"])[cut])
        first, last = max(start - self.golden, 0), stop - self.golden
        while first < last:
            block = first // BLOCK
            cut = slice(first - block * BLOCK, min(last - block * BLOCK, BLOCK))
            drawn, x = self._draw(block)
            counts.append(drawn[cut])
            sources.append(x[cut])
            first = (block + 1) * BLOCK
        return self._values(np.concatenate(counts)), np.concatenate(sources).reshape(-1, self.codec.width)

    def values(self) -> Vectors:
        """Return the values of all vectors (count, inputs)."""
        steps = range(0, self.count, BLOCK)
        return np.concatenate([self.part(a, min(a + BLOCK, self.count))[0] for a in steps])

    def expected(self, values: Vectors) -> Packets:
        """Return the packets that the codec's integers give for these values."""
        return self.codec.encode_any(values)

    def _values(self, counts: NDArray[np.int16]) -> Vectors:
        return self.codec.network_input(counts) if self.kind == "inputs" else counts

    def _draw(self, block: int) -> tuple[NDArray[np.int16], Array]:
        """Return counts (BLOCK, inputs) and sources (BLOCK, windows, N) of a block; the one drawn last is kept."""
        if self._drawn is None or self._drawn[0] != block:
            x, y = self.codec.draw(BLOCK, seeds.HIL + self.seed * seeds.HIL_RUN + block)
            self._drawn = block, self.codec.counts(y), self._by_packet(x)
        return self._drawn[1:]

    def _by_packet(self, x: NDArray[Any]) -> Array:
        return x.astype(np.float64).reshape(-1, self.codec.windows, self.codec.width)
