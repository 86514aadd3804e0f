"""What the coder knows of the indices: classes, contexts and symbol tables of the range coder, or Rice parameters.

Code lengths are whole numbers of 2^-16 bits, so that clustering comes out the same on every machine.
"""

import math
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qcskit.codec.range_coder import SYMBOLS, symbol_of, upper_ends
from qcskit.codec.transform.coder import contexts_of, end_positions
from qcskit.codec.transform.tables import CONTEXTS, Ints, Tables

TABLES = 20
"""Symbol tables: more gain nothing that can be measured."""
_CLASSES, _OWN_CLASS = 16, 6
_MOST_RICE = 14
_EXACT_BITS = 14
"""Numbers of more bits have their logarithm by interpolation, to 1e-9."""


def classes_of(rows: int) -> Ints:
    """Return the class of each row: its own while there are enough, later rows share one by octaves.

    >>> classes_of(20).tolist()
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 11, 12, 13, 13, 14, 14, 15, 15]
    """
    if rows <= _CLASSES:
        return np.arange(rows)
    octaves = math.log2(rows / _OWN_CLASS)
    return np.array([
        k if k < _OWN_CLASS
        else min(_CLASSES - 1, _OWN_CLASS + int(math.log2(k / _OWN_CLASS) / octaves * (_CLASSES - _OWN_CLASS)))
        for k in range(rows)
    ])  # fmt: skip


def range_tables(tables: Tables, index: Ints) -> dict[str, Any]:
    """Return `classes`, `contexts`, `symbols` and `ends`, trained on the indices (windows, K)."""
    position = end_positions(tables, index)
    classes = classes_of(tables.rows)
    cells = _histograms(tables, index, position, classes)
    seen = np.flatnonzero(cells.sum(axis=1))
    numbers = np.zeros(len(cells), np.int64)
    upper = [upper_ends(np.ones(SYMBOLS, np.int64))]
    if seen.size:
        label = clustered(cells[seen])
        upper = [upper_ends(cells[seen[label == number]].sum(axis=0)) for number in range(label.max() + 1)]
        numbers = label[_nearest_seen(len(cells), seen)]
    return {
        "classes": classes.astype(np.uint8),
        "contexts": numbers.reshape(-1, CONTEXTS).astype(np.uint8),
        "symbols": np.stack(upper).astype(np.uint16),
        "ends": upper_ends(np.bincount(position, minlength=tables.groups + 1)).astype(np.uint16),
    }


def _live(tables: Tables, position: Ints) -> NDArray[np.bool_]:
    """Return which coefficients (windows, K) are sent."""
    return np.arange(tables.rows) < (position * tables.group)[:, None]


def _histograms(tables: Tables, index: Ints, position: Ints, classes: Ints) -> Ints:
    """Return how often each symbol was sent in each cell (classes · contexts, symbols)."""
    symbols = symbol_of(np.abs(index))
    cells = classes * CONTEXTS + contexts_of(symbols)
    place = (cells * SYMBOLS + symbols)[_live(tables, position)]
    count = (int(classes.max()) + 1) * CONTEXTS
    return np.bincount(place, minlength=count * SYMBOLS).reshape(count, SYMBOLS)


def clustered(cells: Ints) -> Ints:
    """Return which table (0, 1 …) each histogram (cells, symbols) shares: the cheapest pair is merged till few stay."""
    counts, label, alive = cells.copy(), np.arange(len(cells)), np.ones(len(cells), bool)
    length = _lengths(1 << int(cells.sum()).bit_length())
    own = _cost(length, counts)
    never = np.iinfo(np.int64).max
    price = np.full((len(cells), len(cells)), never)
    for number in range(1, len(cells)):
        price[number, :number] = _cost(length, counts[:number] + counts[number]) - own[:number] - own[number]
    for _ in range(len(cells) - TABLES):
        gone, kept = divmod(int(price.argmin()), len(cells))
        counts[kept] += counts[gone]
        own[kept] = _cost(length, counts[kept])
        label[label == gone] = kept
        price[gone], price[:, gone] = never, never
        alive[gone] = False
        others = np.flatnonzero(alive & (np.arange(len(cells)) != kept))
        merged = _cost(length, counts[others] + counts[kept]) - own[others] - own[kept]
        price[np.maximum(others, kept), np.minimum(others, kept)] = merged
    return np.unique(label, return_inverse=True)[1]


def _cost(length: Ints, counts: Ints) -> Ints:
    """Return the code lengths of histograms (…, symbols), each with a table of its own."""
    total: Ints = length[counts.sum(axis=-1)] - length[counts].sum(axis=-1)
    return total


@lru_cache(maxsize=1)
def _logarithms() -> NDArray[np.float64]:
    return np.array([0.0, *(math.log2(n) for n in range(1, (1 << _EXACT_BITS) + 1))])


@lru_cache(maxsize=4)
def _lengths(end: int) -> Ints:
    """Return n log2 n in 2^-16 bits for n = 0 … end − 1: by table, above it between two entries."""
    n, table = np.arange(end), _logarithms()
    shift = np.maximum(np.frexp(n.astype(np.float64))[1] - _EXACT_BITS, 0)
    place = n >> shift
    beyond = np.ldexp((n - (place << shift)).astype(np.float64), -shift)
    slope = table[np.minimum(place + 1, len(table) - 1)] - table[place]
    return np.rint(n * (table[place] + shift + beyond * slope) * 65536).astype(np.int64)


def _nearest_seen(count: int, seen: Ints) -> Ints:
    """Return, per cell, the place in `seen` of the nearest cell: of its own class if one of it was seen."""
    cell = np.arange(count)[:, None]
    apart = np.abs(cell // CONTEXTS - seen // CONTEXTS) * CONTEXTS + np.abs(cell % CONTEXTS - seen % CONTEXTS)
    return apart.argmin(axis=1)


def rice_table(tables: Tables, index: Ints) -> dict[str, Any]:
    """Return `rice`, the parameter of each row that makes the indices (windows, K) shortest."""
    live, magnitude = _live(tables, end_positions(tables, index)), np.abs(index)
    bits = []
    for parameter in range(_MOST_RICE + 1):
        ones = magnitude >> parameter
        bits.append(np.where(live, np.where(ones < 15, ones + 1 + parameter, 30), 0).sum(axis=0))
    return {"rice": np.argmin(bits, axis=0).astype(np.uint8)}
