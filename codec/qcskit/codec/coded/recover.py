"""Symbols u back to x: Berlekamp–Massey, Chien search, Forney, and every consistency the syndrome offers.

A result is flagged, never guessed, unless the syndrome is exactly that of a vector with at most k non-zero entries, at
positions 0 … n−1, with values in F_p (and, with a guard, S_0 agrees). Sources: Massey 1969; Blahut, "Theory and
practice of error control codes", chapter 7.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from qcskit.codec.coded.dictionary import Dictionary
from qcskit.codec.coded.recover_binary import BinaryTables, binary_tables, solve
from qcskit.codec.jit import compiled, helper


class FieldTables(NamedTuple):
    """What the compiled loops need of field and dictionary, p > 2; `expand` by rows is starts, columns, values."""

    p: int
    r: int
    order: int
    n: int
    k: int
    guard: bool
    exp: NDArray[np.int32]
    log: NDArray[np.int32]
    zech: NDArray[np.int32]
    starts: NDArray[np.int32]
    columns: NDArray[np.int32]
    values: NDArray[np.int32]
    given: NDArray[np.bool_]


@dataclass(frozen=True)
class Recovered:
    """Sparse x: positions int32 (frames, k), −1 where unused; values uint8 (frames, k); ok (frames,), else flagged."""

    positions: NDArray[np.int32]
    values: NDArray[np.uint8]
    ok: NDArray[np.bool_]

    def dense(self, n: int, values: NDArray[Any] | None = None) -> NDArray[Any]:
        """Return x (frames, n) over F_p, 0 … p−1; a flagged frame is all zero.

        values: what to put in place of `values` (frames, k), which also chooses the dtype.
        """
        entries = self.values if values is None else values
        x = np.zeros((self.ok.shape[0], n), entries.dtype)
        _scatter(self.positions, entries, x)
        return x


def tables(dictionary: Dictionary) -> FieldTables | BinaryTables:
    """Return the tables of a dictionary, for `recover`."""
    gf = dictionary.gf
    if gf.p == 2:
        return binary_tables(dictionary)
    rows, columns = np.nonzero(dictionary.expand)
    starts = np.searchsorted(rows, np.arange(dictionary.expand.shape[0] + 1)).astype(np.int32)
    values = dictionary.expand[rows, columns].astype(np.int32)
    # With independent rows S_(pj) = S_j^p costs one table look-up; with all rows each syndrome is taken as received.
    independent = dictionary.symbols < dictionary.expand.shape[0]
    given = np.array([not (independent and j % gf.p == 0) for j in range(1, 2 * dictionary.k + 1)])
    return FieldTables(gf.p, gf.r, gf.order, dictionary.n, dictionary.k, dictionary.guard, gf.exp, gf.log, gf.zech,
                       starts, columns.astype(np.int32), values, given)  # fmt: skip


def recover(u: NDArray[np.uint8], t: FieldTables | BinaryTables) -> Recovered:
    """Return x with at most k non-zero entries whose symbols are u, or flag the frame; needs numba.

    u: (frames, K) or wider; what lies beyond the first K columns is ignored.
    """
    frames = u.shape[0]
    positions = np.full((frames, t.k), -1, np.int32)
    ok = np.zeros(frames, np.bool_)
    u = np.ascontiguousarray(u)
    if isinstance(t, BinaryTables):
        solve(u, t, positions, ok)
        return Recovered(positions, np.ones((frames, t.k), np.uint8), ok)
    values = np.zeros((frames, t.k), np.uint8)
    _solve(u, t, positions, values, ok)
    return Recovered(positions, values, ok)


@compiled
def _scatter(positions, values, x):  # type: ignore[no-untyped-def]
    for f in range(positions.shape[0]):
        for i in range(positions.shape[1]):
            if positions[f, i] >= 0:
                x[f, positions[f, i]] = values[f, i]


@compiled
def _solve(u, t, positions, values, ok):  # type: ignore[no-untyped-def]
    syndrome, work = np.zeros(2 * t.k + 1, np.int64), np.zeros((3, 2 * t.k + 2), np.int64)
    locator, previous, saved = work[0], work[1], work[2]
    found, magnitude = np.zeros(t.k, np.int64), np.zeros(t.k, np.int64)
    for f in range(u.shape[0]):
        if not _syndromes(u[f], t, syndrome):
            ok[f] = not t.guard or syndrome[0] == 0
            continue
        weight = _berlekamp_massey(syndrome, t, locator, previous, saved)
        if weight == 0 or _chien(locator, weight, t, found) != weight:
            continue
        if _magnitudes(syndrome, locator, weight, found, t, magnitude):
            ok[f] = True
            positions[f, :weight] = found[:weight]
            values[f, :weight] = magnitude[:weight]


@helper
def _add(a, b, t):  # type: ignore[no-untyped-def]
    if a == 0:
        return b
    if b == 0:
        return a
    first = t.log[a]
    gap = t.log[b] - first
    return np.int64(t.exp[first + t.zech[gap if gap >= 0 else gap + t.order]])


@helper
def _multiply(a, b, t):  # type: ignore[no-untyped-def]
    return np.int64(t.exp[t.log[a] + t.log[b]])


@helper
def _minus_quotient(a, b, t):  # type: ignore[no-untyped-def]
    """Return −a / b for a, b not 0 and odd p: −1 = α^(order / 2)."""
    return np.int64(t.exp[(t.log[a] + t.order + t.order // 2 - t.log[b]) % t.order])


@helper
def _syndromes(u, t, syndrome):  # type: ignore[no-untyped-def]
    """Fill S_0 … S_2k from the symbols; return whether any of S_1 … S_2k is non-zero."""
    some = False
    for j in range(1, 2 * t.k + 1):
        element = np.int64(0)
        if t.given[j - 1]:
            scale = np.int64(1)
            for row in range((j - 1) * t.r, j * t.r):
                digit = np.int64(0)
                for e in range(t.starts[row], t.starts[row + 1]):
                    digit += t.values[e] * u[t.columns[e]]
                element += digit % t.p * scale
                scale *= t.p
        elif syndrome[j // t.p] != 0:
            element = np.int64(t.exp[t.log[syndrome[j // t.p]] * t.p % t.order])
        syndrome[j] = element
        some |= element != 0
    syndrome[0] = 0
    if t.guard:
        row = 2 * t.k * t.r
        for e in range(t.starts[row], t.starts[row + 1]):
            syndrome[0] += t.values[e] * u[t.columns[e]]
        syndrome[0] %= t.p
    return some


@helper
def _berlekamp_massey(syndrome, t, locator, previous, saved):  # type: ignore[no-untyped-def]
    """Fill the shortest locator Λ with Λ(0) = 1; return its degree, or 0 if that is above k or inconsistent."""
    locator[:] = previous[:] = 0
    locator[0] = previous[0] = 1
    degree, gap, last = 0, 1, np.int64(1)
    for step in range(2 * t.k):
        discrepancy = syndrome[step + 1]
        for i in range(1, degree + 1):
            discrepancy = _add(discrepancy, _multiply(locator[i], syndrome[step + 1 - i], t), t)
        if discrepancy == 0:
            gap += 1
            continue
        factor = _minus_quotient(discrepancy, last, t)
        grows = 2 * degree <= step
        if grows:
            saved[:] = locator
        for i in range(2 * t.k + 2 - gap):
            if previous[i] != 0:
                locator[i + gap] = _add(locator[i + gap], _multiply(factor, previous[i], t), t)
        if grows:
            degree, last, gap = step + 1 - degree, discrepancy, 1
            previous[:] = saved
        else:
            gap += 1
        if degree > t.k:
            return 0
    return degree if locator[degree] != 0 else 0


@helper
def _chien(locator, degree, t, found):  # type: ignore[no-untyped-def]
    """Find positions i < n with Λ(α^−i) = 0; return how many, at most `degree`."""
    logs = np.empty(degree + 1, np.int64)
    for j in range(degree + 1):
        logs[j] = t.log[locator[j]]
    roots = 0
    for i in range(t.n):
        value = np.int64(1)
        for j in range(1, degree + 1):
            if logs[j] < t.order:
                value = _add(value, np.int64(t.exp[logs[j]]), t)
                logs[j] -= j
                if logs[j] < 0:
                    logs[j] += t.order
        if value == 0:
            found[roots] = i
            roots += 1
            if roots == degree:
                break
    return roots


@helper
def _magnitudes(syndrome, locator, weight, found, t, magnitude):  # type: ignore[no-untyped-def]
    """Forney: e = −Ω(X⁻¹) / Λ'(X⁻¹), Ω = S Λ mod x^2k. False unless all are in F_p \\ {0} and the guard agrees."""
    total = np.int64(0)
    for i in range(weight):
        power = t.order - found[i]  # log of X⁻¹
        numerator = slope = np.int64(0)
        for d in range(weight):
            omega = np.int64(0)
            for j in range(d + 1):
                omega = _add(omega, _multiply(locator[j], syndrome[d - j + 1], t), t)
            shift = np.int64(t.exp[power * d % t.order])
            numerator = _add(numerator, _multiply(omega, shift, t), t)
            term = _multiply(locator[d + 1], np.int64((d + 1) % t.p), t)
            slope = _add(slope, _multiply(term, shift, t), t)
        if slope == 0 or numerator == 0:
            return False
        value = _minus_quotient(numerator, slope, t)
        if value >= t.p:
            return False
        magnitude[i] = value
        total += value
    return not t.guard or total % t.p == syndrome[0]
