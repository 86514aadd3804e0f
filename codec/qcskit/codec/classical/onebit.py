"""Recovery from the signs of measurements alone: BIHT and the Plan–Vershynin convex program.

Signs lose the length of x: a real estimate has unit norm (compare directions), a binary one is 0/1 with k ones.
"""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from qcskit.codec.classical._check import Array
from qcskit.codec.errors import QcsError

Keep = Literal["best", "last"]
EQUAL = 1e-9
"""Values this near are equal but for rounding, A being of unit variance. A DCT gives many of them; which is larger by
its last bits, and which of equals a sort puts first, depends on the release of NumPy and on the processor."""
CHUNK_FRAMES = 1024
"""Frames worked on at once: keeps the (frames, n) work arrays inside the cache hierarchy."""


def biht(
    signs: NDArray[np.generic],
    A: NDArray[np.generic],
    k: int,
    iterations: int = 100,
    keep: Keep = "best",
    binary: bool = False,
) -> Array:
    """Return x_hat (frames, n), k-sparse, from signs (frames, m) = sgn(A x), A (m, n): binary IHT.

    Each pass is x ← H_k(x + τ/2 Aᵀ(signs − sgn(A x))), begun at H_k(τ/2 Aᵀ signs), H_k keeping the k largest
    magnitudes (Jacques, Laska, Boufounos, Baraniuk, "Robust 1-bit compressive sensing via binary stable embeddings of
    sparse vectors", section V), of equal ones those at the lowest places; sgn(0) = 1. With `binary` x has entries 0
    and 1: H_k keeps the k largest entries instead, and the candidate of each pass is their indicator. `keep="best"`
    returns the candidate whose signs differ from `signs` in the fewest places (the first of equals), "last" what the
    literature returns, the last one: the iteration does not settle when signs are flipped by noise. τ only scales the
    iterates: it is the literature's 1/m for unit-variance A.

    Real estimates have unit norm. Raises QcsError if a shape does not fit, an entry of `signs` is not ±1 or k is not
    in 1 … n.
    >>> A = np.array([[1.0, -1.0, 0.5], [0.2, 1.0, -1.0], [-1.0, 0.3, 0.4], [0.6, 0.5, -1.0]])
    >>> biht(np.array([[-1, 1, 1, 1]]), A, k=1, iterations=10, binary=True)
    array([[0., 1., 0.]])
    """
    y, matrix = _checked(signs, A, k)
    if iterations < 1:
        raise QcsError(f"biht: iterations = {iterations}, must be at least 1")
    if keep not in ("best", "last"):
        raise QcsError(f"biht: keep = '{keep}', must be 'best' or 'last'")
    parts = [
        _biht_chunk(y[i : i + CHUNK_FRAMES], matrix, k, iterations, keep == "best", binary)
        for i in range(0, len(y), CHUNK_FRAMES)
    ]
    return np.concatenate(parts) if parts else np.zeros((0, matrix.shape[1]))


def _biht_chunk(y: Array, A: Array, k: int, iterations: int, best: bool, binary: bool) -> Array:
    """One chunk of `biht`. A frame leaves the loop once all its signs agree: no later pass would change it."""
    frames, m = y.shape
    half_step = 0.5 / m
    columns = np.ascontiguousarray(A.T)
    found = np.zeros((frames, A.shape[1]))
    fewest = np.full(frames, m + 1)
    active = np.arange(frames)
    pull = half_step * (y @ A)
    for _ in range(iterations):
        support, values = _largest(pull, k, binary)
        candidate = np.ones_like(values) if binary else values
        projected = np.einsum("fk,fkm->fm", candidate, columns[support])
        residual = y[active] - np.where(projected >= -EQUAL, 1.0, -1.0)
        wrong = np.count_nonzero(residual, axis=1)
        better = wrong < fewest[active] if best else np.ones(len(active), bool)
        chosen = active[better]
        found[chosen] = 0.0
        found[chosen[:, None], support[better]] = candidate[better]
        fewest[chosen] = wrong[better]
        going = wrong > 0
        active = active[going]
        if not len(active):
            break
        pull = half_step * (residual[going] @ A)
        np.put_along_axis(pull, support[going], values[going] + np.take_along_axis(pull, support[going], 1), 1)
    return found if binary else _unit(found)


