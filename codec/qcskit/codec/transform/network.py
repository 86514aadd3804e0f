"""The fast transform of section 1 of docs/transform.md: sums by a network of folds, turns and small blocks.

Steps say what is done where; nothing here knows which transform they make.
"""

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qcskit.codec.errors import QcsError

FOLD, TURN = 65535, 65534
"""Stand for rows of a step that has none."""
TURN_BITS = 11
"""Fraction bits of twiddles."""
MOST_LIFT = 8

Ints = NDArray[np.int64]
Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Network:
    """How sums are made. rows: K. Names and meaning as in docs/transform.md."""

    samples: int
    rows: int
    steps: NDArray[np.uint16]
    twiddles: NDArray[np.int16]
    weights: NDArray[np.int16]
    positions: NDArray[np.uint16]
    pairs: NDArray[np.uint16]

    @property
    def arrays(self) -> dict[str, NDArray[Any]]:
        """The tables by name, as they stand in tables.npz."""
        return {one.name: getattr(self, one.name) for one in fields(self)[2:]}

    @property
    def multiplications(self) -> int:
        """What a window takes."""
        turned = 4 * len(self.twiddles)
        return turned + sum(half * rows for _, half, rows in self.steps.tolist() if rows < TURN)


def network_sums(net: Network, x: Ints) -> Ints:
    """Return acc (windows, K) of kept samples (windows, n), int16 about the centre."""
    lift = lifts(x)[:, None]
    v, sums = x << lift, np.zeros((len(x), len(net.positions)), np.int64)
    weights, turned, places = net.weights.astype(np.float64), 0, _Places()
    for start, half, rows in net.steps.tolist():
        low, high = _pairs(v, start, half)
        if rows == FOLD:
            low[:], high[:] = low + high, low - high
        elif rows == TURN:
            c, s = net.twiddles[turned : turned + half].astype(np.int64).T
            low[:], high[:] = _rounded(c * low + s * high), _rounded(c * high - s * low)
            turned += half
        else:
            block, own = places.take(rows, half)
            part = v[:, start : start + half].astype(np.float64)  # sums below 2^31 are exact in any order
            sums[:, net.positions[own]] = part @ weights[block].reshape(rows, half).T
    _combine(net, sums)
    return sums[:, : net.rows] >> lift


def lifts(x: Ints) -> Ints:
    """Return by how many bits windows (windows, n) of int16 may be shifted up and stay int16, at most MOST_LIFT.

    >>> lifts(np.array([[0, 0], [1, -128], [127, 0], [-129, 5], [32767, 0], [0, -32768]])).tolist()
    [8, 8, 8, 7, 0, 0]
    """
    loud = np.bitwise_or.reduce(x ^ (x >> 15), axis=1)
    bits = np.frexp(loud.astype(np.float64))[1].astype(np.int64)
    return np.asarray(np.minimum(15 - bits, MOST_LIFT))


def _rounded(products: Ints) -> Ints:
    return (products + (1 << TURN_BITS - 1)) >> TURN_BITS


class _Places:
    """Where the weights and the positions of the next block stand."""

    def __init__(self) -> None:
        self.weights = self.rows = 0

    def take(self, rows: int, half: int) -> tuple[slice, slice]:
        weights, own = slice(self.weights, self.weights + rows * half), slice(self.rows, self.rows + rows)
        self.weights, self.rows = weights.stop, own.stop
        return weights, own


