"""From counts to indices: sections 1 and 2 of docs/transform.md, on whole arrays."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from qcskit.codec.range_coder import MOST_INDEX
from qcskit.codec.transform.network import network_sums
from qcskit.codec.transform.tables import TOO_LARGE, Ints, Tables

_MOST_MAGNITUDE = (1 << 20) - 1


def kept(tables: Tables, counts: NDArray[np.integer[Any]]) -> Ints:
    """Return the samples (packets · W, n) that are sent, of counts (packets, inputs)."""
    return counts.reshape(-1, tables.samples * tables.stride)[:, :: tables.stride].astype(np.int64)


def accumulate(tables: Tables, counts: NDArray[np.integer[Any]]) -> Ints:
    """Return acc (packets · W, K) of counts (packets, inputs), in the order of the coefficients."""
    return sums_of(tables, np.clip(kept(tables, counts) - tables.centre, -32768, 32767))


def sums_of(tables: Tables, x: Ints) -> Ints:
    """Return acc (windows, K) of kept samples (windows, n), int16 about the centre."""
    if tables.fast:
        return network_sums(tables.network, x)
    # Every sum is below 2^31, so doubles hold it exactly and BLAS may add in any order.
    return (x.astype(np.float64) @ tables.matrix.T.astype(np.float64)).astype(np.int64)


def quantize(tables: Tables, acc: Ints, quality: int = 0) -> Ints:
    """Return the indices of acc, any shape; ±TOO_LARGE where none fits."""
    a = np.abs(acc) >> tables.accumulator_shift
    magnitude = (a * tables.multiplier + (tables.rounding << quality)) >> (tables.index_shift + quality)
    return np.sign(acc) * np.where((a > _MOST_MAGNITUDE) | (magnitude > MOST_INDEX), TOO_LARGE, magnitude)


def thresholds(tables: Tables, index: Ints) -> Ints:
    """Return the least |acc| whose index, without rate control, has this magnitude (>= 1), any shape."""
    a = -(-((index << tables.index_shift) - tables.rounding) // tables.multiplier)
    return a << tables.accumulator_shift
