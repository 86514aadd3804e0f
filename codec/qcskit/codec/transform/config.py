"""Table `[transform]`: which transform, how much is sent, and in what form."""

from typing import Literal, Self

from pydantic import Field, model_validator

from qcskit.codec.config import Table

_OF_LOSSY = ("basis", "rows", "decimate", "bits_per_sample", "max_bytes", "coder")
"""Keys without a meaning where nothing is lost."""


class TransformConfig(Table):
    """One transform codec of `qcskit design`."""

    mode: Literal["lossy", "lossless"] = Field(
        "lossy", description="lossy: transform, one quantizer, entropy coder; lossless: prediction, exact"
    )
    basis: Literal["klt", "dct"] = Field(
        "klt", description="klt: rows fitted to the recording, the fewest bits; dct: less work, no fit"
    )
    rows: int = Field(0, ge=0, le=512, description="K, coefficients that are sent; 0: the fewest that lose nothing")
    windows: int = Field(
        4, ge=1, le=256, description="W, windows of a packet: more share its last byte, and are lost together"
    )
    decimate: Literal[1, 2] = Field(
        1, description="2: every second sample is left out and estimated; costs little at 1 bit per sample or less"
    )
    bits_per_sample: float = Field(
        1.0, gt=0, le=16, allow_inf_nan=False,
        description="mean rate in whole bytes on the validation part; single packets vary, up to raw counts",
    )  # fmt: skip
    max_bytes: int | None = Field(
        None, ge=1, le=65535, description="no packet is longer, loud ones get coarser; instead of bits_per_sample"
    )
    coder: Literal["range", "rice"] = Field(
        "range", description="range: fewest bits; rice: the smallest code, about 15 to 25 % more bits"
    )
    crc: bool = Field(False, description="a CRC-8 byte per packet, where the link checks nothing")
    test_frames: int = Field(20_000, ge=100, description="windows of the test part, at most, that are measured")
    seed: int = Field(0, ge=0, description="seeds the golden vectors")

    @model_validator(mode="after")
    def _one_of(self) -> Self:
        if self.max_bytes is not None and "bits_per_sample" in self.model_fields_set:
            raise ValueError("max_bytes bounds every packet, bits_per_sample their mean: give one of the two")
        senseless = [key for key in _OF_LOSSY if key in self.model_fields_set]
        if self.mode == "lossless" and senseless:
            raise ValueError(f"{senseless[0]} has no meaning with mode = 'lossless': leave it out")
        return self
