"""Successive-cancellation list decoding for p = 2: min-sum on unit log-likelihood ratios.

Every path extends in step, so when the messages of a depth are recomputed all their old values are dead: path i always
writes slot i, and a fork permutes only the small arrays that say in which slot a path finds its messages and its left
siblings' decisions (Tal & Vardy's lazy copy, without reference counts). With unit messages the metric of a finished
path is the Hamming distance between its codeword and the received word.
"""

import numpy as np
from numpy.typing import NDArray

from qcskit.codec.coded.jit import compiled, helper
from qcskit.codec.coded.schedule import COMBINE, LEFT, RIGHT, ZERO, Schedule


def decode(
    q: NDArray[np.uint8], schedule: Schedule, info: NDArray[np.int64], paths: int
) -> tuple[NDArray[np.uint8], NDArray[np.int32]]:
    """Return the candidates of received bits q (frames, m), nearest first; needs numba.

    u: information bits (frames, paths, K). distance: (frames, paths), to q in bits; −1 where a list is shorter.
    """
    u = np.zeros((q.shape[0], paths, len(info)), np.uint8)
    distance = np.full((q.shape[0], paths), -1, np.int32)
    if q.shape[0]:
        _decode(np.ascontiguousarray(q), schedule.steps, schedule.depth, info, paths, u, distance)
    return u, distance


@compiled
def _decode(q, steps, depth, info, paths, u, distance):  # type: ignore[no-untyped-def]
    frames, m = q.shape
    # Row d holds depth d: messages, and decisions of left (0) and right (1) children, per slot, m / 2^d of them.
    messages = np.empty((depth + 1, paths, m), np.int16)
    decided = np.empty((2, depth + 1, paths, m), np.uint8)
    message_slot = np.zeros((depth + 1, paths), np.int32)
    decided_slot = np.zeros((depth + 1, paths), np.int32)  # of left children
    metric = np.zeros(paths, np.int32)
    penalty = np.zeros((2, paths), np.int32)
    parent = np.zeros(paths, np.int32)
    bit = np.zeros(paths, np.uint8)
    new_metric = np.zeros(paths, np.int32)
    scratch = np.zeros(paths, np.int32)
    histogram = np.zeros(m + 2, np.int32)
    for f in range(frames):
        alive = 1
        metric[0] = 0
        message_slot[0, 0] = 0
        for i in range(m):
            messages[0, 0, i] = 1 - 2 * np.int16(q[f, i])
        for step in range(steps.shape[0]):
            opcode, d, side = steps[step, 0], steps[step, 1], steps[step, 2]
            size = m >> d
            half = size >> 1
            if opcode == LEFT:
                for path in range(alive):
                    a = messages[d, message_slot[d, path]]
                    _left(a[:half], a[half:size], messages[d + 1, path, :half])
                    message_slot[d + 1, path] = path
            elif opcode == RIGHT:
                for path in range(alive):
                    a = messages[d, message_slot[d, path]]
                    b = decided[0, d + 1, decided_slot[d + 1, path]]
                    _right(a[:half], a[half:size], b[:half], messages[d + 1, path, :half])
                    message_slot[d + 1, path] = path
            elif opcode == COMBINE:
                for path in range(alive):
                    a = decided[0, d + 1, decided_slot[d + 1, path]]
                    b = decided[1, d + 1, path]
                    c = decided[side, d, path]
                    _combine(a[:half], b[:half], c[:half], c[half:size])
                if side == 0:
                    for path in range(alive):
                        decided_slot[d, path] = path
            else:
                for path in range(alive):
                    _penalties(messages[d, message_slot[d, path], :size], penalty[:, path])
                if opcode == ZERO:
                    for path in range(alive):
                        metric[path] += penalty[0, path]
                        decided[side, d, path, :size] = 0
                else:
                    alive = _fork(metric, penalty, alive, paths, m, histogram, parent, bit, new_metric)
                    for row in range(depth + 1):
                        _permute(message_slot[row], parent, alive, scratch)
                        _permute(decided_slot[row], parent, alive, scratch)
                    for path in range(alive):
                        metric[path] = new_metric[path]
                        decided[side, d, path, :size] = bit[path]
                if side == 0:
                    for path in range(alive):
                        decided_slot[d, path] = path
        _finish(decided[0, 0], metric, alive, info, u[f], distance[f], m)


@helper
def _left(a, b, out):  # type: ignore[no-untyped-def]
    for i in range(out.shape[0]):
        low, high = min(a[i], b[i]), max(a[i], b[i])
        out[i] = max(low, np.int16(-high))


@helper
def _right(a, b, decided, out):  # type: ignore[no-untyped-def]
    for i in range(out.shape[0]):
        mask = np.int16(-np.int16(decided[i]))
        out[i] = np.int16(b[i] + np.int16(np.int16(a[i] ^ mask) - mask))


@helper
def _combine(left, right, first, second):  # type: ignore[no-untyped-def]
    for i in range(first.shape[0]):
        first[i] = left[i] ^ right[i]
        second[i] = right[i]


@helper
def _penalties(a, penalty):  # type: ignore[no-untyped-def]
    """Cost of deciding all zeros (0) or all ones (1): the sum of |message| it contradicts."""
    zeros, ones = np.int32(0), np.int32(0)
    for i in range(a.shape[0]):
        zeros += max(np.int32(0), -np.int32(a[i]))
        ones += max(np.int32(0), np.int32(a[i]))
    penalty[0] = zeros
    penalty[1] = ones


@helper
def _fork(metric, penalty, alive, paths, m, histogram, parent, bit, new_metric):  # type: ignore[no-untyped-def]
    """Keep the best `paths` of 2 · alive continuations. Metrics are at most m, so a histogram finds the cut."""
    cut, at_cut = np.int32(m + 1), 0
    if 2 * alive > paths:
        histogram[:] = 0
        for path in range(alive):
            for value in range(2):
                histogram[min(metric[path] + penalty[value, path], m + 1)] += 1
        cut, total = np.int32(0), histogram[0]
        while total < paths:
            cut += 1
            total += histogram[cut]
        at_cut = paths - (total - histogram[cut])
    kept = 0
    for value in range(2):
        for path in range(alive):
            cost = metric[path] + penalty[value, path]
            if cost < cut or (cost == cut and at_cut > 0):
                at_cut -= cost == cut
                parent[kept], bit[kept], new_metric[kept] = path, value, cost
                kept += 1
    return kept


@helper
def _permute(slots, parent, alive, scratch):  # type: ignore[no-untyped-def]
    for path in range(alive):
        scratch[path] = slots[parent[path]]
    for path in range(alive):
        slots[path] = scratch[path]


@helper
def _finish(codewords, metric, alive, info, u, distance, m):  # type: ignore[no-untyped-def]
    order = np.argsort(metric[:alive], kind="mergesort")
    for rank in range(alive):
        c = codewords[order[rank]]
        half = 1
        while half < m:
            for first in range(0, m, 2 * half):
                for i in range(first, first + half):
                    c[i] ^= c[i + half]
            half *= 2
        for j in range(info.shape[0]):
            u[rank, j] = c[info[j]]
        distance[rank] = metric[order[rank]]
