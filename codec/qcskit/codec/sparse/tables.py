"""The integers of a sparse codec, and the proofs that no input overflows them: docs/sparse.md, sections 1 to 4."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from qcskit.codec.arrays import check_ascending, check_names, take_table
from qcskit.codec.errors import QcsError
from qcskit.codec.range_coder import (
    DIRECT,
    ESCAPE_BITS,
    MOST_INDEX,
    START,
    SYMBOLS,
    TOTAL,
    are_tables,
    equal_parts,
    raw_of,
    symbol_of,
)

MOST_BITS = 32
"""Of a vector."""
MOST_MAGNITUDE = 32767
"""Coefficients beyond are taken for it, but in the code lloyd."""
MOST_LEVELS = 512
"""Cells of a coefficient."""
_INT16, _INT32 = 2**15, 2**31

Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Tables:
    """The integers of one codec. Arrays as in docs/sparse.md; what is not used is empty.

    inputs: M. entries: N. sparsity: S. windows: W. bits: of a word, in the code range the mean of a vector that was
    asked for. low, high: counts beyond are taken for these. phi_bits, pair_bits: fraction bits of `phi`, of `pairs`.
    limit: of the residual, 0 without a guard. From multiplier on: of the code range alone.
    """

    inputs: int
    entries: int
    sparsity: int
    windows: int
    bits: int
    low: int
    high: int
    centre: int
    align: int
    phi_bits: int
    pair_bits: int
    residual_shift: int
    limit: int
    phi: NDArray[np.int16]
    pairs: NDArray[np.int16]
    thresholds: NDArray[np.int16]
    coarse: NDArray[np.int16]
    plane: NDArray[np.int16]
    axis: NDArray[np.int16]
    coarse_plane: NDArray[np.int16] = field(default_factory=lambda: np.empty((0, 2), np.int16))
    coarse_axis: NDArray[np.int16] = field(default_factory=lambda: np.empty(0, np.int16))
    symbols: NDArray[np.uint16] = field(default_factory=lambda: np.empty((0, SYMBOLS), np.uint16))
    multiplier: int = 0
    index_shift: int = 0
    least: int = 0
    coarse_shift: int = 0
    flag: int = 0

    @property
    def code(self) -> Literal["lloyd", "plane", "range"]:
        """How coefficients become bits."""
        if self.symbols.size:
            return "range"
        return "plane" if self.plane.size else "lloyd"

    @property
    def levels(self) -> int:
        """L, cells of a coefficient in the code lloyd, half of them of negative ones."""
        return 2 * (len(self.thresholds) + 1)

    @property
    def coarse_levels(self) -> int:
        """Cells of a coefficient of a guarded vector."""
        return 2 * (len(self.coarse) + 1)

    @cached_property
    def supports(self) -> Ints:
        """The supports (P, S) in the order in which they are searched."""
        if self.sparsity == 1:
            return np.arange(self.entries)[:, None]
        return np.stack(np.triu_indices(self.entries, 1), axis=1).astype(np.int64)

    @property
    def plain_words(self) -> int:
        """How many words stand for vectors that the guard lets pass."""
        if self.code == "plane":
            return self.plane_words(self.plane, self.axis)
        return len(self.supports) * self.levels**self.sparsity

    @property
    def flagged_words(self) -> int:
        """How many words stand for those that it does not let pass."""
        if not self.limit:
            return 0
        if self.code == "plane":
            return self.plane_words(self.coarse_plane, self.coarse_axis)
        return len(self.supports) * self.coarse_levels**self.sparsity

    def plane_words(self, plane: NDArray[np.int16], axis: NDArray[np.int16]) -> int:
        """Return how many words stand for so many points in the plane and on its axes."""
        return 4 * len(plane) * len(self.supports) + 2 * len(axis) * self.entries

    @property
    def words(self) -> int:
        """How many words there are."""
        return self.plain_words + self.flagged_words

    @property
    def packed_bytes(self) -> int:
        """Bytes of a packet, in the code range of the longest that any counts give."""
        if self.code == "range":
            return _most_range_bytes(self)
        return -(-self.windows * self.bits // 8)

    def indices(self, values: Ints, coarse: NDArray[np.bool_] | bool) -> Ints:
        """Return the index of coefficients `values` in the code range; `coarse` of flagged vectors' ones."""
        magnitude = np.minimum(np.abs(values), MOST_MAGNITUDE)
        shift = self.index_shift + self.coarse_shift * np.asarray(coarse, np.int64)
        index = (magnitude * self.multiplier + (1 << shift >> 1)) >> shift
        return np.where(magnitude < self.least, 0, np.sign(values) * index)

    @property
    def fit_shift(self) -> int:
        """How far y is shifted left to stand on the scale of phi · coefficient."""
        return 2 * self.phi_bits - 16

    @property
    def arrays(self) -> dict[str, NDArray[Any]]:
        """The tables by name, as they stand in tables.npz."""
        named = {one.name: getattr(self, one.name) for one in fields(self)}
        return {name: value for name, value in named.items() if isinstance(value, np.ndarray) and value.size}

    @property
    def multiplications(self) -> int:
        """What an encode takes, roughly: of the search alone."""
        return self.windows * (self.inputs * self.entries + 3 * len(self.pairs))

    def check(self) -> None:
        """Raise QcsError if a table does not go with the others, or an input could overflow."""
        _check_shapes(self)
        check_columns(self)
        check_pairs(self)
        if self.limit:
            check_residual(self)