def _pairs(v: NDArray[Any], start: int, half: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return views of v[:, start + i] and v[:, start + 2 · half - 1 - i], i < half, as far as v reaches."""
    high = v[:, start + half : start + 2 * half]
    return v[:, start : start + half], high[:, ::-1]


def _combine(net: Network, sums: NDArray[Any]) -> None:
    for a, b in net.pairs.tolist():
        sums[:, a], sums[:, b] = sums[:, a] - sums[:, b], sums[:, a] + sums[:, b]


def linear_rows(net: Network) -> tuple[Array, float]:
    """Return the rows (K, n) that the network computes but for rounding, and a bound on all that it computes.

    The bound holds for samples of full scale, and counts half a unit for whatever a turn rounds.
    """
    n, turned = net.samples, 2 * len(net.twiddles)
    # What goes in, one each: samples, then the rounding of every turned value.
    v, size = np.zeros((n + turned, n)), np.concatenate([np.full(n, 32768.0), np.full(turned, 0.5)])
    v[:n] = np.eye(n)
    sums, most, error = np.zeros((n + turned, len(net.positions))), 32768.0, n
    weights, places = net.weights.astype(np.float64), _Places()
    for start, half, rows in net.steps.tolist():
        low, high = _pairs(v, start, half)
        if rows == FOLD:
            low[:], high[:] = low + high, low - high
            most = max(most, _most(size, low), _most(size, high))
        elif rows == TURN:
            c, s = net.twiddles[(error - n) // 2 :][:half].astype(np.float64).T
            low[:], high[:] = c * low + s * high, c * high - s * low
            most = max(most, _most(size, low) + (1 << TURN_BITS - 1), _most(size, high) + (1 << TURN_BITS - 1))
            v[:, start : start + 2 * half] /= 1 << TURN_BITS
            own = np.arange(2 * half)
            v[error + own, start + own] += 1
            error += 2 * half
        else:
            block, own_rows = places.take(rows, half)
            part, table = v[:, start : start + half], weights[block].reshape(rows, half)
            sums[:, net.positions[own_rows]] = part @ table.T
            # Sums of magnitudes: every part of a sum is below.
            most = max(most, float((np.abs(table) @ (size @ np.abs(part))).max(initial=0)))
    for a, b in net.pairs.tolist():
        sums[:, a], sums[:, b] = sums[:, a] - sums[:, b], sums[:, a] + sums[:, b]
        most = max(most, _most(size, sums[:, [a, b]]))
    return sums[:n, : net.rows].T, most


def check_steps(net: Network) -> None:
    """Raise QcsError if steps, twiddles, pairs, weights and positions contradict each other."""
    n, steps = net.samples, net.steps.astype(np.int64)
    if n % 4 or steps[0].tolist() != [0, n // 2, FOLD]:
        raise QcsError(f"steps: they must begin with the fold of {n} samples, a multiple of 4")
    lifted = np.zeros(n, bool)
    for number, (start, half, rows) in enumerate(steps[1:].tolist(), 1):
        block = rows < TURN
        part = lifted[start : start + (half if block else 2 * half)]
        first = half == n // 4 and not block
        if not 1 <= half <= n or len(part) != (half if block else 2 * half) or (part if first else ~part).any():
            raise QcsError(f"steps: step {number} takes values that are not there: a fold or turn of {n // 4} pairs "
                           "comes first, once")  # fmt: skip
        part[:] = True
    _check_counts(net, steps)


def _check_counts(net: Network, steps: Ints) -> None:
    blocks, turns = steps[steps[:, 2] < TURN], steps[steps[:, 2] == TURN]
    sums, products = int(blocks[:, 2].sum()), int((blocks[:, 1] * blocks[:, 2]).sum())
    for name, found, needed in (
        ("positions", len(net.positions), sums), ("weights", net.weights.size, products),
        ("twiddles", len(net.twiddles), int(turns[:, 1].sum())),
    ):  # fmt: skip
        if found != needed:
            raise QcsError(f"{name}: {found} of them, steps ask for {needed}")
    if sorted(net.positions.tolist()) != list(range(sums)) or sums < net.rows:
        raise QcsError(f"positions: not each of 0 … {max(sums, net.rows) - 1} once")
    if int(net.pairs.max(initial=0)) >= sums or (net.pairs[:, 0] == net.pairs[:, 1]).any():
        raise QcsError(f"pairs: they must name two of {sums} sums each")


def _most(size: Array, values: Array) -> float:
    """Return the largest magnitude that values (inputs, any) have for inputs of such sizes."""
    return float((size @ np.abs(values)).max())
