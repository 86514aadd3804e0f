"""A bundle of a sparse codec: its part of the manifest, and the codec that its tables make.

tables.npz: the integers of docs/sparse.md, and for the host what cells are rebuilt as, `points` (L,) or `plane_points`
(p, 2) and `axis_points` (q,), `coarse_points`, and `decoder` (N, N), from coefficients at columns of unit norm to x.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from qcskit.codec import codecs
from qcskit.codec.arrays import check_finite, take_table
from qcskit.codec.bundle import Bundle, CodecFacts
from qcskit.codec.errors import QcsError
from qcskit.codec.files import tables_id
from qcskit.codec.interface import Array, Codec, Counts, Oracle, Packets, Raw
from qcskit.codec.sensor import Adc, CountGrid, grid_of
from qcskit.codec.sparse.c_text import c_files
from qcskit.codec.sparse.definition import packet_of
from qcskit.codec.sparse.search import aligned, search
from qcskit.codec.sparse.tables import Tables, take
from qcskit.codec.sparse.words import Read, pack, read_words, unpack, words_of

TABLES_VERSION = 1
"""Version of the integers' meaning; the model id depends on it."""
HOST = frozenset({"points", "plane_points", "axis_points", "coarse_points", "decoder"})
"""Tables that the decoder alone reads."""


