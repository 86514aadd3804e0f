"""Table `[classical]`: which classical codec, at which rate, fitted and tested on how many frames."""

from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from qcskit.codec.classical.build import NAMES
from qcskit.codec.classical.lloyd import check_size
from qcskit.codec.config import Table, nearest
from qcskit.codec.errors import QcsError
from qcskit.codec.packing import Packing
from qcskit.codec.signal import SignalConfig

VECTOR_NAMES = ("ce-vq-l1", "ec-vq")


class ClassicalConfig(Table):
    """One classical codec of `qcskit sweep` or `qcskit export --codec`."""

    codec: str = Field(
        default="ce-usq-l1", description="name of the codec: ce-usq-l1, ce-usq-omp, ... (docs/classical.md)"
    )
    levels: int = Field(
        default=8, ge=2, description="I, cells per measurement; codewords of ce-vq-l1 and ec-vq; 2 for 1-bit codecs"
    )
    rate: float | None = Field(default=None, gt=0, description="R, bits per source entry, instead of levels")
    mu: float | Literal["best", "printed", "printed-variance"] = Field(
        default="best", description="radius of the L1 decoder: fitted, the paper's in either reading, or a number"
    )
    train_frames: int = Field(default=20_000, ge=1000, description="frames on which quantizer and decoder are fitted")
    test_frames: int = Field(default=20_000, ge=100, description="fresh frames of the NMSE")
    seed: int = Field(default=0, ge=0, description="seeds training and test frames")

    @field_validator("codec")
    @classmethod
    def _known(cls, name: str) -> str:
        if name not in NAMES:
            raise ValueError(f"unknown classical codec; {nearest(name, NAMES)}")
        return name

    @field_validator("mu")
    @classmethod
    def _radius(cls, mu: float | str) -> float | str:
        if not isinstance(mu, str) and not 0 <= mu < float("inf"):
            raise ValueError("the radius of the residual ball must be finite and >= 0")
        return mu

    @model_validator(mode="after")
    def _one_of(self) -> Self:
        if self.rate is not None and "levels" in self.model_fields_set:
            raise ValueError("rate follows from levels: give one of the two")
        return self

    @property
    def uses_mu(self) -> bool:
        """Whether the decoder has a radius μ."""
        return self.codec.endswith("-l1")

    def resolved(self, signal: SignalConfig) -> "ClassicalConfig":
        """Return this configuration with I in numbers and no rate.

        Raises QcsError if no I gives the rate or the codec cannot have that many levels.
        """
        levels = self.levels if self.rate is None else self._levels_of(self.rate, signal)
        if self.codec.startswith("1-bit"):
            if self.rate is None and "levels" not in self.model_fields_set:
                levels = 2
            if levels != 2:
                raise QcsError(f"[classical] {self.codec} sends one sign per measurement: levels is 2 and R = M / N = "
                               f"{signal.m / signal.n:g}; vary m for another rate")  # fmt: skip
        elif self.codec in VECTOR_NAMES:
            check_size(levels)
        elif levels > 256:
            raise QcsError(f"[classical] levels = {levels}: a scalar quantizer has 2 … 256 levels")
        return self.model_copy(update={"levels": levels, "rate": None})

    def _levels_of(self, rate: float, signal: SignalConfig) -> int:
        vector = self.codec in VECTOR_NAMES
        bits = rate * signal.n / (1 if vector else signal.m)
        if abs(bits - round(bits)) > 1e-6 or round(bits) < 1:
            what = "a codeword" if vector else f"each of the m = {signal.m} measurements"
            raise QcsError(f"[classical] rate = {rate:g}: {self.codec} would send {bits:g} bits for {what}; choose a "
                           f"rate that makes it a whole number, or give levels")  # fmt: skip
        return 1 << min(round(bits), 64)

    def packing(self, signal: SignalConfig) -> Packing:
        """Return how one frame's indices become bytes; of a resolved configuration."""
        if self.codec in VECTOR_NAMES:
            return Packing(self.levels.bit_length() - 1, 2)
        return Packing(signal.m, self.levels)


def device_refusal(codec: str) -> str | None:
    """Return why no device encodes for this codec, None if one does.

    >>> device_refusal("ce-usq-omp") is None, "codewords" in device_refusal("ce-vq-l1")
    (True, True)
    """
    if codec == "ec-vq":
        return "its encoder estimates x by an exact mixture over all supports, in floating point, before it quantizes"
    if codec == "ce-vq-l1":
        return "its encoder compares every measurement vector with all codewords of a floating-point codebook"
    if codec.endswith("*"):
        return "its decoder must know the source: a limit, not a method"
    return None
