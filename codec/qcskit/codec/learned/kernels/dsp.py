"""Tables of the DSP kernel (firmware/src/qcs_int8_dsp.c): four rows in three multiply-accumulates.

SMLAD adds two 16-bit products to a 32-bit sum, and a halfword has room for two int8 weights, w + 256 w'. The rows a, b,
c, d of a group are chained: three sums

    L1 = A + 256 B,   L2 = B + 256 C,   L3 = C + 256 D        (A = accumulator of row a, and so on)

determine all four accumulators, because L1 − 256 L2 + 2^16 L3 = A + 2^24 D: its low 24 bits as a signed number are A if
|A| < 2^23, and then B = (L1 − A) / 256 and so on. A multiply-accumulate costs 3/8 of an instruction plus loads.

The kernel holds activations doubled (int16): its sums are 2·acc, which SMMLAR rounds as TFLM's first rounding does. The
second one is ((v − (acc < 0)) + C) >> right with C = (257 + 2 zero_point) · 2^right / 2, saturated to 0 … 255: an index
into the activation table.
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

ROWS = 4
THRESHOLDS_AT_ONCE = 3
PAD_THRESHOLD = 1 << 30
"""Never reached: |2 acc| < 2^23."""

_CHUNKS, _CHUNK_BYTES = 5, 32
_ODD, _SMALL, _DOUBLE = 1, 2, 4
_SMALL_PAIRS = 5
_LAST_GROUP = 256
"""As in qcs_int8_dsp.c."""

_REACH = (1 << 31) // 514
"""|2 (A + 256 B)| < 2^31 for accumulators up to this; it also keeps |2 A| below 2^23."""


def dsp_layout(tables: Int8Tables) -> Layout:
    """Return the streams of a model. Raises LayoutError if a bound of the kernel does not hold."""
    columns = _input_order(tables.inputs)
    widest, hidden = len(columns), []
    for number, layer in enumerate(tables.hidden):
        rows = _row_order(layer)
        doubled = number + 1 < len(tables.hidden)
        hidden.append(_hidden_stream(layer, rows, columns, number, doubled))
        columns = rows
        widest = max(widest, len(rows))
    rows = padded(tables.outputs, ROWS)
    last = _last_stream(tables, rows, columns)
    # The last layer leaves one word per four indices in the half it does not read.
    widest = round_up(max(widest, len(rows) // 2), 2)
    return Layout(tuple(hidden), last, widest, 2 * 2 * widest)


def _input_order(inputs: int) -> Order:
    """Return the order in which the kernel widens the input: SXTB16 takes bytes 0, 2 then 1, 3 of each word."""
    whole = inputs // 4 * 4
    fours = np.arange(whole).reshape(-1, 4)[:, [0, 2, 1, 3]].ravel()
    return np.concatenate([fours, whole + padded(inputs - whole, 2)]) if inputs > whole else fours


def _row_order(layer: Int8Layer) -> Order:
    """Return the order in which rows 0 and 1, rows 2 and 3 and so on have one shift; padded to groups."""
    shifts = layer.shift.astype(np.int64)
    runs = [np.flatnonzero(shifts == shift) for shift in np.unique(shifts)]
    order = np.concatenate([np.pad(run, (0, len(run) % 2), constant_values=-1) for run in runs])
    return np.pad(order, (0, -len(order) % ROWS), constant_values=-1)


def _hidden_stream(layer: Int8Layer, rows: Order, columns: Order, number: int, doubled: bool) -> Words:
    """Per four rows: three sums of 2·bias, weights; per two of them: two multipliers, constant C, right shift."""
    where = f"hidden layer {number}"
    _check_reach(row_reach(layer.weights, layer.bias), where)
    # The first of two rows is never padding, unless both are.
    right = -take(layer.shift, rows, fill=-1)[::2]
    if right.min() < 1 or right.max() > 20:
        raise LayoutError(f"{where}: a requantization shift is not 1 to 20 to the right")
    weights = take(take(layer.weights, rows), columns, axis=1)
    bias = 2 * take(layer.bias, rows)
    multipliers = take(layer.multiplier, rows).reshape(-1, 2)
    constants = np.column_stack([multipliers, (257 + 2 * layer.zero_point << right) >> 1, right])
    constants[-1, -1] += _LAST_GROUP
    words = []
    for group in range(len(rows) // ROWS):
        four, two = slice(ROWS * group, ROWS * (group + 1)), slice(2 * group, 2 * group + 2)
        words += [as_words(_chained(bias[four])), _weights(weights[four]), as_words(constants[two].ravel())]
    return _with_head(words, len(rows) // ROWS, len(columns) // 2, _DOUBLE if doubled else 0)


def _last_stream(tables: Int8Tables, rows: Order, columns: Order) -> Words:
    """Per four rows: three zeros, weights, the thresholds of each row, padded to a multiple of three."""
    reach = row_reach(tables.weights)
    _check_reach(reach, "last layer")
    weights = take(take(tables.weights, rows), columns, axis=1)
    scale = 1 if tables.hidden else 2  # the input is doubled, what a last hidden layer writes is not
    # A padding row must give index 0: its bits are the unused ones of the last byte.
    thresholds = scale * take(tables.thresholds.astype(np.int64).clip(-reach, reach + 1), rows, fill=PAD_THRESHOLD // 2)
    fill = np.full((len(rows), -thresholds.shape[1] % THRESHOLDS_AT_ONCE), PAD_THRESHOLD)
    thresholds = np.concatenate([thresholds, fill], axis=1)
    words = []
    for start in range(0, len(rows), ROWS):
        group = slice(start, start + ROWS)
        words += [as_words(np.zeros(3, np.int64)), _weights(weights[group]), as_words(thresholds[group].ravel())]
    size = sum(map(len, words))
    return _with_head(words, size, len(columns) // 2, 0, thresholds.shape[1])


def _with_head(words: list[Words], size: int, pairs: int, flags: int, steps: int = 0) -> Words:
    """Return head_t of qcs_int8_dsp.c and the words."""
    if pairs == _SMALL_PAIRS:
        flags |= _SMALL
    elif pairs % 2:
        flags |= _ODD
    chunks = pairs // 2
    rounds = max(1, -(-chunks // _CHUNKS))
    skip = (rounds * _CHUNKS - chunks) * _CHUNK_BYTES + 1
    return np.concatenate([as_words(np.array([size, flags, rounds, skip, steps])), *words])


def _check_reach(reach: int, where: str) -> None:
    if reach >= _REACH:
        raise LayoutError(f"{where}: an accumulator can reach {reach}, chained sums hold {_REACH - 1}")


def _chained(rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return A + 256 B, B + 256 C, C + 256 D of four rows (4, …) as (3, …)."""
    sums: NDArray[np.int64] = rows[:-1] + 256 * rows[1:]
    return sums


def _weights(rows: NDArray[np.int64]) -> Words:
    """Return the words of four rows of weights (4, columns): per two columns the three chained halfword pairs."""
    chained = _chained(rows)
    if np.abs(chained).max(initial=0) > 32767:
        raise LayoutError("a chained pair of weights exceeds 16 bits")
    pairs = chained.reshape(3, -1, 2)
    words = (pairs[..., 0] & 0xFFFF) | (pairs[..., 1] & 0xFFFF) << 16
    return as_words(words.T.ravel())
