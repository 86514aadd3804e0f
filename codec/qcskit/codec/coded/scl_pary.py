"""Successive-cancellation list decoding over F_p for any p; slots and lazy copies as in `scl_binary`.

The metric of a path is minus its log posterior, summed over pruned subtrees: because the transform is one-to-one, the
probability of a whole subtree's codeword is the product of its positions' message entries.
"""

import numpy as np
from numpy.typing import NDArray

from qcskit.codec.coded.sc_pary import combine, invert, message_table, row_power
from qcskit.codec.coded.schedule import COMBINE, LEFT, RIGHT, ZERO, Schedule
from qcskit.codec.coded.scl_binary import permute
from qcskit.codec.jit import compiled, helper


def decode(
    q: NDArray[np.uint8],
    schedule: Schedule,
    info: NDArray[np.int64],
    noise: NDArray[np.float64],
    gamma: int,
    paths: int,
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Return the candidates of received symbols q (frames, m), most likely first; needs numba.

    u: information symbols (frames, paths, K). cost: (frames, paths), minus log posterior; infinite where a list is
    shorter. noise: distribution (p,) of the additive noise, which gives the messages.
    """
    u = np.zeros((q.shape[0], paths, len(info)), np.uint8)
    cost = np.full((q.shape[0], paths), np.inf, np.float32)
    if q.shape[0]:
        _decode(np.ascontiguousarray(q), schedule, info, message_table(noise), gamma, u, cost)
    return u, cost


@compiled
def _decode(q, steps, info, table, gamma, u, cost):  # type: ignore[no-untyped-def]
    frames, m = q.shape
    p, paths = table.shape[0], u.shape[1]
    depths = steps[:, 1].max() + 1
    messages = np.empty((depths, paths, m, p), np.float32)
    decided = np.empty((2, depths, paths, m), np.uint8)
    slots = np.zeros((2 * depths, paths), np.int32)
    message_slot, decided_slot = slots[:depths], slots[depths:]
    metric = np.zeros(paths, np.float32)
    penalty = np.zeros((paths, p), np.float32)
    parent = np.zeros(paths, np.int32)
    symbol = np.zeros(paths, np.uint8)
    new_metric = np.zeros(paths, np.float32)
    scratch, own = np.zeros(paths, np.int32), np.arange(paths)
    for f in range(frames):
        alive = 1
        metric[0] = np.float32(0.0)
        message_slot[0, 0] = 0
        for i in range(m):
            messages[0, 0, i] = table[q[f, i]]
        for step in range(steps.shape[0]):
            opcode, d, side = steps[step, 0], steps[step, 1], steps[step, 2]
            size = m >> d
            half = size >> 1
            if opcode == LEFT:
                for path in range(alive):
                    _left(messages[d, message_slot[d, path], :size], messages[d + 1, path, :half], gamma)
                message_slot[d + 1] = own
            elif opcode == RIGHT:
                for path in range(alive):
                    below = decided[0, d + 1, decided_slot[d + 1, path], :half]
                    _right(messages[d, message_slot[d, path], :size], below, messages[d + 1, path, :half], gamma)
                message_slot[d + 1] = own
            else:
                if opcode == COMBINE:
                    for path in range(alive):
                        a, b = decided[0, d + 1, decided_slot[d + 1, path]], decided[1, d + 1, path]
                        combine(a[:half], b[:half], decided[side, d, path, :size], gamma, p)
                elif opcode == ZERO:
                    for path in range(alive):
                        metric[path] += _zero_penalty(messages[d, message_slot[d, path], :size])
                        decided[side, d, path, :size] = 0
                else:
                    for path in range(alive):
                        _penalties(messages[d, message_slot[d, path], :size], penalty[path], gamma)
                    alive = _fork(metric, penalty, alive, parent, symbol, new_metric)
                    permute(slots, parent, alive, scratch)
                    metric, new_metric = new_metric, metric
                    for path in range(alive):
                        for i in range(size):
                            decided[side, d, path, i] = row_power(i, size, gamma, p) * symbol[path] % p
                if side == 0:
                    decided_slot[d] = own
        _finish(decided[0, 0], metric, alive, info, gamma, p, u[f], cost[f])


@helper
def _left(a, out, gamma):  # type: ignore[no-untyped-def]
    half, p = out.shape
    for i in range(half):
        total = np.float32(1e-30)
        for v in range(p):
            sum_v = np.float32(0.0)
            for w in range(p):
                sum_v += a[i, (v + gamma * w) % p] * a[half + i, w]
            out[i, v] = sum_v
            total += sum_v
        for v in range(p):
            out[i, v] /= total


@helper
def _right(a, decided, out, gamma):  # type: ignore[no-untyped-def]
    half, p = out.shape
    for i in range(half):
        total = np.float32(1e-30)
        for w in range(p):
            out[i, w] = a[i, (decided[i] + gamma * w) % p] * a[half + i, w]
            total += out[i, w]
        for w in range(p):
            out[i, w] /= total


@helper
def _zero_penalty(a):  # type: ignore[no-untyped-def]
    total = np.float32(0.0)
    for i in range(a.shape[0]):
        total -= np.log(max(a[i, 0], np.float32(1e-30)))
    return total


@helper
def _penalties(a, penalty, gamma):  # type: ignore[no-untyped-def]
    size, p = a.shape
    penalty[:] = np.float32(0.0)
    for i in range(size):
        factor = row_power(i, size, gamma, p)
        for v in range(p):
            penalty[v] -= np.log(max(a[i, factor * v % p], np.float32(1e-30)))


@helper
def _fork(metric, penalty, alive, parent, symbol, new_metric):  # type: ignore[no-untyped-def]
    """Keep the best continuations, as many as there are slots."""
    p, paths = penalty.shape[1], metric.shape[0]
    costs = np.empty(alive * p, np.float32)
    for path in range(alive):
        for v in range(p):
            costs[path * p + v] = metric[path] + penalty[path, v]
    kept = min(paths, alive * p)
    order = np.argsort(costs) if kept < alive * p else np.arange(alive * p)
    for rank in range(kept):
        parent[rank], symbol[rank] = order[rank] // p, order[rank] % p
        new_metric[rank] = costs[order[rank]]
    return kept


@helper
def _finish(codewords, metric, alive, info, gamma, p, u, cost):  # type: ignore[no-untyped-def]
    order = np.argsort(metric[:alive])
    for rank in range(alive):
        c = codewords[order[rank]]
        invert(c, 1, gamma, p)
        for j in range(info.shape[0]):
            u[rank, j] = c[info[j]]
        cost[rank] = metric[order[rank]]
