"""The definition: docs/transform.md in unbounded Python integers, one packet at a time, sharing nothing with the rest.

Slow, and read beside the page: what everything else must equal.
"""

from collections.abc import Iterator, Sequence

from qcskit.codec.transform.tables import Tables

Table = Sequence[int]


def packet_of(tables: Tables, counts: Sequence[int]) -> bytes:
    """Return the packet of `inputs` counts."""
    x = [min(max(count - tables.centre, -32768), 32767) for count in counts[:: tables.stride]]
    windows = [tuple(x[start : start + tables.samples]) for start in range(0, len(x), tables.samples)]
    acc = {window: _transform(tables, window) for window in set(windows)}
    room = tables.raw_bytes
    if tables.max_bytes:
        room = tables.max_bytes - tables.crc
    for quality in range(8 if tables.max_bytes else 1):
        found = {w: [0 if quality == 7 else _index(tables, a, quality) for a in row] for w, row in acc.items()}
        if any(abs(i) == 32768 for row in found.values() for i in row):
            continue
        index = [found[window] for window in windows]
        payload = (_range_code if tables.coder == "range" else _rice_code)(tables, index, quality)
        if len(payload) <= room:
            return _with_crc(tables, payload.rstrip(b"\0") or b"\0")
    bits = "".join(
        f"{count - tables.low & (1 << tables.bits) - 1:0{tables.bits}b}" for count in counts[:: tables.stride]
    )
    return _with_crc(tables, b"\xff" + _bytes_of(bits))


def _transform(tables: Tables, x: Sequence[int]) -> list[int]:
    """Section 1."""
    return _by_steps(tables, x) if tables.steps.size else _by_blocks(tables, x)


def _by_steps(tables: Tables, x: Sequence[int]) -> list[int]:
    g = next(g for g in range(8, -1, -1) if all(-32768 <= e * 2**g < 32768 for e in x))
    v, sums = [e * 2**g for e in x], [0] * len(tables.positions)
    weights, positions, twiddles = (iter(t.tolist()) for t in (tables.weights, tables.positions, tables.twiddles))
    for start, half, rows in tables.steps.tolist():
        for i in range(half if rows >= 65534 else 0):
            low, high = start + i, start + 2 * half - 1 - i
            a, b = v[low], v[high]
            if rows == 65535:
                v[low], v[high] = a + b, a - b
            else:
                c, s = next(twiddles)
                v[low], v[high] = (c * a + s * b + 1024) // 2048, (c * b - s * a + 1024) // 2048
        for _ in range(rows if rows < 65534 else 0):
            sums[next(positions)] = sum(next(weights) * e for e in v[start : start + half])
    for p, q in tables.pairs.tolist():
        sums[p], sums[q] = sums[p] - sums[q], sums[p] + sums[q]
    return [e // 2**g for e in sums[: tables.rows]]


def _by_blocks(tables: Tables, x: Sequence[int]) -> list[int]:
    acc, place, v = [0] * tables.rows, 0, list(x)
    weights, positions = tables.weights.tolist(), iter(tables.positions.tolist())
    blocks = tables.blocks.tolist()
    for number, (half, rows) in enumerate(blocks):
        part = v[:half]
        if number < len(blocks) - 1:
            for j in range(half):
                a, b = v[half - 1 - j], v[half + j]
                v[half - 1 - j], v[half + j] = a + b, a - b
            part = v[half : 2 * half]
        for _ in range(rows):
            acc[next(positions)] = sum(w * e for w, e in zip(weights[place : place + half], part, strict=True))
            place += half
    return acc


def _index(tables: Tables, acc: int, quality: int) -> int:
    """Section 2. 32,768 where no index fits."""
    a = abs(acc) >> tables.accumulator_shift
    index = a * tables.multiplier + (tables.rounding << quality) >> tables.index_shift + quality
    return (32768 if a >= 2**20 else min(index, 32768)) * (-1 if acc < 0 else 1)


def _end(tables: Tables, index: list[int]) -> int:
    return next(e for e in range(tables.groups + 1) if not any(index[e * tables.group :]))


def _range_code(tables: Tables, windows: list[list[int]], quality: int) -> bytes:
    """Section 4: `low` is one number without end, so a carry is an addition."""
    low, width, put = 0, 0xFF000000, 0
    for start, end, total_bits in _steps(tables, windows, quality):
        r = width >> total_bits
        low, width = low + r * start, r * (end - start)
        while width < 1 << 24:
            low, width, put = low << 8, width << 8, put + 1
    whole = (low >> 32) + 1
    if whole << 32 < low + width:
        return whole.to_bytes(put, "big")
    # A multiple of 2^24 next above `low` is below its end, as what is left is at least as wide.
    return (low + 0xFFFFFF >> 24).to_bytes(put + 1, "big")


def _steps(tables: Tables, windows: list[list[int]], quality: int) -> Iterator[tuple[int, int, int]]:
    """Section 3: what is coded, as [start, end) of 2^bits."""
    if tables.max_bytes:
        yield quality, quality + 1, 3
    ends = tables.ends.tolist()
    for index in windows:
        e = _end(tables, index)
        yield ends[e - 1] if e else 0, ends[e], 12
        last = before = 0
        for k in range(min(e * tables.group, tables.rows)):
            symbol, raw = _symbol(index[k])
            number = tables.contexts[tables.classes[k]][min(2 * last + before, 24)]
            upper = tables.symbols[number].tolist()
            yield upper[symbol - 1] if symbol else 0, upper[symbol], 12
            for value, bits in raw:
                yield value, value + 1, bits
            last, before = symbol, last


def _symbol(index: int) -> tuple[int, list[tuple[int, int]]]:
    """Return the symbol of an index and the raw numbers (value, bits) behind it."""
    a, sign = abs(index), int(index < 0)
    if a == 0:
        return 0, []
    if a < 192:
        t = a.bit_length() - 1
        symbol = 1 if a == 1 else 2 * t + (a >> t - 1 & 1)
        free = max(t - 1, 0)
        return symbol, [((a & (1 << free) - 1) * 2 + sign, free + 1)]
    b = a - 191
    t = b.bit_length() - 1
    return 15, [(t, 4), ((b - (1 << t)) * 2 + sign, t + 1)]


def _rice_code(tables: Tables, windows: list[list[int]], quality: int) -> bytes:
    bits = f"{quality:03b}" if tables.max_bytes else ""
    for index in windows:
        e = _end(tables, index)
        bits += f"{e:05b}"
        for k in range(min(e * tables.group, tables.rows)):
            a, p = abs(index[k]), int(tables.rice[k])
            u = a >> p
            bits += "1" * u + "0" + (f"{a & (1 << p) - 1:0{p}b}" if p else "") if u < 15 else "1" * 15 + f"{a:015b}"
            bits += "" if a == 0 else "1" if index[k] < 0 else "0"
    return _bytes_of(bits)


def _bytes_of(bits: str) -> bytes:
    size = -(-len(bits) // 8)
    return int(bits.ljust(8 * size, "0"), 2).to_bytes(size, "big")


def _with_crc(tables: Tables, payload: bytes) -> bytes:
    """Section 5."""
    if not tables.crc:
        return payload
    crc = 0xFF
    for byte in payload:
        crc ^= byte
        for _ in range(8):
            crc = crc << 1 ^ (0x12F if crc & 0x80 else 0)
    return payload + bytes([crc ^ 0xFF])
