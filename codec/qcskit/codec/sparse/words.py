"""Support and coefficients to words and bytes, and back: docs/sparse.md, sections 4 and 5.

A word is what one vector is sent as; W of them, `bits` each, least significant bit first, are a packet.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qcskit.codec.sparse.search import Found
from qcskit.codec.sparse.tables import MOST_MAGNITUDE, Ints, Tables


@dataclass(frozen=True)
class Read:
    """What vectors (any,) are sent as. support, cells (any, S): numbers; cells of a lone coefficient end with −1.

    flagged: beyond the guard, cells are coarse. alone: one of two coefficients, of which support is the place.
    """

    support: Ints
    cells: Ints
    flagged: NDArray[np.bool_]
    alone: NDArray[np.bool_]

    def part(self, own: slice) -> "Read":
        """Return some vectors, as views."""
        return Read(self.support[own], self.cells[own], self.flagged[own], self.alone[own])


def words_of(tables: Tables, found: Found) -> Ints:
    """Return the words (vectors,) of what a search found."""
    if tables.code == "plane":
        plain, coarse = _plane_words(tables, found, False), _plane_words(tables, found, True) if tables.limit else 0
    else:
        plain, coarse = _cell_words(tables.thresholds, found), _cell_words(tables.coarse, found)
    return np.where(found.over, tables.plain_words + coarse, plain)


def _cell_words(thresholds: NDArray[np.int16], found: Found) -> Ints:
    word, half = found.support, len(thresholds) + 1
    for value in found.values.T:
        sign = value >> 63
        word = word * (2 * half) + half + (np.searchsorted(thresholds, value ^ sign, side="right") ^ sign)
    return word


def _points(tables: Tables, coarse: bool) -> tuple[Ints, Ints]:
    """Return points in the plane and on its axes, of plain or of flagged vectors."""
    plane, axis = (tables.coarse_plane, tables.coarse_axis) if coarse else (tables.plane, tables.axis)
    return plane.astype(np.int64), axis.astype(np.int64)


def _plane_words(tables: Tables, found: Found, coarse: bool) -> Ints:
    magnitude = np.minimum(np.abs(found.values), MOST_MAGNITUDE)
    negative = (found.values < 0).astype(np.int64)
    points, axis = _points(tables, coarse)
    far = np.full((len(magnitude), 1), 2 * MOST_MAGNITUDE**2 + 1)  # of all points none, if there are none
    both = np.stack([(magnitude[:, 0] - a) ** 2 + (magnitude[:, 1] - b) ** 2 for a, b in points] or [far[:, 0]], axis=1)
    number = both.argmin(axis=1)
    word = (found.support * len(points) + number) * 4 + 2 * negative[:, 0] + negative[:, 1]
    least = both.min(axis=1)
    base = 4 * len(points) * len(tables.supports)
    for place in (0, 1):
        kept, dropped = magnitude[:, place], magnitude[:, 1 - place]
        alone = (kept[:, None] - axis) ** 2
        distance = alone.min(axis=1) + dropped**2
        entry = tables.supports[found.support, place]
        nearer = distance < least
        single = base + (entry * len(axis) + alone.argmin(axis=1)) * 2 + negative[:, place]
        word, least = np.where(nearer, single, word), np.where(nearer, distance, least)
    return word


def read_words(tables: Tables, words: Ints) -> Read:
    """Return what valid words (any,) stand for."""
    flagged = words >= tables.plain_words
    beyond = words - tables.plain_words
    if tables.code == "lloyd":
        plain = _split(words, tables.levels, tables.sparsity)
        coarse = _split(beyond, tables.coarse_levels, tables.sparsity)
    else:
        plain, coarse = _split_plane(tables, words, False), _split_plane(tables, beyond, True)
    support, alone = (np.where(flagged, coarse[k], plain[k]) for k in (0, 2))
    return Read(support, np.where(flagged[:, None], coarse[1], plain[1]), flagged, alone.astype(np.bool_))


def _split(words: Ints, levels: int, count: int) -> tuple[Ints, Ints, NDArray[np.bool_]]:
    cells = []
    for _ in range(count):
        words, cell = np.divmod(words, levels)
        cells.append(cell)
    return words, np.stack(cells[::-1], axis=1), np.zeros(len(words), np.bool_)


def _split_plane(tables: Tables, words: Ints, coarse: bool) -> tuple[Ints, Ints, NDArray[np.bool_]]:
    """Return supports, cells and which are alone; a cell: 4 · point + signs, or 2 · point + sign."""
    pairs = len(tables.supports)
    plane, axis = _points(tables, coarse)
    size, lone = 4 * len(plane), max(2 * len(axis), 1)
    alone = words >= size * pairs
    both, single = np.divmod(words, max(size, 1)), np.divmod(words - size * pairs, lone)
    support, cell = (np.where(alone, one, two) for one, two in zip(single, both, strict=True))
    return support, np.stack([cell, np.full(len(words), -1)], axis=1), alone


def pack(tables: Tables, words: Ints) -> NDArray[np.uint8]:
    """Return packets (packets, bytes) of words (packets · W,)."""
    bits = (words.reshape(-1, tables.windows, 1) >> np.arange(tables.bits)) & 1
    stream = bits.astype(np.uint8).reshape(-1, tables.windows * tables.bits)
    return np.packbits(stream, axis=1, bitorder="little")


def unpack(tables: Tables, rows: NDArray[np.uint8]) -> tuple[Ints, NDArray[np.bool_]]:
    """Return the words (packets · W,) of packets (packets, bytes), and which packets an encoder gives (packets,)."""
    stream = np.unpackbits(rows, axis=1, bitorder="little")
    used = tables.windows * tables.bits
    bits = stream[:, :used].reshape(-1, tables.windows, tables.bits).astype(np.int64)
    words = (bits << np.arange(tables.bits)).sum(axis=2)
    good = (words < tables.words).all(axis=1) & ~stream[:, used:].any(axis=1)
    return words.ravel(), good
