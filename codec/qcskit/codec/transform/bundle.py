"""A bundle of a transform codec: its part of the manifest, and the codec that its tables make.

tables.npz: the integers of docs/transform.md, and for the host `centroids` (K, 3), the offsets in steps at which the
magnitudes 1, 2 and >= 3 are rebuilt, and `decoder` (N, K), from steps to the codec's own scale.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from qcskit.codec import codecs
from qcskit.codec.arrays import check_finite, take_table
from qcskit.codec.bundle import Bundle, CodecFacts
from qcskit.codec.config import Table
from qcskit.codec.errors import QcsError
from qcskit.codec.files import tables_id
from qcskit.codec.flags import check_good, check_lengths, definition
from qcskit.codec.interface import Array, Codec, Counts, Oracle, Packets, Raw
from qcskit.codec.range_coder import MOST_INDEX
from qcskit.codec.sensor import CountGrid, grid_of
from qcskit.codec.transform import packet as packets_of
from qcskit.codec.transform.c_text import c_files, longest_c_files
from qcskit.codec.transform.definition import packet_of
from qcskit.codec.transform.forward import accumulate, quantize, thresholds
from qcskit.codec.transform.lossless import LosslessFacts
from qcskit.codec.transform.lossless_codec import read_lossless
from qcskit.codec.transform.tables import MOST_QUALITY, Tables, take

TABLES_VERSION = 1
"""Version of the integers' meaning; the model id depends on it."""


_EDGES = 4
"""Packets of counts beside decision boundaries that the longest encode is counted on."""


class LossyFacts(Table):
    """The numbers among the tables, named as in docs/transform.md. max_bytes: 0 without rate control."""

    stride: Literal[1, 2]
    rows: Annotated[int, Field(ge=1, le=512)]
    centre: Annotated[int, Field(ge=-32768, le=32767)]
    max_bytes: Annotated[int, Field(ge=0, le=65535)]
    crc: bool
    fraction_bits: Annotated[int, Field(ge=11, le=15)]
    accumulator_shift: Annotated[int, Field(ge=0, le=20)]
    multiplier: Annotated[int, Field(ge=1024, le=2047)]
    rounding: Annotated[int, Field(ge=0, lt=2**31)]
    index_shift: Annotated[int, Field(ge=0, le=24)]


class Facts(CodecFacts):
    """The transform codec of a bundle. bits_per_sample: what was asked for, None if max_bytes was.

    `lossy` with basis and coder, or `lossless` alone: as the mode says.
    """

    kind: Literal["transform"] = "transform"
    mode: Literal["lossy", "lossless"] = "lossy"
    basis: Literal["klt", "dct"] | None = None
    coder: Literal["range", "rice"] | None = None
    bits_per_sample: float | None = Field(None, gt=0, allow_inf_nan=False)
    lossy: LossyFacts | None = None
    lossless: LosslessFacts | None = None

    @model_validator(mode="after")
    def _as_the_mode_says(self) -> Self:
        needed: list[object] = [self.basis, self.coder, self.lossy]
        other: list[object] = [self.lossless]
        if self.mode == "lossless":
            needed, other = other, [*needed, self.bits_per_sample]
        if any(part is None for part in needed) or any(part is not None for part in other):
            raise ValueError(f"its parts are not those of mode '{self.mode}'")
        return self


def model_id(facts: Facts, windows: int, n: int, adc: tuple[int, int], grid: CountGrid,
             arrays: Mapping[str, NDArray[Any]]) -> str:  # fmt: skip
    """Return the id of all that device and decoder must agree on, as 16 hex digits. adc: its bits and least count."""
    assert facts.lossy is not None
    numbers = sorted(facts.lossy.model_dump().items())
    word = f"qcs-transform-{TABLES_VERSION}:{facts.coder}:{windows}:{n}:{adc}:{grid.step!r}:{grid.centre!r}:{numbers}"
    return tables_id(word, arrays)


@dataclass(frozen=True, eq=False)
class Rebuild:
    """The decoder's floating-point part. centroids (K, 3), decoder (N, K): as in tables.npz; grid: of the counts."""

    centroids: Array
    decoder: Array
    grid: CountGrid

    def coefficients(self, index: NDArray[np.int64], quality: NDArray[np.int64]) -> Array:
        """Return what indices (packets, W, K) at a quality (packets,) are rebuilt as, in steps."""
        magnitude = np.abs(index)
        offset = self.centroids[np.arange(index.shape[2]), np.clip(magnitude - 1, 0, 2)]
        rebuilt: Array = np.sign(index) * (magnitude + np.where(magnitude > 0, offset, 0.0))
        return rebuilt * np.exp2(quality)[:, None, None]

    def windows(self, coefficients: Array, centre: int) -> Array:
        """Return windows (any, N) on the codec's own scale of coefficients (any, K) in steps."""
        return coefficients @ self.decoder.T + (centre - self.grid.centre) * self.grid.step


