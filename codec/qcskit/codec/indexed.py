"""Codecs whose packet is K indices of I levels each, packed: what the learned, the classical and the coded share."""

from abc import abstractmethod
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qcskit.codec.bundle import Bundle
from qcskit.codec.errors import QcsError
from qcskit.codec.interface import Array, Codec, Counts, Packets, Raw
from qcskit.codec.packing import Packing

Index = NDArray[np.uint8]

_GOLDEN = 64
"""Golden vectors that a decoder is tried on."""
_SLACK = 1e-3
"""Of the largest entry: what two machines may differ by."""


class IndexCodec(Codec):
    """A codec that packs K indices. packing: how. Raises QcsError if the manifest states another size."""

    def __init__(self, bundle: Bundle, packing: Packing, inputs: int) -> None:
        super().__init__(bundle)
        self.packing = packing
        if (self.packed_bytes_max, self.inputs, self.windows) != (packing.packed_bytes, inputs, 1):
            stated = f"{self.inputs} inputs, {self.packed_bytes_max} bytes and {self.windows} windows"
            raise bundle.fail(f"manifest.json states {stated}, tables.npz gives {inputs}, {packing.packed_bytes} and 1")
        # As the writer computes it: the float is the same to the last digit.
        bundle.check_equal("rate_bits", self.rate_bits, packing.packed_bits / bundle.manifest.signal.n)

    @abstractmethod
    def index(self, counts: Counts) -> Index:
        """Return the indices (packets, K) of counts (packets, inputs)."""

    @abstractmethod
    def decode_index(self, index: Index) -> Array:
        """Return x_hat (packets, N) of indices (packets, K)."""

    def encode_counts(self, counts: NDArray[np.integer[Any]] | bytes) -> Packets:
        """Return the packets of ADC counts (packets, inputs)."""
        return self.pack(self.index(self.checked(counts)))

    def pack(self, index: Index) -> Packets:
        """Return the packets of indices (packets, K)."""
        return Packets.rows(self.packing.pack(index))

    def estimate(self, packets: Packets) -> Array:
        """Return x_hat (packets, N) on the codec's own scale."""
        size = self.packed_bytes_max
        if (packets.lengths < size).any():
            raise QcsError(f"a packet has {packets.lengths.min()} bytes, expected {size}")
        self._decodes_golden_packets  # noqa: B018  (once, before the first packet)
        return self.decode_index(self.packing.unpack(packets.table(size)))

    @cached_property
    def _decodes_golden_packets(self) -> None:
        """Raise QcsError if the decoder does not make of golden vectors what vectors.npz says: it is another one."""
        if not self.bundle.has("vectors.npz") or not self.decodes:
            return
        vectors = self.bundle.vectors
        # Of the counts, not of `packed`: whether that answers them is another question.
        x_hat = self.decode_index(self.index(vectors["counts"][:_GOLDEN]))
        signal, stored = self.bundle.manifest.signal, vectors["x_hat"][:_GOLDEN]
        wanted = (stored.astype(np.float64) - signal.offset) / signal.scale
        slack = _SLACK * max(1.0, float(np.abs(np.nan_to_num(wanted)).max()))
        # What float32 holds of values in units whose offset is large.
        slack += float(np.finfo(np.float32).eps) * float(np.abs(np.nan_to_num(stored)).max()) / signal.scale
        if not np.allclose(x_hat, wanted, rtol=0, atol=slack, equal_nan=True):
            raise self.bundle.fail("its decoder does not make the x_hat of vectors.npz")

    def explain(self, packet: Raw) -> tuple[int, ...]:
        """Return the K indices of a packet."""
        return tuple(self.packing.unpack(np.frombuffer(packet, np.uint8)[None, :])[0].tolist())

    def edges(self, packets: int, rng: np.random.Generator) -> Counts:
        """Return counts at which an index differs from that of the count before, and the counts before.

        For codecs in which every index depends on one count alone.
        """
        every = np.arange(-32768, 32768).astype(np.int16)
        index = self.index(np.repeat(every[:, None], self.inputs, axis=1))
        columns = []
        for column in index.T:
            changes = np.flatnonzero(column[1:] != column[:-1]) + 1
            own = np.unique(np.concatenate([every[changes], every[changes - 1], every[[0, -1]]]))
            columns.append(own[rng.integers(0, len(own), packets)])
        return np.stack(columns, axis=1)

    def size_rows(self) -> dict[str, str]:
        """Return the rate in words, for `describe`."""
        bits = self.packing.packed_bits
        return {"rate": f"{self.rate_bits:g} bits/entry: {bits} bits in {self.packed_bytes_max} bytes per vector"}
