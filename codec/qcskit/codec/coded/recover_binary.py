"""The inner loop of `recover` for p = 2: the same steps, arranged for speed.

Syndromes are formed for 64 frames side by side; every second discrepancy of Berlekamp–Massey is zero; and the locator
is evaluated at all positions at once, because for fixed degree j the values λ α^(−ij), i = 0 … n−1, are a slice of a
table.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from qcskit.codec.coded.dictionary import Dictionary
from qcskit.codec.coded.sc_binary import exclusive_or
from qcskit.codec.jit import compiled, helper

_LANES = 64


class BinaryTables(NamedTuple):
    """What the compiled loop needs. bits: (entries, 3) rows (column of u, j, mask): u[column] = 1 flips `mask` in S_j.

    squared: (2k + 1,) bool, S_j is computed as S_(j/2)² instead. walk, walk_start: see `_chien_walks`.
    """

    order: int
    n: int
    k: int
    guard: bool
    exp: NDArray[np.int32]
    log: NDArray[np.int32]
    bits: NDArray[np.int32]
    squared: NDArray[np.bool_]
    walk: NDArray[np.uint16]
    walk_start: NDArray[np.int32]


def binary_tables(dictionary: Dictionary) -> BinaryTables:
    """Return the tables of a dictionary over F_2."""
    gf, k = dictionary.gf, dictionary.k
    independent = dictionary.symbols < dictionary.expand.shape[0]
    squared = np.array([independent and j > 0 and j % 2 == 0 for j in range(2 * k + 1)])
    masks: dict[tuple[int, int], int] = {}
    for row, column in zip(*np.nonzero(dictionary.expand), strict=True):
        # The last row, beyond 2k·r, is S_0.
        j, digit = (int(row) // gf.r + 1, int(row) % gf.r) if row < 2 * k * gf.r else (0, 0)
        if not squared[j]:
            masks[int(column), j] = masks.get((int(column), j), 0) | 1 << digit
    bits = np.array([(column, j, mask) for (column, j), mask in masks.items()], np.int32)
    walk, start = _chien_walks(gf.exp, gf.order, dictionary.n, k)
    return BinaryTables(gf.order, dictionary.n, k, dictionary.guard, gf.exp, gf.log, bits, squared, walk, start)


def _chien_walks(exp: NDArray[np.int32], order: int, n: int, k: int) -> tuple[NDArray[np.uint16], NDArray[np.int32]]:
    """Return every sequence λ α^(−ij), i = 0 … n−1, as a slice of one array: walk[walk_start[j−1, log λ]:][:n].

    For each degree j the sequences are shifts of gcd(j, order) periodic ones. Evaluating a locator at all positions is
    then a few exclusive ors of contiguous memory.
    """
    parts, starts, used = [], np.zeros((k, order), np.int32), 0
    for j in range(1, k + 1):
        cosets = math.gcd(j, order)
        period = order // cosets
        steps = np.arange(n + period, dtype=np.int64)
        for coset in range(cosets):
            parts.append(exp[(coset - j * steps) % order].astype(np.uint16))
            reached = (coset - j * np.arange(period)) % order
            starts[j - 1, reached] = used + np.arange(period)
            used += n + period
    return np.concatenate(parts), starts


@compiled
def solve(u, t, positions, ok):  # type: ignore[no-untyped-def]
    """Fill positions (frames, k) and ok (frames,) from u (frames, >= K), as `recover` says."""
    order, n, k, exp, log = t.order, t.n, t.k, t.exp, t.log
    lanes = np.zeros((2 * k + 1) * _LANES, np.uint16)
    syndrome = np.zeros(2 * k + 1, np.int64)
    work = np.zeros(3 * (k + 2), np.int64)
    evaluated = np.zeros((n + 3) // 4 * 4, np.uint16)
    found = np.zeros(k, np.int64)
    for start in range(0, u.shape[0], _LANES):
        count = min(_LANES, u.shape[0] - start)
        _syndromes(u[start : start + count], t.bits, lanes)
        for lane in range(count):
            f = start + lane
            some = np.int64(0)
            for j in range(1, 2 * k + 1):
                s = np.int64(lanes[j * _LANES + lane])
                if t.squared[j]:
                    s = syndrome[j >> 1]
                    s = s if s == 0 else np.int64(exp[2 * log[s] % order])
                syndrome[j] = s
                some |= s
            parity = lanes[lane]
            if some == 0:
                ok[f] = not t.guard or parity == 0
                continue
            weight = _berlekamp_massey(syndrome, exp, log, order, k, work)
            if weight == 0 or (t.guard and (weight & 1) != parity):
                continue
            if _chien(work, weight, n, log, t.walk, t.walk_start, evaluated, found) == weight:
                ok[f] = True
                for i in range(weight):
                    positions[f, i] = found[i]


@helper
def _syndromes(u, bits, lanes):  # type: ignore[no-untyped-def]
    lanes[:] = 0
    column_bits = np.empty(_LANES, np.uint16)
    column = -1
    for e in range(bits.shape[0]):
        if bits[e, 0] != column:
            column = bits[e, 0]
            for lane in range(u.shape[0]):
                column_bits[lane] = np.uint16(0) - np.uint16(u[lane, column])
        first, mask = bits[e, 1] * _LANES, np.uint16(bits[e, 2])
        for lane in range(_LANES):
            lanes[first + lane] ^= column_bits[lane] & mask


@helper
def _berlekamp_massey(syndrome, exp, log, order, k, work):  # type: ignore[no-untyped-def]
    """Fill work[0 … k] with the shortest locator; return its degree, or 0 if above k or if not all S_2j = S_j²."""
    for j in range(1, k + 1):
        s = syndrome[j]
        if syndrome[2 * j] != (0 if s == 0 else exp[2 * log[s] % order]):
            return 0
    size = k + 2
    previous, saved = size, 2 * size  # three polynomials in one array: locator, previous, saved
    for i in range(2 * size):
        work[i] = 0
    work[0] = work[previous] = 1
    degree, gap, log_last = 0, 1, 0
    for step in range(0, 2 * k, 2):
        discrepancy = syndrome[step + 1]
        for i in range(1, degree + 1):
            discrepancy ^= exp[log[work[i]] + log[syndrome[step + 1 - i]]]
        if discrepancy == 0:
            gap += 2
            continue
        grows = 2 * degree <= step
        if grows and step + 1 - degree > k:
            return 0
        factor = log[discrepancy] - log_last
        if factor < 0:
            factor += order
        for i in range(size):
            work[saved + i] = work[i]
        for i in range(size - gap):
            work[i + gap] ^= exp[factor + log[work[previous + i]]]
        gap += 2
        if grows:
            degree, log_last, gap = step + 1 - degree, log[discrepancy], 2
            for i in range(size):
                work[previous + i] = work[saved + i]
    return degree if work[degree] != 0 else 0


@helper
def _chien(locator, degree, n, log, walk, walk_start, evaluated, found):  # type: ignore[no-untyped-def]
    """Find the positions i < n with Λ(α^−i) = 0; return how many, at most `degree`."""
    evaluated[:] = 1
    for j in range(1, degree + 1):
        if locator[j] != 0:
            first = walk_start[j - 1, log[locator[j]]]
            exclusive_or(evaluated[:n], walk[first : first + n])
    # Four positions at a time: the lowest zero halfword of a word is where subtracting 1 first borrows into a clear top
    # bit. Its place is counted without branches.
    words = evaluated.view(np.uint64)
    ones, tops = np.uint64(0x0001000100010001), np.uint64(0x8000800080008000)
    roots = 0
    for w in range(words.shape[0]):
        word = words[w]
        zero = (word - ones) & ~word & tops
        while zero != 0 and roots < degree:
            place = np.int64(zero & np.uint64(0xFFFF) == 0) + np.int64(zero & np.uint64(0xFFFFFFFF) == 0)
            place += np.int64(zero & np.uint64(0xFFFFFFFFFFFF) == 0)
            found[roots] = 4 * w + place
            roots += 1
            word |= np.uint64(1) << np.uint64(16 * place)
            zero = (word - ones) & ~word & tops
    return roots
