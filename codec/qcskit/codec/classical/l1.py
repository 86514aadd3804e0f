"""Basis pursuit denoising, min ‖x‖₁ subject to ‖y − Φx‖₂ ≤ μ, solved exactly by following its solution path.

The minimiser is piecewise linear in the multiplier λ of ½‖y − Φx‖² + λ‖x‖₁, and ‖y − Φx‖ falls with λ: starting at
x = 0 the homotopy walks from breakpoint to breakpoint (an entry joins or leaves) until the residual is μ (Osborne,
Presnell, Turlach, "A new approach to variable selection in least squares problems", 2000; Efron et al., "Least angle
regression", 2004). It ends at the optimum to rounding, badly conditioned Φ included, and meets every larger μ on the
way. Frames are independent and run in threads; the duality gap of each certifies it.
"""

import itertools
import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qcskit.codec.classical import _check
from qcskit.codec.classical._check import Array
from qcskit.codec.errors import QcsError
from qcskit.codec.jit import compiled_if_possible

GAP = 1e-6
"""Relative duality gap that counts as solved; the path usually leaves 1e-12."""
PATH_END = 1e-12
"""λ below this part of its start counts as 0: breakpoints there are rounding."""
JITTERS = (1e-10, 1e-9, 1e-8)
"""Relative disturbance of y for a frame whose path has a tie it cannot resolve; costs less than GAP."""


def bpdn(y: NDArray[np.generic], Phi: NDArray[np.generic], mu: ArrayLike) -> Array:
    """Return argmin ‖x‖₁ subject to ‖y − Φx‖₂ ≤ μ, shape (frames, N), for y (frames, M), Φ (M, N).

    mu: one radius for all frames or (frames,). Raises QcsError if a shape does not fit, Φ is singular, or μ < 0.
    >>> np.round(bpdn(np.array([[3.0, 0.4]]), np.eye(2), mu=0.5), 3)
    array([[2.646, 0.046]])
    """
    frames, radii = len(np.asarray(y)), np.asarray(mu, np.float64)
    if radii.shape not in ((), (frames,)):
        raise QcsError(f"mu has shape {radii.shape}, expected one number or ({frames},)")
    return _solve(y, Phi, np.ascontiguousarray(np.broadcast_to(radii.reshape(-1, 1), (frames, 1))))[:, 0]


def bpdn_path(y: NDArray[np.generic], Phi: NDArray[np.generic], mus: ArrayLike) -> Array:
    """Return the BPDN minimisers (frames, len(mus), N) for every radius of `mus`, in its order, from one walk each.

    Raises QcsError as `bpdn` does.
    """
    radii = np.atleast_1d(np.asarray(mus, np.float64))
    order = np.argsort(-radii, kind="stable")
    descending = np.ascontiguousarray(np.broadcast_to(radii[order], (np.asarray(y).shape[0], len(radii))))
    solved = _solve(y, Phi, descending)
    out = np.empty_like(solved)
    out[:, order] = solved
    return out


def _solve(y: NDArray[np.generic], Phi: NDArray[np.generic], radii: Array) -> Array:
    """Return minimisers (frames, radii, N); `radii` (frames, radii) descending in each row."""
    phi = _check.matrix(Phi)
    values = _check.measurements(y, len(phi))
    if not (np.isfinite(radii).all() and (radii >= 0).all()):
        _check.radius(float(radii[~(np.isfinite(radii) & (radii >= 0))][0]))
    out, nu = _walk_all(values, phi, radii)
    rng = np.random.default_rng(0)
    for jitter in JITTERS:
        bad = np.flatnonzero(~_certified(out, nu, values, phi, radii))
        if not len(bad):
            return out
        scale = jitter * np.linalg.norm(values[bad], axis=1, keepdims=True)
        moved = values[bad] + scale * rng.standard_normal((len(bad), phi.shape[0]))
        out[bad], nu[bad] = _walk_all(moved, phi, radii[bad])
    bad = np.flatnonzero(~_certified(out, nu, values, phi, radii))
    if len(bad):
        raise QcsError(f"bpdn: frame {bad[0]} did not reach a duality gap of {GAP:g}; Phi is too badly conditioned")
    return out


