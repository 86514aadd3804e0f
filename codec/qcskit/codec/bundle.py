"""The bundle: the directory that `export` and `design` write and everything downstream reads (docs/bundle.md).

manifest.json           what it is: versions, dimensions, rate, NMSE, SHA-256 of every other file; `codec` is the
                        family's own part
tables.npz              the integer tables: what the NumPy reference runs and the C text prints
signal.npz              Φ, and test windows of a recorded source, in units; pairs of x and y where Φ is not known
vectors.npz             golden vectors: counts and the packets that answer them
c/                      the same tables as C text
and what the family adds, such as decoder.tflite
"""

import math
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, SerializeAsAny, ValidationError, field_validator

from qcskit.codec import codecs
from qcskit.codec.arrays import MOST_BYTES, Headers, check_finite, read_npz, take_table
from qcskit.codec.config import MODEL_NAME, Table
from qcskit.codec.errors import QcsError
from qcskit.codec.files import manifest_checksum, put_back, sha256
from qcskit.codec.golden import check_headers
from qcskit.codec.json_file import parse_json, read_bounded, why_invalid
from qcskit.codec.metrics import Fidelity
from qcskit.codec.sensor import Adc, Sensor, SignalFacts
from qcskit.codec.signal import IN_THE_BUNDLE, SignalConfig, measurement_matrix

SCHEMA_VERSION = 3
_MOST_MANIFEST_BYTES = 16 << 20
_MOST_ENTRIES = 1 << 20
"""Of a source vector."""
_FILE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*(/[A-Za-z0-9_][A-Za-z0-9_.-]*)*")
"""Names that stay in the directory, on every system."""
_AGAIN = "write the bundle again"
"""What to do while it is not known whether 'qcskit export' or 'qcskit design' wrote it."""


class NmseFacts(Table):
    """What comes back, on `frames` fresh vectors; None where it was not measured.

    float_db: NMSE of the codec in floating point. deployed_db: of what the device sends, through the ADC. Both about
    the training mean. fidelity: further figures of what the device sends. clipped: share of the
    counts of each input that were clipped.
    """

    frames: int
    float_db: float | None = None
    deployed_db: float | None = None
    fidelity: Fidelity | None = None
    clipped: tuple[float, ...] = ()

    @property
    def words(self) -> str:
        """The NMSE of what the device sends, in words."""
        return "NMSE not measured" if self.deployed_db is None else f"NMSE {self.deployed_db:.2f} dB"


class CodecFacts(Table):
    """A family's part of the manifest; each family has its own subclass, `Facts` of its room."""

    kind: str


