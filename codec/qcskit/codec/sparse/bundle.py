"""A bundle of a sparse codec: its part of the manifest, and the codec that its tables make.

tables.npz: the integers of docs/sparse.md, and for the host what cells of magnitudes are rebuilt as: `points` (L / 2,),
or `plane_points` (p, 2) and `axis_points` (q,), the same of flagged vectors (`coarse_…`); in the code range
`index_points` (1 or 2, any). `decoder` (N, N): from coefficients at columns of unit norm to x.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from qcskit.codec import codecs
from qcskit.codec.arrays import check_finite, take_table
from qcskit.codec.bundle import Bundle, CodecFacts
from qcskit.codec.config import Table
from qcskit.codec.errors import QcsError
from qcskit.codec.files import tables_id
from qcskit.codec.flags import check_good, check_lengths, definition
from qcskit.codec.interface import Array, Codec, Counts, Oracle, Packets, Raw
from qcskit.codec.sensor import Adc, CountGrid, grid_of
from qcskit.codec.sparse import range_code
from qcskit.codec.sparse.c_text import c_files
from qcskit.codec.sparse.definition import packet_of
from qcskit.codec.sparse.search import Found, aligned, search
from qcskit.codec.sparse.tables import Tables, take
from qcskit.codec.sparse.words import Read, pack, read_words, unpack, words_of

TABLES_VERSION = 1
"""Version of the integers' meaning; the model id depends on it."""
HOST = frozenset({"points", "plane_points", "axis_points", "coarse_points", "coarse_plane_points", "coarse_axis_points",
                  "index_points", "decoder"})  # fmt: skip
"""Tables that the decoder alone reads."""


class RangeFacts(Table):
    """The numbers of the code range, named as in docs/sparse.md. flag: 0 without a guard."""

    multiplier: Annotated[int, Field(ge=1024, le=2047)]
    index_shift: Annotated[int, Field(ge=0, le=30)]
    least: Annotated[int, Field(ge=1, le=32767)]
    coarse_shift: Annotated[int, Field(ge=0, le=19)]
    flag: Annotated[int, Field(ge=0, le=4095)]


class Facts(CodecFacts):
    """The sparse codec of a bundle: the numbers among its tables, named as in docs/sparse.md, and how it was fitted.

    limit: 0 without a guard. bits: of a vector, in the code range their mean that was asked for.
    """

    kind: Literal["sparse"] = "sparse"
    sparsity: Literal[1, 2]
    bits: Annotated[int, Field(ge=1, le=32)]
    centre: Annotated[int, Field(ge=-32768, le=32767)]
    align: Annotated[int, Field(ge=0, le=15)]
    phi_bits: Annotated[int, Field(ge=8, le=15)]
    pair_bits: Annotated[int, Field(ge=0, le=14)]
    residual_shift: Annotated[int, Field(ge=0, le=30)]
    limit: Annotated[int, Field(ge=0, lt=2**31)]
    range: RangeFacts | None = None
    train_frames: int
    seed: int

    @property
    def numbers(self) -> dict[str, int]:
        """Those of the tables."""
        own = self.range.model_dump() if self.range else {}
        return self.model_dump(exclude={"kind", "range", "train_frames", "seed"}) | own


def model_id(facts: Facts, windows: int, adc: Adc, grid: CountGrid, arrays: Mapping[str, NDArray[Any]]) -> str:
    """Return the id of all that device and decoder must agree on, as 16 hex digits."""
    numbers = sorted(facts.numbers.items())
    word = f"qcs-sparse-{TABLES_VERSION}:{windows}:{(adc.low, adc.high)}:{grid.step!r}:{grid.centre!r}:{numbers}"
    return tables_id(word, arrays)


