"""Tables of the MVE kernel (firmware/src/qcs_int8_mve.c): 16 products per instruction, requantization four at a time.

Rows stand in groups of four, columns in chunks of 16, padded with zeros; a chunk holds 16 weights of each of its rows.
VQRDMULH is TFLM's first rounding; the second is VRSHL of v − (v < 0), for right shifts of at least 1.
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

ROWS, COLUMNS = 4, 16
_RESIDENT_CHUNKS = 5
_PAD_THRESHOLD = (1 << 31) - 1


def mve_layout(tables: Int8Tables) -> Layout:
    """Return the streams of a model. Raises LayoutError if the kernel does not take it."""
    width, hidden = tables.inputs, []
    for number, layer in enumerate(tables.hidden):
        hidden.append(_hidden_stream(layer, number))
        width = max(width, len(layer.weights))
    # The last layer leaves one word per four indices in the half it does not read.
    widest = max(round_up(width, COLUMNS), round_up(tables.outputs, ROWS))
    return Layout(tuple(hidden), _last_stream(tables), widest, 2 * widest)


def _hidden_stream(layer: Int8Layer, number: int) -> Words:
    """Per four rows: biases, weights, multipliers, shifts."""
    right = -layer.shift.astype(np.int64)
    if right.min() < 1:
        raise LayoutError(f"hidden layer {number}: a requantization shift does not go right")
    if row_reach(layer.weights, layer.bias) >= 1 << 31:
        raise LayoutError(f"hidden layer {number}: an accumulator can exceed 32 bits")
    rows = padded(len(layer.weights), ROWS)
    weights = _padded_weights(layer.weights, rows)
    bias, multiplier, shift = (take(v, rows) for v in (layer.bias, layer.multiplier, layer.shift))
    words = []
    for start in range(0, len(rows), ROWS):
        group = slice(start, start + ROWS)
        words += [as_words(bias[group]), _weight_words(weights[group]), as_words(multiplier[group]),
                  as_words(shift[group])]  # fmt: skip
    return _with_head(words, weights.shape[1], len(rows), 0, 0, layer.zero_point)


def _last_stream(tables: Int8Tables) -> Words:
    """Per four rows: four zeros, weights, then the four first thresholds, the four second ones, and so on."""
    rows = padded(tables.outputs, ROWS)
    weights = _padded_weights(tables.weights, rows)
    # A padding row must give index 0: its bits are the unused ones of the last byte.
    thresholds = take(tables.thresholds, rows, fill=_PAD_THRESHOLD)
    words = []
    for start in range(0, len(rows), ROWS):
        group = slice(start, start + ROWS)
        words += [as_words(np.zeros(ROWS, np.int64)), _weight_words(weights[group]),
                  as_words(thresholds[group].T.ravel())]  # fmt: skip
    symbols, bits = tables.packing.group
    return _with_head(words, weights.shape[1], len(rows), thresholds.shape[1], bits if symbols == 1 else 8)


def _padded_weights(weights: NDArray[np.int8], rows: Order) -> NDArray[np.int64]:
    return take(take(weights, rows), padded(weights.shape[1], COLUMNS), axis=1)


def _weight_words(rows: NDArray[np.int64]) -> Words:
    """Return the chunks of four rows, last chunk first where the kernel keeps its input in registers."""
    chunks = rows.astype(np.int8).reshape(ROWS, -1, COLUMNS).transpose(1, 0, 2)
    if len(chunks) <= _RESIDENT_CHUNKS:
        chunks = chunks[::-1]
    return np.frombuffer(np.ascontiguousarray(chunks).tobytes(), "<u4").astype(np.uint32)


def _with_head(words: list[Words], columns: int, rows: int, steps: int, bits: int, zero_point: int = 0) -> Words:
    """Return chunks, thresholds per row, groups, zero point, the bit positions of four indices in a word, the words."""
    head = [columns // COLUMNS, steps, rows // ROWS, zero_point, *(bits * place for place in range(ROWS))]
    return np.concatenate([as_words(np.array(head)), *words])