class Manifest(Table):
    """Contents of manifest.json."""

    schema_version: Literal[3] = 3
    name: str = Field(pattern=MODEL_NAME)
    model_id: str = Field(pattern=r"^[0-9a-f]{16}$")
    inputs: int = Field(ge=1, le=65535)
    windows: int = Field(default=1, ge=1, le=65535)
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

    @property
    def who(self) -> str:
        """Kind, name and model id of the codec, in words."""
        return f"{self.codec.kind} codec '{self.name}' {self.model_id}"

    @field_validator("codec", mode="before")
    @classmethod
    def _facts_of_the_family(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        try:
            return codecs.find_family(value.get("kind")).room("codec").Facts.model_validate(value)
        except QcsError as error:
            raise ValueError(str(error)) from None


@dataclass(frozen=True)
class Bundle:
    """A bundle whose hashes and versions were checked when it was read.

    path: its directory, for messages. content: its files by name; what was hashed is what is used.
    >>> from qcskit.codec import read_bundle
    >>> bundle = read_bundle("bundle")
    >>> bundle.manifest.name, bundle.manifest.nmse.frames, bundle.has("decoder.tflite")
    ('small', 20000, True)
    """

    path: Path
    manifest: Manifest
    content: Mapping[str, bytes]

    def __repr__(self) -> str:
        manifest = self.manifest
        return f"<bundle '{self.path}': {manifest.who}, {len(self.content)} files, {manifest.nmse.words}>"

    def has(self, name: str) -> bool:
        """Tell whether the bundle holds a file."""
        return name in self.content

    def read(self, name: str) -> bytes:
        """Return a file's content. Raises QcsError if there is no such file."""
        if not self.has(name):
            raise self.fail(f"it holds no {name}")
        return self.content[name]

    @cached_property
    def arrays(self) -> dict[str, NDArray[Any]]:
        """Contents of tables.npz by name."""
        return self.read_arrays("tables.npz")

    @cached_property
    def vectors(self) -> dict[str, NDArray[Any]]:
        """Golden vectors: x, y, counts, packed (total,) and packed_offsets, x_hat; more where the family has more."""
        arrays = self.read_arrays("vectors.npz", partial(check_headers, self.manifest))
        try:
            for name in ("x", "y"):
                check_finite(name, arrays[name])
        except QcsError as error:
            raise self.fail(f"vectors.npz: {error}") from None
        return arrays

    def read_arrays(self, name: str, check: Callable[[Headers], object] | None = None) -> dict[str, NDArray[Any]]:
        """Return the arrays of an .npz of the bundle, as `arrays.read_npz` does."""
        try:
            return read_npz(self.read(name), name, check)
        except QcsError as error:
            raise self.fail(str(error)) if self.has(name) else error from None

    @cached_property
    def signal(self) -> SignalConfig:
        """The source model as configuration; of a recording without its file."""
        facts = self.manifest.signal.model_dump(exclude={"offset", "scale", "y_offset", "y_scale"})
        if facts.get("source") in ("recorded", "pairs"):
            facts["recording"] = IN_THE_BUNDLE
        try:
            return SignalConfig.model_validate(facts)
        except ValidationError as error:
            raise self.fail(f"manifest.json: signal.{why_invalid(error)}") from None

    @cached_property
    def sensor(self) -> Sensor:
        """The way from x to counts and back. Raises QcsError of a family that draws its sources by itself."""
        if not self.has("signal.npz"):
            rows = f"give rows of what the device sees, {self.manifest.inputs} numbers each"
            raise QcsError(f"bundle '{self.path}' holds no Φ (signal.npz), so samples of x cannot be sensed: {rows}")
        signal, arrays = self.manifest.signal, self.read_arrays("signal.npz")
        try:
            known = self.signal.matrix != "none"
            phi = take_table(arrays, "phi", np.float64, (signal.m if known else 0, signal.n))
            windows = take_table(arrays, "windows", np.float64, (None, signal.n))
            measured = None if known else take_table(arrays, "measured", np.float64, (None, signal.m))
            if measured is not None and len(windows) not in (0, len(measured)):
                raise QcsError(f"it holds {len(windows)} windows of x and {len(measured)} of y")
            for name in arrays:
                check_finite(name, arrays[name])
        except QcsError as error:
            raise self.fail(f"signal.npz: {error}") from None
        config = self.signal
        if known and config.matrix != "file" and not np.allclose(phi, measurement_matrix(config), rtol=0, atol=1e-9):
            raise self.fail(f"signal.npz: phi is not the '{config.matrix}' of manifest.json")
        return Sensor(signal, self.manifest.adc, phi, windows, measured)

    def fail(self, what: str) -> QcsError:
        """Return the error that this bundle's files contradict each other."""
        return QcsError(f"bundle '{self.path}': {what}; {codecs.find_family(self.manifest.codec.kind).again}")

    def check_equal(self, key: str, stated: object, found: object, source: str = "tables.npz") -> None:
        """Raise QcsError that names a key of manifest.json which states another thing than the file beside it."""
        if stated != found:
            raise self.fail(f"manifest.json: {key} is {stated}, {source} gives {found}")


def read_bundle(path: str | Path) -> Bundle:
    """Open a bundle: verify schema, that it holds exactly the files that it lists, and the SHA-256 of each.

    Raises QcsError that names the file at fault and what to do.
    >>> from qcskit.codec import read_bundle
    >>> bundle = read_bundle("bundle")
    >>> bundle
    <bundle 'bundle': learned codec 'small' 3b..., 9 files, NMSE -13... dB>
    >>> bundle.manifest.signal.n, bundle.manifest.rate_bits, bundle.vectors["counts"].shape
    (20, 1.5, (64, 10))
    """
    path = Path(path)
    put_back(path)
    if not path.is_dir():
        raise QcsError(f"bundle '{path}' does not exist; write one with 'qcskit export' or 'qcskit design'")
    manifest = _read_manifest(path)
    content: dict[str, bytes] = {}
    bundle = Bundle(path, manifest, content)
    _check_possible(bundle)
    _check_listed(bundle)
    for name, digest in manifest.files.items():
        content[name] = _read_listed(bundle, name)
        if sha256(content[name]) != digest:
            raise bundle.fail(f"{name} does not match manifest.json (sha256 differs)")
        if sum(map(len, content.values())) > MOST_BYTES:
            raise bundle.fail(f"its files are larger than {MOST_BYTES:,} bytes")
    return bundle


def _read_manifest(path: Path) -> Manifest:
    where = f"bundle '{path}'"
    if not os.path.lexists(path / "manifest.json"):
        if (path / "bundle" / "manifest.json").is_file():
            raise QcsError(f"'{path}' is no bundle, but holds one: give '{path / 'bundle'}'")
        raise QcsError(f"{where} has no manifest.json: this is not a bundle; {_AGAIN}")
    try:
        raw = parse_json(read_bounded(path / "manifest.json", where, _MOST_MANIFEST_BYTES), f"{where}: manifest.json")
    except QcsError as error:
        raise QcsError(f"{error}; {_AGAIN}") from None
    raw = raw if isinstance(raw, dict) else {}
    again, version = _again(raw), raw.get("schema_version")
    if version != SCHEMA_VERSION:
        raise QcsError(f"{where}: schema version {str(version)[:20]}, this qcskit reads {SCHEMA_VERSION}; {again}")
    try:
        manifest = Manifest.model_validate(raw)
    except ValidationError as error:
        raise QcsError(f"{where}: manifest.json: {why_invalid(error)}; {again}") from None
    if manifest.checksum not in (None, manifest_checksum(raw)):
        raise QcsError(f"{where}: manifest.json does not match its own checksum: it was changed; {again}")
    return manifest


def _again(raw: Mapping[str, Any]) -> str:
    """Return what to do about a manifest that may be of any family, or of none."""
    part = raw.get("codec")
    known = {family.kind: family.again for family in codecs.families()}
    return known.get(str(part.get("kind")), _AGAIN) if isinstance(part, dict) else _AGAIN


def _check_possible(bundle: Bundle) -> None:
    """Raise QcsError that names a number with which nothing could be computed, or only with all memory."""
    signal, rate_bits = bundle.manifest.signal, bundle.manifest.rate_bits
    if not (1 <= signal.n <= _MOST_ENTRIES and 1 <= signal.m <= _MOST_ENTRIES and 0 <= signal.s <= signal.n):
        raise bundle.fail(f"manifest.json: signal: n, m, s are impossible: {signal.n}, {signal.m}, {signal.s}")
    if not 0 < rate_bits < math.inf:
        raise bundle.fail(f"manifest.json: rate_bits: {rate_bits} is impossible")


def _check_listed(bundle: Bundle) -> None:
    """Raise QcsError if a file that every bundle has is not listed, or the directory holds one that is not."""
    listed, name = bundle.manifest.files, bundle.manifest.name
    for file in listed:
        if not _FILE.fullmatch(file) or file == "manifest.json":
            raise bundle.fail(f"manifest.json: files lists {file[:60]!r}, which is no name of a file in a bundle")
    for file in ("tables.npz", "vectors.npz", f"c/qcs_model_{name}.h", f"c/qcs_model_{name}.c"):
        if file not in listed:
            raise bundle.fail(f"manifest.json lists no {file}")
    for folder, folders, files in os.walk(bundle.path):
        links = [entry for entry in folders if (Path(folder) / entry).is_symlink()]
        for entry in sorted((*files, *links)):
            file = (Path(folder) / entry).relative_to(bundle.path).as_posix()
            if file not in listed and file != "manifest.json":
                raise QcsError(f"bundle '{bundle.path}' holds {file!r}, which its manifest.json does not list; move "
                               "it elsewhere")  # fmt: skip


def _read_listed(bundle: Bundle, name: str) -> bytes:
    file = bundle.path / name
    if not Path(os.path.realpath(file)).is_relative_to(os.path.realpath(bundle.path)):
        raise bundle.fail(f"{name} is a link that leaves the bundle")
    if not file.exists():
        raise bundle.fail(f"{name} is missing")
    try:
        return read_bounded(file, "file", MOST_BYTES)
    except QcsError as error:
        raise bundle.fail(str(error)) from None
