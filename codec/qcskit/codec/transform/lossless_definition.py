"""The definition of lossless packets: section 7 of docs/transform.md in Python integers, one packet at a time.

Slow, and read beside the page: what everything else must equal.
"""

from collections.abc import Sequence

from qcskit.codec.transform.lossless import LosslessTables


def packet_of(tables: LosslessTables, counts: Sequence[int]) -> bytes:
    """Return the packet of T counts."""
    predictors = ([4096], [8192, -4096], tables.weights.tolist())
    candidates = [
        [_folded(x - _prediction(weights, counts, i)) for i, x in enumerate(counts)] for weights in predictors
    ]
    sums = [sum(u[1::2]) for u in candidates]
    number = sums.index(min(sums))
    bits = f"{number:02b}" + _rice(_folded(counts[0] - tables.centre), tables.first)
    memory = tables.start
    for u in candidates[number][1:]:
        bits += _rice(u, ((memory + 4) // 16).bit_length())
        memory += min(u, 8191) - memory // 8
    room_bytes = -(-(2 + len(counts) * tables.bits) // 8)
    if len(bits) > 8 * room_bytes:
        bits = "11" + "".join(f"{(x - tables.low) % 2**tables.bits:0{tables.bits}b}" for x in counts)
    size = -(-len(bits) // 8)
    payload = int(bits.ljust(8 * size, "0"), 2).to_bytes(size, "big").rstrip(b"\0") or b"\0"
    return payload + _crc(payload) if tables.crc else payload


def _prediction(weights: list[int], x: Sequence[int], i: int) -> int:
    return (sum(weight * x[max(i - j, 0)] for j, weight in enumerate(weights, 1)) + 2048) // 4096


def _folded(residual: int) -> int:
    """Return u."""
    wrapped = (residual + 32768) % 65536 - 32768
    return 2 * wrapped if wrapped >= 0 else -2 * wrapped - 1


def _rice(u: int, p: int) -> str:
    m = u // 2**p
    if m >= 12:
        return "1" * 12 + f"{u:016b}"
    return "1" * m + "0" + (f"{u % 2**p:0{p}b}" if p else "")


def _crc(payload: bytes) -> bytes:
    crc = 0xFF
    for byte in payload:
        for place in range(7, -1, -1):
            top = crc >> 7 ^ byte >> place & 1
            crc = crc << 1 & 0xFF ^ 0x2F * top
    return bytes([crc ^ 0xFF])
