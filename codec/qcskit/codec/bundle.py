"""The bundle: the directory that `export` writes and everything downstream reads (docs/bundle.md).

manifest.json           what it is: versions, dimensions, quantization, rate, NMSE, SHA-256 of every other file
encoder.tflite          full-int8 EncNet, what TFLite Micro runs
decoder.tflite          float32 decoder, indices → x_hat
tables.npz              the integer tables: what the NumPy reference runs and the C text prints
c/                      the same tables as C text, and the flatbuffer as a C array
vectors.npz             golden vectors
"""

import hashlib
import json
import shutil
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from io import BytesIO
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict, Field, ValidationError

from qcskit.codec import integer
from qcskit.codec.config import Table
from qcskit.codec.errors import QcsError
from qcskit.codec.packing import Packing

SCHEMA_VERSION = 1


class Grid(Table):
    """An affine int8 grid: real = scale · (q − zero_point)."""

    scale: float
    zero_point: int


class Adc(Table):
    """What one ADC count means: measurement = (count − offset_counts) · scale."""

    scale: float
    offset_counts: int


class SignalFacts(Table):
    """The source model the codec was trained for; further keys of `[signal]` ride along."""

    model_config = ConfigDict(frozen=True, extra="allow")

    n: int
    m: int
    s: int
    noise_variance: float
    matrix: str


class NmseFacts(Table):
    """NMSE in dB on `frames` fresh vectors; None where it was not measured."""

    frames: int
    float_db: float | None = None
    int8_db: float | None = None


class CodedFacts(Table):
    """The coded compressive sensing scheme (codec "coded"): table [coded], and what recovery was measured.

    snr_db: of the vectors that tests draw. perfect_recovery, flagged: shares of `frames` fresh vectors at that SNR.
    """

    n: int
    k: int
    p: int
    r: int
    m: int
    rows: Literal["independent", "all"]
    guard: bool
    gamma: int
    design_snr_db: float
    lists: tuple[int, ...]
    period_bits: int
    values: Literal["centred", "unsigned"]
    snr_db: float
    frames: int
    perfect_recovery: float
    flagged: float


class ClassicalFacts(Table):
    """The classical codec of a bundle (codec "scalar"): its name, and what was fitted for its decoder."""

    method: str
    tuning: dict[str, float]
    train_frames: int
    seed: int


class Manifest(Table):
    """Contents of manifest.json."""

    schema_version: Literal[1] = 1
    tables_version: int = integer.TABLES_VERSION
    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    codec: Literal["deepqcs", "coded", "scalar"] = "deepqcs"
    model_id: str = Field(pattern=r"^[0-9a-f]{16}$")
    inputs: int
    outputs: int
    levels: int
    widths: list[int]
    packed_bytes: int
    packed_bits: int
    rate_bits: float
    signal: SignalFacts
    input_grid: Grid | None = None
    """int8 network input; None for codecs whose device takes ADC counts only: coded, scalar, profile tflm16."""
    adc: Adc
    thresholds: list[float]
    quantizer_levels: list[float]
    profile: Literal["tflm", "native", "tflm16"] = "tflm"
    activation: str = "tanh"
    cost: dict[str, int] = Field(default_factory=dict)
    arena_bytes: int | None = None
    nmse: NmseFacts
    coded: CodedFacts | None = None
    classical: ClassicalFacts | None = None
    training: dict[str, float | int | str | None] = Field(default_factory=dict)
    history: dict[str, list[float]] = Field(default_factory=dict)
    tools: dict[str, str]
    files: dict[str, str]

    @property
    def arithmetic(self) -> str:
        """What `nmse.int8_db` was measured on, for tables: "int8", "int16" or "ADC counts"."""
        if self.codec != "deepqcs":
            return "ADC counts"
        return "int16" if self.profile == "tflm16" else "int8"