def check_columns(tables: Tables) -> None:
    """Raise QcsError that names a column of phi whose sum leaves int16 for some y."""
    if not 8 <= tables.phi_bits <= 15:
        raise QcsError(f"phi_bits is {tables.phi_bits}, outside 8 … 15")
    reach = (np.abs(tables.phi.astype(np.int64)).sum(axis=1) * _INT16 + _INT16) >> 16
    if reach.max() >= _INT16:
        raise QcsError(f"phi: column {int(reach.argmax())} reaches {reach.max()}, int16 ends at {_INT16 - 1}")


def check_pairs(tables: Tables) -> None:
    """Raise QcsError that names a pair whose t leaves int16 for some y; then no score leaves int32."""
    if not len(tables.pairs):
        return
    reach = _t_reach(tables)
    if reach.max() >= _INT16:
        raise QcsError(f"pairs: {_pair(tables, int(reach.argmax()))} reaches t = {reach.max():.0f}, int16 ends at "
                       f"{_INT16 - 1}")  # fmt: skip


def check_residual(tables: Tables) -> None:
    """Raise QcsError if a sum or a square of the residual leaves int32 for some y, or the limit cannot be told."""
    worst, place = max((float(reach), number) for number, reach in enumerate(_fit_reach(tables)))
    if worst + 2.0 ** max(tables.fit_shift + tables.residual_shift - 1, 0) >= _INT32:
        raise QcsError(f"phi: {_pair(tables, place)} reaches a residual of {worst:.0f}, int32 ends at {_INT32 - 1}")
    if tables.limit * tables.inputs >= 2 * _INT32:
        raise QcsError(f"limit: {tables.limit} times {tables.inputs} inputs leaves 32 bits")


def _pair(tables: Tables, number: int) -> str:
    return f"pair {tuple(tables.supports[number].tolist())}"


def _rows(tables: Tables) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return u, v (P, 1) and what t is of y (P, M), in real numbers."""
    u, v = (tables.pairs.astype(np.float64) / 2.0**tables.pair_bits).T[:, :, None]
    c = tables.phi.astype(np.float64) / 65536
    return u, v, u * c[tables.supports[:, 1]] - v * c[tables.supports[:, 0]]


def _t_error(u: NDArray[np.float64], v: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return by how much the rounding of both sums and its own moves t at most."""
    return (0.5 * (np.abs(u) + np.abs(v)) + 0.5)[:, 0]


def _t_reach(tables: Tables) -> NDArray[np.float64]:
    """Return the largest |t| of each pair (P,) for any y."""
    u, v, t = _rows(tables)
    return np.asarray(np.abs(t).sum(axis=1) * _INT16 + _t_error(u, v))


