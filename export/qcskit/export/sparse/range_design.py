"""The numbers and tables of the code range: the finest step whose packets have the bytes that were asked for."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from qcskit.codec.range_coder import DIRECT, SYMBOLS, TOTAL, raw_of, symbol_of, upper_ends
from qcskit.codec.sparse import range_code
from qcskit.codec.sparse.search import Found
from qcskit.codec.sparse.tables import MOST_MAGNITUDE, Ints, Tables
from qcskit.codec.sparse.words import Read

Array = NDArray[np.float64]
_COARSE_SHIFT = 2
"""Steps of a flagged vector are four times as wide: it saves 4 bits."""
_LEASTS = (0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.2)
"""Magnitudes, in steps, below which an index may be 0: such a coefficient needs no place."""
_TRIED_VECTORS, _LEAST_VECTORS = 20_000, 10_000
"""Of the training frames: on which packets are weighed, and on which `least` is chosen."""
_OCTAVES = (0.0, 16.0)
"""Of steps."""
_HALVINGS = 16
_NEAR = 0.2
"""Octaves between which the step lies that real bytes ask for."""
_PRIOR = 30
"""Vectors that say of a magnitude what the step does."""


@dataclass(frozen=True)
class Sample:
    """What the integers found in training frames. truth (vectors, S): what the coefficients were."""

    found: Found
    truth: Array

    def first(self, count: int) -> "Sample":
        """Return so many vectors."""
        found = self.found
        return Sample(Found(found.support[:count], found.values[:count], found.over[:count]), self.truth[:count])


def with_range(tables: Tables, sample: Sample, flagged: float) -> tuple[Tables, dict[str, Array]]:
    """Return tables of the code range whose packets have at most `bits` per vector, and `index_points`.

    flagged: share of vectors beyond the guard that the code is made for, 0 without one.
    """
    few = sample.first(min(_TRIED_VECTORS, len(sample.truth)) // tables.windows * tables.windows)
    fewer = sample.first(_LEAST_VECTORS)
    flag = min(max(round(TOTAL * flagged), 1), TOTAL // 2) if tables.limit else 0
    base = replace(tables, flag=flag, coarse_shift=_COARSE_SHIFT if tables.limit else 0)

    def least_lost(least: float) -> float:
        octave = _finest(lambda at: ideal_bits(with_step(base, at, least), fewer.found) <= base.bits, *_OCTAVES)
        return lost(with_step(base, octave, least), fewer)

    least = min(_LEASTS, key=least_lost)

    def fits(octave: float) -> bool:
        made = with_symbols(with_step(base, octave, least), sample.found)
        return mean_bits(made, few.found) <= base.bits

    near = _finest(lambda at: ideal_bits(with_step(base, at, least), few.found) <= base.bits, *_OCTAVES)
    most = _OCTAVES[1] if not fits(near + _NEAR) else near + _NEAR
    octave = _finest(fits, max(near - _NEAR, 0.0), most)
    made = with_symbols(with_step(base, octave, least), sample.found)
    return made, {"index_points": index_points(made, sample)}


def _finest(fits: Callable[[float], bool], low: float, high: float) -> float:
    """Return the least number of [low, high] that fits, if `high` does and what is above one that does."""
    if fits(low):
        return low
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (low, middle) if fits(middle) else (middle, high)
    return high


def with_step(tables: Tables, octave: float, least: float) -> Tables:
    """Return tables with the step 2^octave; below `least` steps an index is 0."""
    shift = int(octave) + 11
    multiplier = min(max(round(2.0 ** (shift - octave)), 1024), 2047)
    start = int(np.ceil(least * 2**shift / multiplier))
    most = ((3 << shift) // 2 - 1) // multiplier  # the largest of index 1
    return replace(tables, multiplier=multiplier, index_shift=shift, least=min(max(start, 1), most, MOST_MAGNITUDE))


def with_symbols(tables: Tables, found: Found) -> Tables:
    """Return tables with frequencies as the symbols of training frames have them; flagged ones as if all were."""
    upper = []
    for coarse in (False, True) if tables.limit else (False,):
        read = _read(tables, found, coarse)
        upper += [upper_ends(counts) for counts in _symbol_counts(read)]
    return replace(tables, symbols=np.stack(upper).astype(np.uint16))


def _read(tables: Tables, found: Found, coarse: bool) -> Read:
    return range_code.read_of(tables, replace(found, over=np.full(len(found.over), coarse)))


def _symbol_counts(read: Read) -> list[Ints]:
    """Return how often each symbol was coded, of each coefficient."""
    sent, counts = np.ones(len(read.cells), np.bool_), []
    for cells in read.cells.T:
        counts.append(np.bincount(symbol_of(np.abs(cells[sent])), minlength=SYMBOLS))
        sent &= cells != 0
    return counts


def ideal_bits(tables: Tables, found: Found) -> float:
    """Return the mean bits of a vector that is not flagged, without what whole bytes and frequencies cost."""
    read = _read(tables, found, False)
    magnitude = np.abs(read.cells)
    raw = raw_of(magnitude, read.cells < 0)[1] + np.where(magnitude >= DIRECT, 4, 0)
    both = (magnitude.all(axis=1)).sum() * np.log2(len(tables.supports))
    lone = read.alone.sum() * np.log2(tables.entries)
    symbols = sum(float(-(counts[counts > 0] * np.log2(counts[counts > 0] / counts.sum())).sum())
                  for counts in _symbol_counts(read))  # fmt: skip
    return float(raw.sum() + both + lone + symbols) / len(magnitude)


def mean_bits(tables: Tables, found: Found) -> float:
    """Return the mean bits of a vector in the packets of these, whole bytes."""
    packets = range_code.encode(tables, range_code.read_of(tables, found))
    return float(8 * packets.lengths.mean() / tables.windows)


def lost(tables: Tables, sample: Sample) -> float:
    """Return the mean square of what the indices lose."""
    points = index_points(replace(tables, limit=0), sample)[0]
    index = tables.indices(sample.found.values, False)
    magnitude = np.minimum(np.abs(index), len(points) - 1)
    return float(((np.sign(index) * points[magnitude] - sample.truth) ** 2).mean())


def index_points(tables: Tables, sample: Sample) -> Array:
    """Return what magnitudes 0, 1, … of plain and of flagged vectors are rebuilt as: the means of what they were."""
    values, truth = sample.found.values.astype(np.float64), sample.truth
    unit = float((values * truth).sum() / (values**2).sum())
    rows = []
    for coarse in (False, True) if tables.limit else (False,):
        step = 2.0 ** (tables.index_shift + coarse * tables.coarse_shift) / tables.multiplier * unit
        index = tables.indices(sample.found.values, coarse).ravel()
        known = np.flatnonzero(np.abs(index) < DIRECT)
        magnitude = np.abs(index[known])
        count = np.bincount(magnitude, minlength=DIRECT)
        total = np.bincount(magnitude, (truth.ravel() * np.sign(index))[known], DIRECT)
        rows.append((total + _PRIOR * np.arange(DIRECT) * step) / (count + _PRIOR))
    return np.stack(rows)
