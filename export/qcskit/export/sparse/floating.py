"""The same codec searched in floating point, on measurements that no ADC touched: what integers and ADC lose by it."""

import numpy as np
from numpy.typing import NDArray

from qcskit.codec.metrics import nmse_db
from qcskit.codec.sensor import grid_of
from qcskit.codec.sparse.bundle import SparseCodec
from qcskit.codec.sparse.search import Found
from qcskit.codec.sparse.tables import Tables
from qcskit.export.sparse.integers import correlations

Array = NDArray[np.float64]
_CHUNK = 5000


def float_nmse_db(codec: SparseCodec, columns: Array, x: Array, y: Array) -> float:
    """Return the NMSE in dB of x (frames, N) from y (packets, W · M), both on the codec's own scale, through its cells.

    columns: of Φ Ψ at unit norm (M, N).
    """
    manifest = codec.bundle.manifest
    grid, tables = grid_of(manifest.signal, manifest.adc), codec.tables
    counts = y.reshape(-1, tables.inputs) / grid.step + grid.centre - tables.centre
    return nmse_db(x, codec.estimate(codec.packets_of(float_search(tables, columns, counts * 2.0**tables.align))))


def float_search(tables: Tables, columns: Array, y: Array) -> Found:
    """Return the best support of every y (vectors, M), on the scale of the integers, rounded only at the very end."""
    parts = [_search(tables, columns, y[first : first + _CHUNK]) for first in range(0, len(y), _CHUNK)]
    return Found(*(np.concatenate([getattr(part, name) for part in parts]) for name in ("support", "values", "over")))


def _search(tables: Tables, columns: Array, y: Array) -> Found:
    c, lanes = y @ columns, np.arange(len(y))
    if tables.sparsity == 1:
        support = np.abs(c).argmax(axis=1)
        values = c[lanes, support, None]
    else:
        first, second = tables.supports.T
        g = correlations(columns)
        u = 1 / np.sqrt(1 - g**2)
        t = u * (c[:, second] - g * c[:, first])
        support = (c[:, first] ** 2 + t**2).argmax(axis=1)
        a_j = u[support] * t[lanes, support]
        values = np.stack([c[lanes, first[support]] - g[support] * a_j, a_j], axis=1)
    residual = y - np.einsum("mfs,fs->fm", columns[:, tables.supports[support]], values)
    over = (residual**2).sum(axis=1) > tables.limit * 4.0**tables.residual_shift
    scaled = np.rint(values * 2.0 ** (tables.phi_bits - 16)).astype(np.int64)
    return Found(support, scaled, over & (tables.limit > 0))
