"""What every codec offers, so that sweeps, simulation, HIL runs and reports take any of them."""

from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray


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