class SparseCodec(Codec):
    """A bundle's sparse codec. host: the decoder's tables by name."""

    def __init__(self, bundle: Bundle, facts: Facts, tables: Tables, host: Mapping[str, Array]) -> None:
        super().__init__(bundle)
        self.facts, self.tables, self.host = facts, tables, host
        self.fixed_size = tables.code != "range"

    def encode_counts(self, counts: NDArray[np.integer[Any]] | bytes) -> Packets:
        """Return the packets of ADC counts (packets, inputs)."""
        return self.packets_of(search(self.tables, aligned(self.tables, self.checked(counts))))

    def packets_of(self, found: Found) -> Packets:
        """Return the packets of what a search found in whole packets."""
        if self.tables.code == "range":
            return range_code.encode(self.tables, range_code.read_of(self.tables, found))
        return Packets.rows(pack(self.tables, words_of(self.tables, found)))

    def _read(self, packets: Packets) -> Read:
        if self.tables.code == "range":
            check_lengths(packets, self.packed_bytes_max)
            read, good = range_code.decode(self.tables, packets)
            check_good(good)
            return read
        if (packets.lengths < self.packed_bytes_max).any():
            raise QcsError(f"a packet has {packets.lengths.min()} bytes, expected {self.packed_bytes_max}")
        words, good = unpack(self.tables, packets.table(self.packed_bytes_max))
        check_good(good)
        return read_words(self.tables, words)

    def estimate(self, packets: Packets) -> Array:
        """Return x_hat (packets · W, N) on the codec's own scale, of flagged vectors the coarse one."""
        read = self._read(packets)
        coefficients, host = np.zeros((len(read.support), self.width)), self.host
        if self.tables.code == "range":
            self._place_indices(coefficients, read)
            return coefficients @ host["decoder"].T
        for coarse, rows in (("", ~read.flagged), ("coarse_", read.flagged)):
            own = np.flatnonzero(rows & ~read.alone)
            if self.tables.code == "lloyd" and own.size:
                self._place(coefficients, read, own, _of_cells(host[f"{coarse}points"], read.cells[own]))
            elif own.size:
                number, signs = np.divmod(read.cells[own, 0], 4)
                sign = 1.0 - 2 * np.stack([signs >> 1, signs & 1], axis=1)
                self._place(coefficients, read, own, host[f"{coarse}plane_points"][number] * sign)
            lone = np.flatnonzero(rows & read.alone)
            if lone.size:
                number, signs = np.divmod(read.cells[lone, 0], 2)
                coefficients[lone, read.support[lone]] = host[f"{coarse}axis_points"][number] * (1.0 - 2 * signs)
        return coefficients @ host["decoder"].T

    def _place(self, coefficients: Array, read: Read, rows: NDArray[np.intp], values: Array) -> None:
        """Put values (rows, S) at the supports of these rows."""
        coefficients[rows[:, None], self.tables.supports[read.support[rows]]] = values

    def _place_indices(self, coefficients: Array, read: Read) -> None:
        """Put what indices stand for at the places of their vectors."""
        table = self.host["index_points"]
        points, magnitude = table[read.flagged.astype(np.intp)], np.abs(read.cells)
        last = table.shape[1] - 1
        known = np.take_along_axis(points, np.minimum(magnitude, last), axis=1)
        values = np.sign(read.cells) * known * np.maximum(magnitude / last, 1)
        both = np.flatnonzero(~read.alone)
        self._place(coefficients, read, both, values[both])
        coefficients[read.alone, read.support[read.alone]] = values[read.alone, 0]

    def guarded(self, packets: Packets) -> NDArray[np.bool_] | None:
        """Return which source vectors (packets · W,) did not fit the model; None without a guard."""
        return self._read(packets).flagged if self.tables.limit else None

    def oracles(self) -> tuple[Oracle, ...]:
        """Return the definition, packet by packet."""
        return definition(packet_of, self.tables)

    def edges(self, packets: int, rng: np.random.Generator) -> Counts:
        """Return counts whose coefficients lie beside thresholds, some of them equal, loud, or far from the model."""
        tables, size = self.tables, packets * self.windows
        support = tables.supports[rng.integers(0, len(tables.supports), size)]
        cells = (tables.thresholds, tables.coarse, tables.axis, tables.plane, tables.coarse_axis, tables.coarse_plane)
        even = np.concatenate([*(table.ravel() for table in cells), range_code.boundaries(tables)]).astype(np.float64)
        edges = np.concatenate([np.zeros(1), even, -even])
        values = edges[rng.integers(0, len(edges), (size, tables.sparsity))] + rng.integers(-1, 2, (size, 1))
        values[rng.random(size) < 0.1] = values.max(initial=1.0)
        y = np.einsum("fsm,fs->fm", tables.phi.astype(np.float64)[support], values) / 2.0 ** (tables.fit_shift)
        y += (rng.random((size, 1)) < 0.2) * rng.normal(0, max(tables.limit, 1) ** 0.5, y.shape)
        adc = self.bundle.manifest.adc
        counts = np.rint(y / 2.0**tables.align + rng.uniform(-1, 1, y.shape)) + tables.centre
        return counts.clip(adc.low, adc.high).astype(np.int16).reshape(packets, self.inputs)

    def explain(self, packet: Raw) -> tuple[int, ...]:
        """Return of each vector: 1 if it is flagged, the places of its coefficients, and their cells.

        A lone coefficient names its place twice, and −1 behind its cell, in the code range 0. There cells are signed.
        """
        read = self._read(Packets.of([packet]))
        places = self.tables.supports[np.where(read.alone, 0, read.support)]
        places[read.alone] = read.support[read.alone, None]
        rows = np.concatenate([read.flagged[:, None], places, read.cells], axis=1)
        return tuple(rows.astype(np.int64).ravel().tolist())

    def c_files(self) -> dict[str, str]:
        """Return the C text that the tables make."""
        number, about = codecs.find_family(self.kind).number, f"{self._search_words()}, {self._code_words()}."
        return c_files(self.name, self.bundle.manifest.model_id, self.tables, about, number, self.sensor_macros())

    def describe(self) -> dict[str, str]:
        """Return search, code, guard and packets in words."""
        tables = self.tables
        return {
            "search": self._search_words(),
            "code": self._code_words(),
            "guard": self._guard_words(),
            "rate": self._rate_words(),
            "integers": f"phi {tables.phi_bits} fraction bits, pairs {tables.pair_bits}; no input overflows",
        }  # fmt: skip

    def _search_words(self) -> str:
        tables = self.tables
        return f"all {len(tables.supports)} supports of {tables.sparsity} among {tables.entries} coefficients"

    def _code_words(self) -> str:
        tables = self.tables
        if tables.code == "range":
            step = 2**tables.index_shift / tables.multiplier
            return f"indices of a step of {step:.1f} through a range coder, 0 below {tables.least}"
        if tables.code == "lloyd":
            return f"{tables.levels} cells per coefficient, {tables.plain_words} words"
        return f"{len(tables.plane)} points in a quadrant, {len(tables.axis)} on an axis, {tables.plain_words} words"

    def _guard_words(self) -> str:
        if not self.tables.limit:
            return "none"
        tables = self.tables
        coarse = f"a step {2**tables.coarse_shift} times as wide"
        if tables.code == "lloyd":
            coarse = f"{tables.coarse_levels} cells per coefficient"
        elif tables.code == "plane":
            coarse = f"{len(tables.coarse_plane)} points in a quadrant, {len(tables.coarse_axis)} on an axis"
        return f"a residual above {tables.limit} is flagged, {coarse}"

    def _rate_words(self) -> str:
        tables, most = self.tables, self.packed_bytes_max
        vectors = f"packet of {tables.windows} {'vector' if tables.windows == 1 else 'vectors'}"
        if tables.code == "range":
            mean = self.rate_bits * self.width * tables.windows / 8
            return f"{self.rate_bits:.4g} bits/entry in whole bytes, measured: {mean:.1f} per {vectors}, at most {most}"
        return (f"{self.rate_bits:g} bits/entry: {tables.windows * tables.bits} bits in {most} bytes per {vectors}, "
                f"{8 * most / (tables.windows * self.width):g} in whole bytes")  # fmt: skip

    def cost(self) -> dict[str, int]:
        """Return bytes and multiplications of one encode that are the same on every core."""
        tables = self.tables
        own = sum(table.nbytes for table in tables.arrays.values())
        return {**super().cost(), "table_bytes": own, "multiplications": tables.multiplications}


