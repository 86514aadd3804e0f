"""The int8 encoder of `qcskit.codec.learned.int8`, several times faster in NumPy and exact by proof.

Floating point is only a carrier of integers here. In float64 a hidden layer computes, per output,

    r = Σ (w·m)·x + (b·m + 1/2 + c),  m = multiplier · 2^max(shift, 0) / 2^31,  c an integer,

where every term and every partial sum is a multiple of 2^-31. If Σ |w|·128·m + |b·m + 1/2 + c| < 2^22, all of them
have at most 53 significant bits: nothing is rounded, in whatever order BLAS adds. floor(r) − c is then TFLM's first
rounding of the requantization; the second one, the clamp and the activation are a table of it. The last layer
compares the accumulator itself, an integer below 2^24 (float32) or 2^53 (float64). `plan` checks these bounds from
the weights and takes the int64 path of `qcskit.codec.learned.int8` for each layer that does not hold them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qcskit.codec.learned import int8
from qcskit.codec.learned.int8 import INT8_MAX, INT8_MIN, Int8Layer, Int8Tables

CHUNK_FRAMES = 1024
"""Frames per pass: the working set of a 50-wide layer stays in the second-level cache."""

MAX_TABLE = 1 << 20
"""Entries of one layer's requantization table; larger ones (right shift above 11) go the int64 way."""

_EXACT_SUM = float(1 << 22)
"""Multiples of 2^-31 below 2^22 in magnitude have at most 53 significant bits."""

Floats = NDArray[np.floating[Any]]
Layer = Callable[[Floats], Floats]
"""One hidden layer on a chunk (frames, inputs) of int8 values held as floats."""


@dataclass(frozen=True)
class Plan:
    """How one encoder is computed: a function per hidden layer, and the last layer's weights and thresholds.

    proven: per hidden layer, whether the floating-point bound holds (False: computed in int64).
    """

    hidden: tuple[Layer, ...]
    proven: tuple[bool, ...]
    last: Floats
    thresholds: Floats
    inputs: int


def encode_index(tables: Int8Tables, x: NDArray[np.int8]) -> NDArray[np.uint8]:
    """Return indices (frames, K) for int8 network inputs x (frames, M): equal to `tables.encode_index`, faster.

    Raises QcsError on a wrong dtype or shape.
    """
    steps, x = plan(tables), tables.checked(x)
    index = np.empty((len(x), tables.outputs), np.uint8)
    for start in range(0, len(x), CHUNK_FRAMES):
        part: Floats = x[start : start + CHUNK_FRAMES].astype(np.float64)
        for layer in steps.hidden:
            part = layer(part)
        acc = steps.last @ part.astype(steps.last.dtype, copy=False).T
        index[start : start + CHUNK_FRAMES] = _count_thresholds(acc, steps.thresholds).T
    return index


def plan(tables: Int8Tables) -> Plan:
    """Return the plan of an encoder, made once per tables object."""
    known = tables.__dict__.get("_fast_plan")
    if isinstance(known, Plan):
        return known
    made = _make_plan(tables)
    tables.__dict__["_fast_plan"] = made
    return made


def _make_plan(tables: Int8Tables) -> Plan:
    layers, proven = [], []
    for tables_of_layer in tables.hidden:
        fast = _table_layer(tables_of_layer)
        layers.append(fast or _int64_layer(tables_of_layer))
        proven.append(fast is not None)
    bound = int(np.abs(tables.weights.astype(np.int64)).sum(axis=1).max()) * 128
    dtype = np.float32 if bound < 1 << 24 else np.float64
    last: Floats = tables.weights.astype(dtype)
    # A threshold outside the attainable range may be moved to just outside it: the same comparison, now representable.
    thresholds: Floats = tables.thresholds.astype(np.int64).clip(-bound, bound + 1).astype(dtype)
    return Plan(tuple(layers), tuple(proven), last, thresholds, tables.inputs)


def _table_layer(layer: Int8Layer) -> Layer | None:
    """Return the layer as one exact matrix product and one look-up, or None if the bound does not hold."""
    right = np.maximum(-layer.shift.astype(np.int64), 0)
    factor = np.ldexp(layer.multiplier.astype(np.float64), np.maximum(layer.shift.astype(int), 0) - 31)
    pieces, low, origin, size = [], {}, {}, 0
    for shift in sorted(set(right.tolist())):
        if size + (258 << shift) > MAX_TABLE:
            return None
        low[shift], first = size, -(129 + layer.zero_point) << shift
        origin[shift] = size - first
        pieces.append(_second_rounding(layer, np.arange(first, (129 - layer.zero_point << shift) + 1), shift))
        size += len(pieces[-1])
    table = np.concatenate(pieces).astype(np.float32)
    high = {shift: low[shift] + len(piece) - 1 for shift, piece in zip(sorted(low), pieces, strict=True)}
    lows, highs, origins = (np.array([d[int(s)] for s in right], np.float64) for d in (low, high, origin))
    constant = layer.bias * factor + 0.5 + origins
    if np.any(np.abs(layer.weights.astype(np.int64)).sum(axis=1) * 128 * factor + np.abs(constant) >= _EXACT_SUM):
        return None
    weights = (layer.weights * factor[:, None]).T.copy()

    def run(x: Floats) -> Floats:
        place = x.astype(np.float64, copy=False) @ weights
        place += constant
        np.maximum(place, lows, out=place)
        np.minimum(place, highs, out=place)
        # Positive, so truncation is floor: the first rounding. mode='clip' only avoids a check that has been made.
        output: Floats = np.take(table, place.astype(np.intp), mode="clip")
        return output

    return run


def _second_rounding(layer: Int8Layer, first: NDArray[np.int64], shift: int) -> NDArray[np.int8]:
    """Return the layer's output for results `first` of the first rounding: second one, clamp, activation."""
    half = (1 << shift) >> 1
    grid = ((first + half - ((first < 0) & (shift > 0))) >> shift) + layer.zero_point
    output: NDArray[np.int8] = layer.activation[grid.clip(INT8_MIN, INT8_MAX) + 128]
    return output


def _int64_layer(layer: Int8Layer) -> Layer:
    def run(x: Floats) -> Floats:
        return int8.dense(layer, x.astype(np.int8)).astype(np.float64)

    return run


def _count_thresholds(acc: Floats, thresholds: Floats) -> NDArray[np.uint8]:
    """Return how many thresholds (K, I−1) are <= acc (K, frames), as uint8."""
    if thresholds.shape[1] > 24:
        return np.stack(
            [np.searchsorted(row, a, side="right").astype(np.uint8) for row, a in zip(thresholds, acc, strict=True)]
        )
    index = np.zeros(acc.shape, np.uint8)
    reached = np.empty(acc.shape, bool)
    for column in thresholds.T:
        np.greater_equal(acc, column[:, None], out=reached)
        index += reached.view(np.uint8)
    return index