def _certified(out: Array, nu: Array, y: Array, phi: Array, radii: Array) -> NDArray[np.bool_]:
    """Return which frames (frames,) are solved at their smallest radius: feasible, duality gap at most GAP."""
    x, mu = out[:, -1], radii[:, -1]
    norm = np.linalg.norm(y, axis=1)
    feasible = np.linalg.norm(y - x @ phi.T, axis=1) <= mu * (1 + GAP) + 1e-9 * norm
    inside = norm <= mu
    # Any ν with ‖Φᵀν‖∞ <= 1 bounds the optimum from below by yᵀν − μ‖ν‖.
    dual = nu / np.maximum(np.abs(nu @ phi).max(axis=1, keepdims=True), 1.0)
    l1 = np.abs(x).sum(axis=1)
    lower = (y * dual).sum(axis=1) - mu * np.linalg.norm(dual, axis=1)
    return inside | (feasible & ((l1 - lower) / np.maximum(l1, 1e-12 * norm + 1e-300) <= GAP))


def _walk_all(y: Array, phi: Array, radii: Array) -> tuple[Array, Array]:
    """Return x (frames, radii, N) and dual vectors (frames, M) of the smallest radii; in threads, one per core."""
    out, nu = np.zeros((*radii.shape, phi.shape[1])), np.zeros_like(y)
    gram, columns = phi.T @ phi, np.ascontiguousarray(phi.T)
    cores = min(os.cpu_count() or 1, max(1, len(y) // 32))
    if cores == 1:
        _walk_frames(y, columns, gram, radii, out, nu)
        return out, nu
    with ThreadPoolExecutor(cores) as pool:
        parts = [slice(*ends) for ends in itertools.pairwise(np.linspace(0, len(y), cores + 1).astype(int))]
        jobs = [pool.submit(_walk_frames, y[p], columns, gram, radii[p], out[p], nu[p]) for p in parts]
        for job in jobs:
            job.result()
    return out, nu


@compiled_if_possible
def _walk_frames(y: Array, columns: Array, gram: Array, radii: Array, out: Array, nu: Array) -> None:
    m = columns.shape[1]
    work = np.zeros((m + 1, m + 1))
    for frame in range(y.shape[0]):
        _walk(y[frame], columns, gram, radii[frame], out[frame], nu[frame], work)


@compiled_if_possible
def _walk(y: Array, columns: Array, gram: Array, radii: Array, out: Array, nu: Array, chol: Array) -> None:
    """Follow one frame's path from x = 0 down to radii[-1]. columns = Φᵀ (N, M)."""
    n, m = columns.shape
    x, c, a, d = np.zeros(n), np.zeros(n), np.zeros(n), np.zeros(m)
    active, place, signs, w = np.zeros(m, np.int64), np.full(n, -1), np.zeros(m), np.zeros(m)
    r = y.copy()
    _correlate(columns, r, c)
    count, done, dropped, old_sign = 0, 0, -1, 0.0
    while done < len(radii) and np.dot(y, y) <= radii[done] ** 2:
        done += 1
    join = int(np.argmax(np.abs(c)))
    lam = start = abs(c[join])
    if done == len(radii) or lam == 0.0:
        return
    sign = np.sign(c[join])
    for _ in range(20 * (n + m)):
        if join >= 0:
            active[count], signs[count], place[join] = join, sign, count
            count += 1
            if not _append(chol, gram, active, count - 1):
                return
        _solve_cholesky(chol, signs, d, count)
        _weigh(d, gram, active, count, a)
        # The next breakpoint: an entry leaves, another joins, or λ reaches 0.
        step, leave = _leaving(x, d, active, count, lam)
        join = -1
        if count < m:
            step, join, sign = _joining(c, a, place, lam, dropped, old_sign, step)
        last = lam - step <= PATH_END * start
        # On this segment r = rest + (λ − γ) w with rest ⟂ w, hence ‖r‖² = ‖rest‖² + (λ − γ)² ‖w‖².
        _weigh(d, columns, active, count, w)
        rest = r - lam * w
        floor, q, end = np.dot(rest, rest), np.dot(w, w), 0.0
        while done < len(radii):
            if radii[done] ** 2 <= floor and not last:
                break
            end = np.sqrt(max(radii[done] ** 2 - floor, 0.0) / q)
            if lam - end > step and not last:
                break
            for i in range(count):
                out[done, active[i]] = x[active[i]] + (lam - end) * d[i]
            done += 1
        if done == len(radii):
            nu[:] = w + rest / end if end > PATH_END * start and count < m else w
            for i in range(count):  # rounding in `rest` grows by 1/end: restore Φ_Aᵀν = signs
                signs[i] = np.dot(columns[active[i]], nu) - signs[i]
            _solve_cholesky(chol, signs, d, count)
            for i in range(count):
                nu -= d[i] * columns[active[i]]
            return
        for i in range(count):
            x[active[i]] += step * d[i]
        dropped = -1
        if leave >= 0 and join < 0:
            dropped, old_sign = active[leave], signs[leave]
            x[dropped], place[dropped] = 0.0, -1
            count -= 1
            for i in range(leave, count):
                active[i], signs[i] = active[i + 1], signs[i + 1]
                place[active[i]] = i
                if not _append(chol, gram, active, i):
                    return
        r = y.copy()
        for i in range(count):
            r -= x[active[i]] * columns[active[i]]
        lam -= step
        _correlate(columns, r, c)


@compiled_if_possible
def _correlate(columns: Array, r: Array, c: Array) -> None:
    for j in range(len(columns)):
        c[j] = np.dot(columns[j], r)


@compiled_if_possible
def _weigh(weights: Array, rows: Array, active: NDArray[np.int64], count: int, out: Array) -> None:
    out[:] = 0.0
    for i in range(count):
        out += weights[i] * rows[active[i]]


@compiled_if_possible
def _leaving(x: Array, d: Array, active: NDArray[np.int64], count: int, step: float) -> tuple[float, int]:
    """Return the step, if shorter than `step`, at which an active entry reaches 0, and its place (−1: none)."""
    leave = -1
    for i in range(count):
        if x[active[i]] * d[i] < 0.0 and -x[active[i]] / d[i] < step:
            step, leave = -x[active[i]] / d[i], i
    return step, leave


@compiled_if_possible
def _joining(
    c: Array, a: Array, place: NDArray[np.int64], lam: float, dropped: int, old_sign: float, step: float
) -> tuple[float, int, float]:
    """Return the step, if shorter than `step`, at which an entry's correlation reaches λ, which, and its sign."""
    join, sign = -1, 0.0
    for j in range(len(c)):
        for side in (1.0, -1.0):  # an entry that has just left stands at its old end, and goes inwards
            slope = 1.0 - side * a[j]
            if place[j] < 0 and slope > 1e-12 and not (j == dropped and side == old_sign):
                reach = max(lam - side * c[j], 0.0) / slope
                if reach < step:
                    step, join, sign = reach, j, side
    return step, join, sign


@compiled_if_possible
def _append(chol: Array, gram: Array, active: NDArray[np.int64], k: int) -> bool:
    """Write row k of the Cholesky factor of gram[active, active]; False if the new column depends on the others."""
    new = active[k]
    pivot = gram[new, new]
    for i in range(k):
        value = gram[new, active[i]]
        for j in range(i):
            value -= chol[k, j] * chol[i, j]
        chol[k, i] = value / chol[i, i]
        pivot -= chol[k, i] ** 2
    if pivot <= 1e-14 * gram[new, new]:
        return False
    chol[k, k] = np.sqrt(pivot)
    return True


@compiled_if_possible
def _solve_cholesky(chol: Array, right: Array, out: Array, k: int) -> None:
    """Solve L Lᵀ out = right for the leading k rows."""
    for i in range(k):
        value = right[i]
        for j in range(i):
            value -= chol[i, j] * out[j]
        out[i] = value / chol[i, i]
    for i in range(k - 1, -1, -1):
        value = out[i]
        for j in range(i + 1, k):
            value -= chol[j, i] * out[j]
        out[i] = value / chol[i, i]
