"""A rate below which no code of a sparse source seen through Φ gets, whatever its length: the converse to `rdf`.

x has S = 1 or 2 non-zero N(0, 1) coefficients at places that nobody knows, y = Φ x + n. Three steps, each of which can
only make the codec's task easier or the bound lower:

* the encoder is told the support T as well. Then D(R) >= MMSE(x | y, T) + D₀(R), D₀ the distortion-rate function of
  w = E[x | y, T], which is exactly S-sparse, normal with covariance Λ_T = I − (I + Φ_Tᵀ Φ_T / σ²)⁻¹ at its support. The
  decoder knows nothing of T, so the bits that it costs stay in;
* any weight λ(w) >= 0 gives R + s D >= E[log λ] − log max_z K(z), K(z) = E[λ(w) exp(−s‖w − z‖²)], over *all* z of R^N
  (Csiszár, "On the computation of rate-distortion functions", 1974). Here λ is a product of μ(w_k) over the support.
  As Λ_T <= I, K is at most max_T det(Λ_T)^(−1/2) times that of standard normal coefficients: integrals of one
  variable, q(z) = ∫ φ μ exp(−s(a − z)²) da, p(z) = exp(−s z²), and K = e_S over the entries of z of q / p, times Π p;
* the maximum over R^N is enclosed by a grid in S dimensions. Zeroing the entry of least |z| of more than S non-zeros
  lowers K by a factor of at most max Ψ, Ψ = p (e_S + r e_{S−1}) / (e_S + e_{S−1}) of S entries r = q / (p q(0)) and
  N − 1 − S ones, which grows with r but for p, as e_S / e_{S−1} is concave (Marcus, Lopes, "Inequalities for symmetric
  functions", 1957). And K(z* + d) >= K(z*) exp(−s‖d‖²) about a maximum z*, by Jensen's inequality.

μ is chosen, on coarse grids, to make the bound large: a concave problem. What is returned is computed afterwards, on
fine ones, for the μ that was found; what it lacks in rigour is the rounding of sums over them.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy.interpolate import BSpline
from scipy.optimize import minimize
from scipy.sparse import csr_array

from qcskit.codec.classical._check import Array
from qcskit.codec.classical._source import dictionary, require_gaussian
from qcskit.codec.errors import QcsError
from qcskit.codec.signal import SignalConfig

_MOST_SPARSITY = 2
_REACH, _FAR = 6.0, 9.0
"""μ is constant beyond the first, and z is searched up to it; integrals end at the second."""
_COARSE, _FINE, _NEAR = 0.4, 0.12, 0.03
"""Steps of the grids of z, in widths 1 / √(2s) of exp(−s a²)."""
_SUM = 0.2
"""Step of the sums that stand for integrals, in the same widths."""
_TINY = 1e-17
"""Share of the largest term below which the choice of μ leaves terms out."""
_CHUNK = 256
_SHARPNESS = 300.0
"""Of the smooth maximum that the choice of μ is made with."""


@dataclass(frozen=True)
class SparseBound:
    """What no code of `signal` beats. genie: MMSE(x | y, T), a sum over entries.

    tangents: (s, nats): rate + s · E‖w − ŵ‖² is at least so many nats of a vector.
    """

    signal: SignalConfig
    genie: float
    tangents: tuple[tuple[float, float], ...]

    def nmse_db(self, rate_bits: float) -> float:
        """Return the NMSE in dB that no code reaches below at a rate in bits per entry."""
        nats = rate_bits * self.signal.n * math.log(2)
        least = max((height - nats) / slope for slope, height in self.tangents)
        return 10 * math.log10((self.genie + max(least, 0.0)) / self.signal.s)


def sparse_bound(signal: SignalConfig, slopes: Sequence[float]) -> SparseBound:
    """Return the bound that tangents of these slopes give (nats per unit of squared error of a vector).

    Raises QcsError unless the source is Gaussian with s <= 2, and if a slope is not positive.
    """
    require_gaussian(signal, "the bound")
    if signal.s > _MOST_SPARSITY:
        raise QcsError(f"[signal] s = {signal.s}: the bound is for s <= {_MOST_SPARSITY}")
    for slope in slopes:
        if not (math.isfinite(slope) and slope > 0):
            raise QcsError(f"sparse_bound: slope = {slope}, must be positive")
    genie, variances, least_det = _told_the_support(dictionary(signal), signal.s, signal.noise_variance)
    tangents = tuple((slope, _height(slope, signal, variances) + 0.5 * math.log(least_det)) for slope in slopes)
    return SparseBound(signal, genie, tangents)


def _told_the_support(phi: Array, s: int, noise_variance: float) -> tuple[float, Array, float]:
    """Return MMSE(x | y, T), the variances of w's coefficients (supports · S,) and the least det Λ_T."""
    lost, variances, dets = [], [], []
    for support in combinations(range(phi.shape[1]), s):
        own = phi[:, support]
        left = np.linalg.inv(np.eye(s) + own.T @ own / noise_variance) if noise_variance else np.zeros((s, s))
        lost.append(float(np.trace(left)))
        variances.append(1 - np.diag(left))
        dets.append(float(np.linalg.det(np.eye(s) - left)))
    return float(np.mean(lost)), np.concatenate(variances), min(dets)


