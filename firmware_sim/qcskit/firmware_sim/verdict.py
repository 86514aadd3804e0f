"""verdict.json: what was compared, how often, and the first vector on which implementations differ."""

import json
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, ValidationError

from qcskit.codec.bundle import write_file
from qcskit.codec.config import Table
from qcskit.codec.errors import QcsError
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
            update={
                "vectors": self.vectors + other.vectors,
                "mismatches": self.mismatches + other.mismatches,
                "seconds": self.seconds + other.seconds,
            }
        )


class Mismatch(Table):
    """A vector on which implementations differ: its input and the indices that each computed."""

    chunk: int
    frame: int
    set: str
    input: list[int]
    indices: dict[str, list[int]]


class CountsCheck(Table):
    """The ADC front end on all 65,536 counts: C against NumPy, and distance to exact rounding in int8 steps."""

    counts: int
    mismatches: int
    first_mismatch: int | None = None
    largest_deviation: float
    allowed_deviation: float
    encoded_vectors: int
    encoded_mismatches: int

    @property
    def passed(self) -> bool:
        """Whether C equals NumPy everywhere and both are as close to the exact value as their roundings allow."""
        agree = self.mismatches == 0 and self.encoded_mismatches == 0
        return agree and self.largest_deviation <= self.allowed_deviation


class RecoveryFacts(Table):
    """What a coded codec gave back from packed bytes of its source at snr_db: exactly x, flagged, or wrong unnoticed.

    energy, error: sums of x² and of (x − estimate)²; a flagged vector counts as an estimate of zero.
    """

    snr_db: float
    frames: int = 0
    perfect: int = 0
    flagged: int = 0
    energy: float = 0.0
    error: float = 0.0

    @property
    def probability(self) -> float | None:
        """Share of vectors recovered exactly; None if there are none."""
        return self.perfect / self.frames if self.frames else None

    @property
    def nmse_db(self) -> float | None:
        """NMSE in dB; None if every vector was recovered."""
        return 10.0 * float(np.log10(self.error / self.energy)) if self.error > 0 and self.energy > 0 else None

    def plus(self, x_hat: NDArray[np.float64], x: NDArray[np.number[Any]]) -> "RecoveryFacts":
        """Return the facts with more frames: estimates x_hat (frames, n), NaN where flagged, of sources x."""
        flagged = np.isnan(x_hat).any(axis=1)
        source = x.astype(np.float64)
        return self.model_copy(
            update={
                "frames": self.frames + len(x),
                "perfect": self.perfect + int((x_hat == x).all(axis=1).sum()),
                "flagged": self.flagged + int(flagged.sum()),
                "energy": self.energy + float(np.sum(source**2)),
                "error": self.error + float(np.sum((source - np.nan_to_num(x_hat)) ** 2)),
            }
        )


class Verdict(Table):
    """Contents of verdict.json."""

    schema_version: Literal[1] = 1
    bundle: str
    model_id: str
    config: SimulateConfig
    passed: bool
    complete: bool
    vectors: int
    sets: dict[str, int]
    implementations: list[Tally]
    counts: CountsCheck | None = None
    recovery: RecoveryFacts | None = None
    first_mismatch: Mismatch | None = None
    chunks_done: list[int] = Field(default_factory=list)
    environment: dict[str, str] = Field(default_factory=dict)

    def write(self, path: Path) -> None:
        """Write as JSON; nothing half-written stays."""
        write_file(path, lambda staging: staging.write_text(self.model_dump_json(indent=1) + "\n", encoding="utf-8"))


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
