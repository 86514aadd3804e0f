"""What every codec offers, so that sweeps, simulation, HIL runs and reports take any of them."""

from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from qcskit.codec.packing import Packing


@runtime_checkable
class Codec(Protocol):
    """Anything that turns measurements into bytes and bytes back into source vectors."""

    @property
    def name(self) -> str:
        """Short name used in tables and on the command line."""

    @property
    def rate_bits(self) -> float:
        """Bits sent per source entry, R = R_tot / N."""

    def encode(self, y: NDArray[np.float64]) -> NDArray[np.uint8]:
        """Return packed bytes (frames, packed_bytes) of measurements y (frames, M)."""

    def decode(self, packed: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Return estimates x_hat (frames, N) of packed bytes (frames, packed_bytes)."""


class CountsCodec(Codec, Protocol):
    """A bundle's codec whose device takes ADC counts and nothing else: what simulation and HIL runs ask of it."""

    @property
    def inputs(self) -> int:
        """M, counts per vector."""

    @property
    def packing(self) -> Packing:
        """How indices become bytes."""

    def counts(self, y: NDArray[np.floating[Any]]) -> NDArray[np.int16]:
        """Return the ADC counts of measurements y, any shape; saturates."""

    def encode_counts(self, counts: NDArray[np.integer[Any]]) -> NDArray[np.uint8]:
        """Return packed bytes (frames, packed_bytes) of counts (frames, M): what the device computes."""

    def definition(self, counts: NDArray[np.int16]) -> NDArray[np.uint8]:
        """Return the indices (frames, M) that the codec's definition gives for counts, in floating point."""

    def draw(self, frames: int, seed: int | list[int]) -> tuple[NDArray[np.floating[Any]], NDArray[np.float64]]:
        """Return x (frames, N) and y (frames, M) of the bundle's source."""