class TransformCodec(Codec):
    """A bundle's transform codec."""

    fixed_size = False

    def __init__(self, bundle: Bundle, facts: Facts, tables: Tables, rebuild: Rebuild) -> None:
        super().__init__(bundle)
        self.facts, self.tables, self.rebuild = facts, tables, rebuild

    def encode_counts(self, counts: NDArray[np.integer[Any]] | bytes) -> Packets:
        """Return the packets of ADC counts (packets, inputs)."""
        return packets_of.encode(self.tables, self.checked(counts))

    def estimate(self, packets: Packets) -> Array:
        """Return x_hat (packets · W, N) on the codec's own scale."""
        found = self._decoded(packets)
        tables, grid = self.tables, self.rebuild.grid
        coefficients = self.rebuild.coefficients(found.index, found.quality)
        if found.raw.any():
            full = np.repeat(found.counts[found.raw], tables.stride, axis=2).reshape(-1, tables.inputs)
            coefficients[found.raw] = accumulate(tables, full).reshape(-1, tables.windows, tables.rows) * (
                2.0**-tables.fraction_bits / tables.step
            )
        x = self.rebuild.windows(coefficients.reshape(-1, tables.rows), tables.centre)
        x = x.reshape(len(packets), tables.windows, self.width)
        if tables.stride == 1:
            x[found.raw] = (found.counts[found.raw] - grid.centre) * grid.step
        return x.reshape(-1, self.width)

    def _decoded(self, packets: Packets) -> packets_of.Decoded:
        check_lengths(packets, self.packed_bytes_max)
        found = packets_of.decode(self.tables, packets)
        check_good(found.good)
        return found

    def oracles(self) -> tuple[Oracle, ...]:
        """Return the definition, packet by packet."""
        return definition(packet_of, self.tables)

    def edges(self, packets: int, rng: np.random.Generator) -> Counts:
        """Return counts that bring one coefficient of each window next to a threshold, some of them full scale."""
        tables, size = self.tables, (packets * self.windows, self.width)
        adc = self.bundle.manifest.adc
        spread = rng.uniform(1, adc.high - adc.low, (size[0], 1)) ** rng.random((size[0], 1))
        walk = np.cumsum(rng.standard_normal(size), axis=1) * spread / np.sqrt(size[1])
        counts = np.clip(np.rint(tables.centre + walk), adc.low, adc.high).astype(np.int64)
        row = rng.integers(0, tables.rows, size[0])
        _steer(tables, counts, row, rng, (adc.low, adc.high))
        loud = rng.random(size[0]) < 0.1
        signs = np.repeat(np.where(tables.matrix[row] < 0, adc.low, adc.high), tables.stride, axis=1)
        counts[loud] = signs[loud]
        return counts.reshape(packets, self.inputs).astype(np.int16)

    def explain(self, packet: Raw) -> tuple[int, ...]:
        """Return the quality and the W · K indices of a packet; of a raw one −1 and its counts."""
        found = self._decoded(Packets.of([packet]))
        if found.raw[0]:
            return (-1, *found.counts[0].ravel().tolist())
        return (int(found.quality[0]), *found.index[0].ravel().tolist())

    def c_files(self) -> dict[str, str]:
        """Return the C text that the tables make."""
        number = codecs.find_family(self.kind).number
        about = f"{self._transform_words()}, {self._packet_words()}"
        return c_files(self.name, self.bundle.manifest.model_id, self.tables, about, number, self.sensor_macros())

    def longest(self) -> tuple[dict[str, str], Counts] | None:
        """Return the model that codes most, on counts that saturate, are lifted, and lie in between."""
        number = codecs.find_family(self.kind).number
        files = longest_c_files(self.name, self.bundle.manifest.model_id, self.tables, number)
        if files is None:
            return None
        turns = np.where(np.arange(self.inputs) % 2, 32767, -32768)
        same = np.repeat([[-32768], [self.tables.centre], [32767]], self.inputs, axis=1)
        edges = self.edges(_EDGES, np.random.default_rng(0))
        return files, np.concatenate([turns[None], same, edges]).astype(np.int16)

    def describe(self) -> dict[str, str]:
        """Return transform, quantizer, coder and packets in words."""
        tables, adc = self.tables, self.bundle.manifest.adc
        return {
            "transform": self._transform_words(),
            "step": f"{tables.step:.6g} counts = {tables.step * adc.units_per_count:.6g} {adc.unit or 'units'}",
            "coder": "range coder" if tables.coder == "range" else "end positions and Rice codes",
            "packet": self._packet_words(),
            "rate": f"{self.rate_bits:.4g} bits per sample in whole bytes, measured",
        }

    def _transform_words(self) -> str:
        sent = "" if self.tables.stride == 1 else ", every 2nd sample"
        return f"{f'{self.facts.basis}'.upper()} of {self.width} samples{sent}, {self.tables.rows} rows"

    def _packet_words(self) -> str:
        tables = self.tables
        limit = "falls back to raw counts" if not tables.max_bytes else f"at most {tables.max_bytes} bytes by quality"
        return f"{tables.windows} windows per packet, {limit}{', CRC-8' if tables.crc else ''}"

    def cost(self) -> dict[str, int]:
        """Return bytes and multiplications of one encode that are the same on every core."""
        tables = self.tables
        own = sum(table.nbytes for name, table in tables.arrays.items())
        products = tables.windows * (tables.multiplications + tables.rows)
        return {**super().cost(), "table_bytes": own, "multiplications": products}


