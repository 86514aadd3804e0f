"""A bundle of a classical codec with scalar quantizers: thresholds in ADC counts for the device, a host decoder.

tables.npz: `thresholds` int16 (M, I−1), the counts at which the index rises, ascending; `points` (M, I), what indices
are rebuilt as; `dictionary` (M, N) = Φ Ψ and, unless Ψ is the identity, `basis` (N, N) = Ψ. Which decoder, and what was
fitted for it, stands in `classical` of manifest.json.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qcskit.codec.bundle import Adc, Bundle, ClassicalFacts
from qcskit.codec.classical._check import Array
from qcskit.codec.classical.codecs import quantize
from qcskit.codec.classical.recovery import Front, Index, Recover, decoder_name, recover_with
from qcskit.codec.errors import QcsError
from qcskit.codec.packing import Packing
from qcskit.codec.signal import SignalConfig, draw_frames

TABLES_VERSION = 1
"""Version of the integers' meaning; C text asserts it, the model id depends on it."""

AGAIN = "run 'qcskit export --codec' again"


def model_id(facts: ClassicalFacts, arrays: Mapping[str, NDArray[Any]], adc: Adc) -> str:
    """Return the first 8 bytes of SHA-256 over all that device and decoder must agree on, as 16 hex digits."""
    digest = hashlib.sha256(f"qcs-scalar-{TABLES_VERSION}:{facts.method}:{sorted(facts.tuning.items())}".encode())
    digest.update(f"{adc.scale!r}:{adc.offset_counts}".encode())
    for name, array in sorted(arrays.items()):
        digest.update(f"{name}:{array.dtype.str}:{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()[:16]


@dataclass(frozen=True)
class CountCells:
    """The device's quantizers: `thresholds` int16 (M, I−1) in ADC counts, and what a count means."""

    thresholds: NDArray[np.int16]
    adc: Adc

    @cached_property
    def edges(self) -> Array:
        """Thresholds in the units of y: halfway between the count that reaches a threshold and the one below."""
        return (self.thresholds.astype(np.float64) - self.adc.offset_counts - 0.5) * self.adc.scale

    def index(self, counts: NDArray[np.integer[Any]]) -> Index:
        """Return the indices (frames, M) of ADC counts (frames, M): how many thresholds are <= count."""
        rows = zip(self.thresholds, counts.T, strict=True)
        columns = [np.searchsorted(row, column, side="right") for row, column in rows]
        return np.stack(columns, axis=1).astype(np.uint8)


def count_cells(thresholds: Array, adc: Adc) -> CountCells:
    """Return the integer thresholds of real ones (M, I−1) that lie halfway between counts.

    Raises QcsError if one is outside int16.
    """
    counts = np.rint(thresholds / adc.scale + 0.5) + adc.offset_counts
    worst = float(counts.flat[np.abs(counts).argmax()])
    if abs(worst) > 32767:
        raise QcsError(f"a threshold at {worst:.0f} ADC counts is outside int16; lower export.adc_bits or "
                       f"export.adc_offset_counts")  # fmt: skip
    return CountCells(counts.astype(np.int16), adc)


@dataclass(frozen=True)
class ScalarBundleCodec:
    """A bundle's codec: counts or measurements to packed bytes in integers, packed bytes to x_hat. See `read_scalar`.

    recover: indices (frames, M) → x_hat (frames, N).
    """

    name: str
    signal: SignalConfig
    cells: CountCells
    recover: Recover = field(repr=False)

    @property
    def inputs(self) -> int:
        """M, counts per vector."""
        return len(self.cells.thresholds)

    @cached_property
    def packing(self) -> Packing:
        """How indices become bytes."""
        return Packing(self.inputs, self.cells.thresholds.shape[1] + 1)

    @property
    def rate_bits(self) -> float:
        """Bits sent per source entry."""
        return self.packing.packed_bits / self.signal.n

    def counts(self, y: NDArray[np.floating[Any]]) -> NDArray[np.int16]:
        """Return the ADC counts of measurements y (any shape); saturates. Raises QcsError if y is not finite."""
        values = np.asarray(y, np.float64)
        if not np.isfinite(values).all():
            raise QcsError("measurements hold NaN or infinity")
        adc = self.cells.adc
        return (np.rint(values / adc.scale) + adc.offset_counts).clip(-32768, 32767).astype(np.int16)

    def encode_counts(self, counts: NDArray[np.integer[Any]]) -> NDArray[np.uint8]:
        """Return packed bytes (frames, packed_bytes) of ADC counts (frames, M): what the device computes.

        Raises QcsError on another width.
        """
        if counts.ndim != 2 or counts.shape[1] != self.inputs:
            raise QcsError(f"counts have shape {counts.shape}, expected (frames, {self.inputs})")
        return self.packing.pack(self.cells.index(counts))

    def definition(self, counts: NDArray[np.int16]) -> NDArray[np.uint8]:
        """Return the cells (frames, M) in which the measurements lie that counts stand for, in floating point."""
        adc = self.cells.adc
        return quantize(self.cells.edges, (counts.astype(np.float64) - adc.offset_counts) * adc.scale)

    def encode(self, y: NDArray[np.float64]) -> NDArray[np.uint8]:
        """Return packed bytes (frames, packed_bytes) of measurements y (frames, M), through the ADC."""
        return self.encode_counts(self.counts(y))

    def decode(self, packed: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Return estimates x_hat (frames, N) of packed bytes (frames, packed_bytes)."""
        return self.recover(self.packing.unpack(packed))

    def draw(self, frames: int, seed: int | list[int]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return x (frames, N) and measurements y (frames, M) of the bundle's source."""
        return draw_frames(self.signal, frames, seed)


def scalar_codec(
    name: str, facts: ClassicalFacts, signal: SignalConfig, arrays: Mapping[str, NDArray[Any]], adc: Adc
) -> ScalarBundleCodec:
    """Return the codec that tables and fitted values make. Raises KeyError if one is missing."""
    cells = CountCells(np.asarray(arrays["thresholds"], np.int16), adc)
    front = Front(cells.edges, np.asarray(arrays["points"], np.float64))
    dictionary, psi = np.asarray(arrays["dictionary"], np.float64), arrays.get("basis")
    find = recover_with(decoder_name(facts.method), facts.tuning, front, dictionary, signal.s)

    def recover(index: Index) -> Array:
        c = find(index) if len(index) else np.empty((0, dictionary.shape[1]))
        return c if psi is None else c @ psi.T

    return ScalarBundleCodec(name, signal, cells, recover)


def read_scalar(bundle: Bundle) -> ScalarBundleCodec:
    """Return the codec of a scalar bundle.

    Raises QcsError if the bundle is of another codec, or if its tables are not those that its id names.
    """
    manifest, facts = bundle.manifest, bundle.manifest.classical
    if manifest.codec != "scalar" or facts is None:
        raise QcsError(f"bundle '{bundle.path}' holds a {manifest.codec} codec, not a scalar one")
    found = model_id(facts, bundle.arrays, manifest.adc)
    if found != manifest.model_id:
        raise QcsError(f"bundle '{bundle.path}': tables.npz is of model {found}, manifest.json of {manifest.model_id}; "
                       f"{AGAIN}")  # fmt: skip
    try:
        signal = SignalConfig.model_validate(manifest.signal.model_dump())
        return scalar_codec(manifest.name, facts, signal, bundle.arrays, manifest.adc)
    except (KeyError, ValueError) as error:
        raise QcsError(f"bundle '{bundle.path}': tables.npz is incomplete ({error}); {AGAIN}") from None
