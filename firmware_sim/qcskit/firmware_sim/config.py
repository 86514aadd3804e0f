"""Table `[simulate]`."""

from pydantic import Field

from qcskit.codec.config import TRUSTED, Table


class SimulateConfig(Table):
    """How many vectors, and who computes them. A vector is the input of one packet."""

    vectors: int = Field(default=100_000, ge=1, description="vectors beside the golden ones")
    seed: int = Field(
        default=1, ge=0, lt=2**63, description="seed of the vectors; the same seed gives the same vectors"
    )
    oracle_vectors: int = Field(
        default=100_000,
        ge=0,
        description="how many of them the codec's definition computes too: of a learned one TFLite Micro",
    )
    reported_vectors: int = Field(
        default=10_000, ge=0, description="how many of them LiteRT computes too (reported only)"
    )
    processes: int = Field(default=0, ge=0, description="processes; 0 = one per core when the run is long, else 1")
    compiler: str | None = Field(
        default=None, description="C compiler of the host build; default $CC, gcc or clang", json_schema_extra=TRUSTED
    )
    boards: str = Field(default="", description="emulated boards too: names with commas, or 'all': one per processor")
    board_vectors: int = Field(default=1_000, ge=1, description="how many of the vectors each board computes")
