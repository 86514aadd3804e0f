"""Code range: packets of as many bytes as their vectors need, by the static range coder. docs/sparse.md, section 4.

Read.cells are signed indices. One that is 0 has no place: of two coefficients the one that is left comes first.
"""

import numpy as np
from numpy.typing import NDArray

from qcskit.codec.interface import Packets
from qcskit.codec.range_coder import MOST_INDEX, TOTAL, Reader, Writer, raw_of, symbol_ends, symbol_of
from qcskit.codec.sparse.search import Found
from qcskit.codec.sparse.tables import MOST_MAGNITUDE, Ints, Tables
from qcskit.codec.sparse.words import Read

_BATCH = 4096
"""Packets in lockstep: what fits caches."""


def read_of(tables: Tables, found: Found) -> Read:
    """Return what is sent of what a search found (vectors)."""
    cells, support = tables.indices(found.values, found.over[:, None]), found.support
    alone = np.zeros(len(cells), np.bool_)
    if tables.sparsity == 2:
        alone = (cells != 0).sum(axis=1) == 1
        place = np.take_along_axis(tables.supports[support], np.abs(cells).argmax(axis=1)[:, None], axis=1)[:, 0]
        cells = np.where((cells[:, :1] == 0), cells[:, ::-1], cells)
        support = np.where(alone, place, support)
    return Read(np.where(cells[:, 0] == 0, 0, support), cells, found.over, alone)


def encode(tables: Tables, read: Read) -> Packets:
    """Return the packets of what vectors (packets · W) are sent as; empty where no room is, which no search gives."""
    size = _BATCH * tables.windows
    starts = range(0, len(read.support), size)
    return Packets.join([_encode(tables, read.part(slice(start, start + size))) for start in starts])


def _encode(tables: Tables, read: Read) -> Packets:
    packets = len(read.support) // tables.windows
    writer, everyone = Writer(packets, tables.packed_bytes), np.arange(packets)
    ends = symbol_ends(tables.symbols)
    symbols, raw = symbol_of(np.abs(read.cells)), raw_of(np.abs(read.cells), read.cells < 0)
    for window in range(tables.windows):
        own = slice(window, None, tables.windows)
        flagged, support, alone = read.flagged[own], read.support[own], read.alone[own]
        if tables.limit:
            pass_end = TOTAL - tables.flag
            writer.symbol(everyone, np.where(flagged, pass_end, 0), np.where(flagged, TOTAL, pass_end))
        lanes = everyone
        for k in range(tables.sparsity):
            symbol, table = symbols[own, k][lanes], k + tables.sparsity * flagged[lanes]
            parts = np.stack([ends[table, symbol], ends[table, symbol + 1]], axis=1)
            writer.index(lanes, parts, symbol, (raw[0][own, k][lanes], raw[1][own, k][lanes]))
            lanes = lanes[symbol > 0]
        _put_places(tables, writer, support, (read.cells[own] != 0).any(axis=1), alone)
    payload = writer.end()
    return Packets.rows(payload.rows, np.where(payload.fits, payload.lengths, 0))


def _put_places(tables: Tables, writer: Writer, support: Ints, some: NDArray[np.bool_],
                alone: NDArray[np.bool_]) -> None:  # fmt: skip
    both, lone = np.flatnonzero(some & ~alone), np.flatnonzero(alone)
    writer.equal(both, support[both], len(tables.supports))
    writer.equal(lone, support[lone], tables.entries)


def decode(tables: Tables, packets: Packets) -> tuple[Read, NDArray[np.bool_]]:
    """Return what packets stand for, and which of them an encoder gives (packets,); any bytes give something."""
    room = max(int(packets.lengths.max(initial=0)), tables.packed_bytes)
    reader, count = Reader(packets.table(room)), len(packets) * tables.windows
    read = Read(np.zeros(count, np.int64), np.zeros((count, tables.sparsity), np.int64),
                np.zeros(count, np.bool_), np.zeros(count, np.bool_))  # fmt: skip
    for window in range(tables.windows):
        _read_vector(tables, reader, read.part(slice(window, None, tables.windows)))
    return read, ~packets.differ(encode(tables, read)) & _possible(tables, read).reshape(-1, tables.windows).all(axis=1)


def _read_vector(tables: Tables, reader: Reader, read: Read) -> None:
    """Read one vector of every packet into the views of `read`."""
    lanes = everyone = np.arange(len(read.support))
    if tables.limit:
        read.flagged[:] = reader.symbol(everyone, np.array([[TOTAL - tables.flag, TOTAL]], np.uint16)) == 1
    for k in range(tables.sparsity):
        symbol = reader.symbol(lanes, tables.symbols, k + tables.sparsity * read.flagged[lanes])
        read.cells[lanes, k] = reader.index(lanes, symbol)
        lanes = lanes[symbol > 0]
    read.alone[:] = (read.cells[:, 0] != 0) & (read.cells[:, -1] == 0)
    both, lone = np.flatnonzero((read.cells[:, 0] != 0) & ~read.alone), np.flatnonzero(read.alone)
    read.support[both] = reader.equal(both, len(tables.supports))
    read.support[lone] = reader.equal(lone, tables.entries)


def _possible(tables: Tables, read: Read) -> NDArray[np.bool_]:
    """Return which vectors have indices that a coefficient can have."""
    most = np.where(read.flagged, *(tables.indices(np.array(MOST_MAGNITUDE), coarse) for coarse in (True, False)))
    possible: NDArray[np.bool_] = np.abs(read.cells).max(axis=1) <= np.minimum(most, MOST_INDEX)
    return possible


def boundaries(tables: Tables) -> Ints:
    """Return magnitudes at which some index begins: the smallest ones, and few of the larger; none of another code."""
    if tables.code != "range":
        return np.zeros(0, np.int64)
    parts = [np.array([tables.least])]
    for shift in (tables.index_shift, tables.index_shift + tables.coarse_shift):
        index = np.concatenate([np.arange(1, 9), 1 << np.arange(4, 15)])
        begins = ((index << shift) - (1 << shift >> 1) + tables.multiplier - 1) // tables.multiplier
        parts.append(begins[begins <= MOST_MAGNITUDE])
    return np.concatenate(parts)
