"""Tables of the pair kernel (firmware/src/qcs_int8_pair.c): one multiplication serves two rows; for Armv6-M and RV32.

A word W = a + 2^16 b holds the weights of two rows. Over two columns P = W0·x0 + W1·x1 = A + 2^16 B, and
|A|, |B| <= 2·127·128 < 2^15, so B is P / 2^16 rounded. The kernel sums T = ΣP (modulo 2^32) and U = ΣB and ends with
accumulators U and T − 2^16 U: two multiplications and four additions for four products, whatever the weights are.

A multiplier M < 2^31 is held as M = 2^21 m2 + 2^10 m1 + m0: (((acc·m0 >> 10) + acc·m1) >> 11) + acc·m2 is
acc·M / 2^21 rounded down, in 32 bits if |acc| < 2^20. Layers with larger accumulators, and those with a requantization
shift that is not 1 … 31 to the right, say so in their head and are requantized by 64-bit products.
"""

import numpy as np
from numpy.typing import NDArray

from qcskit.codec.learned.int8 import Int8Layer, Int8Tables
from qcskit.codec.learned.kernels.layout import (
    Layout,
    LayoutError,
    Order,
    Words,
    as_words,
    padded,
    round_up,
    row_reach,
    take,
)

ROWS, COLUMNS = 4, 2
_SMALL_REACH = 1 << 20
_WIDE = 1
"""Head of a hidden layer whose requantization needs 64 bits; as in qcs_int8_pair.c."""


def pair_layout(tables: Int8Tables) -> Layout:
    """Return the streams of a model. Raises LayoutError if an accumulator can exceed 32 bits."""
    hidden = tuple(_hidden_stream(layer, number) for number, layer in enumerate(tables.hidden))
    # Layers write to two buffers in turn, whole groups of rows; counts are quantized into the second one.
    sizes = [round_up(width, ROWS) for width in tables.widths]
    first, second = max(sizes[0::2]), max(sizes[1::2])
    second = max(second, round_up(tables.inputs, 4) // 4)
    return Layout(hidden, _last_stream(tables), first, 4 * (first + second))


def _hidden_stream(layer: Int8Layer, number: int) -> Words:
    """Head; per four rows T, T', U, U' and weights; per row m0 + 2^16 m1 and right shift + 2^8 m2."""
    reach = _checked_reach(row_reach(layer.weights, layer.bias), f"hidden layer {number}")
    right = -layer.shift.astype(np.int64)
    small = reach < _SMALL_REACH and right.min() >= 1
    rows = padded(len(layer.weights), ROWS)
    multiplier = layer.multiplier.astype(np.int64)
    low = (multiplier & 0x3FF) | (multiplier >> 10 & 0x7FF) << 16
    high = (right & 0xFF) | multiplier >> 21 << 8
    constants = as_words(np.stack([low, high], axis=1).ravel())
    head = as_words(np.array([0 if small else _WIDE]))
    return np.concatenate([head, *_groups(layer.weights, take(layer.bias, rows), rows), constants])


def _last_stream(tables: Int8Tables) -> Words:
    """Per four rows T, T', U, U' (zeros) and weights; then the thresholds of each row."""
    _checked_reach(row_reach(tables.weights), "last layer")
    rows = padded(tables.outputs, ROWS)
    words = _groups(tables.weights, np.zeros(len(rows), np.int64), rows)
    return np.concatenate([*words, as_words(tables.thresholds.astype(np.int64).ravel())])


def _groups(weights: NDArray[np.int8], bias: NDArray[np.int64], rows: Order) -> list[Words]:
    """Return the words of each four rows: sums to start from, then per two columns those of rows a, b and of c, d."""
    matrix = take(take(weights, rows), padded(weights.shape[1], COLUMNS), axis=1)
    words = []
    for start in range(0, len(rows), ROWS):
        a, b, c, d = bias[start : start + ROWS]
        words.append(as_words(np.array([a + (b << 16), c + (d << 16), b, d])))
        pairs = matrix[start : start + ROWS].reshape(2, 2, -1, COLUMNS)  # pair, row of it, columns
        words.append(as_words((pairs[:, 0] + (pairs[:, 1] << 16)).transpose(1, 0, 2).ravel()))
    return words


def _checked_reach(reach: int, where: str) -> int:
    if reach >= 1 << 31:
        raise LayoutError(f"{where}: an accumulator can exceed 32 bits")
    return reach
