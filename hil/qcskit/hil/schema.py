"""results.json as a schema (docs/hil.md): what a reader believes of a file that may come from anywhere."""

from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Discriminator, Field, StringConstraints, Tag, ValidationError, model_validator

from qcskit.codec.config import Table
from qcskit.codec.errors import QcsError
from qcskit.codec.evidence import Evidence
from qcskit.codec.json_file import read_json, why_invalid
from qcskit.codec.metrics import Clipped, Fidelity
from qcskit.codec.own_data import DataFacts
from qcskit.hil.config import HilConfig
from qcskit.hil.results import SCHEMA_VERSION
from qcskit.hil.session import verdict_of

_LARGEST = 1e15
"""Beyond any time, count or energy of a run; plots still take it."""
Count = Annotated[int, Field(ge=0, le=int(_LARGEST))]
Figure = Annotated[float, Field(ge=-_LARGEST, le=_LARGEST)]
Positive = Annotated[float, Field(ge=0, le=_LARGEST)]
Text = Annotated[str, StringConstraints(max_length=100_000)]
Hex = Annotated[str, StringConstraints(pattern=r"^([0-9a-f]{2})*$", max_length=2 * 65_535)]
NotMeasured = Literal["not measured"]


class Histogram(Table):
    """edges ascend, one more than there are counts."""

    edges: list[Figure] = Field(min_length=2, max_length=200)
    counts: list[Count]

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if len(self.edges) != len(self.counts) + 1 or any(a > b for a, b in pairwise(self.edges)):
            raise ValueError("edges do not ascend, or are not one more than counts")
        return self


class Times(Table):
    """Figures of a distribution in another unit."""

    min: Positive
    mean: Positive
    p50: Positive
    p95: Positive
    p99: Positive
    max: Positive

    @model_validator(mode="after")
    def _ascend(self) -> Self:
        if not self.min <= self.p50 <= self.p95 <= self.p99 <= self.max:
            raise ValueError("min, p50, p95, p99 and max do not ascend")
        return self


class Spread(Times):
    """A distribution."""

    count: Count
    histogram: Histogram


class Ticks(Spread):
    """Ticks per encode."""

    unit: Literal["cycles", "instructions", "timer"]
    hz: Count | None


class OneMismatch(Table):
    """A packet that differs."""

    vector: Count
    expected: Hex
    got: Hex
    outputs: list[Count] | None


class Mismatches(Table):
    """How many packets differ, where, and the first of them."""

    count: Count
    first: list[OneMismatch] = Field(max_length=100)
    per_output: list[Count] = Field(max_length=1 << 20)
    undecodable: Count
    segment_vectors: Annotated[int, Field(ge=1, le=10**10)]
    segments: list[tuple[Annotated[int, Field(ge=0, le=10_000)], Count]] = Field(max_length=10_000)

    @model_validator(mode="before")
    @classmethod
    def _pairs(cls, value: Any) -> Any:
        """JSON has no tuples."""
        if isinstance(value, dict) and isinstance(value.get("segments"), list):
            pairs = [tuple(pair) if isinstance(pair, list) else pair for pair in value["segments"]]
            return {**value, "segments": pairs}
        return value

    @model_validator(mode="after")
    def _adds_up(self) -> Self:
        if sum(count for _, count in self.segments) != self.count or len(self.first) != min(self.count, 100):
            raise ValueError("segments or first do not add up to count")
        return self


class Nmse(Table):
    """NMSE in dB; null: no error at all."""

    frames: Count
    device_db: Figure | NotMeasured | None
    deployed_db: Figure | NotMeasured | None
    float_db: Figure | NotMeasured
    float_frames: Count
    segment_vectors: Annotated[int, Field(ge=1, le=10**10)]
    per_segment_db: list[Figure | None] = Field(max_length=10_000)
    fidelity: Fidelity | NotMeasured


class Recovery(Table):
    """What an exact decoder gave back."""

    frames: Count
    perfect: Count
    flagged: Count
    wrong: Count
    probability: Annotated[float, Field(ge=0, le=1)] | None

    @model_validator(mode="after")
    def _adds_up(self) -> Self:
        if self.perfect + self.flagged + self.wrong != self.frames:
            raise ValueError("perfect, flagged and wrong do not add up to frames")
        return self


class Energy(Table):
    """The estimate."""

    kind: Literal["estimate"]
    encode_uj: Positive | NotMeasured
    radio_uj: Positive | NotMeasured
    uj_per_kilocycle: Positive | None
    nj_per_bit: Positive | None


class RoundTrips(Table):
    """Times in µs."""

    echo: Spread | NotMeasured
    single: Spread | NotMeasured
    answer: Spread | NotMeasured


class Throughput(Table):
    """Vectors and bytes of a run."""

    seconds: Positive
    vectors: Count
    vectors_per_s: Positive | None
    bytes_sent: Count
    bytes_received: Count


class HostSide(Table):
    """Counters of the host."""

    frames_sent: Count
    retries: Count
    replies: Count
    unexpected: Count
    timeouts: Count
    reconnects: Count


