"""Table `[sparse]`: bits of a vector, and what is done with them."""

from typing import Literal, Self

from pydantic import Field, model_validator

from qcskit.codec.config import Table
from qcskit.codec.errors import QcsError
from qcskit.codec.signal import SignalConfig
from qcskit.codec.sparse.tables import MOST_BITS

MOST_SPARSITY = 2
_LEVELS = 64
"""Cells of a coefficient that the bits of a default leave at least."""
_LEAST_WINDOWS = 16
"""Of a packet of code range, and its default: the end of the coder takes 4 bits of a packet."""


class SparseConfig(Table):
    """One sparse codec of `qcskit design`."""

    bits: int | None = Field(
        None, ge=1, le=MOST_BITS, description="bits of a vector; default: the fewest whole bytes for 64 cells each"
    )
    code: Literal["lloyd", "plane", "range"] = Field(
        "lloyd",
        description="lloyd: each coefficient by itself; plane: both together or one alone, for low rates; range: "
        "packets of variable length, whose mean is `bits` per vector",
    )
    guard: bool = Field(
        True, description="vectors that do not fit the model are sent coarsely, with a flag; takes a part of the words"
    )
    windows: int | None = Field(
        None,
        ge=1,
        le=256,
        description="W, vectors of a packet; so many that bits fill whole bytes; default: 1, of the "
        "code range 16, which share the end of the coder",
    )
    train_frames: int = Field(100_000, ge=1000, description="frames to which cells and points are fitted")
    test_frames: int = Field(100_000, ge=100, description="fresh frames of the NMSE")
    seed: int = Field(0, ge=0, description="seeds training frames, test frames and golden vectors")

    @model_validator(mode="after")
    def _fills(self) -> Self:
        if self.code == "range" and (self.windows or _LEAST_WINDOWS) < _LEAST_WINDOWS:
            raise ValueError(f"windows = {self.windows}: the vectors of a packet of code 'range' share the end of its "
                             f"coder; give at least {_LEAST_WINDOWS}")  # fmt: skip
        if self.bits is None and (self.windows or 1) > 1 and self.code != "range":
            raise ValueError("windows is for bits that fill no whole bytes: give bits too")
        return self

    def resolved(self, signal: SignalConfig) -> "SparseConfig":
        """Return this configuration with bits and windows. Raises QcsError if no such search fits the signal."""
        s, supports = signal.s, signal.n * (signal.n - 1) // 2 if signal.s == MOST_SPARSITY else signal.n
        if s > MOST_SPARSITY:
            raise QcsError(f"[signal] s = {s}: the exact search is for s <= {MOST_SPARSITY}; train a learned codec "
                           f"('qcskit train'), or take 'qcskit design ce-sq-consistent'")  # fmt: skip
        if self.code == "plane" and s != MOST_SPARSITY:
            raise QcsError(f"[sparse] code = 'plane' is for s = 2, not {s}: take code = 'lloyd'")
        if signal.source == "pairs" or signal.matrix == "none":
            raise QcsError("[signal] a sparse codec searches with Φ: pairs of x and y without Φ give none")
        if self.code == "range":
            bits = self.bits or (supports * _LEVELS**s - 1).bit_length()
            return self.model_copy(update={"bits": min(bits, MOST_BITS), "windows": self.windows or _LEAST_WINDOWS})
        guard = 2 * signal.n if self.code == "plane" else supports * 2**s
        needed = supports * (4 if self.code == "plane" else 2**s) + (guard if self.guard else 0)
        needed += 2 * signal.n if self.code == "plane" else 0
        least = (needed - 1).bit_length()
        bits = self.bits or 8 * -(-(supports * _LEVELS**s - 1).bit_length() // 8)
        if least > MOST_BITS:
            raise QcsError(f"[signal] n = {signal.n}: {supports:,} supports leave no room in a word of {MOST_BITS} "
                           f"bits; lower n")  # fmt: skip
        if bits < least:
            guard, instead = (" and the guard", ", or set guard = false") if self.guard else ("", "")
            raise QcsError(f"[sparse] bits = {bits}: {supports:,} supports{guard} take at least {least}; raise "
                           f"bits{instead}")  # fmt: skip
        return self.model_copy(update={"bits": min(bits, MOST_BITS), "windows": self.windows or 1})
