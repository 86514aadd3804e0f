"""From a recording to a lossless bundle: the linear predictor and what the Rice codes begin with.

All of it is exact: integer sums and fractions, so that every machine designs the same model.
"""

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from itertools import combinations_with_replacement, pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from qcskit.codec.bundle import Manifest
from qcskit.codec.sensor import grid_of, source_arrays
from qcskit.codec.transform.bundle import Facts
from qcskit.codec.transform.config import TransformConfig
from qcskit.codec.transform.lossless import (
    FRACTION_BITS,
    MOST_ORDER,
    MOST_PARAMETER,
    MOST_START,
    LosslessFacts,
    LosslessTables,
    encode,
    folded,
    lengths_of,
    magnitudes,
)  # fmt: skip
from qcskit.codec.transform.lossless_codec import model_id
from qcskit.codec.transform.tables import Ints
from qcskit.export.config import ExportConfig
from qcskit.export.transform.source import Source
from qcskit.export.writer import Draft, measured, write_bundle

_STRETCH = 16
"""Counts that weigh alike in the predictor's fit."""
_PRECISION_BITS = 16
_GOOD_ENOUGH = 1.01
"""Bits of a shorter predictor, as a share of the best one's, that are not worth more weights."""
_TRAINING_COUNTS = 1 << 18
"""Counts whose bits decide about the number of weights."""


def design_lossless(out: Path, config: TransformConfig, source: Source, export: ExportConfig) -> Manifest:
    """Write the bundle of a lossless codec to `out` in one rename and return its manifest.

    Of `[export]` it uses name (default "lossless"), golden_frames and test_windows. Raises QcsError if a part of the
    recording is shorter than a packet.
    """
    draft = _drafted(fit(config, source), config.windows, source, export)
    codec = draft.codec()
    y = source.packets("test", config.windows, -(-config.test_frames // config.windows))
    facts = measured(codec, y.reshape(-1, codec.width), y)
    sent = 8 * float(codec.encode(draft.signal.y_units(y)).lengths.mean()) / codec.inputs
    return write_bundle(out, replace(draft, nmse=facts, rate_bits=sent), export.golden_frames, config.seed)


def fit(config: TransformConfig, source: Source) -> LosslessTables:
    """Return the tables fitted to the training part: the fewest weights whose bits are next to the best."""
    inputs = config.windows * source.config.n
    packets = source.counts(source.packets("train", config.windows, max(1, _TRAINING_COUNTS // inputs)))
    bare = LosslessTables(
        inputs, source.adc.bits, source.adc.low, source.centre, _first(packets, source.centre), 0, config.crc,
        np.zeros(0, np.int16),
    )  # fmt: skip
    candidates, bits = [], []
    for weights in predictors(source.training):
        u = magnitudes(weights.astype(np.int64), packets)
        start = min(8 * int(u.sum()) // u.size, MOST_START)
        tables = replace(bare, start=start, weights=weights)
        candidates.append(tables)
        bits.append(int(encode(tables, packets).lengths.sum()))
    return next(tables for tables, own in zip(candidates, bits, strict=True) if own <= _GOOD_ENOUGH * min(bits))


def _first(packets: Ints, centre: int) -> int:
    """Return the best Rice parameter of what any count differs from the centre."""
    u = folded(packets - centre)
    return min(range(MOST_PARAMETER + 1), key=lambda p: int(lengths_of(u, np.array(p)).sum()))


def predictors(series: Ints) -> Iterator[NDArray[np.int16]]:
    """Yield the predictors of 1 … 8 weights of counts (segments, samples), as far as int16 and int32 hold them."""
    covariance = differences_covariance(series, MOST_ORDER - 1)
    for order in range(MOST_ORDER):
        rows = [row[1 : order + 1] for row in covariance]
        slopes = _solved(rows[1 : order + 1], rows[0])
        scaled = [0, *(round(slope * 2**FRACTION_BITS) for slope in slopes), 0]
        weights = [after - before for before, after in pairwise(scaled)]
        weights[0] += 2**FRACTION_BITS
        if max(map(abs, weights)) < 32768 and sum(map(abs, weights)) < 65536:
            yield np.array(weights, np.int16)


def differences_covariance(series: Ints, order: int) -> list[list[int]]:
    """Return the covariance (order + 1, order + 1) at lags 0 … order of the differences of counts (segments, samples).

    Every stretch weighs the inverse square of its sum of |second difference|. Exact, and positive definite by a ridge.
    """
    first = np.diff(series, axis=1, prepend=series[:, :1])
    roughness = _by_stretch(np.abs(np.diff(first, axis=1, prepend=first[:, :1])))
    scale = (roughness + _STRETCH) ** 2
    behind = np.pad(first, ((0, 0), (order, 0)))
    lagged = [behind[:, order - lag : behind.shape[1] - lag] for lag in range(order + 1)]
    total = [[0] * (order + 1) for _ in lagged]
    for j, k in combinations_with_replacement(range(order + 1), 2):
        weighed = (_by_stretch(lagged[j] * lagged[k]) << _PRECISION_BITS) // scale
        total[j][k] = total[k][j] = (int((weighed >> 32).sum()) << 32) + int((weighed & 0xFFFFFFFF).sum())
    ridge = (order + 1) * scale.size + (total[0][0] >> 24)
    for j in range(order + 1):
        total[j][j] += ridge
    return total


def _by_stretch(values: Ints) -> Ints:
    """Return the sums (segments, stretches) of values (segments, samples)."""
    padded = np.pad(values, ((0, 0), (0, -values.shape[1] % _STRETCH)))
    sums: Ints = padded.reshape(len(values), -1, _STRETCH).sum(axis=2)
    return sums


def _solved(matrix: list[list[int]], right: list[int]) -> list[Fraction]:
    """Return the solution of a symmetric positive definite system, by elimination in fractions."""
    rows = [[Fraction(value) for value in (*row, wanted)] for row, wanted in zip(matrix, right, strict=True)]
    for place, pivot in enumerate(rows):
        for other in rows:
            if other is not pivot:
                factor = other[place] / pivot[place]
                other[:] = [a - factor * b for a, b in zip(other, pivot, strict=True)]
    return [row[-1] / row[place] for place, row in enumerate(rows)]


def _drafted(tables: LosslessTables, windows: int, source: Source, export: ExportConfig) -> Draft:
    """Return the draft of a codec, nothing measured yet."""
    numbers = {name: getattr(tables, name) for name in LosslessFacts.model_fields}
    facts = Facts(mode="lossless", bits_per_sample=None, lossless=LosslessFacts(**numbers))
    name = model_id(tables, windows, grid_of(source.signal, source.adc))
    return Draft(
        export.name or "lossless", name, facts, source.signal, source.adc, tables.inputs, tables.packed_bytes_max, 1.0,
        {"weights": tables.weights}, windows=windows,
        source=source_arrays(source.config, source.signal, export.test_windows),
    )  # fmt: skip