def _fit_reach(tables: Tables) -> Iterator[float]:
    """Yield the largest |y · 2^fit_shift − phi · coefficients| of each support for any y, its roundings included."""
    weights, unit = tables.phi.astype(np.float64), 2.0**tables.fit_shift * np.eye(tables.inputs)
    if tables.sparsity == 1:
        for w in weights:
            rows = unit - np.outer(w, w / 65536)
            yield float((np.abs(rows).sum(axis=1) * _INT16 + 0.5 * np.abs(w)).max())
        return
    u, v, t = _rows(tables)
    error = _t_error(u, v)
    for number, (i, j) in enumerate(tables.supports):
        a_j, a_i = u[number] * t[number], weights[i] / 65536 - v[number] * t[number]
        rows = unit - np.outer(weights[i], a_i) - np.outer(weights[j], a_j)
        rounded = np.abs(weights[i]) * (1 + abs(v[number, 0]) * error[number])
        rounded += np.abs(weights[j]) * (0.5 + u[number, 0] * error[number])
        yield float((np.abs(rows).sum(axis=1) * _INT16 + rounded).max())


def _check_shapes(tables: Tables) -> None:
    """Raise QcsError if sizes contradict each other."""
    shift = tables.fit_shift + tables.residual_shift
    if not 0 <= tables.align <= 15 or not 0 <= tables.pair_bits <= 14 or not 0 <= shift <= 30:
        raise QcsError(f"align {tables.align}, pair_bits {tables.pair_bits} or residual_shift {tables.residual_shift} "
                       "is no shift of this codec")  # fmt: skip
    ends = ((tables.low - tables.centre) << tables.align, (tables.high - tables.centre) << tables.align)
    if not -_INT16 <= ends[0] < ends[1] < _INT16:
        raise QcsError(f"align: counts from {tables.low} to {tables.high} become {ends[0]} … {ends[1]}, beyond int16")
    if tables.code == "range":
        _check_range(tables)
        return
    if tables.code == "plane" and (tables.sparsity != 2 or tables.thresholds.size or not tables.axis.size):
        raise QcsError("plane: it goes with axis and without thresholds, and is for pairs")
    if bool(tables.coarse_axis.size) != (tables.code == "plane" and bool(tables.limit)):
        raise QcsError("coarse_axis: it goes with plane and the guard")
    for name, magnitudes in (("thresholds", tables.thresholds), ("coarse", tables.coarse)):
        if magnitudes.min(initial=1) < 1 or len(magnitudes) >= MOST_LEVELS // 2:
            raise QcsError(f"{name}: at most {MOST_LEVELS // 2 - 1} magnitudes above 0 are possible")
    if tables.coarse.size and not tables.limit:
        raise QcsError("coarse: there is no guard that it belongs to")
    if not 2 <= tables.words <= 2**tables.bits or not 1 <= tables.bits <= MOST_BITS:
        raise QcsError(f"words: there are {tables.words}, {tables.bits} bits hold {2**tables.bits}")


def _check_range(tables: Tables) -> None:
    """Raise QcsError if indices leave 15 bits, one is never reached, or a table is none."""
    shift = tables.index_shift + tables.coarse_shift
    if not 1024 <= tables.multiplier < 2048 or not 11 <= tables.index_shift <= shift <= 30:
        raise QcsError(f"multiplier {tables.multiplier}, index_shift {tables.index_shift} or coarse_shift "
                       f"{tables.coarse_shift} is none of this code")  # fmt: skip
    if not 0 < tables.least <= MOST_MAGNITUDE or tables.indices(np.array(tables.least), False) > 1:
        raise QcsError(f"least is {tables.least}: what it leaves begins above index 1, or is nothing")
    count = tables.sparsity * (2 if tables.limit else 1)
    if tables.symbols.shape != (count, SYMBOLS) or not are_tables(tables.symbols):
        raise QcsError(f"symbols: {count} tables are needed, of upper ends that rise from above 0 to {TOTAL}")
    if not bool(tables.limit) <= tables.flag < (TOTAL if tables.limit else 1):
        raise QcsError(f"flag is {tables.flag}, it must be {f'1 … {TOTAL - 1}' if tables.limit else '0'}")