@dataclass(frozen=True)
class Bundle:
    """A bundle on disk whose hashes and versions were checked when it was read."""

    path: Path
    manifest: Manifest

    @cached_property
    def tables(self) -> integer.EncoderTables:
        """Integer tables of the encoder; their hash must be the manifest's model id."""
        tables = integer.from_arrays(_read_npz(self.path / "tables.npz"))
        if tables.model_id != self.manifest.model_id:
            raise QcsError(f"bundle '{self.path}': tables.npz is of model {tables.model_id}, manifest.json of "
                           f"{self.manifest.model_id}; run 'qcskit export' again")  # fmt: skip
        return tables

    @cached_property
    def arrays(self) -> dict[str, NDArray[Any]]:
        """Contents of tables.npz by name, whatever the codec."""
        return _read_npz(self.path / "tables.npz")

    @property
    def counts_only(self) -> bool:
        """Whether the device takes ADC counts and nothing else."""
        return self.manifest.input_grid is None

    @property
    def input_grid(self) -> Grid:
        """Grid of the int8 network input. Raises QcsError if this codec has none."""
        if self.manifest.input_grid is None:
            kind = "an int16" if self.manifest.codec == "deepqcs" else f"a {self.manifest.codec}"
            raise QcsError(f"bundle '{self.path}' holds {kind} codec: it takes ADC counts, not int8")
        return self.manifest.input_grid

    @cached_property
    def vectors(self) -> dict[str, NDArray[Any]]:
        """Golden vectors: y, counts, input, output, index, packed, x, x_hat."""
        return _read_npz(self.path / "vectors.npz")

    @property
    def golden_inputs(self) -> NDArray[np.int8] | NDArray[np.int16]:
        """What a device is given for the golden vectors (frames, M): int8 network inputs, or counts if it takes no
        other; the answer is `vectors["packed"]`.
        """
        inputs: NDArray[np.int8] | NDArray[np.int16] = self.vectors["counts" if self.counts_only else "input"]
        return inputs

    @property
    def packing(self) -> Packing:
        """How indices become bytes."""
        return Packing(self.manifest.outputs, self.manifest.levels)

    def file(self, name: str) -> Path:
        """Return the path of a file that the manifest lists. Raises QcsError if it lists no such file."""
        if name not in self.manifest.files:
            raise QcsError(f"bundle '{self.path}' holds no {name}; run 'qcskit export' again")
        return self.path / name

    def quantize_input(self, y: NDArray[np.floating[Any]]) -> NDArray[np.int8]:
        """Return the int8 network input nearest to measurements y (frames, M); saturates."""
        grid = self.input_grid
        y = np.asarray(y, np.float64)
        if y.ndim != 2 or y.shape[1] != self.manifest.inputs:
            raise QcsError(f"measurements have shape {y.shape}, expected (frames, {self.manifest.inputs})")
        if not np.isfinite(y).all():
            frame = int(np.flatnonzero(~np.isfinite(y).all(axis=1))[0])
            raise QcsError(f"measurement frame {frame} holds NaN or infinity")
        return (np.rint(y / grid.scale) + grid.zero_point).clip(-128, 127).astype(np.int8)

    def to_counts(self, y: NDArray[np.floating[Any]]) -> NDArray[np.int16]:
        """Return the ADC counts that an ideal converter gives for measurements y (frames, M); saturates.

        Raises QcsError if y is not finite.
        """
        if not np.isfinite(np.asarray(y)).all():
            raise QcsError("measurements hold NaN or infinity")
        adc = self.manifest.adc
        return (np.rint(np.asarray(y) / adc.scale) + adc.offset_counts).clip(-32768, 32767).astype(np.int16)


def read_bundle(path: Path) -> Bundle:
    """Open a bundle and verify schema, table version and the SHA-256 of every file.

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
        raise QcsError(f"bundle '{path}': manifest.json: {key}: {first['msg']}; {again}") from None
    if manifest.tables_version != integer.TABLES_VERSION:
        raise QcsError(f"bundle '{path}': table version {manifest.tables_version}, this qcskit reads "
                       f"{integer.TABLES_VERSION}; {again}")  # fmt: skip
    for name, digest in manifest.files.items():
        file = path / name
        if not file.is_file():
            raise QcsError(f"bundle '{path}': {name} is missing; {again}")
        if sha256(file.read_bytes()) != digest:
            raise QcsError(f"bundle '{path}': {name} does not match manifest.json (sha256 differs); {again}")
    return Bundle(path, manifest)


def check_replaceable(path: Path, marker: str = "manifest.json") -> None:
    """Raise QcsError if `write_directory` would refuse `path`; long work asks first."""
    if path.exists() and not (path.is_dir() and ((path / marker).is_file() or not any(path.iterdir()))):
        raise QcsError(f"'{path}' exists and holds no {marker}, so it is not replaced; choose another --out")


def write_directory(path: Path, files: dict[str, bytes], marker: str = "manifest.json") -> None:
    """Write `files` (relative name → content) as directory `path`, replacing it in one rename; all or nothing.

    Raises QcsError if `path` exists and is neither empty nor a directory that holds `marker`: nothing else is replaced.
    """
    path = Path(path)
    check_replaceable(path, marker)
    path.parent.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(prefix=f".{path.name}-", dir=path.parent))
    try:
        staging.chmod(0o755)
        for name, content in files.items():
            (staging / name).parent.mkdir(parents=True, exist_ok=True)
            (staging / name).write_bytes(content)
        if path.exists():
            shutil.rmtree(path)
        staging.rename(path)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def write_file(path: Path, write: Callable[[Path], object]) -> None:
    """Call `write(temporary path)` beside `path`, then rename it into place; nothing half-written stays."""
    path.parent.mkdir(parents=True, exist_ok=True)
    staging = path.with_name(f".{path.name}.tmp")
    try:
        write(staging)
        staging.replace(path)
    finally:
        staging.unlink(missing_ok=True)


def npz_bytes(arrays: dict[str, NDArray[Any]]) -> bytes:
    """Return a compressed .npz whose bytes depend on the arrays alone (no dates), names sorted."""
    out = BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(arrays):
            member = BytesIO()
            np.lib.format.write_array(  # type: ignore[no-untyped-call]
                member, np.asarray(arrays[name], order="C"), allow_pickle=False
            )
            info = zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, member.getvalue())
    return out.getvalue()


def sha256(content: bytes) -> str:
    """Return the SHA-256 of `content` in hex."""
    return hashlib.sha256(content).hexdigest()


def _read_npz(path: Path) -> dict[str, NDArray[Any]]:
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except FileNotFoundError:
        raise QcsError(f"'{path}' is missing; run 'qcskit export' again") from None
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise QcsError(f"'{path}' is not a readable .npz file ({error}); run 'qcskit export' again") from None
