"""The integers of a sparse codec, and the proofs that no input overflows them: docs/sparse.md, sections 1 to 4."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from qcskit.codec.arrays import check_ascending, check_names, take_table
from qcskit.codec.errors import QcsError

MOST_BITS = 32
"""Of a word."""
MOST_LEVELS = 512
"""Cells of a coefficient."""
_INT16, _INT32 = 2**15, 2**31

Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Tables:
    """The integers of one codec. Arrays as in docs/sparse.md; what is not used is empty.

    inputs: M. entries: N. sparsity: S. windows: W. bits: of a word. low, high: counts beyond are taken for these.
    phi_bits, pair_bits: fraction bits of `phi`, of `pairs`. limit: of the residual, 0 without a guard.
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

    @property
    def code(self) -> Literal["lloyd", "plane"]:
        """How coefficients become a number."""
        return "plane" if self.plane.size else "lloyd"

    @property
    def levels(self) -> int:
        """L, cells of a coefficient in the code lloyd."""
        return len(self.thresholds) + 1

    @property
    def coarse_levels(self) -> int:
        """Cells of a coefficient of a guarded vector."""
        return len(self.coarse) + 1

    @cached_property
    def supports(self) -> Ints:
        """The supports (P, S) in the order in which they are searched."""
        if self.sparsity == 1:
            return np.arange(self.entries)[:, None]
        return np.stack(np.triu_indices(self.entries, 1), axis=1).astype(np.int64)

    @property
    def plain_words(self) -> int:
        """How many words stand for vectors that the guard lets pass."""
        count = len(self.supports)
        if self.code == "plane":
            return 4 * len(self.plane) * count + 2 * len(self.axis) * self.entries
        return count * self.levels**self.sparsity

    @property
    def words(self) -> int:
        """How many words there are."""
        return self.plain_words + (len(self.supports) * self.coarse_levels**self.sparsity if self.limit else 0)

    @property
    def packed_bytes(self) -> int:
        """Bytes of a packet."""
        return -(-self.windows * self.bits // 8)

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
    if tables.code == "plane" and (tables.sparsity != 2 or tables.thresholds.size or not tables.axis.size):
        raise QcsError("plane: it goes with axis and without thresholds, and is for pairs")
    if not 2 <= tables.words <= 2**tables.bits or not 1 <= tables.bits <= MOST_BITS:
        raise QcsError(f"words: there are {tables.words}, {tables.bits} bits hold {2**tables.bits}")


def take(facts: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]], host: frozenset[str]) -> Tables:
    """Return the checked tables of numbers and arrays by name. Raises QcsError that names the one at fault.

    host: names of the other arrays, which the decoder reads.
    """
    n, m = int(facts["entries"]), int(facts["inputs"])
    shapes: dict[str, tuple[int | None, ...]] = {"phi": (n, m)}
    if facts["sparsity"] == 2:
        shapes["pairs"] = (n * (n - 1) // 2, 2)
    shapes |= {"plane": (None, 2), "axis": (None,)} if "plane" in arrays else {"thresholds": (None,)}
    if facts["limit"]:
        shapes["coarse"] = (None,)
    taken: dict[str, Any] = {name: take_table(arrays, name, np.int16, shape) for name, shape in shapes.items()}
    check_names(arrays, {*shapes, *host})
    for name in ("thresholds", "coarse", "axis"):
        if name in taken:
            check_ascending(name, taken[name][None])
    empty = {"pairs": (0, 2), "plane": (0, 2), "thresholds": (0,), "coarse": (0,), "axis": (0,)}
    for name, shape in empty.items():
        taken.setdefault(name, np.empty(shape, np.int16))
    tables = Tables(**facts, **taken)
    tables.check()
    return tables