class Facts(CodecFacts):
    """The sparse codec of a bundle: the numbers among its tables, named as in docs/sparse.md, and how it was fitted.

    limit: 0 without a guard.
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
    train_frames: int
    seed: int

    @property
    def numbers(self) -> dict[str, int]:
        """Those of the tables."""
        return self.model_dump(exclude={"kind", "train_frames", "seed"})


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

    def encode_counts(self, counts: NDArray[np.integer[Any]] | bytes) -> Packets:
        """Return the packets of ADC counts (packets, inputs)."""
        found = search(self.tables, aligned(self.tables, self.checked(counts)))
        return Packets.rows(pack(self.tables, words_of(self.tables, found)))

    def _read(self, packets: Packets) -> Read:
        if (packets.lengths < self.packed_bytes_max).any():
            raise QcsError(f"a packet has {packets.lengths.min()} bytes, expected {self.packed_bytes_max}")
        words, good = unpack(self.tables, packets.table(self.packed_bytes_max))
        if not good.all():
            raise QcsError(f"packet {int((~good).argmax())} is damaged: no encoder of this model gives it")
        return read_words(self.tables, words)

    def estimate(self, packets: Packets) -> Array:
        """Return x_hat (packets · W, N) on the codec's own scale, of flagged vectors the coarse one."""
        read = self._read(packets)
        coefficients, host = np.zeros((len(read.support), self.width)), self.host
        alone, flagged = np.flatnonzero(read.alone), np.flatnonzero(read.flagged)
        plain = np.flatnonzero(~(read.alone | read.flagged))
        if flagged.size:
            self._place(coefficients, read, flagged, host["coarse_points"][read.cells[flagged]])
        if self.tables.code == "lloyd":
            self._place(coefficients, read, plain, host["points"][read.cells[plain]])
        else:
            number, signs = np.divmod(read.cells[plain, 0], 4)
            sign = 1.0 - 2 * np.stack([signs >> 1, signs & 1], axis=1)
            self._place(coefficients, read, plain, host["plane_points"][number] * sign)
            number, signs = np.divmod(read.cells[alone, 0], 2)
            coefficients[alone, read.support[alone]] = host["axis_points"][number] * (1.0 - 2 * signs)
        return coefficients @ host["decoder"].T

    def _place(self, coefficients: Array, read: Read, rows: NDArray[np.intp], values: Array) -> None:
        """Put values (rows, S) at the supports of these rows."""
        coefficients[rows[:, None], self.tables.supports[read.support[rows]]] = values

    def guarded(self, packets: Packets) -> NDArray[np.bool_] | None:
        """Return which source vectors (packets · W,) did not fit the model; None without a guard."""
        return self._read(packets).flagged if self.tables.limit else None

    def oracles(self) -> tuple[Oracle, ...]:
        """Return the definition, packet by packet."""

        def encode(counts: Counts) -> Packets:
            return Packets.of([packet_of(self.tables, row) for row in counts.tolist()])

        return (Oracle("definition", "oracle", encode),)

    def edges(self, packets: int, rng: np.random.Generator) -> Counts:
        """Return counts whose coefficients lie beside thresholds, some of them equal, loud, or far from the model."""
        tables, size = self.tables, packets * self.windows
        support = tables.supports[rng.integers(0, len(tables.supports), size)]
        ends = [tables.thresholds, tables.coarse, tables.axis, tables.plane.ravel(), np.zeros(1)]
        edges = np.concatenate([*ends, -tables.axis, -tables.plane.ravel()]).astype(np.float64)
        values = edges[rng.integers(0, len(edges), (size, tables.sparsity))] + rng.integers(-1, 2, (size, 1))
        values[rng.random(size) < 0.1] = values.max(initial=1.0)
        y = np.einsum("fsm,fs->fm", tables.phi.astype(np.float64)[support], values) / 2.0 ** (tables.fit_shift)
        y += (rng.random((size, 1)) < 0.2) * rng.normal(0, max(tables.limit, 1) ** 0.5, y.shape)
        adc = self.bundle.manifest.adc
        counts = np.rint(y / 2.0**tables.align + rng.uniform(-1, 1, y.shape)) + tables.centre
        return counts.clip(adc.low, adc.high).astype(np.int16).reshape(packets, self.inputs)

    def explain(self, packet: Raw) -> tuple[int, ...]:
        """Return of each vector: 1 if it is flagged, the places of its coefficients, and their cells.

        A lone coefficient of the code plane names its place twice, and −1 behind its cell.
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
        used = tables.windows * tables.bits
        return {
            "search": self._search_words(),
            "code": self._code_words(),
            "guard": self._guard_words(),
            "rate": f"{self.rate_bits:g} bits/entry: {used} bits in {self.packed_bytes_max} bytes per packet of "
                    f"{tables.windows} {'vector' if tables.windows == 1 else 'vectors'}, "
                    f"{8 * self.packed_bytes_max / (tables.windows * self.width):g} in whole bytes",
            "integers": f"phi {tables.phi_bits} fraction bits, pairs {tables.pair_bits}; no input overflows",
        }  # fmt: skip

    def _search_words(self) -> str:
        tables = self.tables
        return f"all {len(tables.supports)} supports of {tables.sparsity} among {tables.entries} coefficients"

    def _code_words(self) -> str:
        tables = self.tables
        if tables.code == "lloyd":
            return f"{tables.levels} cells per coefficient, {tables.plain_words} words"
        return f"{len(tables.plane)} points in a quadrant, {len(tables.axis)} on an axis, {tables.plain_words} words"

    def _guard_words(self) -> str:
        if not self.tables.limit:
            return "none"
        return f"a residual above {self.tables.limit} is flagged, {self.tables.coarse_levels} cells per coefficient"

    def cost(self) -> dict[str, int]:
        """Return bytes and multiplications of one encode that are the same on every core."""
        tables = self.tables
        own = sum(table.nbytes for table in tables.arrays.values())
        return {**super().cost(), "table_bytes": own, "multiplications": tables.multiplications}


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
    bundle.check_equal("rate_bits", manifest.rate_bits, tables.bits / signal.n)
    bundle.check_equal("codec.centre", facts.centre, grid.centre_counts, "its adc")
    return SparseCodec(bundle, facts, tables, host)


def _host(tables: Tables, arrays: Mapping[str, NDArray[Any]]) -> dict[str, Array]:
    """Return the decoder's tables. Raises QcsError that names one that does not go with the integers."""
    shapes: dict[str, tuple[int, ...]] = {"decoder": (tables.entries, tables.entries)}
    if tables.code == "plane":
        shapes |= {"plane_points": tables.plane.shape, "axis_points": tables.axis.shape}
    else:
        shapes["points"] = (tables.levels,)
    if tables.limit:
        shapes["coarse_points"] = (tables.coarse_levels,)
    host: dict[str, Array] = {name: take_table(arrays, name, np.float64, shape) for name, shape in shapes.items()}
    for name, table in host.items():
        check_finite(name, table)
    if set(arrays) - set(tables.arrays) != set(host):
        raise QcsError(f"it holds {', '.join(sorted(set(arrays) - set(tables.arrays) ^ set(host)))} beside them")
    return host
