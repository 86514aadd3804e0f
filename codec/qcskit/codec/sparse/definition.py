"""The definition: docs/sparse.md in unbounded Python integers, one packet at a time, sharing nothing with the rest.

Slow, and read beside the page: what everything else must equal.
"""

from collections.abc import Sequence
from functools import lru_cache
from itertools import combinations

from qcskit.codec.sparse.tables import Tables


def packet_of(tables: Tables, counts: Sequence[int]) -> bytes:
    """Return the packet of W · M counts."""
    y = tuple((min(max(count, tables.low), tables.high) - tables.centre) * 2**tables.align for count in counts)
    stream, m = 0, tables.inputs
    for window in range(tables.windows):
        stream |= _word(tables, y[window * m : (window + 1) * m]) << window * tables.bits
    return stream.to_bytes(-(-tables.windows * tables.bits // 8), "little")


def _rounded(number: int, bits: int) -> int:
    """Return number / 2^bits, halves upwards."""
    return (number + 2**bits // 2) // 2**bits


@lru_cache(maxsize=8192)  # of every count most are beyond the ADC's ends
def _word(tables: Tables, y: tuple[int, ...]) -> int:
    phi = tables.phi.tolist()
    c = [_rounded(sum(w * e for w, e in zip(row, y, strict=True)), 16) for row in phi]
    number, support, values = _pair(tables, c) if tables.sparsity == 2 else _single(c)
    supports = len(tables.pairs) if tables.sparsity == 2 else len(c)
    if tables.limit and _residual(tables, y, [phi[i] for i in support], values) > tables.limit:
        return _plain_words(tables, supports) + _cells(tables.coarse.tolist(), number, values)
    if tables.plane.size:
        return _plane(tables, number, support, values)
    return _cells(tables.thresholds.tolist(), number, values)


def _single(c: Sequence[int]) -> tuple[int, list[int], list[int]]:
    best = max(range(len(c)), key=lambda i: abs(c[i]))
    return best, [best], [c[best]]


def _pair(tables: Tables, c: Sequence[int]) -> tuple[int, list[int], list[int]]:
    """Section 2: the first pair of the largest score."""
    f, best = tables.pair_bits, (-1, 0, 0, 0, 0)
    table = tables.pairs.tolist()
    for number, (i, j) in enumerate(combinations(range(len(c)), 2)):
        u, v = table[number]
        t = _rounded(u * c[j] - v * c[i], f)
        score = c[i] ** 2 + t**2
        if score > best[0]:
            best = (score, number, i, j, t)
    _, number, i, j, t = best
    u, v = table[number]
    return number, [i, j], [c[i] - _rounded(v * t, f), _rounded(u * t, f)]


def _residual(tables: Tables, y: Sequence[int], rows: Sequence[Sequence[int]], values: Sequence[int]) -> int:
    """Section 3."""
    e = 2 * tables.phi_bits - 16
    left = (y[k] * 2**e - sum(row[k] * a for row, a in zip(rows, values, strict=True)) for k in range(len(y)))
    return sum(_rounded(each, e + tables.residual_shift) ** 2 for each in left)


def _plain_words(tables: Tables, supports: int) -> int:
    if tables.plane.size:
        return 4 * len(tables.plane) * supports + 2 * len(tables.axis) * tables.entries
    return int(supports * (len(tables.thresholds) + 1) ** tables.sparsity)


def _cells(thresholds: Sequence[int], word: int, values: Sequence[int]) -> int:
    for value in values:
        word = word * (len(thresholds) + 1) + sum(t <= value for t in thresholds)
    return word


def _plane(tables: Tables, number: int, support: Sequence[int], values: Sequence[int]) -> int:
    """Section 4: the nearest point, of both coefficients, else of the first alone, else of the second alone."""
    a, b = (min(abs(value), 32767) for value in values)
    s, r = (int(value < 0) for value in values)
    points, axis = tables.plane.tolist(), tables.axis.tolist()
    base = 4 * len(points) * len(tables.pairs)
    words = [((a - p) ** 2 + (b - q) ** 2, (number * len(points) + k) * 4 + 2 * s + r)
             for k, (p, q) in enumerate(points)]  # fmt: skip
    words += [((a - p) ** 2 + b**2, base + (support[0] * len(axis) + k) * 2 + s) for k, p in enumerate(axis)]
    words += [((b - p) ** 2 + a**2, base + (support[1] * len(axis) + k) * 2 + r) for k, p in enumerate(axis)]
    return min(words, key=lambda one: one[0])[1]
