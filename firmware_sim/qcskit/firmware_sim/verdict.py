"""verdict.json: what was compared, how often, and the first vector on which implementations differ."""

from pathlib import Path
from typing import Annotated, Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, StringConstraints, ValidationError, model_validator

from qcskit.codec.config import Table
from qcskit.codec.errors import QcsError
from qcskit.codec.evidence import Evidence
from qcskit.codec.files import write_text
from qcskit.codec.json_file import read_json, why_invalid
from qcskit.codec.metrics import Clipped
from qcskit.codec.own_data import DataFacts
from qcskit.firmware_sim.config import SimulateConfig
from qcskit.firmware_sim.vectors import chunk_count

_Count = Annotated[int, Field(ge=0)]
_Figure = Annotated[float, Field(ge=0, allow_inf_nan=False)]
_Text = Annotated[str, StringConstraints(max_length=2 * 65_535)]
"""Nothing is longer than the longest packet in hex."""


class Tally(Table):
    """One implementation: vectors it computed, how many of them differ from the reference, seconds it took."""

    name: _Text
    role: _Text
    vectors: _Count = 0
    mismatches: _Count = 0
    seconds: _Figure = 0.0

    def plus(self, other: "Tally") -> "Tally":
        """Return the sum of both."""
        return self.model_copy(
            update={key: getattr(self, key) + getattr(other, key) for key in ("vectors", "mismatches", "seconds")}
        )


class Mismatch(Table):
    """A vector on which implementations differ: its input, and of each its packet in hex and what that stands for."""

    chunk: Annotated[int, Field(ge=-1)]
    frame: _Count
    set: _Text
    input: list[int]
    packets: dict[str, _Text]
    explained: dict[str, list[int] | _Text]

    @model_validator(mode="after")
    def _explains_all(self) -> Self:
        if self.packets.keys() != self.explained.keys():
            raise ValueError("packets and explained name different implementations")
        return self


class CountsCheck(Table):
    """All 65,536 counts: integers against definition, C against NumPy with every count at every input.

    definition_mismatches: None if there was no oracle. front_end_mismatches: of the C front end alone against NumPy's;
    None if the codec has none. first_mismatch: the first count of either.
    """

    counts: _Count
    definition_mismatches: _Count | None = None
    front_end_mismatches: _Count | None = None
    first_mismatch: int | None = None
    encoded_vectors: _Count
    encoded_mismatches: _Count

    @property
    def passed(self) -> bool:
        """Whether everything agrees."""
        return not (self.definition_mismatches or self.front_end_mismatches or self.encoded_mismatches)


class RecoveryFacts(Table):
    """What an exact decoder gave back from packets of its source: exactly x, flagged, or wrong unnoticed.

    energy, error: sums of x² and of (x − estimate)²; a flagged vector counts as an estimate of zero.
    """

    frames: _Count = 0
    perfect: _Count = 0
    flagged: _Count = 0
    energy: _Figure = 0.0
    error: _Figure = 0.0

    @property
    def nmse_db(self) -> float | None:
        """NMSE in dB; None if every vector was recovered."""
        return 10.0 * float(np.log10(self.error / self.energy)) if self.error > 0 and self.energy > 0 else None

    def plus(self, other: "RecoveryFacts") -> "RecoveryFacts":
        """Return the sum of both."""
        return RecoveryFacts(**{key: getattr(self, key) + getattr(other, key) for key in RecoveryFacts.model_fields})


def recovery_of(x_hat: NDArray[np.float64], x: NDArray[np.number[Any]]) -> RecoveryFacts:
    """Return the facts of estimates x_hat (frames, N), NaN where flagged, of sources x."""
    source = x.astype(np.float64)
    return RecoveryFacts(
        frames=len(x),
        perfect=int((x_hat == x).all(axis=1).sum()),
        flagged=int(np.isnan(x_hat).any(axis=1).sum()),
        energy=float(np.sum(source**2)),
        error=float(np.sum((source - np.nan_to_num(x_hat)) ** 2)),
    )


class Verdict(Table):
    """Contents of verdict.json. evidence: all that ran. not_run: boards that were not, and why.

    guarded: source vectors that the encoder marked as off its design, by set; none where it marks nothing.
    source_windows: how many windows of a recording the set "source" is drawn from; None: each is drawn afresh.
    """

    schema_version: Literal[3] = 3
    bundle: _Text
    model_id: _Text
    evidence: Evidence
    config: SimulateConfig
    passed: bool
    complete: bool
    vectors: _Count
    sets: dict[str, _Count]
    implementations: list[Tally]
    counts: CountsCheck | None = None
    recovery: RecoveryFacts | None = None
    clipped: dict[str, Clipped] = Field(default_factory=dict)
    guarded: dict[str, _Count] = Field(default_factory=dict)
    source_windows: _Count | None = None
    data: DataFacts | None = None
    first_mismatch: Mismatch | None = None
    not_run: dict[str, _Text] = Field(default_factory=dict)
    chunks_done: list[int] = Field(default_factory=list)

    @model_validator(mode="after")
    def _adds_up(self) -> Self:
        """Whoever wrote it: what it says in short is what it says in full."""
        wrong = any(tally.mismatches for tally in self.implementations if tally.role != "reported")
        clean = not wrong and (self.counts is None or self.counts.passed)
        # Of drawn vectors, then of the user's own; chunk −1 is the golden ones.
        chunks = chunk_count(self.config, self.data.packets if self.data else 0)
        whole = self.counts is not None and len(self.chunks_done) == chunks + 1
        computed = [tally.vectors for tally in self.implementations if tally.role == "reference"]
        for what, holds in {
            "passed is not what the counts say": self.passed == clean,
            "first_mismatch is not what the counts say": wrong == (self.first_mismatch is not None),
            "sets do not add up to vectors": sum(self.sets.values()) == self.vectors,
            "the reference did not compute all vectors": computed == [self.vectors][: len(self.chunks_done)],
            "chunks_done are not chunks of this run": all(-1 <= number < chunks for number in self.chunks_done),
            "a chunk is done twice": len(set(self.chunks_done)) == len(self.chunks_done),
            "it is called complete and is not": not (self.complete and self.passed) or whole,
        }.items():
            if not holds:
                raise ValueError(what)
        return self

    def write(self, path: Path) -> None:
        """Write as JSON; nothing half-written stays."""
        write_text(path, self.model_dump_json(indent=1) + "\n")


def read_verdict(path: Path) -> Verdict:
    """Read a verdict.json. Raises QcsError in one line if it is missing, not one, or contradicts itself."""
    raw = read_json(path, "verdict")
    kind = raw if isinstance(raw, dict) and {"implementations", "schema_version"} <= raw.keys() else {}
    if not kind:
        raise QcsError(f"verdict '{path}' is not what 'qcskit simulate' writes")
    version = Verdict.model_fields["schema_version"].default
    if kind["schema_version"] != version:
        raise QcsError(f"verdict '{path}': schema version {kind['schema_version']!a:.20}, this qcskit reads {version}; "
                       f"run 'qcskit simulate' again")  # fmt: skip
    try:
        return Verdict.model_validate(raw, strict=True)
    except ValidationError as error:
        raise QcsError(f"verdict '{path}' is not what 'qcskit simulate' writes: {why_invalid(error)}") from None
