"""The network of a fast DCT: odd halves are turned into two transforms of a quarter, instead of multiplied out.

A cosine transform of type II and n values is one of n / 2 sums and one of type IV of n / 2 differences; one of type IV
and 2 q values is, after q rotations, a cosine and a sine transform of type II and q values, whose results are added
and subtracted (G. Plonka, M. Tasche, Fast and numerically stable algorithms for discrete cosine transforms, Linear
Algebra Appl. 394, 2005). Sine transforms go the same way.
"""

import math
from dataclasses import dataclass, field, replace

import numpy as np

from qcskit.codec.transform.network import FOLD, TURN, TURN_BITS, Network

LEAST_SAMPLES = 128
LEAST_ROWS = 8
"""Fewer are multiplied out with less work."""
_LEAST_TURNED = 32
"""Values of a type IV below which it is multiplied out."""
_LEAST_FOLDED = 8
"""Values of a type II up to which it is multiplied out."""

Slots = dict[int, int]
"""Where the result of a row goes, by the row's number."""


def is_fast(n: int, rows: int) -> bool:
    """Tell whether so many rows of a DCT of n samples are made by a network."""
    return n >= LEAST_SAMPLES and n % 4 == 0 and rows >= LEAST_ROWS


@dataclass(frozen=True)
class _Values:
    """Values on their way: v[start : start + size], in natural order or reversed, all times sign."""

    start: int
    size: int
    reversed: bool = False
    sign: int = 1


@dataclass
class _Draft:
    """What has been made so far. scale: of a weight."""

    scale: float
    slots: int
    steps: list[tuple[int, int, int]] = field(default_factory=list)
    twiddles: list[tuple[int, int]] = field(default_factory=list)
    weights: list[float] = field(default_factory=list)
    positions: list[int] = field(default_factory=list)
    pairs: list[tuple[int, int]] = field(default_factory=list)
    negative: set[int] = field(default_factory=set)

    def two(self, values: _Values, rows: Slots, sine: bool) -> None:
        """Add a type II: of a cosine transform rows 0 … size − 1, of a sine transform rows 1 … size."""
        if not rows:
            return
        odd = {row // 2: slot for row, slot in rows.items() if row % 2}
        even = {row // 2: slot for row, slot in rows.items() if row % 2 == 0}
        if values.size <= _LEAST_FOLDED or values.size % 2:
            self._block(values, {2 * row: slot for row, slot in rows.items()}, sine)
            return
        half = values.size // 2
        self.steps.append((values.start, half, FOLD))
        sums = _Values(values.start, half, sign=values.sign)
        turned = -values.sign if values.reversed else values.sign
        differences = _Values(values.start + half, half, reversed=True, sign=turned)
        self.four(sums if sine else differences, odd, sine)
        self.two(differences if sine else sums, even, sine)

    def four(self, values: _Values, rows: Slots, sine: bool) -> None:
        """Add a type IV, rows 0 … size − 1."""
        if values.size < _LEAST_TURNED or values.size % 2:
            self._block(values, {2 * row + 1: slot for row, slot in rows.items()}, sine)
        elif rows:
            self._turn(values, rows, sine)

    def _turn(self, values: _Values, rows: Slots, sine: bool) -> None:
        quarter = values.size // 2
        angles = [math.pi * (2 * j + 1) / (4 * values.size) for j in range(quarter)]
        swapped = values.reversed != sine
        for angle in angles:
            c, s = (round(math.ldexp(wave(angle), TURN_BITS)) for wave in (math.cos, math.sin))
            self.twiddles.append((s, c) if swapped else (c, s))
        self.steps.append((values.start, quarter, TURN))
        cosines: Slots = {0: rows[0]} if 0 in rows else {}
        sines: Slots = {quarter: rows[values.size - 1]} if values.size - 1 in rows else {}
        pairs = []
        for m in range(1, quarter):
            lower, upper = rows.get(2 * m - 1), rows.get(2 * m)
            if lower is None and upper is None:
                continue
            lower, upper = self._slot(lower), self._slot(upper)
            cosines[m], sines[m] = (upper, lower) if sine else (lower, upper)
            pairs.append((lower, upper))
        first = replace(values, size=quarter, reversed=False)
        second = _Values(values.start + quarter, quarter, True, -values.sign if swapped else values.sign)
        if not sine and quarter in sines:  # the last row of a cosine transform is the last sine, less than 0
            self.negative ^= {sines[quarter]}
        self.two(first, cosines, False)
        self.two(second, sines, True)
        self.pairs += pairs

    def _block(self, values: _Values, rows: Slots, sine: bool) -> None:
        """Add rows multiplied out. Row r, even in a type II, odd in a IV, has angles π r (2 j + 1) / (4 · size)."""
        wave = math.sin if sine else math.cos
        for row, slot in rows.items():
            scale = self.scale * values.sign * (-1 if slot in self.negative else 1) * (1 if slot else math.sqrt(0.5))
            own = [scale * wave(math.pi * row * (2 * j + 1) / (4 * values.size)) for j in range(values.size)]
            self.weights += own[::-1] if values.reversed else own
        if rows:
            self.steps.append((values.start, values.size, len(rows)))
            self.positions += rows.values()

    def _slot(self, slot: int | None) -> int:
        """Return a slot for a result; one behind the coefficients where only the other of a pair is wanted."""
        if slot is None:
            slot, self.slots = self.slots, self.slots + 1
        return slot


def fast_dct(n: int, rows: int, fraction_bits: int) -> Network:
    """Return the network of the first rows of a DCT; what a coefficient is does not depend on how many there are."""
    made = _Draft(math.ldexp(math.sqrt(2 / n), fraction_bits), rows)
    made.two(_Values(0, n), {row: row for row in range(rows)}, False)
    return Network(
        n, rows, np.array(made.steps, np.uint16), np.array(made.twiddles, np.int16),
        np.rint(made.weights).astype(np.int16), np.array(made.positions, np.uint16), np.array(made.pairs, np.uint16),
    )  # fmt: skip