def _symmetric(degree: int, r: Array, count: int, ones: int) -> Array:
    """Return the elementary symmetric polynomial of `count` entries r and `ones` ones."""
    terms = [math.comb(count, k) * math.comb(ones, degree - k) * r**k for k in range(min(count, degree) + 1)]
    return np.asarray(sum(terms, np.zeros_like(r)))


@dataclass(frozen=True)
class _Sum:
    """Integrals over a with even μ as sums over a >= 0. spline (a, any): of log μ; density (a,): of a coefficient of w.

    normal (a,): φ. Both hold the step, twice but for a = 0.
    """

    slope: float
    a: Array
    spline: csr_array
    normal: Array
    density: Array

    def kernel(self, z: Array) -> Array:
        """Return what makes q(z) of μ (z, a)."""
        s, a = self.slope, self.a
        both = np.exp(-s * (a - z[:, None]) ** 2) + np.exp(-s * (a + z[:, None]) ** 2)
        return np.asarray(both * (self.normal / 2))

    def q(self, z: Array, mu: Array) -> Array:
        """Return q(z)."""
        parts = [self.kernel(z[first : first + _CHUNK]) @ mu for first in range(0, len(z), _CHUNK)]
        return np.concatenate(parts)


def _sum(slope: float, variances: Array, step: float) -> _Sum:
    a = np.arange(0.0, _FAR, step)
    weight = np.where(a > 0, 2.0, 1.0) * step / math.sqrt(2 * math.pi)
    density = np.mean([np.exp(-(a**2) / 2 / v) / math.sqrt(v) for v in variances], axis=0)
    return _Sum(slope, a, _spline(a, slope), np.exp(-(a**2) / 2) * weight, density * weight)


def _spline(a: Array, slope: float) -> csr_array:
    """Return what makes log μ (a,) of its coefficients: cubic splines, fine about 0, even and smooth there."""
    width = 1 / math.sqrt(2 * slope)
    end = math.hypot(_REACH, width)
    knots = [width]
    while knots[-1] < end:
        knots.append(knots[-1] + max(0.5 * width, min(0.15 * knots[-1], 0.5)))
    clamped = np.array([width] * 3 + knots[:-1] + [end] * 4)
    return BSpline.design_matrix(np.minimum(np.hypot(a, width), end), clamped, 3)


def _height(slope: float, signal: SignalConfig, variances: Array) -> float:
    """Return the nats that rate + slope · distortion is at least, for standard normal coefficients in K."""
    width = 1 / math.sqrt(2 * slope)
    near, far = np.arange(0.0, 6 * width, _COARSE * width), [6 * width]
    while far[-1] < _REACH:
        far.append(far[-1] + max(_COARSE * width, 0.04 * far[-1]))
    rough = _sum(slope, variances, _COARSE * width)
    chosen = _Choice(rough, np.append(near, far), signal)
    found = minimize(chosen.loss, np.zeros(rough.spline.shape[1]), method="L-BFGS-B", jac=True,
                     options={"maxiter": 400})  # fmt: skip
    exact = _sum(slope, variances, _SUM * width)
    log_mu = exact.spline @ found.x
    return float(signal.s * exact.density @ log_mu) - _log_maximum(exact, log_mu, signal)