def _of_cells(points: Array, cells: NDArray[np.int64]) -> Array:
    """Return what cells are rebuilt as: points of magnitudes, the negative ones below the middle."""
    return np.concatenate([-points[::-1], points])[cells]


def read(bundle: Bundle) -> SparseCodec:
    """Return the codec of a sparse bundle. Raises QcsError if its tables are not those that its id names."""
    facts, manifest, arrays = bundle.manifest.codec, bundle.manifest, bundle.arrays
    assert isinstance(facts, Facts)
    adc, signal, grid = manifest.adc, manifest.signal, grid_of(manifest.signal, manifest.adc)
    found = model_id(facts, manifest.windows, adc, grid, arrays)
    if found != manifest.model_id:
        raise bundle.fail(f"tables.npz is of model {found}, manifest.json of {manifest.model_id}")
    try:
        numbers = {"inputs": signal.m, "entries": signal.n, "windows": manifest.windows, "low": adc.low,
                   "high": adc.high, **facts.numbers}  # fmt: skip
        tables = take(numbers, arrays, HOST)
        host = _host(tables, arrays)
    except QcsError as error:
        raise bundle.fail(f"tables.npz does not go with manifest.json: {error}") from None
    bundle.check_equal("inputs", manifest.inputs, tables.windows * tables.inputs)
    bundle.check_equal("packed_bytes_max", manifest.packed_bytes_max, tables.packed_bytes)
    if tables.code != "range":
        bundle.check_equal("rate_bits", manifest.rate_bits, tables.bits / signal.n)
    bundle.check_equal("codec.centre", facts.centre, grid.centre_counts, "its adc")
    return SparseCodec(bundle, facts, tables, host)


def _host(tables: Tables, arrays: Mapping[str, NDArray[Any]]) -> dict[str, Array]:
    """Return the decoder's tables. Raises QcsError that names one that does not go with the integers."""
    shapes: dict[str, tuple[int | None, ...]] = {"decoder": (tables.entries, tables.entries)}
    if tables.code == "range":
        shapes["index_points"] = (2 if tables.limit else 1, None)
    elif tables.code == "plane":
        shapes |= {"plane_points": tables.plane.shape, "axis_points": tables.axis.shape}
        shapes |= {"coarse_axis_points": tables.coarse_axis.shape} if tables.limit else {}
        shapes |= {"coarse_plane_points": tables.coarse_plane.shape} if tables.coarse_plane.size else {}
    else:
        shapes["points"] = (tables.levels // 2,)
        shapes |= {"coarse_points": (tables.coarse_levels // 2,)} if tables.limit else {}
    host: dict[str, Array] = {name: take_table(arrays, name, np.float64, shape) for name, shape in shapes.items()}
    for name, table in host.items():
        check_finite(name, table)
    if tables.code == "range" and host["index_points"].shape[1] < 2:
        raise QcsError("index_points: they end before the magnitude 1")
    if set(arrays) - set(tables.arrays) != set(host):
        raise QcsError(f"it holds {', '.join(sorted(set(arrays) - set(tables.arrays) ^ set(host)))} beside them")
    return host
