"""Tables of lossless codecs of every shape, made up, and counts that take every way through them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qcskit.codec.transform.lossless import LosslessTables

STEADY = (8265, -5421, 1252)


def lossless_tables(
    *, inputs: int = 64, bits: int = 12, low: int = -2048, centre: int = 70, first: int = 7, start: int = 66,
    crc: bool = False, weights: Sequence[int] = STEADY,
) -> LosslessTables:  # fmt: skip
    """Return checked tables."""
    tables = LosslessTables(inputs, bits, low, centre, first, start, crc, np.array(weights, np.int16))
    tables.check()
    return tables


SHAPES: dict[str, dict[str, Any]] = {
    "plain": {},
    "crc": {"crc": True, "inputs": 33, "bits": 10, "low": 0, "centre": 500},
    "short": {"inputs": 8, "bits": 8, "low": -128, "first": 5, "start": 0, "centre": -3},
    "whole": {"inputs": 48, "bits": 16, "low": -32768, "first": 12, "start": 65_528, "centre": -1000},
    "long": {"inputs": 300, "bits": 14, "low": 0, "weights": (3959, 1800, -2041, 1331, 18, -523, -251, -197)},
    "one": {"inputs": 17, "weights": (4090,), "first": 0},
}
"""Every option and edge of the tables: name → arguments."""


def lossless_counts(tables: LosslessTables, packets: int, seed: int = 2) -> NDArray[np.int16]:
    """Return counts (packets, T) within the ADC's range.

    Silence, steps, slopes, what each predictor foresees, noise of every loudness, full scale, alternating.
    """
    rng, size = np.random.default_rng(seed), (packets, tables.inputs)
    high = tables.low + 2**tables.bits - 1
    loud = 10 ** rng.uniform(-1, np.log10(high - tables.low), (packets, 1))
    noise = rng.standard_normal(size) * loud / 3
    steps = np.where(rng.random(size) < 0.1, noise * 10, 0)
    bursts = noise * np.where(rng.random(size) < 0.2, 20, 1)
    walk, slope = np.cumsum(noise, axis=1) / 3, np.cumsum(np.cumsum(noise, axis=1), axis=1) / 40
    own = _foreseen(tables, rng.standard_normal(size) * loud / 20)
    ends = np.where(rng.random(size) < 0.5, tables.low, high) - tables.centre
    alternating = np.where(np.arange(size[1]) % 2, high, tables.low) - tables.centre
    kinds = np.stack([np.zeros(size), steps, bursts, walk, slope, own, noise, ends, np.broadcast_to(alternating, size)])
    chosen = kinds[np.arange(packets) % len(kinds), np.arange(packets)]
    return np.clip(np.rint(chosen) + tables.centre, tables.low, high).astype(np.int16)


def _foreseen(tables: LosslessTables, residual: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return what the weights of the table make of residuals (packets, T)."""
    order = tables.weights.size
    x = np.zeros((len(residual), order + residual.shape[1]))
    for place in range(order, x.shape[1]):
        x[:, place] = residual[:, place - order] + x[:, place - order : place] @ tables.weights[::-1] / 4096
    return np.nan_to_num(x[:, order:], posinf=1e6, neginf=-1e6)
