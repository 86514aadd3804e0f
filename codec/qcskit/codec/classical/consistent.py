"""Consistent recovery: the sparsest x whose measurements fall in the received cells, min ‖x‖₁ s.t. l ≤ Φx ≤ u.

A linear program per frame, solved for all frames at once by a primal-dual interior-point method (Mehrotra, "On the
implementation of a primal-dual interior point method", 1992); HiGHS takes over a frame that does not converge.
"""

from dataclasses import dataclass, fields, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linprog

from qcskit.codec.classical import _check
from qcskit.codec.classical._check import Array
from qcskit.codec.errors import QcsError

TOLERANCE = 1e-8
ITERATIONS = 60
CHUNK_FRAMES = 1024


def consistent_l1(lower: NDArray[np.generic], upper: NDArray[np.generic], Phi: NDArray[np.generic]) -> Array:
    """Return argmin ‖x‖₁ subject to lower ≤ Φx ≤ upper (frames, N); lower, upper (frames, M), ±∞ for an open side.

    Raises QcsError if a shape does not fit, Φ is singular, or a cell is empty (lower >= upper) or open on both sides.
    >>> Phi = np.array([[1, 0, 0.6], [0, 1, 0.8]])
    >>> consistent_l1(np.array([[1.0, -np.inf]]), np.array([[2.0, 0.5]]), Phi).round(3) + 0.0
    array([[1., 0., 0.]])
    """
    phi = _check.matrix(Phi)
    low, high = np.asarray(lower, np.float64), np.asarray(upper, np.float64)
    if low.shape != high.shape or low.ndim != 2 or low.shape[1] != phi.shape[0]:
        raise QcsError(f"cells have shapes {low.shape} and {high.shape}, expected (frames, {phi.shape[0]})")
    if not (low < high).all():
        raise QcsError("a cell is empty: every lower bound must be below its upper bound")
    if (np.isinf(low) & np.isinf(high)).any():
        raise QcsError("a cell is open on both sides: it says nothing about its measurement; leave the row out")
    x_hat = np.zeros((len(low), phi.shape[1]))
    for i in range(0, len(low), CHUNK_FRAMES):
        part = slice(i, i + CHUNK_FRAMES)
        x_hat[part] = _solve_chunk(low[part], high[part], phi)
    return x_hat


def _solve_chunk(low: Array, high: Array, phi: Array) -> Array:
    """Solve one chunk. Rows open above are negated, so that every row reads sign·Φx + s = b, 0 <= s <= w <= inf."""
    above = np.isinf(high)
    width = np.where(above | np.isinf(low), np.inf, high - low)
    x_hat = np.zeros((len(low), phi.shape[1]))
    going = np.arange(len(low))
    now = _start(np.where(above, -1.0, 1.0), np.where(above, -low, high), width, phi)
    for _ in range(ITERATIONS):
        done = now.converged()
        if done.any():
            x_hat[going[done]] = now.x[done]
            going, now = going[~done], now.pick(~done)
        if not len(going):
            return x_hat
        now = _step(now)
    for frame in going:
        x_hat[frame] = _by_highs(low[frame], high[frame], phi)
    return x_hat


@dataclass(frozen=True)
class _Programs:
    """Frames being solved: sign·Φ(p − q) + s = b, s + t = width; v = (p, q, s, t) >= 0 with slacks z >= 0, λ free.

    Where a cell is open, width is infinite, t stays 1 and its slack 0.
    """

    phi: Array
    sign: Array
    b: Array
    width: Array
    closed: NDArray[np.bool_]
    v: Array
    dual: Array
    z: Array

    @cached_property
    def ratio(self) -> Array:
        return self.z / self.v

    @property
    def x(self) -> Array:
        n = self.phi.shape[1]
        return self.v[:, :n] - self.v[:, n : 2 * n]

    def pick(self, rows: NDArray[np.bool_]) -> "_Programs":
        return _Programs(self.phi, *(getattr(self, field.name)[rows] for field in fields(self)[1:]))

    def back(self, dual: Array) -> Array:
        """Return what λ weighs in the dual equations of p, q and s."""
        back = (self.sign * dual) @ self.phi
        return np.concatenate([back, -back, dual], axis=1)

    @cached_property
    def residuals(self) -> tuple[Array, Array, Array]:
        """What is missing in the equality, the width, and the dual equations of p, q and s."""
        m, n = self.phi.shape
        s, t, f = self.v[:, 2 * n : -m], self.v[:, -m:], self.z[:, -m:]
        gap = np.where(self.closed, self.width - s - t, 0.0)
        rest = self.back(-self.dual)
        rest[:, : 2 * n] += 1.0
        rest -= self.z[:, :-m]
        rest[:, 2 * n :] += f
        return self.b - self.sign * (self.x @ self.phi.T) - s, gap, rest

    @cached_property
    def complementarity(self) -> Array:
        """Mean of all products of a variable and its slack (frames,)."""
        m, n = self.phi.shape
        each = self.v * self.z
        total = (each[:, :n] + each[:, n : 2 * n]).sum(axis=1) + each[:, 2 * n : -m].sum(axis=1)
        return (total + each[:, -m:].sum(axis=1)) / (2 * n + m + self.closed.sum(axis=1))

    def converged(self) -> NDArray[np.bool_]:
        scale = 1.0 + np.abs(self.b).max(axis=1)
        missing = np.max([np.abs(part).max(axis=1) for part in self.residuals], axis=0) / scale
        size = 1e-3 + np.abs(self.x).sum(axis=1)
        return (missing < TOLERANCE) & (self.complementarity * self.v.shape[1] < TOLERANCE * size)

    def moved(self, direction: tuple[Array, Array, Array], factor: float = 1.0) -> "_Programs":
        """Return the programs moved by `factor` times the longest steps that keep every entry >= 0, at most 1."""

        def longest(value: Array, d: Array) -> Array:
            with np.errstate(over="ignore"):  # so far that nothing limits it
                ratio = np.where(d < 0, -value / np.minimum(d, -1e-300), np.inf)
            return factor * ratio.min(axis=1, initial=1.0, keepdims=True)

        along, back = longest(self.v, direction[0]), longest(self.z, direction[2])
        v, dual, z = self.v + along * direction[0], self.dual + back * direction[1], self.z + back * direction[2]
        return replace(self, v=v, dual=dual, z=z)