def _most_range_bytes(tables: Tables) -> int:
    """Return the bytes of a packet of vectors that are the longest there are.

    range never falls below 2^24 before a step, so that cutting it into n parts loses less than n / 2^24 of it.
    """
    supports = len(tables.supports)
    longest = 0.0
    for flagged in (False, True) if tables.limit else (False,):
        own = tables.symbols[-tables.sparsity :] if flagged else tables.symbols[: tables.sparsity]
        parts = [_longest_index(tables, upper, flagged) for upper in own]
        some, both = parts[0] + _equal_bits(tables.entries), sum(parts) + _equal_bits(supports)
        alone = some + (_symbol_bits(own[1])[0] if tables.sparsity == 2 else 0.0)
        none = _symbol_bits(own[0])[0]
        flag = _part_bits(tables.flag if flagged else TOTAL - tables.flag) if tables.limit else 0.0
        longest = max(longest, flag + max(both, alone, none))
    begun = 32 - math.log2(START)
    return int((begun + tables.windows * longest) / 8 + 1e-6) + 1


def _part_bits(size: int | float) -> float:
    """Return at most how many bits a part of TOTAL takes."""
    return math.log2(TOTAL / size) + _lost(TOTAL)


def _symbol_bits(upper: NDArray[np.uint16]) -> list[float]:
    return [_part_bits(int(size)) for size in np.diff(upper.astype(np.int64), prepend=0)]


def _equal_bits(count: int) -> float:
    size, bits = equal_parts(count)
    return bits - math.log2(size) + _lost(1 << bits)


def _lost(parts: int) -> float:
    """Return at most how many bits are lost where the range is cut into so many parts."""
    return -math.log2(1 - parts / 2**24)


def _longest_index(tables: Tables, upper: NDArray[np.uint16], flagged: bool) -> float:
    """Return the bits of the longest index but 0 that a coefficient can have."""
    most = int(tables.indices(np.array(MOST_MAGNITUDE), flagged))
    ends = [1, *(2**t - 1 for t in range(2, 16)), *(3 * 2**t - 1 for t in range(15)), MOST_INDEX, most]
    tops = np.array([end for end in ends if end <= most])
    bits = raw_of(tops, np.zeros(len(tops), np.bool_))[1]
    escape = np.where(tops >= DIRECT, ESCAPE_BITS + _lost(1 << ESCAPE_BITS), 0.0)
    own = np.array(_symbol_bits(upper))[symbol_of(tops)]
    return float((own + escape + bits + [_lost(1 << int(each)) for each in bits]).max())


def take(facts: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]], host: frozenset[str]) -> Tables:
    """Return the checked tables of numbers and arrays by name. Raises QcsError that names the one at fault.

    host: names of the other arrays, which the decoder reads.
    """
    n, m = int(facts["entries"]), int(facts["inputs"])
    shapes: dict[str, tuple[int | None, ...]] = {"phi": (n, m)}
    if facts["sparsity"] == 2:
        shapes["pairs"] = (n * (n - 1) // 2, 2)
    taken: dict[str, Any] = {}
    if facts.get("multiplier"):
        taken["symbols"] = take_table(arrays, "symbols", np.uint16, (None, SYMBOLS))
    else:
        # Two cells have no threshold.
        shapes |= {name: (None,) for name in ("thresholds", "coarse") if name in arrays}
        if "plane" in arrays:
            shapes |= {"plane": (None, 2), "axis": (None,)}
            shapes |= {"coarse_axis": (None,)} if facts["limit"] else {}
            shapes |= {"coarse_plane": (None, 2)} if "coarse_plane" in arrays else {}
    taken |= {name: take_table(arrays, name, np.int16, shape) for name, shape in shapes.items()}
    check_names(arrays, {*taken, *host})
    for name in ("thresholds", "coarse", "axis", "coarse_axis"):
        if name in taken:
            check_ascending(name, taken[name][None])
    empty = {"pairs": (0, 2), "plane": (0, 2), "thresholds": (0,), "coarse": (0,), "axis": (0,)}
    for name, shape in empty.items():
        taken.setdefault(name, np.empty(shape, np.int16))
    tables = Tables(**facts, **taken)
    tables.check()
    return tables
