"""Random encoder tables, for tests of the C core (not a test itself)."""

from itertools import pairwise

import numpy as np

from qcskit.codec.integer import DenseTables, EncoderTables, FrontEnd


def random_tables(rng: np.random.Generator, widths: list[int], levels: int) -> EncoderTables:
    """Return tables whose accumulators spread over the whole int8 grid and over all thresholds."""
    hidden = tuple(_random_layer(rng, a, b) for a, b in pairwise(widths[:-1]))
    weights = rng.integers(-127, 128, (widths[-1], widths[-2]), np.int8)
    spread = int(3 * np.sqrt((weights.astype(float) ** 2).sum(axis=1).max()) * 70) + levels
    thresholds = np.sort(rng.integers(-spread, spread, (widths[-1], levels - 1), np.int32), axis=1)
    front_end = FrontEnd(int(rng.integers(-2000, 2000)), int(rng.integers(1 << 30, 1 << 31)),
                         int(rng.integers(-10, 3)), int(rng.integers(-128, 128)))  # fmt: skip
    return EncoderTables(hidden, weights, thresholds, front_end)


def _random_layer(rng: np.random.Generator, inputs: int, outputs: int) -> DenseTables:
    weights = rng.integers(-127, 128, (outputs, inputs), np.int8)
    gain = 60.0 / (70.0 * np.sqrt((weights.astype(float) ** 2).sum(axis=1)) + 1)  # acc → about ±180 on the grid
    mantissa, exponent = np.frexp(gain)
    return DenseTables(
        weights=weights,
        bias=rng.integers(-20000, 20000, outputs, np.int32),
        multiplier=np.minimum(np.round(mantissa * 2**31), 2**31 - 1).astype(np.int32),
        shift=exponent.astype(np.int8),
        zero_point=int(rng.integers(-128, 128)),
        activation=np.sort(rng.integers(-128, 128, 256, np.int8)),
    )
