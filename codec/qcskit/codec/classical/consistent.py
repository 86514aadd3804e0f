"""Consistent recovery: the sparsest x whose measurements fall in the received cells, min ‖x‖₁ s.t. l ≤ Φx ≤ u.

A linear program per frame, solved for all frames at once by a primal-dual interior-point method (Mehrotra, "On the
implementation of a primal-dual interior point method", 1992); HiGHS takes over a frame that does not converge.
"""

from dataclasses import dataclass

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
    sign = np.where(np.isinf(high), -1.0, 1.0)
    b = np.where(np.isinf(high), -low, high)
    width = np.where(np.isinf(high) | np.isinf(low), np.inf, high - low)
    x_hat = np.zeros((len(low), phi.shape[1]))
    going = np.arange(len(low))
    point = _start(sign, b, width, phi)
    for _ in range(ITERATIONS):
        done = point.converged(sign[going], b[going], width[going], phi)
        x_hat[going[done]] = (point.p - point.q)[done]
        going, point = going[~done], point.pick(~done)
        if not len(going):
            return x_hat
        point = _step(point, sign[going], b[going], width[going], phi)
    for frame in going:
        x_hat[frame] = _by_highs(low[frame], high[frame], phi)
    return x_hat


@dataclass(frozen=True)
class _Point:
    """Primal (p, q, s, t) >= 0 with x = p − q and s + t = w; dual λ free; slacks (zp, zq, zs, f) >= 0."""

    p: Array
    q: Array
    s: Array
    t: Array
    dual: Array
    zp: Array
    zq: Array
    zs: Array
    f: Array

    def pick(self, rows: NDArray[np.bool_]) -> "_Point":
        return _Point(*(getattr(self, name)[rows] for name in self.__dataclass_fields__))

    def residuals(self, sign: Array, b: Array, width: Array, phi: Array) -> tuple[Array, Array, Array, Array, Array]:
        """What is missing in the equality, the width, and the dual equations of p, q and s."""
        back = (sign * self.dual) @ phi
        closed = np.isfinite(width)
        primal = b - sign * ((self.p - self.q) @ phi.T) - self.s
        gap = np.where(closed, np.where(closed, width, 0.0) - self.s - self.t, 0.0)
        return primal, gap, 1.0 - back - self.zp, 1.0 + back - self.zq, -self.dual - self.zs + self.f

    def complementarity(self, closed: NDArray[np.bool_]) -> Array:
        """Mean of all products of a variable and its slack (frames,)."""
        total = (self.p * self.zp + self.q * self.zq).sum(axis=1) + (self.s * self.zs).sum(axis=1)
        total = total + np.where(closed, self.t * self.f, 0.0).sum(axis=1)
        mean: Array = total / (2 * self.p.shape[1] + self.s.shape[1] + closed.sum(axis=1))
        return mean

    def converged(self, sign: Array, b: Array, width: Array, phi: Array) -> NDArray[np.bool_]:
        parts = self.residuals(sign, b, width, phi)
        scale = 1.0 + np.abs(b).max(axis=1)
        missing = np.max([np.abs(part).max(axis=1) for part in parts], axis=0) / scale
        size = 1e-3 + np.abs(self.p - self.q).sum(axis=1)
        pairs = 2 * self.p.shape[1] + 2 * self.s.shape[1]
        done: NDArray[np.bool_] = (missing < TOLERANCE) & (
            self.complementarity(np.isfinite(width)) * pairs < TOLERANCE * size
        )
        return done


def _start(sign: Array, b: Array, width: Array, phi: Array) -> _Point:
    """Begin inside: every cell at its middle, x its least-squares match, all slacks of order one."""
    n = phi.shape[1]
    s = np.where(np.isfinite(width), 0.5 * np.where(np.isfinite(width), width, 1.0), 0.5)
    x = (sign * (b - s)) @ np.linalg.pinv(phi).T
    size = np.abs(x).max(axis=1, keepdims=True) + 0.1
    ones = np.ones((len(b), n))
    flat = np.ones_like(b)
    closed = np.isfinite(width)
    return _Point(
        np.maximum(x, 0) + size, np.maximum(-x, 0) + size, s, np.where(closed, s, 1.0),
        np.zeros_like(b), ones, ones, flat, np.where(closed, flat, 0.0),
    )  # fmt: skip


def _step(point: _Point, sign: Array, b: Array, width: Array, phi: Array) -> _Point:
    """One predictor-corrector step for all frames."""
    closed = np.isfinite(width)
    rest = point.residuals(sign, b, width, phi)
    mu = point.complementarity(closed)
    upper = np.where(closed, point.f / point.t, 0.0)
    inverse = (1 / (point.zp / point.p), 1 / (point.zq / point.q), 1 / (point.zs / point.s + upper))
    system = _normal(inverse, sign, phi)
    zero = (0.0, 0.0, 0.0, 0.0)
    guess = _direction(point, rest, zero, np.zeros(len(b)), inverse, system, sign, closed, phi)
    along, back = _lengths(point, guess, closed)
    ahead = _move(point, guess, along, back).complementarity(closed)
    target = mu * np.clip(ahead / mu, 0.0, 1.0) ** 3
    second = (guess.p * guess.zp, guess.q * guess.zq, guess.s * guess.zs, guess.t * guess.f)
    final = _direction(point, rest, second, target, inverse, system, sign, closed, phi)
    along, back = _lengths(point, final, closed)
    return _move(point, final, 0.9995 * along, 0.9995 * back)


