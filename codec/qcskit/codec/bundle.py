"""The bundle: the directory that `export` and `design` write and everything downstream reads (docs/bundle.md).

manifest.json           what it is: versions, dimensions, rate, NMSE, SHA-256 of every other file; `codec` is the
                        family's own part
tables.npz              the integer tables: what the NumPy reference runs and the C text prints
vectors.npz             golden vectors: counts and the packets that answer them
c/                      the same tables as C text
and what the family adds, such as decoder.tflite
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import ConfigDict, Field, SerializeAsAny, ValidationError, field_validator

from qcskit.codec import codecs
from qcskit.codec.config import MODEL_NAME, Table
from qcskit.codec.errors import QcsError
from qcskit.codec.files import read_npz, sha256
from qcskit.codec.signal import SignalConfig

SCHEMA_VERSION = 2


class Adc(Table):
    """What one ADC count means: measurement = (count − offset_counts) · scale."""

    scale: float
    offset_counts: int

    def counts(self, y: ArrayLike) -> NDArray[np.int16]:
        """Return the ADC counts that an ideal converter gives for measurements y, any shape; saturates.

        Raises QcsError that names the place if y is not finite.
        """
        values = np.asarray(y, np.float64)
        if not np.isfinite(values).all():
            raise QcsError(f"measurement frame {np.argwhere(~np.isfinite(values))[0, 0]} holds NaN or infinity")
        with np.errstate(over="ignore"):  # infinity saturates as well
            steps = np.rint(values / self.scale) + self.offset_counts
        return steps.clip(-32768, 32767).astype(np.int16)


class SignalFacts(Table):
    """The source model the codec was made for; further keys of `[signal]` ride along."""

    model_config = ConfigDict(frozen=True, extra="allow")

    n: int
    m: int
    s: int
    noise_variance: float
    matrix: str


class NmseFacts(Table):
    """NMSE in dB on `frames` fresh vectors; None where it was not measured.

    float_db: of the codec in floating point. deployed_db: of what the device sends, through the ADC.
    """

    frames: int
    float_db: float | None = None
    deployed_db: float | None = None


class CodecFacts(Table):
    """A family's part of the manifest; each family has its own subclass, `Facts` of its room."""

    kind: str


class Manifest(Table):
    """Contents of manifest.json."""

    schema_version: Literal[2] = 2
    name: str = Field(pattern=MODEL_NAME)
    model_id: str = Field(pattern=r"^[0-9a-f]{16}$")
    inputs: int
    windows: int = 1
    packed_bytes_max: int = Field(ge=1, le=65535)
    rate_bits: float
    signal: SignalFacts
    adc: Adc
    codec: SerializeAsAny[CodecFacts]
    nmse: NmseFacts
    tools: dict[str, str] = Field(default_factory=dict)
    files: dict[str, str] = Field(default_factory=dict)
    checksum: str | None = None
    """`manifest_checksum` of the rest; None: not known."""

    @field_validator("codec", mode="before")
    @classmethod
    def _facts_of_the_family(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        try:
            return codecs.find_family(value.get("kind")).room("codec").Facts.model_validate(value)
        except QcsError as error:
            raise ValueError(str(error)) from None


def manifest_checksum(raw: Mapping[str, Any]) -> str:
    """Return the SHA-256 of everything in a manifest but its checksum, however it is spaced and ordered."""
    rest = {key: value for key, value in raw.items() if key != "checksum"}
    return sha256(json.dumps(rest, sort_keys=True, separators=(",", ":")).encode())


@dataclass(frozen=True)
class Bundle:
    """A bundle whose hashes and versions were checked when it was read.

    path: its directory. content: its files by name, of a bundle that is not written yet.
    """

    path: Path
    manifest: Manifest
    content: Mapping[str, bytes] | None = None

    def has(self, name: str) -> bool:
        """Tell whether the bundle holds a file."""
        return name in (self.manifest.files if self.content is None else self.content)

    def read(self, name: str) -> bytes:
        """Return a file's content. Raises QcsError if the manifest lists no such file."""
        if not self.has(name):
            raise QcsError(f"bundle '{self.path}' holds no {name}; run 'qcskit export' again")
        return (self.path / name).read_bytes() if self.content is None else self.content[name]

    @cached_property
    def arrays(self) -> dict[str, NDArray[Any]]:
        """Contents of tables.npz by name."""
        return read_npz(self.read("tables.npz"), f"bundle '{self.path}': tables.npz")

    @cached_property
    def vectors(self) -> dict[str, NDArray[Any]]:
        """Golden vectors: x, counts, packed (total,) and packed_offsets, x_hat; more where the family has more."""
        return read_npz(self.read("vectors.npz"), f"bundle '{self.path}': vectors.npz")

    @cached_property
    def signal(self) -> SignalConfig:
        """The source model as configuration."""
        return SignalConfig.model_validate(self.manifest.signal.model_dump())

    def fail(self, what: str) -> QcsError:
        """Return the error that this bundle's files contradict each other."""
        return QcsError(f"bundle '{self.path}': {what}; run 'qcskit export' again")


def read_bundle(path: Path) -> Bundle:
    """Open a bundle and verify schema and the SHA-256 of every file.

    Raises QcsError that names the file at fault and what to run.
    """
    path = Path(path)
    again = "run 'qcskit export' again"
    if not path.is_dir():
        raise QcsError(f"bundle '{path}' does not exist; write one with 'qcskit export'")
    try:
        raw = json.loads((path / "manifest.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise QcsError(f"bundle '{path}' has no manifest.json: this is not a bundle; {again}") from None
    except (OSError, ValueError) as error:
        raise QcsError(f"bundle '{path}': manifest.json is not valid JSON ({error}); {again}") from None
    version = raw.get("schema_version") if isinstance(raw, dict) else None
    if version != SCHEMA_VERSION:
        raise QcsError(f"bundle '{path}': schema version {version}, this qcskit reads {SCHEMA_VERSION}; {again}")
    try:
        manifest = Manifest.model_validate(raw)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        reason = first["msg"].removeprefix("Value error, ")
        raise QcsError(f"bundle '{path}': manifest.json: {key}: {reason}; {again}") from None
    if manifest.checksum not in (None, manifest_checksum(raw)):
        raise QcsError(f"bundle '{path}': manifest.json does not match its own checksum: it was changed; {again}")
    for name, digest in manifest.files.items():
        file = path / name
        if not file.is_file():
            raise QcsError(f"bundle '{path}': {name} is missing; {again}")
        if sha256(file.read_bytes()) != digest:
            raise QcsError(f"bundle '{path}': {name} does not match manifest.json (sha256 differs); {again}")
    return Bundle(path, manifest)