def _start(sign: Array, b: Array, width: Array, phi: Array) -> _Programs:
    """Begin inside: every cell at its middle, x its least-squares match, all slacks of order one."""
    closed = np.isfinite(width)
    s = 0.5 * np.where(closed, width, 1.0)
    x = (sign * (b - s)) @ np.linalg.pinv(phi).T
    size = np.abs(x).max(axis=1, keepdims=True) + 0.1
    v = np.concatenate([np.maximum(x, 0) + size, np.maximum(-x, 0) + size, s, np.where(closed, s, 1.0)], axis=1)
    z = np.concatenate([np.ones((len(b), 2 * phi.shape[1] + len(phi))), closed], axis=1)
    return _Programs(phi, sign, b, width, closed, v, np.zeros_like(b), z)


def _step(now: _Programs) -> _Programs:
    """One predictor-corrector step for all frames."""
    m, n = now.phi.shape
    weight = now.ratio[:, :-m].copy()
    weight[:, 2 * n :] += now.ratio[:, -m:]
    inverse = 1 / weight
    system = _normal(now, inverse)
    guess = _direction(now, 0.0, 0.0, inverse, system)
    mu = now.complementarity
    target = mu * np.clip(now.moved(guess).complementarity / mu, 0.0, 1.0) ** 3
    return now.moved(_direction(now, guess[0] * guess[2], target[:, None], inverse, system), 0.9995)


def _normal(now: _Programs, inverse: Array) -> Array:
    """Return the normal matrices (frames, M, M): sign Φ (Dp + Dq) Φᵀ sign + Ds."""
    m, n = now.phi.shape
    outer = (now.phi[:, None, :] * now.phi[None, :, :]).reshape(m * m, n)
    system = ((inverse[:, :n] + inverse[:, n : 2 * n]) @ outer.T).reshape(-1, m, m)
    system = system * now.sign[:, :, None] * now.sign[:, None, :]
    diagonal = np.arange(m)
    system[:, diagonal, diagonal] = system[:, diagonal, diagonal] * (1 + 1e-13) + inverse[:, 2 * n :]
    return system


def _direction(
    now: _Programs, second: Array | float, target: Array | float, inverse: Array, system: Array
) -> tuple[Array, Array, Array]:
    """Solve the Newton equations: residuals to zero, products to `target` less the terms `second`; Δv, Δλ, Δz."""
    m, n = now.phi.shape
    primal, gap, rest = now.residuals
    dz = (target - second) / now.v - now.z
    dz[:, -m:] = np.where(now.closed, dz[:, -m:] - now.ratio[:, -m:] * gap, 0.0)
    g = rest - dz[:, :-m]
    g[:, 2 * n :] += dz[:, -m:]
    # Each variable: Δv = D (Aᵀ Δλ − g); substituted into A Δv = primal.
    known = inverse * g
    right = primal + now.sign * ((known[:, :n] - known[:, n : 2 * n]) @ now.phi.T) + known[:, 2 * n :]
    dual = np.linalg.solve(system, right[:, :, None])[:, :, 0]
    d = inverse * (now.back(dual) - g)
    dt = np.where(now.closed, gap - d[:, 2 * n :], 0.0)
    dz[:, :-m] -= now.ratio[:, :-m] * d
    dz[:, -m:] += now.ratio[:, -m:] * d[:, 2 * n :]
    return np.concatenate([d, dt], axis=1), dual, dz


def _by_highs(low: Array, high: Array, phi: Array) -> Array:
    """Solve one frame with HiGHS."""
    both = np.concatenate([phi, -phi], axis=1)
    rows, bounds = np.concatenate([both, -both]), np.concatenate([high, -low])
    kept = np.isfinite(bounds)
    found = linprog(np.ones(both.shape[1]), rows[kept], bounds[kept], method="highs")
    if not found.success:
        raise QcsError(
            f"consistent_l1: a frame has no solution in numbers ({found.message}); Phi is too badly conditioned"
        )
    return found.x[: phi.shape[1]] - found.x[phi.shape[1] :]
