"""The paper's baselines as codecs: a quantizer at the encoder, a recovery at the decoder, one name for the pair."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from qcskit.codec.classical._check import Array, measurements
from qcskit.codec.classical.lloyd import Codebook, ScalarQuantizer
from qcskit.codec.packing import Packing
from qcskit.codec.quantizer import hard_index
from qcskit.codec.signal import SignalConfig

Index = NDArray[np.uint8]
FEW_COMPARISONS = 100_000


@dataclass(frozen=True)
class ScalarCodec:
    """Compress-and-estimate: one scalar quantizer per measurement, then a recovery of x from the received indices.

    recover: (frames, M) indices → x_hat (frames, N). tuning: what was fitted to the training set, for reports.
    """

    name: str
    signal: SignalConfig
    quantizers: tuple[ScalarQuantizer, ...]
    recover: Callable[[Index], Array] = field(repr=False)
    tuning: dict[str, float] = field(default_factory=dict)

    @cached_property
    def thresholds(self) -> Array:
        """Thresholds (M, I−1) of all quantizers."""
        return np.stack([q.thresholds for q in self.quantizers])

    @property
    def levels(self) -> int:
        """Quantizer levels I."""
        return self.thresholds.shape[1] + 1

    @cached_property
    def packing(self) -> Packing:
        """How indices become bytes."""
        return Packing(self.signal.m, self.levels)

    @property
    def rate_bits(self) -> float:
        """Bits sent per source entry."""
        return self.packing.packed_bits / self.signal.n

    def encode(self, y: Array) -> Index:
        """Return packed bytes (frames, packed_bytes) of measurements y (frames, M)."""
        return self.packing.pack(self.index(y))

    def index(self, y: Array) -> Index:
        """Return the indices (frames, M) of measurements y (frames, M)."""
        return quantize(self.thresholds, measurements(y, self.signal.m))

    def decode(self, packed: Index) -> Array:
        """Return estimates x_hat (frames, N) of packed bytes."""
        return self.recover(self.packing.unpack(packed))


@dataclass(frozen=True)
class GenieCodec(ScalarCodec):
    """A codec whose decoder may look at x to choose among its solutions: a limit, not a method.

    choose: (indices, x) → x_hat. Tables and figures call `decode_with_source`; `recover` refuses.
    """

    choose: Callable[[Index, Array], Array] = field(default=lambda index, x: x, repr=False)

    def decode_with_source(self, packed: Index, x: Array) -> Array:
        """Return for each frame the solution nearest to its source x (frames, N)."""
        return self.choose(self.packing.unpack(packed), np.asarray(x, np.float64))


@dataclass(frozen=True)
class VectorCodec:
    """A vector quantizer: the nearest codeword's number is sent, the decoder is a table lookup.

    prepare: y (frames, M) → the vectors that are quantized; table (size, N): the estimate of each codeword.
    """

    name: str
    signal: SignalConfig
    codebook: Codebook
    table: Array = field(repr=False)
    prepare: Callable[[Array], Array] = field(repr=False)
    tuning: dict[str, float] = field(default_factory=dict)

    @property
    def levels(self) -> int:
        """Codewords."""
        return len(self.table)

    @property
    def packing(self) -> Packing:
        """A codeword's number is sent as so many binary digits."""
        return Packing(self.levels.bit_length() - 1, 2)

    @property
    def rate_bits(self) -> float:
        """Bits sent per source entry."""
        return self.packing.packed_bits / self.signal.n

    def encode(self, y: Array) -> Index:
        """Return packed bytes (frames, packed_bytes) of measurements y (frames, M)."""
        number = self.codebook.nearest(self.prepare(measurements(y, self.signal.m)))
        digits = (number[:, None] >> np.arange(self.packing.count)) & 1
        return self.packing.pack(digits.astype(np.uint8))

    def decode(self, packed: Index) -> Array:
        """Return estimates x_hat (frames, N) of packed bytes."""
        number = (self.packing.unpack(packed).astype(np.int64) << np.arange(self.packing.count)).sum(axis=1)
        return self.table[number]


Method = ScalarCodec | VectorCodec
"""Quantizer and recovery in floating point, as sweeps compare them."""


def quantize(thresholds: Array, y: Array) -> Index:
    """Return the indices (frames, M) of y (frames, M); thresholds (M, I−1), a row per measurement."""
    if y.size * thresholds.shape[1] <= FEW_COMPARISONS:  # few frames: one call instead of M
        return hard_index(y, thresholds)
    return np.stack([hard_index(y[:, i], row) for i, row in enumerate(thresholds)], axis=1)


def cells(thresholds: Array, index: Index) -> tuple[Array, Array]:
    """Return the lower and upper ends (frames, M) of the received cells; the outermost cells are open."""
    open_end = np.full((len(thresholds), 1), np.inf)
    edges = np.concatenate([-open_end, thresholds, open_end], axis=1)
    rows, place = np.arange(len(thresholds)), index.astype(np.intp)  # 255 + 1 is no uint8
    return edges[rows, place], edges[rows, place + 1]
