"""Successive cancellation for p = 2: min-sum on unit log-likelihood ratios, many vectors side by side.

Messages are int16, exact (|message| <= m <= 4096). Frames lie in the innermost dimension, LANES at a time, so every
operation of the schedule is one flat loop that the compiler vectorises. Decisions are masks: 0 or −1.
"""

import numpy as np
from numpy.typing import NDArray

from qcskit.codec.coded.schedule import COMBINE, LEFT, REPEAT, RIGHT, ZERO, Schedule
from qcskit.codec.jit import compiled, helper

LANES = 64


def decode(
    q: NDArray[np.uint8], schedule: Schedule, info: NDArray[np.int64]
) -> tuple[NDArray[np.uint8], NDArray[np.int32]]:
    """Decide from received bits q (frames, m), 0 or 1; needs numba.

    Returns u, the information bits (frames, K rounded up to a multiple of 8), zero beyond K, and the Hamming distance
    (frames,) from q to the codeword of u.
    """
    padded = -(-len(info) // 8) * 8
    u = np.zeros((q.shape[0], padded), np.uint8)
    distance = np.zeros(q.shape[0], np.int32)
    if q.shape[0]:
        _decode(np.ascontiguousarray(q), schedule, info, u, distance)
    return u, distance


@compiled
def _decode(q, steps, info, u, distance):  # type: ignore[no-untyped-def]
    frames, m = q.shape
    # Messages of the node in progress at each depth; decisions of the left and the right child at each depth.
    messages = np.empty(2 * m * LANES, np.int16)
    left = np.empty(2 * m * LANES, np.int16)
    right = np.empty(2 * m * LANES, np.int16)
    bits = np.zeros((m, LANES), np.uint8)
    chosen = np.zeros((u.shape[1], LANES), np.uint8)
    flat_bits = bits.reshape(-1)
    for start in range(0, frames, LANES):
        count = min(LANES, frames - start)
        _transpose(q[start : start + count], bits)
        _unit_messages(flat_bits, messages)
        for i in range(steps.shape[0]):
            opcode, d, side = steps[i, 0], steps[i, 1], steps[i, 2]
            size = (m >> d) * LANES
            # Depth d occupies [2m − 2m/2^d, …) of each array.
            here = (2 * m - ((2 * m) >> d)) * LANES
            below = here + size
            half = size >> 1
            middle, end = here + half, below + half
            if opcode == LEFT:
                left_message(messages[here:middle], messages[middle:below], messages[below:end])
            elif opcode == RIGHT:
                right_message(messages[here:middle], messages[middle:below], left[below:end], messages[below:end])
            else:
                target = right[here:below] if side == 1 else left[here:below]
                if opcode == COMBINE:
                    combine(left[below:end], right[below:end], target[:half], target[half:])
                elif opcode == ZERO:
                    target[:] = 0
                elif opcode == REPEAT:
                    _repeat(messages[here:below], target)
                else:
                    _free(messages[here:below], target)
        _finish(left[: m * LANES], flat_bits, messages[: m * LANES], info, chosen)
        _transpose(chosen, u[start : start + count])
        for lane in range(count):
            distance[start + lane] = messages[lane]


@helper
def _finish(codeword, bits, differences, info, chosen):  # type: ignore[no-untyped-def]
    """Count the differing bits of each lane into `differences`, and put the information bits into `chosen`."""
    for i in range(codeword.shape[0]):
        differences[i] = np.int16((codeword[i] & 1) ^ bits[i])
    _sum(differences)
    invert(codeword, LANES)
    for row in range(info.shape[0]):
        decided, target = codeword[info[row] * LANES : (info[row] + 1) * LANES], chosen[row]
        for lane in range(LANES):
            target[lane] = decided[lane] & 1


@helper
def invert(codeword, lanes):  # type: ignore[no-untyped-def]
    """Turn c into u in place, `lanes` words side by side: over F_2 the transform is its own inverse."""
    half = lanes
    while half < codeword.shape[0]:
        for first in range(0, codeword.shape[0], 2 * half):
            exclusive_or(codeword[first : first + half], codeword[first + half : first + 2 * half])
        half *= 2


@helper
def exclusive_or(a, b):  # type: ignore[no-untyped-def]
    """Exclusive or into `a`."""
    for i in range(a.shape[0]):
        a[i] ^= b[i]


@helper
def _transpose(source, target):  # type: ignore[no-untyped-def]
    """Copy bytes target[j, i] = source[i, j] where both have such an entry."""
    rows, columns = min(source.shape[0], target.shape[1]), min(source.shape[1], target.shape[0])
    if rows % 8 or columns % 8 or source.size != target.size:
        for i in range(rows):
            for j in range(columns):
                target[j, i] = source[i, j]
        return
    words, target_words = source.reshape(-1).view(np.uint64), target.reshape(-1).view(np.uint64)
    for i in range(rows // 8):
        for j in range(columns // 8):
            _transpose8(words, i * columns + j, columns // 8, target_words, j * rows + i, rows // 8)


@helper
def _transpose8(source, first, stride, target, target_first, target_stride):  # type: ignore[no-untyped-def]
    """Transpose 8 x 8 bytes: three rounds of swapping blocks of 4, 2 and 1 byte between eight 64-bit words."""
    w0, w1 = source[first], source[first + stride]
    w2, w3 = source[first + 2 * stride], source[first + 3 * stride]
    w4, w5 = source[first + 4 * stride], source[first + 5 * stride]
    w6, w7 = source[first + 6 * stride], source[first + 7 * stride]
    w0, w4 = _swap(w0, w4, 32, 0x00000000FFFFFFFF)
    w1, w5 = _swap(w1, w5, 32, 0x00000000FFFFFFFF)
    w2, w6 = _swap(w2, w6, 32, 0x00000000FFFFFFFF)
    w3, w7 = _swap(w3, w7, 32, 0x00000000FFFFFFFF)
    w0, w2 = _swap(w0, w2, 16, 0x0000FFFF0000FFFF)
    w1, w3 = _swap(w1, w3, 16, 0x0000FFFF0000FFFF)
    w4, w6 = _swap(w4, w6, 16, 0x0000FFFF0000FFFF)
    w5, w7 = _swap(w5, w7, 16, 0x0000FFFF0000FFFF)
    w0, w1 = _swap(w0, w1, 8, 0x00FF00FF00FF00FF)
    w2, w3 = _swap(w2, w3, 8, 0x00FF00FF00FF00FF)
    w4, w5 = _swap(w4, w5, 8, 0x00FF00FF00FF00FF)
    w6, w7 = _swap(w6, w7, 8, 0x00FF00FF00FF00FF)
    target[target_first], target[target_first + target_stride] = w0, w1
    target[target_first + 2 * target_stride], target[target_first + 3 * target_stride] = w2, w3
    target[target_first + 4 * target_stride], target[target_first + 5 * target_stride] = w4, w5
    target[target_first + 6 * target_stride], target[target_first + 7 * target_stride] = w6, w7


@helper
def _swap(a, b, shift, mask):  # type: ignore[no-untyped-def]
    """Exchange the upper blocks of `a` with the lower blocks of `b`."""
    moved = ((a >> np.uint64(shift)) ^ b) & np.uint64(mask)
    return a ^ (moved << np.uint64(shift)), b ^ moved


@helper
def _unit_messages(bits, messages):  # type: ignore[no-untyped-def]
    for i in range(bits.shape[0]):
        messages[i] = 1 - 2 * np.int16(bits[i])


@helper
def left_message(a, b, out):  # type: ignore[no-untyped-def]
    """Put sgn(a) sgn(b) min(|a|, |b|) into `out`."""
    for i in range(out.shape[0]):
        low, high = min(a[i], b[i]), max(a[i], b[i])
        out[i] = max(low, np.int16(-high))


@helper
def right_message(a, b, decided, out):  # type: ignore[no-untyped-def]
    """Put b ± a into `out`, minus where the left bit is decided as 1."""
    for i in range(out.shape[0]):
        out[i] = np.int16(b[i] + np.int16(np.int16(a[i] ^ decided[i]) - decided[i]))


@helper
def combine(left, right, first, second):  # type: ignore[no-untyped-def]
    """Join the children's decisions: c = (c' + c'', c'')."""
    for i in range(first.shape[0]):
        first[i] = left[i] ^ right[i]
        second[i] = right[i]


@helper
def _repeat(messages, target):  # type: ignore[no-untyped-def]
    _sum(messages)  # they are not needed again
    _free(messages[:LANES], target[:LANES])
    size = LANES
    while size < messages.shape[0]:
        target[size : 2 * size] = target[:size]
        size *= 2


@helper
def _sum(messages):  # type: ignore[no-untyped-def]
    """Add all positions up, lane by lane, into the first: halves onto halves."""
    size = messages.shape[0]
    while size > LANES:
        size >>= 1
        low, high = messages[:size], messages[size : 2 * size]
        for i in range(low.shape[0]):
            low[i] += high[i]


@helper
def _free(messages, target):  # type: ignore[no-untyped-def]
    for i in range(messages.shape[0]):
        target[i] = messages[i] >> 15
