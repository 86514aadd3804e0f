"""The decoders of scalar-quantized measurements: indices → coefficients, each by name with what was fitted for it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from qcskit.codec.classical import l1, omp, onebit
from qcskit.codec.classical._check import Array, radius
from qcskit.codec.classical.codecs import Index, cells
from qcskit.codec.classical.consistent import consistent_l1
from qcskit.codec.classical.lloyd import ScalarQuantizer
from qcskit.codec.classical.mixture import mixture_mmse

Recover = Callable[[Index], Array]
Tuning = dict[str, float]


@dataclass(frozen=True)
class Front:
    """The scalar quantizers of one codec as tables: thresholds (M, I−1) and points (M, I)."""

    thresholds: Array
    points: Array

    def rebuild(self, index: Index) -> Array:
        """Return ỹ (frames, M), the points that indices stand for."""
        return self.points[np.arange(len(self.points)), index]

    def cells(self, index: Index, margin: float) -> tuple[Array, Array]:
        """Return the ends (frames, M) of the received cells, moved apart by `margin` on either side."""
        low, high = cells(self.thresholds, index)
        return low - margin, high + margin


def front_of(quantizers: tuple[ScalarQuantizer, ...]) -> Front:
    """Return the tables of one quantizer per measurement."""
    return Front(np.stack([q.thresholds for q in quantizers]), np.stack([q.points for q in quantizers]))


def decoder_name(method: str) -> str:
    """Return the part of a codec's name that names its decoder.

    >>> [decoder_name(name) for name in ("ce-usq-omp-residual", "1-bit-pv")]
    ['omp-residual', 'pv']
    """
    return method.split("-", 2)[2]


def recover_with(decoder: str, tuning: Mapping[str, float], front: Front, phi: Array, s: int) -> Recover:
    """Return the decoder: indices (frames, M) → coefficients (frames, N) for dictionary phi (M, N).

    tuning, by decoder: l1 `mu`; omp-residual `residual`; consistent `margin` (in the units of y); mmse `noise`, the
    variance of measurement and quantization error; biht, pv `gain`. Raises KeyError if what it needs is not there,
    QcsError for μ < 0, S > M or a singular phi as soon as it decodes.
    """
    if decoder == "l1":
        mu = radius(tuning["mu"])
        return lambda index: l1.bpdn(front.rebuild(index), phi, mu)
    if decoder == "omp":
        return lambda index: omp.omp(front.rebuild(index), phi, s)
    if decoder == "omp-residual":
        stop = tuning["residual"]
        return lambda index: omp.omp(front.rebuild(index), phi, len(phi), stop)
    if decoder == "consistent":
        margin = tuning["margin"]
        return lambda index: consistent_l1(*front.cells(index, margin), phi)
    if decoder == "mmse":
        noise = tuning["noise"]
        return lambda index: mixture_mmse(front.rebuild(index), phi, s, noise)[0]
    gain, direction = tuning["gain"], onebit.biht if decoder == "biht" else onebit.plan_vershynin
    return lambda index: gain * direction(2.0 * index - 1.0, phi, s)
