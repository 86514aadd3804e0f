"""verdict.json: what was compared, how often, and the first vector on which implementations differ."""

import json
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, ValidationError

from qcskit.codec.config import Table
from qcskit.codec.errors import QcsError
from qcskit.codec.files import write_text
from qcskit.firmware_sim.config import SimulateConfig


class Tally(Table):
    """One implementation: vectors it computed, how many of them differ from the reference, seconds it took."""

    name: str
    role: str
    vectors: int = 0
    mismatches: int = 0
    seconds: float = 0.0

    def plus(self, other: "Tally") -> "Tally":
        """Return the sum of both."""
        return self.model_copy(
            update={key: getattr(self, key) + getattr(other, key) for key in ("vectors", "mismatches", "seconds")}
        )


class Mismatch(Table):
    """A vector on which implementations differ: its input, and of each its packet in hex and what that stands for."""

    chunk: int
    frame: int
    set: str
    input: list[int]
    packets: dict[str, str]
    explained: dict[str, list[int] | str]


class CountsCheck(Table):
    """All 65,536 counts: integers against definition, C against NumPy with every count at every input.

    definition_mismatches: None if there was no oracle. front_end_mismatches: of the C front end alone against NumPy's;
    None if the codec has none. first_mismatch: the first count of either.
    """

    counts: int
    definition_mismatches: int | None = None
    front_end_mismatches: int | None = None
    first_mismatch: int | None = None
    encoded_vectors: int
    encoded_mismatches: int

    @property
    def passed(self) -> bool:
        """Whether everything agrees."""
        return not (self.definition_mismatches or self.front_end_mismatches or self.encoded_mismatches)


class RecoveryFacts(Table):
    """What an exact decoder gave back from packets of its source: exactly x, flagged, or wrong unnoticed.

    energy, error: sums of x² and of (x − estimate)²; a flagged vector counts as an estimate of zero.
    """

    frames: int = 0
    perfect: int = 0
    flagged: int = 0
    energy: float = 0.0
    error: float = 0.0

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
    """Contents of verdict.json. manifest: SHA-256 of the bundle's. not_run: boards that were not, and why."""

    schema_version: Literal[2] = 2
    bundle: str
    model_id: str
    manifest: str
    config: SimulateConfig
    passed: bool
    complete: bool
    vectors: int
    sets: dict[str, int]
    implementations: list[Tally]
    counts: CountsCheck | None = None
    recovery: RecoveryFacts | None = None
    first_mismatch: Mismatch | None = None
    not_run: dict[str, str] = Field(default_factory=dict)
    chunks_done: list[int] = Field(default_factory=list)
    environment: dict[str, str] = Field(default_factory=dict)

    def write(self, path: Path) -> None:
        """Write as JSON; nothing half-written stays."""
        write_text(path, self.model_dump_json(indent=1) + "\n")


def read_verdict(path: Path) -> Verdict:
    """Read a verdict.json. Raises QcsError if it is missing or not one."""
    try:
        return Verdict.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise QcsError(f"'{path}' does not exist: nothing to resume; run without --resume") from None
    except (OSError, ValueError, ValidationError) as error:
        reason = " ".join(str(error).split())[:120]
        raise QcsError(f"'{path}' is not a verdict ({reason}); choose another --out") from None


def environment() -> dict[str, str]:
    """Return versions of what computed."""
    versions = {"python": platform.python_version(), "machine": platform.machine()}
    for package in ("numpy", "tflite-micro", "tflite-runtime", "ai-edge-litert"):
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    return versions
