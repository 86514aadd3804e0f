"""Counts to support, coefficients and residual: docs/sparse.md, sections 1 to 3, for many vectors at once."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qcskit.codec.interface import Counts
from qcskit.codec.sparse.tables import Ints, Tables

_CHUNK_ENTRIES = 2_000_000


@dataclass(frozen=True)
class Found:
    """support (vectors,): its number; values (vectors, S): its coefficients; over (vectors,): beyond the guard."""

    support: Ints
    values: Ints
    over: NDArray[np.bool_]


def aligned(tables: Tables, counts: Counts) -> Ints:
    """Return y (vectors, M) of counts (packets, W · M)."""
    clamped = np.clip(counts.astype(np.int64), tables.low, tables.high)
    return ((clamped - tables.centre) << tables.align).reshape(-1, tables.inputs)


def search(tables: Tables, y: Ints) -> Found:
    """Return the best support of every y (vectors, M), the first one of several."""
    size = max(1, _CHUNK_ENTRIES // len(tables.supports))
    parts = [_search(tables, y[first : first + size]) for first in range(0, len(y), size)] or [_search(tables, y)]
    return Found(*(np.concatenate([getattr(part, name) for part in parts]) for name in ("support", "values", "over")))


def rounded_shift(values: Ints, bits: int) -> Ints:
    """Return values / 2^bits, halves upwards."""
    return (values + (1 << bits >> 1)) >> bits


def _search(tables: Tables, y: Ints) -> Found:
    c = rounded_shift(y @ tables.phi.astype(np.int64).T, 16)
    if tables.sparsity == 1:
        support = np.abs(c).argmax(axis=1)
        values = np.take_along_axis(c, support[:, None], axis=1)
    else:
        support, values = _best_pair(tables, c.astype(np.int32))
    return Found(support, values, _over(tables, y, support, values))


def _best_pair(tables: Tables, c: NDArray[np.int32]) -> tuple[Ints, Ints]:
    first, second = tables.supports.T
    u, v = tables.pairs.astype(np.int32).T
    half = np.int32(1 << tables.pair_bits >> 1)
    t = (u * c[:, second] - v * c[:, first] + half) >> tables.pair_bits
    support = (c[:, first] ** 2 + t * t).argmax(axis=1)
    lanes = np.arange(len(c))
    best, u, v = t[lanes, support].astype(np.int64), u[support].astype(np.int64), v[support].astype(np.int64)
    a_j = rounded_shift(u * best, tables.pair_bits)
    a_i = c[lanes, first[support]] - rounded_shift(v * best, tables.pair_bits)
    return support, np.stack([a_i, a_j], axis=1)


def _over(tables: Tables, y: Ints, support: Ints, values: Ints) -> NDArray[np.bool_]:
    """Return which residuals are beyond the limit."""
    if not tables.limit:
        return np.zeros(len(y), np.bool_)
    fit = np.einsum("fsm,fs->fm", tables.phi.astype(np.int64)[tables.supports[support]], values)
    r = rounded_shift((y << tables.fit_shift) - fit, tables.fit_shift + tables.residual_shift)
    over: NDArray[np.bool_] = (r**2).sum(axis=1) > tables.limit
    return over
