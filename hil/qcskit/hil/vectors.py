"""The vectors of a run: the bundle's golden ones first, then others drawn from its source; or the user's own.

A vector is what one packet is made of: `inputs` values in, `windows` source vectors behind it.
"""

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from qcskit.codec import seeds
from qcskit.codec.interface import Array, Codec, Packets
from qcskit.codec.own_data import OwnData
from qcskit.hil.stream import Vectors

BLOCK = 8192

InputKind = Literal["counts", "inputs"]


class VectorSet:
    """`count` vectors of a codec, reproducible from seed; `part(a, b)` gives any stretch of them.

    kind: int16 ADC counts, or the network inputs that the codec makes of them. data: the user's own counts, instead of
    golden and drawn ones. Raises QcsError if the codec makes no network inputs.
    """

    def __init__(
        self, codec: Codec, count: int, seed: int = 1, kind: InputKind = "counts", data: OwnData | None = None
    ) -> None:
        self.codec, self.seed, self.kind, self.data = codec, seed, kind, data
        self.count = count if data is None else min(count, len(data.counts))
        self.x_known = codec.source_windows != 0 if data is None else data.x is not None
        """Whether the sources behind the vectors are: else there is nothing to compare what is decoded with."""
        self._values(np.empty((0, codec.inputs), np.int16))
        self.golden = min(count, len(codec.bundle.vectors["counts"]))
        """How many of them are golden vectors of the bundle."""
        self._drawn: tuple[int, NDArray[np.int16], Array] | None = None

    def part(self, start: int, stop: int) -> tuple[Vectors, Array | None]:
        """Return vectors start … stop − 1 as the board takes them, and their sources (vectors · windows, N) if known.

        Sources are in units.
        """
        if self.data is None:
            counts, drawn = self._made(start, stop)
            return self._values(counts), drawn if self.x_known else None
        x, windows = self.data.x, self.codec.windows
        return self._values(self.data.counts[start:stop]), None if x is None else x[start * windows : stop * windows]

    def _made(self, start: int, stop: int) -> tuple[NDArray[np.int16], Array]:
        """Return golden and drawn vectors start … stop − 1, and their sources."""
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
        return np.concatenate(counts), np.concatenate(sources).reshape(-1, self.codec.width)

    def values(self, start: int = 0, stop: int | None = None) -> Vectors:
        """Return the values of vectors start … stop − 1, or of all, (vectors, inputs)."""
        stop = self.count if stop is None else stop
        return np.concatenate([self.part(a, min(a + BLOCK, stop))[0] for a in range(start, stop, BLOCK)])

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