def _steer(tables: Tables, counts: NDArray[np.int64], row: NDArray[np.int64], rng: np.random.Generator,
           ends: tuple[int, int]) -> None:  # fmt: skip
    """Move counts (windows, N) so that acc of one row each comes next to a threshold: largest weights first."""
    lanes = np.arange(len(counts))
    acc = accumulate(tables, counts)[lanes, row]
    index = np.abs(quantize(tables, acc)) + rng.integers(0, 2, len(counts))
    wanted = thresholds(tables, np.clip(index, 1, MOST_INDEX)) - rng.integers(0, 2, len(counts))
    missing = np.where(acc < 0, -wanted, wanted) - acc
    weights = tables.matrix[row]
    for place in np.argsort(-np.abs(weights), axis=1).T:
        weight, at = weights[lanes, place], place * tables.stride
        move = np.where(weight != 0, np.rint(missing / np.where(weight == 0, 1, weight)), 0).astype(np.int64)
        moved = np.clip(counts[lanes, at] + move, *ends)
        missing -= (moved - counts[lanes, at]) * weight
        counts[lanes, at] = moved


def read(bundle: Bundle) -> Codec:
    """Return the codec of a transform bundle. Raises QcsError if its tables are not those that its id names."""
    facts = bundle.manifest.codec
    assert isinstance(facts, Facts)
    return read_lossless(bundle, facts.lossless) if facts.lossless else _read_lossy(bundle, facts)


def _read_lossy(bundle: Bundle, facts: Facts) -> TransformCodec:
    manifest, arrays = bundle.manifest, bundle.arrays
    assert facts.lossy is not None
    grid = grid_of(manifest.signal, manifest.adc)
    n, adc = manifest.signal.n, manifest.adc
    found = model_id(facts, manifest.windows, n, (adc.bits, adc.low), grid, arrays)
    if found != manifest.model_id:
        raise bundle.fail(f"tables.npz is of model {found}, manifest.json of {manifest.model_id}")
    bundle.check_equal("inputs", manifest.inputs, manifest.windows * n, "signal.n of manifest.json, times windows,")
    try:
        numbers = {"windows": manifest.windows, "samples": n // facts.lossy.stride, "bits": adc.bits, "low": adc.low}
        tables = take({**numbers, **facts.lossy.model_dump()}, arrays)
        centroids = take_table(arrays, "centroids", np.float64, (tables.rows, 3))
        decoder = take_table(arrays, "decoder", np.float64, (n, tables.rows))
        for name, table in (("centroids", centroids), ("decoder", decoder)):
            check_finite(name, table)
        check_last_try(tables)
    except QcsError as error:
        raise bundle.fail(f"tables.npz does not go with manifest.json: {error}") from None
    bundle.check_equal("codec.coder", facts.coder, tables.coder)
    bundle.check_equal("packed_bytes_max", manifest.packed_bytes_max, tables.packed_bytes_max)
    return TransformCodec(bundle, facts, tables, Rebuild(centroids, decoder, grid))


def check_last_try(tables: Tables) -> None:
    """Raise QcsError if with rate control a packet could find no quality that fits it."""
    if not tables.max_bytes:
        return
    if tables.max_bytes >= 1 + tables.raw_bytes + int(tables.crc):
        raise QcsError(f"max_bytes {tables.max_bytes}: the raw counts fit, so there is nothing to control")
    nothing = np.zeros((1, tables.windows, tables.rows), np.int64)
    if tables.room < 1 or not packets_of.payload_of(tables, nothing, MOST_QUALITY).fits[0]:
        raise QcsError(f"max_bytes {tables.max_bytes}: {tables.windows} windows do not fit, not even empty ones")