def _peaks(rows: tuple[Array, Array], columns: tuple[Array, Array], first: float, n: int, s: int) -> Array:
    """Return K at z of S entries that need not be 0: (q, p) of one, and of the other if S = 2; first: q(0)."""
    (q, p), (other_q, other_p) = rows, columns
    if s == 1:
        return (q + (n - 1) * first * p) / n
    # q q' + (N − 2) q(0) (q p' + p q') + C(N − 2, 2) q(0)² p p', as two products
    by_q, by_p = other_q + (n - 2) * first * other_p, (n - 2) * first * other_q
    pairs = np.outer(q, by_q) + np.outer(p, by_p + math.comb(n - 2, 2) * first**2 * other_p)
    return np.asarray(pairs / math.comb(n, 2))


class _Choice:
    """How good a μ is, on a coarse grid of z."""

    def __init__(self, sums: _Sum, z: Array, signal: SignalConfig) -> None:
        self._sums, self._signal = sums, signal
        kernel = sums.kernel(z)
        self._first, self._p = kernel[0], np.exp(-sums.slope * z**2)
        self._kernel = csr_array(np.where(kernel > _TINY * kernel.max(), kernel, 0.0))

    def loss(self, coefficients: Array) -> tuple[float, Array]:
        """Return minus the bound, with a smooth maximum, and its gradient."""
        n, s, p, sums = self._signal.n, self._signal.s, self._p, self._sums
        log_mu = sums.spline @ coefficients
        mu = np.exp(log_mu)
        q = self._kernel @ mu
        k = _peaks((q, p), (q, p), q[0], n, s)
        share = (k / k.max()) ** _SHARPNESS
        smooth = math.log(k.max()) + math.log(share.mean()) / _SHARPNESS
        v = share / share.sum() / k / math.comb(n, s)
        if s == 1:
            by_q, by_first = v, (n - 1) * float(v @ p)
        else:
            # Not by BLAS: for matrices of this size its threads wait longer for each other than they work.
            of_q, of_p = (np.einsum("ij,j->i", v, each) for each in (q, p))
            by_q = 2 * (of_q + (n - 2) * q[0] * of_p)
            by_first = 2 * (n - 2) * float(q @ of_p) + 2 * math.comb(n - 2, 2) * q[0] * float(p @ of_p)
        by_mu = self._kernel.T @ by_q + by_first * self._first
        gradient = sums.spline.T @ (by_mu * mu - s * sums.density)
        return smooth - s * float(sums.density @ log_mu), gradient


def _log_maximum(sums: _Sum, log_mu: Array, signal: SignalConfig) -> float:
    """Return what log K is at most over all z of R^N."""
    n, s, slope, mu = signal.n, signal.s, sums.slope, np.exp(log_mu)
    width = 1 / math.sqrt(2 * slope)
    step = _FINE * width
    z = np.arange(0.0, _REACH + step, step)
    q, p = sums.q(z, mu), np.exp(-slope * z**2)
    # Beyond the grid q is at most what a constant μ gives, and p at most what it is at the end: both go on falling.
    q[-1] = max(q[-1], mu.max() * math.exp(-slope * z[-1] ** 2 / (1 + 2 * slope)) / math.sqrt(1 + 2 * slope))
    rows = ((q[first : first + _CHUNK], p[first : first + _CHUNK]) for first in range(0, len(z), _CHUNK))
    top = max(float(_peaks(part, (q, p), q[0], n, s).max()) for part in rows)
    return math.log(top) + slope * s * (step / 2) ** 2 + _zeroing(sums, mu, signal)


def _zeroing(sums: _Sum, mu: Array, signal: SignalConfig) -> float:
    """Return by how much log K falls at most where all but S entries of z are set to 0.

    Looked at are z up to p < 1 / (S + 1); beyond, Ψ < 1, as what p is multiplied with in it is below S + 1.
    """
    n, s, width = signal.n, signal.s, 1 / math.sqrt(2 * sums.slope)
    if n <= s:
        return 0.0
    z = np.arange(0.0, 1.6 * width, _NEAR * width)
    q, p = sums.q(z, mu), np.exp(-sums.slope * z**2)
    r = q / (p * q[0])
    e, less = (_symmetric(degree, r, s, n - 1 - s) for degree in (s, s - 1))
    grown = (e + r * less) / (e + less)
    return (n - s) * max(0.0, math.log(float((p[:-1] * grown[1:]).max())))