def plan_vershynin(signs: NDArray[np.generic], A: NDArray[np.generic], k: int, binary: bool = False) -> Array:
    """Return x_hat (frames, n) from signs (frames, m) of A x: the Plan–Vershynin convex program, solved exactly.

    max Σ_i signs_i ⟨a_i, x⟩ subject to ‖x‖₂ ≤ 1, ‖x‖₁ ≤ √k ("Robust 1-bit compressed sensing and sparse logistic
    regression: a convex programming approach", eq. (1.4)). Its solution is Aᵀ signs soft-thresholded just enough to
    meet the ℓ1 ball, then scaled to unit norm; the threshold is a root of a quadratic between two sorted entries, so
    no solver is needed. `binary` is the program with x in [0, 1]ⁿ, Σ x = k in their place (x of k ones): a linear
    program over a box, whose vertex is the k largest entries of Aᵀ signs.

    Raises QcsError if a shape does not fit, an entry of `signs` is not ±1 or k is not in 1 … n.
    >>> np.round(plan_vershynin(np.array([[1, 1, -1]]), np.eye(3), k=3), 3)
    array([[ 0.577,  0.577, -0.577]])
    """
    y, matrix = _checked(signs, A, k)
    correlation = y @ matrix
    if binary:
        x_hat = np.zeros_like(correlation)
        np.put_along_axis(x_hat, _largest(correlation, k, True)[0], 1.0, 1)
        return x_hat
    return _unit(np.sign(correlation) * np.maximum(np.abs(correlation) - _shrinkage(np.abs(correlation), k), 0.0))


def _shrinkage(magnitude: Array, k: int) -> Array:
    """Return λ (frames, 1), the least with ‖(c − λ)₊‖₁ ≤ √k ‖(c − λ)₊‖₂, for magnitudes c (frames, n).

    With the j largest entries of c above λ, s₁ their sum, s₂ their sum of squares, u = s₁ − jλ:
    u² = k (s₂ − 2λ s₁ + jλ²), a quadratic in λ. The ratio of norms falls as λ grows, so the right j is the number of
    breakpoints (entries of c taken as λ) at which the ratio still is at most √k.
    """
    c = np.sort(magnitude, axis=1)[:, ::-1]
    count = np.arange(1, c.shape[1] + 1)
    s1, s2 = np.cumsum(c, axis=1), np.cumsum(c**2, axis=1)
    if k >= c.shape[1]:
        return np.zeros((len(c), 1))
    ending = np.concatenate([c[:, 1:], np.zeros((len(c), 1))], axis=1)  # λ at which one more entry comes in
    l1 = s1 - count * ending
    l2_squared = s2 - 2 * ending * s1 + count * ending**2
    fits = l1**2 <= k * l2_squared * (1 + 1e-12)
    j = np.where(fits.all(axis=1), c.shape[1] - 1, np.argmin(fits, axis=1))[:, None]
    s1, s2 = np.take_along_axis(s1, j, 1), np.take_along_axis(s2, j, 1)
    n_above = (j + 1).astype(np.float64)
    # (j² − kj) λ² − 2 (j − k) s₁ λ + s₁² − k s₂ = 0; the smaller root keeps every one of the j entries above λ.
    a, b, d = n_above * (n_above - k), (n_above - k) * s1, s1**2 - k * s2
    root = (b - np.sqrt(np.maximum(b**2 - a * d, 0.0))) / np.where(a == 0, 1.0, a)
    return np.where(fits.all(axis=1)[:, None], 0.0, np.clip(root, 0.0, c[:, :1]))


def _largest(values: Array, k: int, signed: bool) -> tuple[NDArray[np.intp], Array]:
    """Return places and values (frames, k) of the k largest entries, by value if `signed`, else by magnitude.

    Of entries equal to the k-th largest those at the lowest places are taken.
    """
    n = values.shape[1]
    key = values if signed else np.abs(values)
    least = np.partition(key, n - k, axis=1)[:, n - k, None]
    rank = (key <= least + EQUAL).astype(np.int8) + (key < least - EQUAL)  # 0 larger, 1 equal, 2 smaller
    support = np.argsort(rank, axis=1, kind="stable")[:, :k]
    return support, np.take_along_axis(values, support, 1)


def _unit(x: Array) -> Array:
    norm = np.linalg.norm(x, axis=1, keepdims=True)
    return x / np.where(norm > 0, norm, 1.0)


def _checked(signs: NDArray[np.generic], A: NDArray[np.generic], k: int) -> tuple[Array, Array]:
    """Return signs and A as float64, A of unit variance, or raise QcsError saying what does not fit."""
    matrix, y = np.asarray(A, np.float64), np.asarray(signs)
    if matrix.ndim != 2 or y.ndim != 2 or y.shape[1] != matrix.shape[0]:
        raise QcsError(f"signs have shape {y.shape}, A {matrix.shape}: expected (frames, m) and (m, n)")
    if not np.isfinite(matrix).all() or not matrix.any():
        raise QcsError("measurement matrix A is zero or holds NaN or infinity")
    if not 1 <= k <= matrix.shape[1]:
        raise QcsError(f"k = {k}: the sparsity must be in 1 … n = {matrix.shape[1]}")
    if not (np.abs(y) == 1).all():
        raise QcsError("an entry of signs is not +1 or -1; take np.where(y >= 0, 1, -1) of real measurements")
    return y.astype(np.float64), matrix / np.sqrt(np.mean(matrix**2))
