"""Support and coefficients to words and bytes, and back: docs/sparse.md, sections 2 and 4.

A word is what one vector is sent as; W of them, `bits` each, least significant bit first, are a packet.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qcskit.codec.sparse.search import Found
from qcskit.codec.sparse.tables import Ints, Tables

MOST_MAGNITUDE = 32767
"""Coefficients beyond are taken for it in the code plane."""


@dataclass(frozen=True)
class Read:
    """What words (any,) stand for. support, cells (any, S): numbers; cells of a lone coefficient end with −1.

    flagged: beyond the guard, cells are coarse. alone: one coefficient, of which support is the place.
    """

    support: Ints
    cells: Ints
    flagged: NDArray[np.bool_]
    alone: NDArray[np.bool_]


def words_of(tables: Tables, found: Found) -> Ints:
    """Return the words (vectors,) of what a search found."""
    plain = _plane_words(tables, found) if tables.code == "plane" else _cell_words(tables.thresholds, found)
    if not tables.limit:
        return plain
    return np.where(found.over, tables.plain_words + _cell_words(tables.coarse, found), plain)


def _cell_words(thresholds: NDArray[np.int16], found: Found) -> Ints:
    word = found.support
    for value in found.values.T:
        word = word * (len(thresholds) + 1) + np.searchsorted(thresholds, value, side="right")
    return word


def _plane_words(tables: Tables, found: Found) -> Ints:
    magnitude = np.minimum(np.abs(found.values), MOST_MAGNITUDE)
    negative = (found.values < 0).astype(np.int64)
    points, axis = tables.plane.astype(np.int64), tables.axis.astype(np.int64)
    both = np.stack([(magnitude[:, 0] - a) ** 2 + (magnitude[:, 1] - b) ** 2 for a, b in points], axis=1)
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
    coarse = _split(words - tables.plain_words, tables.coarse_levels, tables.sparsity)
    if tables.code == "lloyd":
        support, cells = _split(words, tables.levels, tables.sparsity)
        alone = np.zeros(len(words), np.bool_)
    else:
        support, cells, alone = _split_plane(tables, words)
    support, cells = np.where(flagged, coarse[0], support), np.where(flagged[:, None], coarse[1], cells)
    return Read(support, cells, flagged, alone & ~flagged)


def _split(words: Ints, levels: int, count: int) -> tuple[Ints, Ints]:
    cells = []
    for _ in range(count):
        words, cell = np.divmod(words, levels)
        cells.append(cell)
    return words, np.stack(cells[::-1], axis=1)


def _split_plane(tables: Tables, words: Ints) -> tuple[Ints, Ints, NDArray[np.bool_]]:
    """Return supports, cells and which are alone; a cell: 4 · point + signs, or 2 · point + sign."""
    pairs = len(tables.supports)
    size, lone = 4 * len(tables.plane), 2 * len(tables.axis)
    alone = words >= size * pairs
    both, single = np.divmod(words, size), np.divmod(words - size * pairs, lone)
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
