"""All that a transform encoder and its decoder agree on, as integers, and the checks that nothing can overflow.

Names, ranges and meaning: docs/transform.md.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from qcskit.codec.arrays import check_names, take_table
from qcskit.codec.errors import QcsError
from qcskit.codec.range_coder import MOST_INDEX, SYMBOLS, TOTAL, are_tables
from qcskit.codec.transform.network import Network, check_steps, linear_rows

CONTEXTS = 25
"""min(2 · previous symbol + the one before, 24)."""
TOO_LARGE = MOST_INDEX + 1
"""Stands for every index above."""
MOST_QUALITY = 7
"""Quality of the last try: ends only."""
_GROUPS = 16
_RANGE_TABLES = ("classes", "contexts", "symbols", "ends")

Ints = NDArray[np.int64]


def _none() -> NDArray[Any]:
    return np.empty(0, np.uint8)


@dataclass(frozen=True, eq=False)
class Tables:
    """The integers of one codec. Arrays and numbers as in docs/transform.md; what is not used is empty.

    windows: W. samples: n, kept samples of a window. bits, low: the ADC's. max_bytes: of a packet with rate control,
    else 0.
    """

    windows: int
    samples: int
    stride: int
    rows: int
    centre: int
    bits: int
    low: int
    max_bytes: int
    crc: bool
    fraction_bits: int
    accumulator_shift: int
    multiplier: int
    rounding: int
    index_shift: int
    weights: NDArray[np.int16]
    positions: NDArray[np.uint16]
    blocks: NDArray[np.uint16] = field(default_factory=_none)
    steps: NDArray[np.uint16] = field(default_factory=_none)
    twiddles: NDArray[np.int16] = field(default_factory=_none)
    pairs: NDArray[np.uint16] = field(default_factory=_none)
    classes: NDArray[np.uint8] = field(default_factory=_none)
    contexts: NDArray[np.uint8] = field(default_factory=_none)
    symbols: NDArray[np.uint16] = field(default_factory=_none)
    ends: NDArray[np.uint16] = field(default_factory=_none)
    rice: NDArray[np.uint8] = field(default_factory=_none)

    @property
    def coder(self) -> Literal["range", "rice"]:
        """What makes bytes of indices."""
        return "rice" if self.rice.size else "range"

    @property
    def fast(self) -> bool:
        """Whether steps say how sums are made, else blocks."""
        return bool(self.steps.size)

    @property
    def network(self) -> Network:
        """How a fast transform makes its sums."""
        return Network(self.samples, self.rows, self.steps, self.twiddles, self.weights, self.positions, self.pairs)

    @property
    def inputs(self) -> int:
        """Counts of a packet."""
        return self.windows * self.samples * self.stride

    @property
    def group(self) -> int:
        """Coefficients that an end position counts together."""
        return -(-self.samples // _GROUPS)

    @property
    def groups(self) -> int:
        """Largest end position."""
        return -(-self.rows // self.group)

    @property
    def raw_bytes(self) -> int:
        """Bytes of the kept counts of a packet as they are."""
        return -(-self.windows * self.samples * self.bits // 8)

    @property
    def packed_bytes_max(self) -> int:
        """Bytes of the longest packet."""
        return self.max_bytes or 1 + self.raw_bytes + int(self.crc)

    @property
    def room(self) -> int:
        """Bytes that a payload may take."""
        return self.max_bytes - int(self.crc) if self.max_bytes else self.raw_bytes

    @property
    def step(self) -> float:
        """What an index counts, in ADC counts."""
        return float(2.0 ** (self.accumulator_shift + self.index_shift - self.fraction_bits) / self.multiplier)

    @property
    def arrays(self) -> dict[str, NDArray[Any]]:
        """The tables by name, as they stand in tables.npz."""
        named = {one.name: getattr(self, one.name) for one in fields(self)}
        return {name: value for name, value in named.items() if isinstance(value, np.ndarray) and value.size}

    @cached_property
    def _linear(self) -> tuple[NDArray[np.float64], float]:
        if self.fast:
            return linear_rows(self.network)
        rows = np.zeros((self.rows, self.samples))
        rows[self.positions] = folded_products(self, np.eye(self.samples, dtype=np.int64)).T
        return rows, float(np.abs(rows).sum(axis=1).max() * 32768)

    @cached_property
    def matrix(self) -> Ints:
        """The full rows (K, n): acc = matrix · x, but for what a fast transform rounds."""
        return np.rint(self._linear[0]).astype(np.int64)

    @property
    def multiplications(self) -> int:
        """What the sums of a window take."""
        return self.network.multiplications if self.fast else int(self.blocks.astype(np.int64).prod(axis=1).sum())

    def check(self) -> None:
        """Raise QcsError if a table does not go with the others, or an input could overflow."""
        _check_shapes(self)
        reach = self._linear[1]
        if reach >= 2**31:
            raise QcsError(f"weights: a row reaches {reach:.0f}, int32 ends at {2**31 - 1}")
        quality = MOST_QUALITY - 1 if self.max_bytes else 0
        top = (self.rounding << quality) + (2**20 - 1) * self.multiplier
        if top >= 2**32 or not 1024 <= self.multiplier < 2048 or self.index_shift + quality > 31:
            raise QcsError(f"quantizer: multiplier {self.multiplier}, rounding {self.rounding} and index_shift "
                           f"{self.index_shift} leave 32 bits")  # fmt: skip
        if self.coder == "range":
            _check_symbols(self)
        elif len(self.rice) != self.rows or int(self.rice.max()) > 14:
            raise QcsError(f"rice: they must be {self.rows} parameters of at most 14")


def folded_products(tables: Tables, x: Ints) -> Ints:
    """Return the sums (windows, K) in the order of `weights` of samples (windows, n)."""
    v, sums, place = np.array(x, np.int64), [], 0
    for number, (half, rows) in enumerate(tables.blocks.astype(np.int64)):
        if number < len(tables.blocks) - 1:
            low, high = v[:, half - 1 :: -1].copy() if half else v[:, :0], v[:, half : 2 * half].copy()
            v[:, half - 1 :: -1], v[:, half : 2 * half] = low + high, low - high
            part = v[:, half : 2 * half]
        else:
            part = v[:, :half]
        weights = tables.weights[place : place + rows * half].astype(np.int64).reshape(rows, half)
        place += rows * half
        sums.append(part @ weights.T)
    return np.concatenate(sums, axis=1)


def take(facts: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Tables:
    """Return the checked tables of numbers and arrays by name. Raises QcsError that names the one at fault."""
    types: dict[str, type[np.generic]] = {"weights": np.int16, "positions": np.uint16}
    if "steps" in arrays:
        types |= {"steps": np.uint16, "twiddles": np.int16, "pairs": np.uint16}
    else:
        types |= {"blocks": np.uint16}
    if "rice" in arrays:
        types["rice"] = np.uint8
    else:
        types |= {"classes": np.uint8, "contexts": np.uint8, "symbols": np.uint16, "ends": np.uint16}
    shapes: dict[str, tuple[int | None, ...]] = {"blocks": (None, 2), "twiddles": (None, 2), "pairs": (None, 2)}
    shapes |= {"steps": (None, 3)}
    shapes |= {"contexts": (None, CONTEXTS), "symbols": (None, SYMBOLS)}
    taken: dict[str, Any] = {
        name: take_table(arrays, name, kind, shapes.get(name, (None,))) for name, kind in types.items()
    }
    check_names(arrays, {*types, "centroids", "decoder"})
    tables = Tables(**facts, **taken)
    tables.check()
    return tables


def _check_shapes(tables: Tables) -> None:
    """Raise QcsError if sizes contradict each other."""
    if not 1 <= tables.rows <= tables.samples:
        raise QcsError(f"rows is {tables.rows}, a window keeps {tables.samples} samples")
    if tables.fast:
        check_steps(tables.network)
    else:
        _check_blocks(tables)


def _check_blocks(tables: Tables) -> None:
    half, sizes = tables.samples, tables.blocks.astype(np.int64)
    for number, (stated, _) in enumerate(sizes):
        if number < len(sizes) - 1:
            if half % 2:
                raise QcsError(f"blocks: {half} samples cannot be folded")
            half //= 2
        if stated != half:
            raise QcsError(f"blocks: block {number} has half {stated}, {half} follow")
    if len(sizes) < 2 or sizes[:, 1].sum() != tables.rows:
        raise QcsError(f"blocks: they hold {sizes[:, 1].sum()} rows, rows is {tables.rows}")
    if tables.weights.size != int((sizes[:, 0] * sizes[:, 1]).sum()):
        raise QcsError(f"weights: {tables.weights.size} of them, blocks ask for {(sizes[:, 0] * sizes[:, 1]).sum()}")
    if sorted(tables.positions.tolist()) != list(range(tables.rows)):
        raise QcsError(f"positions: not each of 0 … {tables.rows - 1} once")


def _check_symbols(tables: Tables) -> None:
    """Raise QcsError if a table of the range coder is no table, or one names another that is not there."""
    classes, contexts, symbols, ends = (getattr(tables, name) for name in _RANGE_TABLES)
    if len(classes) != tables.rows or not 1 <= len(contexts) <= 16 or int(classes.max()) >= len(contexts):
        raise QcsError(f"classes: they must be {tables.rows} numbers below {len(contexts)}, the rows of contexts that "
                       "may be 16")  # fmt: skip
    if not len(symbols) or int(contexts.max()) >= len(symbols):
        raise QcsError(f"contexts: they name a table that is not among the {len(symbols)} of symbols")
    if len(ends) != tables.groups + 1:
        raise QcsError(f"ends: {len(ends)} upper ends, {tables.groups + 1} are needed")
    for name, upper in (("symbols", symbols), ("ends", ends[None])):
        if not are_tables(upper):
            raise QcsError(f"{name}: upper ends must rise from above 0 to {TOTAL}")
