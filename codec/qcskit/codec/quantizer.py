"""The hard quantizer that a trained SHQ layer turns into (DeepQCS paper, eq. (33)).

SHQ: a ↦ Σ_i v_i tanh(h a − s_i), i = 1 … I−1. As h → ∞ with t_i = s_i / h fixed it becomes a staircase with I levels.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qcskit.codec.errors import QcsError


def hard_quantizer(v: ArrayLike, s: ArrayLike, h: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return thresholds t (I−1), ascending, and levels g (I) of the staircase Σ_i v_i sgn(a − s_i / h).

    v, s: shape (I−1,), finite. h > 0. Terms are sorted by threshold, each v with its own t; g[l], value of cell l, is
    the sum of v_i over thresholds below minus the sum over those above. Ties between thresholds leave an empty cell.
    Raises QcsError if shapes differ, an entry is not finite or h is not positive.

    The example of Fig. 2 of the paper (I = 4):
    >>> t, g = hard_quantizer([0.15, 0.4, 0.45], np.array([-0.2, 0, 2 / 3]) * 50, 50)
    >>> print(np.round(t, 3), np.round(g, 3))
    [-0.2    0.     0.667] [-1.  -0.7  0.1  1. ]
    """
    v_array, s_array = np.asarray(v, np.float64), np.asarray(s, np.float64)
    if v_array.ndim != 1 or v_array.shape != s_array.shape or v_array.size == 0:
        raise QcsError(f"quantizer: v has shape {v_array.shape}, s {s_array.shape}: both must be (I-1,), I >= 2")
    if not (np.isfinite(v_array).all() and np.isfinite(s_array).all() and np.isfinite(h) and h > 0):
        raise QcsError("quantizer: v, s and h must be finite and h > 0; the training has diverged, lower its rates")
    order = np.argsort(s_array, kind="stable")
    v_sorted = v_array[order]
    g = -v_sorted.sum() + 2.0 * np.concatenate([[0.0], np.cumsum(v_sorted)])
    return s_array[order] / h, g


def hard_index(a: ArrayLike, t: ArrayLike) -> NDArray[np.uint8]:
    """Return the cell (t_{i−1}, t_i] of each entry of `a`: how many thresholds are < a, 0 … I−1, as uint8.

    t: (I−1,) shared by all outputs, or (K, I−1) one row per last axis of `a`; ascending.
    An entry on a threshold belongs to the lower cell (DeepQCS paper, eq. (33)).
    >>> hard_index([-1.0, 0.0, 0.3], [0.0, 0.5])
    array([0, 0, 1], dtype=uint8)
    """
    values, thresholds = np.asarray(a), np.asarray(t)
    if thresholds.ndim == 1:
        return np.searchsorted(thresholds, values, side="left").astype(np.uint8)
    return (values[..., None] > thresholds).sum(axis=-1).astype(np.uint8)
