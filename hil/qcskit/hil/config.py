"""Table `[hil]` of the configuration."""

from typing import Literal

from pydantic import Field

from qcskit.codec.config import TRUSTED, Table
from qcskit.hil.device import GIVE_UP_S, RECONNECT_S, TIMEOUT_S


class HilConfig(Table):
    """Table `[hil]`: which vectors, over what line, how patiently."""

    port: list[str] = Field(
        default=[],
        description="serial devices, pyserial URLs or emu:<board>; one run per port",
        json_schema_extra=TRUSTED,
    )
    baud: int = Field(default=115_200, ge=300, le=20_000_000, description="line rate of serial devices")
    fast_baud: int | None = Field(
        default=None, ge=300, le=20_000_000, description="rate to negotiate after HELLO, if any"
    )
    vectors: int = Field(default=10_000, ge=1, le=100_000_000, description="vectors per board, golden ones first")
    seed: int = Field(default=1, ge=0, le=1_000_000, description="seed of the drawn vectors")
    input: Literal["counts", "inputs"] = Field(
        default="counts", description="int16 ADC counts, or int8 network inputs where the codec takes them"
    )
    batch: int | None = Field(default=None, ge=1, le=255, description="packets per frame; none: chosen automatically")
    timeout_s: float = Field(
        default=TIMEOUT_S, gt=0, description="longest wait for one reply beyond the line's own time"
    )
    give_up_s: float = Field(default=GIVE_UP_S, gt=0, description="silence after which a run fails")
    reconnect_s: float = Field(default=RECONNECT_S, ge=0, description="how long to wait for a port that vanished")
    uj_per_kilocycle: float | None = Field(
        default=None, ge=0, description="energy per 1000 ticks in µJ, for the estimate"
    )
    nj_per_bit: float | None = Field(default=None, ge=0, description="energy per radio bit in nJ, for the estimate")
    nmse_tolerance_db: float = Field(
        default=0.0, ge=0, description="largest |device - deployed| NMSE in dB that passes"
    )
