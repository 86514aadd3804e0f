"""Table layouts of the fast kernels (firmware/include/qcs_layout.h): what they share.

A layout orders and pads the hidden units as it likes, and the columns of the next layer to match; no result changes.
It refuses models for which its arithmetic is not proved.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.uint32]
Order = NDArray[np.intp]
"""Which original unit stands at each place; −1: none (a zero)."""


class LayoutError(Exception):
    """The model does not hold a precondition of a layout; the message says which. Callers fall back or say so."""


@dataclass(frozen=True)
class Layout:
    """All words of a model: one stream per hidden layer, one for the last, entries of half the scratch memory."""

    hidden: tuple[Words, ...]
    last: Words
    widest: int
    scratch_bytes: int


def round_up(value: int, step: int) -> int:
    """Return the smallest multiple of `step` that is >= value.

    >>> round_up(10, 4), round_up(12, 4)
    (12, 12)
    """
    return -(-value // step) * step


def take(values: NDArray[np.integer[Any]], order: Order, axis: int = 0, fill: int = 0) -> NDArray[np.int64]:
    """Return `values` as int64 with entry `order[i]` of `axis` at place i; `fill` where the order says −1."""
    wide = values.astype(np.int64)
    shape = list(wide.shape)
    shape[axis] = 1
    padded = np.concatenate([wide, np.full(shape, fill, np.int64)], axis=axis)
    return padded.take(np.where(order < 0, wide.shape[axis], order), axis=axis)


def padded(count: int, group: int) -> Order:
    """Return 0 … count − 1, then −1 up to a multiple of `group`."""
    return np.pad(np.arange(count), (0, -count % group), constant_values=-1)


def row_reach(weights: NDArray[np.integer[Any]], bias: NDArray[np.integer[Any]] | int = 0) -> int:
    """Return the largest |Σ w·x + bias| over all int8 x and rows, partial sums included."""
    reach = np.abs(weights.astype(np.int64)).sum(axis=1) * 128 + np.abs(np.asarray(bias, np.int64))
    return int(reach.max(initial=0))


def as_words(values: NDArray[np.int64]) -> Words:
    """Return values modulo 2^32."""
    return (values & 0xFFFFFFFF).astype(np.uint32)