class BoardSide(Table):
    """Counters of the board."""

    frames: Count
    crc_errors: Count
    overruns: Count
    duplicates: Count


class LinkFacts(Table):
    """Both ends of the link."""

    host: HostSide
    board: BoardSide
    agree: bool
    board_restarted: bool
    not_frames: Count
    log_bytes: Count
    byte_loss_estimate: Annotated[float, Field(ge=0, le=1)]
    batch: Count
    repeats: Count


class Series(Table):
    """Columns over time, equally long."""

    t_s: list[Positive] = Field(max_length=10_000)
    answered: list[Count]
    retries: list[Count]
    not_frames: list[Count]

    @model_validator(mode="after")
    def _equal(self) -> Self:
        if not len(self.t_s) == len(self.answered) == len(self.retries) == len(self.not_frames):
            raise ValueError("columns are not equally long")
        return self


class SoakWindow(Table):
    """One window of a soak."""

    window: Count
    t_s: Positive
    vectors: Count
    mismatches: Count
    retries: Count


class SoakFacts(Table):
    """Rounds and windows of a soak."""

    seconds: Positive
    rounds: Count
    window_s: Positive
    windows: list[SoakWindow] = Field(max_length=10_000)


class FailedBoard(Table):
    """A board that failed."""

    port: Text
    label: Text
    error: Text


class AnsweredBoard(Table):
    """A board that answered."""

    port: Text
    label: Text
    board: Text | None
    baud: Count
    firmware: Text
    protocol: Count
    model_id: Text
    tick_source: Text
    rx_buffer_bytes: Count
    max_batch: Count
    evidence: Evidence
    vectors: Count
    answered: Count
    resumed: Count
    saturated: Annotated[float, Field(ge=0, le=1)]
    clipped: Clipped | NotMeasured
    guarded: Count | None = None
    mismatches: Mismatches
    nmse: Nmse
    recovery: Recovery | NotMeasured
    packet_bytes: Spread | NotMeasured
    ticks: Ticks | NotMeasured
    device_time_us: Times | NotMeasured
    energy: Energy | NotMeasured
    round_trip_us: RoundTrips
    throughput: Throughput
    link: LinkFacts
    series: Series
    soak: SoakFacts | None = None

    @model_validator(mode="after")
    def _adds_up(self) -> Self:
        if not self.resumed <= self.answered <= self.vectors or self.mismatches.count > self.answered:
            raise ValueError("more is resumed or wrong than answered, or more answered than asked")
        if self.guarded is not None and self.guarded > self.nmse.frames:
            raise ValueError("guarded is more than there were vectors")
        return self


def _board_kind(value: Any) -> str:
    return "failed" if isinstance(value, dict) and "error" in value else "answered"


Board = Annotated[
    Annotated[FailedBoard, Tag("failed")] | Annotated[AnsweredBoard, Tag("answered")], Discriminator(_board_kind)
]


class BundleFacts(Table):
    """Of which bundle."""

    path: Text
    name: Text
    model_id: Text
    codec: Text
    n: Count
    inputs: Count
    windows: Count
    packed_bytes_max: Count
    rate_bits: Positive
    unit: Text
    source_windows: Count | None


class VerdictFacts(Table):
    """All boards in short."""

    ok: bool
    vectors: Count
    mismatches: Count
    failed: list[Text]


class Results(Table):
    """The whole file."""

    schema_version: Literal[4]
    kind: Literal["hil", "soak"]
    bundle: BundleFacts
    data: DataFacts | None
    evidence: Evidence
    settings: HilConfig
    devices: list[Board] = Field(min_length=1, max_length=1000)
    verdict: VerdictFacts

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        boards = [board for board in self.devices if isinstance(board, AnsweredBoard)]
        if len({board.label for board in self.devices}) != len(self.devices):
            raise ValueError("two devices have the same label")
        if any(board.model_id != self.bundle.model_id for board in boards):
            raise ValueError("a device is of another model than the bundle")
        if any(board.evidence.parts.get("bundle") != self.evidence.parts.get("bundle") for board in boards):
            raise ValueError("the evidence of a device is of another bundle")
        return self


def read_results(path: Path) -> dict[str, Any]:
    """Return a results.json. Raises QcsError in one line if it is missing, is none, or contradicts itself."""
    raw = read_json(path, "results")
    if not isinstance(raw, dict) or raw.get("kind") not in ("hil", "soak"):
        raise QcsError(f"results '{path}' are not what 'qcskit hil' writes")
    version = raw.get("schema_version")
    if version != SCHEMA_VERSION:
        raise QcsError(f"results '{path}': schema version {version!a:.20}, this qcskit reads {SCHEMA_VERSION}; "
                       f"run 'qcskit hil' again")  # fmt: skip
    try:
        read = Results.model_validate(raw, strict=True)
    except ValidationError as error:
        raise QcsError(f"results '{path}' are not what 'qcskit hil' writes: {why_invalid(error)}") from None
    if raw["verdict"] != verdict_of(raw["devices"], read.settings):
        raise QcsError(f"results '{path}': the verdict is not what the devices say: the file was changed")
    return raw
