"""Figures of merit, each with its definition."""

import math

import numpy as np
from numpy.typing import ArrayLike


def nmse_db(x: ArrayLike, x_hat: ArrayLike) -> float:
    """Return 10 log10(sum |x - x_hat|^2 / sum |x|^2), pooled over all frames, in dB.

    Both arrays: real, shape (frames, N). Pooled, so all-zero frames are allowed.
    Raises ValueError if the shapes differ, `x` is zero everywhere, or an entry is not finite.
    >>> round(nmse_db(np.ones((2, 4)), np.full((2, 4), 0.9)), 3)
    -20.0
    """
    source, estimate = np.asarray(x, np.float64), np.asarray(x_hat, np.float64)
    if source.shape != estimate.shape:
        raise ValueError(f"x has shape {source.shape}, x_hat {estimate.shape}: they must be equal")
    energy = float(np.sum(source**2))
    error = float(np.sum((source - estimate) ** 2))
    if not math.isfinite(energy) or not math.isfinite(error):
        raise ValueError("x or x_hat holds NaN or infinity")
    if energy == 0.0:
        raise ValueError("x is zero everywhere: NMSE is not defined")
    return 10.0 * math.log10(error / energy) if error > 0.0 else -math.inf
