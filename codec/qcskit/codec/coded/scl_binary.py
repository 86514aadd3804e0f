"""Successive-cancellation list decoding for p = 2: min-sum on unit log-likelihood ratios.

Every path extends in step, so when the messages of a depth are recomputed all their old values are dead: path i always
writes slot i, and a fork permutes only the small arrays that say in which slot a path finds its messages and its left
siblings' decisions (Tal & Vardy's lazy copy, without reference counts). With unit messages the metric of a finished
path is the Hamming distance between its codeword and the received word.
"""

import numpy as np
from numpy.typing import NDArray

from qcskit.codec.coded.sc_binary import combine, invert, left_message, right_message
from qcskit.codec.coded.schedule import COMBINE, LEFT, RIGHT, ZERO, Schedule
from qcskit.codec.jit import compiled, helper


def decode(
    q: NDArray[np.uint8], schedule: Schedule, info: NDArray[np.int64], paths: int
) -> tuple[NDArray[np.uint8], NDArray[np.int32]]:
    """Return the candidates of received bits q (frames, m), nearest first; needs numba.

    u: information bits (frames, paths, K). distance: (frames, paths), to q in bits; −1 where a list is shorter.
    """
    u = np.zeros((q.shape[0], paths, len(info)), np.uint8)
    distance = np.full((q.shape[0], paths), -1, np.int32)
    if q.shape[0]:
        _decode(np.ascontiguousarray(q), schedule, info, paths, u, distance)
    return u, distance


@compiled
def _decode(q, steps, info, paths, u, distance):  # type: ignore[no-untyped-def]
    frames, m = q.shape
    depths = steps[:, 1].max() + 1
    # Row d holds depth d: messages, and decisions of left (0) and right (1) children, per slot, m / 2^d of them.
    messages = np.empty((depths, paths, m), np.int16)
    decided = np.empty((2, depths, paths, m), np.int8)  # masks: 0 or −1
    slots = np.zeros((2 * depths, paths), np.int32)
    message_slot, decided_slot = slots[:depths], slots[depths:]  # the latter of left children
    metric = np.zeros(paths, np.int32)
    penalty = np.zeros((2, paths), np.int32)
    parent = np.zeros(paths, np.int32)
    bit = np.zeros(paths, np.int8)
    new_metric = np.zeros(paths, np.int32)
    scratch, own = np.zeros(paths, np.int32), np.arange(paths)
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
                    left_message(a[:half], a[half:size], messages[d + 1, path, :half])
                message_slot[d + 1] = own
            elif opcode == RIGHT:
                for path in range(alive):
                    a = messages[d, message_slot[d, path]]
                    b = decided[0, d + 1, decided_slot[d + 1, path]]
                    right_message(a[:half], a[half:size], b[:half], messages[d + 1, path, :half])
                message_slot[d + 1] = own
            else:
                if opcode == COMBINE:
                    for path in range(alive):
                        a, b = decided[0, d + 1, decided_slot[d + 1, path]], decided[1, d + 1, path]
                        c = decided[side, d, path]
                        combine(a[:half], b[:half], c[:half], c[half:size])
                else:
                    bit[:] = 0
                    for path in range(alive):
                        _penalties(messages[d, message_slot[d, path], :size], penalty[:, path])
                    if opcode == ZERO:
                        metric[:alive] += penalty[0, :alive]
                    else:
                        alive = _fork(metric, penalty, alive, paths, m, histogram, parent, bit, new_metric)
                        permute(slots, parent, alive, scratch)
                        metric, new_metric = new_metric, metric
                    for path in range(alive):
                        decided[side, d, path, :size] = -bit[path]
                if side == 0:
                    decided_slot[d] = own
        _finish(decided[0, 0], metric, alive, info, u[f], distance[f])


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
def permute(slots, parent, alive, scratch):  # type: ignore[no-untyped-def]
    """Give every path the slots of its parent."""
    for row in range(slots.shape[0]):
        for path in range(alive):
            scratch[path] = slots[row, parent[path]]
        for path in range(alive):
            slots[row, path] = scratch[path]


@helper
def _finish(codewords, metric, alive, info, u, distance):  # type: ignore[no-untyped-def]
    order = np.argsort(metric[:alive], kind="mergesort")
    for rank in range(alive):
        c = codewords[order[rank]]
        invert(c, 1)
        for j in range(info.shape[0]):
            u[rank, j] = c[info[j]] & 1
        distance[rank] = metric[order[rank]]
