"""The remote rate-distortion function by the Blahut–Arimoto algorithm, with bounds on both sides.

x is seen only through y. For squared error the remote problem splits (Wolf, Ziv, "Transmission of noisy information
to a noisy receiver with minimum distortion", 1970): D(R) = MMSE + D₀(R), D₀ the ordinary distortion-rate function of
the estimate u = E[x | y]. That one has no closed form; here it is enclosed:

* above: any codewords z_j with masses p_j and any slope s define a test channel q(j | u) ∝ p_j exp(−s‖u − z_j‖²). Its
  distortion D is reached at E[Σ_j q log q/p] nats, whatever the source (averaged here over fresh samples);
* below: any weight λ(u) >= 0 gives R(D) >= E[log λ(u)] − log max_z E[λ(u) exp(−s‖u − z‖²)] − sD, the maximum over
  *all* z (Csiszár, "On the computation of rate-distortion functions", 1974). λ = 1 / Σ_j p_j exp(−s‖u − z_j‖²) makes
  the two sides meet when the p_j, z_j are the best; codewords are added where the maximum is far from all of them.

The distance between the sides bounds what discretisation and unfinished iterations cost together; what is left is the
statistical error of the averages, which is stated too.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import logsumexp, softmax

from qcskit.codec.classical._check import Array
from qcskit.codec.classical._source import dictionary, require_gaussian
from qcskit.codec.classical.lloyd import lloyd_vector
from qcskit.codec.classical.mixture import mixture_mmse
from qcskit.codec.errors import QcsError
from qcskit.codec.signal import SignalConfig, draw_frames

LN2 = math.log(2.0)
BOUND_SAMPLES = 20_000
"""Fresh samples on which the lower bound is computed."""
BOUND_ROUNDS, BOUND_PASSES, BOUND_GAIN_NATS = 12, 60, 0.005
"""Of the lower bound: rounds of added codewords, passes over the masses in each, change that ends them."""
NEW_POINTS, NEW_MASS = 64, 0.02
"""Codewords a round adds at most, and the share of the mass they start with."""


@dataclass(frozen=True)
class BlahutArimoto:
    """One point of a rate-distortion function between finite alphabets, and how the iteration came to it.

    rate_bits, distortion: of the last channel; masses (K,): its output distribution; gap_bits[i]: upper minus lower
    bound on the rate after pass i, the last one the accuracy reached.
    """

    rate_bits: float
    distortion: float
    masses: Array
    gap_bits: tuple[float, ...]


def blahut_arimoto(
    distortion: Array, slope: float, weights: Array | None = None, passes: int = 2000, tolerance_bits: float = 1e-4
) -> BlahutArimoto:
    """Return the point of slope −`slope` (nats per unit of distortion) of R(D) for a distortion matrix (n, K).

    weights (n,): probabilities of the source letters, equal by default. Ends when the bounds on R differ by less than
    `tolerance_bits`, or after `passes` (Blahut, "Computation of channel capacity and rate-distortion functions", 1972).
    Raises QcsError if the matrix is not finite, `slope` is not positive, or the weights are no distribution.

    Binary source, Hamming distortion: R = 1 − H₂(D), slope = ln((1 − D) / D).
    >>> point = blahut_arimoto(1.0 - np.eye(2), slope=math.log(9.0))
    >>> round(point.distortion, 6), round(point.rate_bits, 4)
    (0.1, 0.531)
    """
    d = np.asarray(distortion, np.float64)
    if d.ndim != 2 or not np.isfinite(d).all() or not slope > 0:
        raise QcsError("blahut_arimoto: needs a finite distortion matrix (n, K) and a positive slope")
    w = np.full(len(d), 1.0 / len(d)) if weights is None else np.asarray(weights, np.float64)
    if w.shape != (len(d),) or (w < 0).any() or not math.isclose(w.sum(), 1.0, abs_tol=1e-9):
        raise QcsError("blahut_arimoto: weights must be one probability per source letter and sum to 1")
    least = d.min(axis=1, keepdims=True)
    kernel = np.exp(-slope * (d - least))  # row factors cancel everywhere but in the rate, where `least` returns
    p = np.full(d.shape[1], 1.0 / d.shape[1])
    gaps: list[float] = []
    for _ in range(passes):
        mass = kernel @ p
        c = (w / mass) @ kernel
        gaps.append(float(np.log(c.max()) - np.sum(p * c * np.log(np.maximum(c, 1e-300)))) / LN2)
        p *= c
        if gaps[-1] < tolerance_bits:
            break
    mass = kernel @ p
    channel = kernel * (p / mass[:, None])
    mean = float(w @ (channel * d).sum(axis=1))
    rate = -slope * mean - float(w @ (np.log(mass) - slope * least[:, 0]))
    return BlahutArimoto(rate / LN2, mean, p / p.sum(), tuple(gaps))


@dataclass(frozen=True)
class RdfPoint:
    """One enclosed point of the remote rate-distortion function of `signal`.

    rate_bits: bits per source entry that suffice for distortion nmse_db; lower_rate_bits: those without which it cannot
    be reached; standard_error_db, of nmse_db: from averaging over fresh samples. gap_bits: convergence of the masses.
    """

    slope: float
    rate_bits: float
    lower_rate_bits: float
    nmse_db: float
    standard_error_db: float
    gap_bits: tuple[float, ...]


def remote_rdf(
    signal: SignalConfig,
    slopes: Sequence[float],
    *,
    codewords: int = 512,
    samples: int = 8_000,
    fresh: int = 40_000,
    passes: int = 60,
    seed: int = 0,
) -> list[RdfPoint]:
    """Return points of the remote rate-distortion function, one per slope (nats per unit of ‖error‖²), ascending.

    The codewords start as a Lloyd codebook of `samples` estimates u and move to their cells' means between passes
    (Rose, "A mapping approach to rate-distortion computation and analysis", 1994); then plain Blahut–Arimoto fits
    their masses. Rate, distortion and the bound are averaged over `fresh` other draws.
    Raises QcsError as `mixture_mmse` and `lloyd_vector` do, or if a slope is not positive.
    """
    require_gaussian(signal, "the remote rate-distortion function")
    phi = dictionary(signal)

    def estimates(frames: int, stream: int) -> tuple[Array, Array]:
        y = draw_frames(signal, frames, stream)[1]
        return mixture_mmse(y, phi, signal.s, signal.noise_variance)

    u = estimates(samples, seed)[0]
    test, variance = estimates(fresh, seed + 1)
    z = lloyd_vector(u, codewords, seed, passes=20).points
    masses = np.full(codewords, 1.0 / codewords)
    points: list[RdfPoint] = []
    for slope in sorted(slopes):
        if not (np.isfinite(slope) and slope > 0):
            raise QcsError(f"remote_rdf: slope = {slope}, must be positive")
        for _ in range(passes):
            z, masses = _move(u, z, masses, slope)
        fitted = blahut_arimoto(_squared(u, z), slope, passes=300, tolerance_bits=2e-3)
        masses = np.maximum(fitted.masses, 1e-12)
        point = _enclose(test, variance, z, masses, slope, signal, fitted.gap_bits)
        if points and point.nmse_db <= points[-1].nmse_db:  # what more distortion needs, less needs too
            point = replace(point, lower_rate_bits=max(point.lower_rate_bits, points[-1].lower_rate_bits))
        points.append(point)
    return points


def _squared(u: Array, z: Array) -> Array:
    """Return ‖u_i − z_j‖² (n, K)."""
    return np.maximum((u**2).sum(axis=1)[:, None] - 2 * u @ z.T + (z**2).sum(axis=1), 0.0)


def _move(u: Array, z: Array, masses: Array, slope: float) -> tuple[Array, Array]:
    """Return codewords and masses after one pass of both: each codeword to the mean of what the channel sends it."""
    channel = softmax(np.log(masses) - slope * _squared(u, z), axis=1)
    total = channel.sum(axis=0)
    return (channel.T @ u) / np.maximum(total, 1e-300)[:, None], np.maximum(total / len(u), 1e-12)


def _enclose(
    u: Array, variance: Array, z: Array, masses: Array, slope: float, signal: SignalConfig, gaps: tuple[float, ...]
) -> RdfPoint:
    """Return the enclosed point that codewords z with `masses` give at `slope` on fresh estimates u (n, N)."""
    squared = _squared(u, z)
    log_z = logsumexp(np.log(masses) - slope * squared, axis=1)
    channel = masses * np.exp(-slope * squared - log_z[:, None])
    each = (channel * squared).sum(axis=1)
    rate = -slope * float(each.mean()) - float(log_z.mean())
    total = (each + variance) / signal.s
    nmse = float(total.mean())
    error = 10 / math.log(10) * float(total.std(ddof=1)) / math.sqrt(len(u)) / nmse
    per_bit = 1.0 / (LN2 * signal.n)
    dual = _dual_bound(u[:BOUND_SAMPLES], z, masses, slope)
    lower = max(0.0, (dual - slope * float(each.mean())) * per_bit)
    return RdfPoint(slope, rate * per_bit, lower, 10 * math.log10(nmse), error, gaps)


def _dual_bound(u: Array, z: Array, masses: Array, slope: float) -> float:
    """Return a lower bound of R + slope · D in nats: E[log λ] − log max_z E[λ exp(−slope ‖u − z‖²)], λ = 1 / Z(u).

    Where the maximum lies far from all codewords, codewords are added and the masses fitted again, to these u, until
    the bound stays. Any codewords and masses give a bound; over samples it is one for their empirical law, and because
    R + slope · D is concave in the source's law, that lies below the source's own on average.
    """
    p, best = masses / masses.sum(), -math.inf
    kernel = np.exp(-slope * _squared(u, z))
    for _ in range(BOUND_ROUNDS):
        for _ in range(BOUND_PASSES):
            p = np.maximum(p * ((1.0 / (kernel @ p)) @ kernel) / len(u), 1e-15)
        log_w = -np.log(kernel @ p)
        height, peaks = _peaks(u, log_w, np.concatenate([z, u[:1024], np.zeros((1, u.shape[1]))]), slope)
        bound = float(log_w.mean()) - height
        gain, best = bound - best, max(best, bound)
        if abs(gain) < BOUND_GAIN_NATS:
            break
        kernel = np.concatenate([kernel, np.exp(-slope * _squared(u, peaks))], axis=1)
        p = np.concatenate([p * (1 - NEW_MASS), np.full(len(peaks), NEW_MASS / len(peaks))])
    return best


def _peaks(u: Array, log_w: Array, candidates: Array, slope: float, climbs: int = 15) -> tuple[float, Array]:
    """Return log max over z of mean λ exp(−slope ‖u − z‖²), and where its peaks lie.

    From the highest of `candidates` z climbs by mean shift, which never descends.
    """
    parts = [candidates[i : i + 128] for i in range(0, len(candidates), 128)]
    height = np.concatenate([np.exp(log_w - slope * _squared(part, u)).sum(axis=1) for part in parts])
    peak, points = float(height.max()), candidates[np.argsort(-height)[:NEW_POINTS]]
    for _ in range(climbs):
        weight = np.exp(log_w - slope * _squared(points, u))
        total = weight.sum(axis=1)
        peak = max(peak, float(total.max()))
        points = (weight @ u) / np.maximum(total, 1e-300)[:, None]
    return math.log(peak / len(u)), points[np.unique(points.round(2), axis=0, return_index=True)[1]]