def _normal(inverse: tuple[Array, Array, Array], sign: Array, phi: Array) -> Array:
    """Return the normal matrices (frames, M, M): sign Φ (Dp + Dq) Φᵀ sign + Ds."""
    m, n = phi.shape
    outer = (phi[:, None, :] * phi[None, :, :]).reshape(m * m, n)
    system: Array = ((inverse[0] + inverse[1]) @ outer.T).reshape(-1, m, m) * sign[:, :, None] * sign[:, None, :]
    diagonal = np.arange(m)
    system[:, diagonal, diagonal] = system[:, diagonal, diagonal] * (1 + 1e-13) + inverse[2]
    return system


def _direction(
    point: _Point,
    rest: tuple[Array, Array, Array, Array, Array],
    second: tuple[Array | float, ...],
    target: Array,
    inverse: tuple[Array, Array, Array],
    system: Array,
    sign: Array,
    closed: NDArray[np.bool_],
    phi: Array,
) -> _Point:
    """Solve the Newton equations: residuals `rest` to zero, products to `target` less the terms `second`."""
    primal, gap, rp, rq, rs = rest
    aim = target[:, None]
    cp, cq, cs = (
        (aim - extra) / value - slack
        for extra, value, slack in zip(
            second[:3], (point.p, point.q, point.s), (point.zp, point.zq, point.zs), strict=True
        )
    )
    cf = np.where(closed, (aim - second[3]) / point.t - point.f - point.f / point.t * gap, 0.0)
    gp, gq, gs = rp - cp, rq - cq, rs - cs + cf
    # Each variable: Δv = D (Aᵀ Δλ − g); substituted into A Δv = primal.
    right = primal + sign * ((inverse[0] * gp - inverse[1] * gq) @ phi.T) + inverse[2] * gs
    dual = np.linalg.solve(system, right[:, :, None])[:, :, 0]
    back = (sign * dual) @ phi
    dp, dq, ds = inverse[0] * (back - gp), inverse[1] * (-back - gq), inverse[2] * (dual - gs)
    dt = np.where(closed, gap - ds, 0.0)
    df = np.where(closed, cf + point.f / point.t * ds, 0.0)
    return _Point(
        dp,
        dq,
        ds,
        dt,
        dual,
        cp - point.zp / point.p * dp,
        cq - point.zq / point.q * dq,
        cs - point.zs / point.s * ds,
        df,
    )


def _lengths(point: _Point, direction: _Point, closed: NDArray[np.bool_]) -> tuple[Array, Array]:
    """Return the largest primal and dual step lengths in [0, 1] that keep every entry >= 0 (frames,)."""

    def longest(values: list[Array], moves: list[Array]) -> Array:
        ratio = [
            np.where(d < 0, -v / np.minimum(d, -1e-300), np.inf).min(axis=1) for v, d in zip(values, moves, strict=True)
        ]
        shortest: Array = np.minimum(1.0, np.min(ratio, axis=0))
        return shortest

    primal = longest([point.p, point.q, point.s, point.t], [direction.p, direction.q, direction.s, direction.t])
    dual = longest([point.zp, point.zq, point.zs, point.f], [direction.zp, direction.zq, direction.zs, direction.f])
    return primal, dual


def _move(point: _Point, direction: _Point, along: Array, back: Array) -> _Point:
    """Return the point moved `along` in its primal and `back` in its dual part."""
    a, b = along[:, None], back[:, None]
    primal = (
        point.p + a * direction.p,
        point.q + a * direction.q,
        point.s + a * direction.s,
        point.t + a * direction.t,
    )
    dual = (point.dual + b * direction.dual, point.zp + b * direction.zp, point.zq + b * direction.zq)
    return _Point(*primal, *dual, point.zs + b * direction.zs, point.f + b * direction.f)


def _by_highs(low: Array, high: Array, phi: Array) -> Array:
    """Solve one frame with HiGHS."""
    rows, bounds = np.concatenate([phi, -phi]), np.concatenate([high, -low])
    kept = np.isfinite(bounds)
    found = linprog(
        np.ones(2 * phi.shape[1]), np.concatenate([rows, -rows], axis=1)[kept], bounds[kept], method="highs"
    )
    if not found.success:
        raise QcsError(f"consistent_l1: no x falls in the received cells ({found.message})")
    x: Array = found.x[: phi.shape[1]] - found.x[phi.shape[1] :]
    return x
