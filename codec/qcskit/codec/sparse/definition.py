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
    if tables.symbols.size:
        return _range_packet(tables, y)
    stream, m = 0, tables.inputs
    for window in range(tables.windows):
        stream |= _word(tables, y[window * m : (window + 1) * m]) << window * tables.bits
    return stream.to_bytes(-(-tables.windows * tables.bits // 8), "little")


def _rounded(number: int, bits: int) -> int:
    """Return number / 2^bits, halves upwards."""
    return (number + 2**bits // 2) // 2**bits


def _found(tables: Tables, y: tuple[int, ...]) -> tuple[int, list[int], list[int], bool]:
    """Sections 1 to 3: number of the support, its places, their coefficients, and whether the guard speaks."""
    phi = tables.phi.tolist()
    c = [_rounded(sum(w * e for w, e in zip(row, y, strict=True)), 16) for row in phi]
    number, support, values = _pair(tables, c) if tables.sparsity == 2 else _single(c)
    over = _residual(tables, y, [phi[i] for i in support], values) > tables.limit if tables.limit else False
    return number, support, values, over


@lru_cache(maxsize=8192)  # of every count most are beyond the ADC's ends
def _word(tables: Tables, y: tuple[int, ...]) -> int:
    number, support, values, flagged = _found(tables, y)
    supports = len(tables.pairs) if tables.sparsity == 2 else tables.entries
    beyond = _plain_words(tables, supports) if flagged else 0
    if tables.plane.size:
        points, axis = (tables.coarse_plane, tables.coarse_axis) if flagged else (tables.plane, tables.axis)
        return beyond + _plane(points.tolist(), axis.tolist(), supports, number, support, values)
    if flagged:
        return beyond + _cells(tables.coarse.tolist(), number, values)
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
    return int(supports * (2 * len(tables.thresholds) + 2) ** tables.sparsity)


def _cells(thresholds: Sequence[int], word: int, values: Sequence[int]) -> int:
    half = len(thresholds) + 1
    for value in values:
        beyond = sum(t <= (value if value >= 0 else -1 - value) for t in thresholds)
        word = word * 2 * half + (half + beyond if value >= 0 else half - 1 - beyond)
    return word


def _plane(points: Sequence[Sequence[int]], axis: Sequence[int], supports: int, number: int, support: Sequence[int],
           values: Sequence[int]) -> int:  # fmt: skip
    """Section 4: the nearest point, of both coefficients, else of the first alone, else of the second alone."""
    a, b = (min(abs(value), 32767) for value in values)
    s, r = (int(value < 0) for value in values)
    base = 4 * len(points) * supports
    words = [((a - p) ** 2 + (b - q) ** 2, (number * len(points) + k) * 4 + 2 * s + r)
             for k, (p, q) in enumerate(points)]  # fmt: skip
    words += [((a - p) ** 2 + b**2, base + (support[0] * len(axis) + k) * 2 + s) for k, p in enumerate(axis)]
    words += [((b - p) ** 2 + a**2, base + (support[1] * len(axis) + k) * 2 + r) for k, p in enumerate(axis)]
    return min(words, key=lambda one: one[0])[1]


def _range_packet(tables: Tables, y: Sequence[int]) -> bytes:
    """Section 5, code range: `low` is one number without end, so a carry is an addition."""
    low, width, put, m = 0, 0xFF000000, 0, tables.inputs
    for first in range(0, len(y), m):
        for start, size, total in _range_steps(tables, tuple(y[first : first + m])):
            r = width // total
            low, width = low + r * start, r * size
            while width < 1 << 24:
                low, width, put = low << 8, width << 8, put + 1
    whole = (low >> 32) + 1
    if whole << 32 < low + width:
        return whole.to_bytes(put, "big").rstrip(b"\0")
    return (low + 0xFFFFFF >> 24).to_bytes(put + 1, "big").rstrip(b"\0") or b"\0"


@lru_cache(maxsize=8192)
def _range_steps(tables: Tables, y: tuple[int, ...]) -> tuple[tuple[int, int, int], ...]:
    """Section 4: what is coded of a vector, as [start, start + size) of a total."""
    number, support, values, flagged = _found(tables, y)
    steps = [((4096 - tables.flag, tables.flag, 4096) if flagged else (0, 4096 - tables.flag, 4096))] * bool(
        tables.limit
    )
    indices = [_index(tables, value, flagged) for value in values]
    left = [place for place, index in zip(support, indices, strict=True) if index]
    if len(indices) == 2 and not indices[0]:
        indices.reverse()
    upper = tables.symbols.tolist()[-len(values) if flagged else 0 :]
    for k, index in enumerate(indices):
        ends = [0, *upper[k]]
        symbol, raw = _symbol(index)
        steps += [(ends[symbol], ends[symbol + 1] - ends[symbol], 4096), *((v, 1, 1 << bits) for v, bits in raw)]
        if not index:
            break
    if len(left) == 1:
        steps.append(_equal(left[0], tables.entries))
    if len(left) == 2:
        steps.append(_equal(number, len(tables.pairs)))
    return tuple(steps)


def _equal(value: int, count: int) -> tuple[int, int, int]:
    bits = max(min(count.bit_length() + 6, 20), count.bit_length())
    size = 2**bits // count
    return value * size, size, 2**bits


def _index(tables: Tables, value: int, flagged: bool) -> int:
    a = min(abs(value), 32767)
    index = (
        0 if a < tables.least else _rounded(a * tables.multiplier, tables.index_shift + flagged * tables.coarse_shift)
    )
    return -index if value < 0 else index


def _symbol(index: int) -> tuple[int, list[tuple[int, int]]]:
    """Return the symbol of an index and the raw numbers (value, bits) behind it: section 3 of docs/transform.md."""
    a, sign = abs(index), int(index < 0)
    if a < 2:
        return a, [(sign, 1)] * a
    if a < 192:
        t = a.bit_length() - 1
        return 2 * t + (a >> t - 1) - 2, [((a % 2 ** (t - 1)) * 2 + sign, t)]
    b = a - 191
    t = b.bit_length() - 1
    return 15, [(t, 4), ((b - 2**t) * 2 + sign, t + 1)]
