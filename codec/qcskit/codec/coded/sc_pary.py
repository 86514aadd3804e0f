"""Successive cancellation over F_p for any p: messages are probability vectors, many frames side by side.

Element v of the message at position i is P(c_i = v) given what was received and decided; layout
[position][value][lane]. The same pass with all decisions known (a genie) measures how reliable each symbol is.
"""

import numpy as np
from numpy.typing import NDArray

from qcskit.codec.coded.schedule import COMBINE, LEFT, REPEAT, RIGHT, ZERO, Schedule, build
from qcskit.codec.jit import compiled, helper

LANES = 32


def decode(
    q: NDArray[np.uint8], schedule: Schedule, info: NDArray[np.int64], noise: NDArray[np.float64], gamma: int
) -> NDArray[np.uint8]:
    """Return information symbols u (frames, K) decided from received symbols q (frames, m), 0 … p−1; needs numba.

    noise: distribution (p,) of the additive noise, which gives the messages.
    """
    u = np.zeros((q.shape[0], len(info)), np.uint8)
    if q.shape[0]:
        _decode(np.ascontiguousarray(q), schedule, info, message_table(noise), gamma, u, np.zeros(1))
    return u


def message_table(noise: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return T (p, p): T[q, v] = P(noise = q − v), the message of a received symbol q."""
    values = np.arange(len(noise))
    return np.maximum(noise, 1e-12)[(values[:, None] - values) % len(noise)].astype(np.float32)


def genie_error_rates(m: int, p: int, gamma: int, noise: NDArray[np.float64], frames: int) -> NDArray[np.float64]:
    """Return the error probability (m,) of each symbol with all earlier ones known, over `frames` noise draws.

    The channel is additive, so the zero codeword stands for all. The mean of 1 − max posterior is the exact error
    probability given the draw, and varies far less than counted errors.
    """
    rng = np.random.default_rng(20160122)
    q = rng.choice(p, size=(frames, m), p=noise / noise.sum()).astype(np.uint8)
    steps = build(np.ones(m, np.bool_), free=False)  # visits every symbol,
    steps[steps[:, 0] == REPEAT, 0] = ZERO  # each decided as frozen
    rates = np.zeros(m)
    _decode(q, steps, np.zeros(0, np.int64), message_table(noise), gamma, np.zeros((frames, 0), np.uint8), rates)
    return rates / frames


@compiled
def _decode(q, steps, info, table, gamma, u, rates):  # type: ignore[no-untyped-def]
    frames, m = q.shape
    p = table.shape[0]
    messages = np.empty((2 * m, p, LANES), np.float32)
    left = np.zeros((2 * m, LANES), np.uint8)
    right = np.zeros((2 * m, LANES), np.uint8)
    norm = np.zeros(LANES, np.float32)
    genie = rates.shape[0] == m
    for start in range(0, frames, LANES):
        count = min(LANES, frames - start)
        for i in range(m):
            for v in range(p):
                for lane in range(LANES):
                    messages[i, v, lane] = table[q[start + min(lane, count - 1), i], v]
        leaf = 0
        for step in range(steps.shape[0]):
            opcode, d, side = steps[step, 0], steps[step, 1], steps[step, 2]
            size = m >> d
            half = size >> 1
            here = 2 * m - ((2 * m) >> d)
            below = here + size
            end = below + half
            if opcode == LEFT:
                _left(messages[here:below], messages[below:end], gamma, norm)
            elif opcode == RIGHT:
                _right(messages[here:below], left[below:end], messages[below:end], gamma, norm)
            else:
                target = right[here:below] if side == 1 else left[here:below]
                if opcode == COMBINE:
                    combine(left[below:end].reshape(-1), right[below:end].reshape(-1), target.reshape(-1), gamma, p)
                elif opcode == ZERO:
                    target[:] = 0
                    if genie:
                        rates[leaf] += _uncertainty(messages[here], count)
                        leaf += 1
                else:
                    _repeat(messages[here:below], target, gamma)
        if info.shape[0]:
            invert(left[:m].reshape(-1), LANES, gamma, p)
            for j in range(info.shape[0]):
                for lane in range(count):
                    u[start + lane, j] = left[info[j], lane]


@helper
def _left(a, out, gamma, norm):  # type: ignore[no-untyped-def]
    """P(c' = v) = Σ_w P(first = v + γ w) P(second = w)."""
    half, p = out.shape[0], out.shape[1]
    for i in range(half):
        out[i] = np.float32(0.0)
        for v in range(p):
            for w in range(p):
                _multiply_add(a[i, (v + gamma * w) % p], a[half + i, w], out[i, v])
        _normalise(out[i], norm)


@helper
def _right(a, decided, out, gamma, norm):  # type: ignore[no-untyped-def]
    """P(c'' = w | c') ∝ P(first = c' + γ w) P(second = w)."""
    half, p = out.shape[0], out.shape[1]
    for i in range(half):
        for w in range(p):
            shift = gamma * w
            for lane in range(LANES):
                v = (decided[i, lane] + shift) % p
                out[i, w, lane] = a[i, v, lane] * a[half + i, w, lane]
        _normalise(out[i], norm)


@helper
def _multiply_add(a, b, out):  # type: ignore[no-untyped-def]
    for lane in range(out.shape[0]):
        out[lane] += a[lane] * b[lane]


@helper
def _normalise(message, norm):  # type: ignore[no-untyped-def]
    norm[:] = np.float32(1e-30)
    for v in range(message.shape[0]):
        for lane in range(LANES):
            norm[lane] += message[v, lane]
    for v in range(message.shape[0]):
        for lane in range(LANES):
            message[v, lane] /= norm[lane]


@helper
def combine(left, right, target, gamma, p):  # type: ignore[no-untyped-def]
    """Join the children's decisions: c = (c' + γ c'', c'')."""
    half = left.shape[0]
    for i in range(half):
        target[i] = (left[i] + gamma * right[i]) % p
        target[half + i] = right[i]


@helper
def row_power(position, size, gamma, p):  # type: ignore[no-untyped-def]
    """Entry of the last row of the kernel's power: γ to the number of zero bits of `position`."""
    value, bit = 1, 1
    while bit < size:
        if position & bit == 0:
            value = value * gamma % p
        bit <<= 1
    return value


@helper
def _repeat(messages, target, gamma):  # type: ignore[no-untyped-def]
    size, p = messages.shape[0], messages.shape[1]
    scores = np.zeros((p, LANES), np.float32)
    for i in range(size):
        factor = row_power(i, size, gamma, p)
        for v in range(p):
            for lane in range(LANES):
                scores[v, lane] += np.log(max(messages[i, factor * v % p, lane], np.float32(1e-30)))
    for lane in range(LANES):
        best = 0
        for v in range(1, p):
            if scores[v, lane] > scores[best, lane]:
                best = v
        for i in range(size):
            target[i, lane] = row_power(i, size, gamma, p) * best % p


@helper
def _uncertainty(message, count):  # type: ignore[no-untyped-def]
    total = 0.0
    for lane in range(count):
        total += 1.0 - message[:, lane].max()
    return total


@helper
def invert(c, lanes, gamma, p):  # type: ignore[no-untyped-def]
    """Turn c into u in place, `lanes` words side by side."""
    half = lanes
    while half < c.shape[0]:
        for first in range(0, c.shape[0], 2 * half):
            for i in range(first, first + half):
                c[i] = (c[i] + (p - gamma) * c[i + half]) % p
        half *= 2
