"""`make`: every classical codec by name, fitted to a seeded training set."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from qcskit.codec.classical import l1, omp, onebit
from qcskit.codec.classical._check import Array, radius
from qcskit.codec.classical.codecs import (
    GenieCodec,
    Index,
    ScalarCodec,
    VectorCodec,
    cells,
    quantize,
    rebuild,
)
from qcskit.codec.classical.consistent import consistent_l1
from qcskit.codec.classical.lloyd import ScalarQuantizer, check_size, lloyd_scalar, lloyd_vector, uniform_scalar
from qcskit.codec.classical.mixture import mixture_mmse
from qcskit.codec.config import nearest
from qcskit.codec.errors import QcsError
from qcskit.codec.interface import Codec
from qcskit.codec.signal import SignalConfig, draw_frames, measurement_matrix

GENIE_MUS = np.logspace(-5, 0.5, 56)
"""The paper's 56 radii, 1e-5 … 1e0.5, among which the genie chooses and `mu="best"` fits one."""
WIDENINGS = (0.8, 1.0, 1.2, 1.5)
"""Factors on the uniform quantizer's least-error step that are tried with the decoder in the loop."""
MARGINS = (0.0, 0.5, 1.0, 2.0)
"""Widenings of a cell, in noise standard deviations, that the consistent decoder tries."""
STOPS = np.geomspace(0.2, 5.0, 15)
"""Residuals at which OMP may stop, in units of the expected residual norm."""
TUNING_FRAMES = 3000
"""Training frames on which decoder parameters are compared."""
VQ_FRAMES_PER_CODEWORD = 100
"""Training vectors per codeword of a vector quantizer."""

Mu = float | Literal["best", "printed", "printed-variance"]
RECOVERIES = ("l1", "omp", "omp-residual", "consistent", "mmse")
NAMES = (
    *(f"{front}-{recovery}" for front in ("ce-usq", "ce-sq") for recovery in RECOVERIES),
    "ce-usq-l1*",
    "ce-vq-l1",
    "ec-vq",
    "1-bit-biht",
    "1-bit-pv",
)
"""Every name that `make` takes."""


def make(
    name: str,
    signal: SignalConfig,
    levels: int,
    *,
    mu: Mu = "best",
    train_frames: int = 20_000,
    seed: int = 0,
) -> Codec:
    """Return the classical codec `name` for `signal`, fitted to `train_frames` frames drawn with `seed`.

    levels: cells I per measurement (ce-usq-*, ce-sq-*), codewords (a power of two; ce-vq-l1, ec-vq), or 2 (1-bit-*).
    The encoder of each:
      ce-usq-*   one uniform quantizer per measurement; its step minimises the mean square error on the training set,
                 times the factor in WIDENINGS that gives the decoder its least NMSE
      ce-sq-*    one Lloyd quantizer per measurement
      ce-vq-l1   Lloyd codebook of y; ec-vq: of the exact MMSE estimate E[x | y]
      1-bit-*    sign of each measurement
    and the decoder, fitted on TUNING_FRAMES training frames where it has a parameter:
      *-l1            min ‖x‖₁ s.t. ‖ỹ − Φx‖₂ ≤ μ. mu="best": the one of GENIE_MUS with the least NMSE; "printed": the
                      paper's μ = √σ_n (1 + 1/I) with σ_n the noise standard deviation; "printed-variance": the same
                      with σ_n the noise variance; or a number
      ce-usq-l1*      genie: the best of GENIE_MUS for every frame
      *-omp           S passes; *-omp-residual: stopped at the residual among STOPS with the least NMSE
      *-consistent    min ‖x‖₁ s.t. Φx in the received cells widened by the best of MARGINS noise deviations
      *-mmse          exact mixture over supports, quantization error taken as Gaussian of its training variance
      1-bit-biht      BIHT (best iterate), 1-bit-pv: Plan–Vershynin; both scaled to the least NMSE
    Raises QcsError if the name is unknown, `levels` does not fit it, μ < 0, or the mixture or codebook is too large.
    """
    if name not in NAMES:
        raise QcsError(f"unknown classical codec '{name}'; {nearest(name, NAMES)}")
    if train_frames < 1000:
        raise QcsError(f"train_frames = {train_frames}: fitting needs at least 1000 frames")
    build = _Build(name, signal, levels, mu, train_frames, seed)
    if name.startswith("1-bit"):
        return build.one_bit()
    if name in ("ce-vq-l1", "ec-vq"):
        return build.vector()
    return build.scalar()


def printed_mu(noise_variance: float, levels: int, sigma_is_variance: bool = False) -> float:
    """Return the paper's μ = √σ_n (1 + 1/I), section V-B, with σ_n the noise standard deviation, or its variance.

    Neither reading has M in it, although ‖n‖₂ grows as √M σ: the formula is a guess at a size, not a bound.
    >>> round(printed_mu(1e-4, 8), 4), round(printed_mu(1e-4, 8, sigma_is_variance=True), 5)
    (0.1125, 0.01125)
    """
    sigma = noise_variance if sigma_is_variance else float(np.sqrt(noise_variance))
    return float(np.sqrt(sigma)) * (1 + 1 / levels)


@dataclass(frozen=True)
class _Build:
    """One call of `make`."""

    name: str
    signal: SignalConfig
    levels: int
    mu: Mu
    train_frames: int
    seed: int

    @property
    def phi(self) -> Array:
        return measurement_matrix(self.signal)

    def draw(self, frames: int) -> tuple[Array, Array]:
        return draw_frames(self.signal, frames, self.seed)

    def scalar(self) -> Codec:
        x, y = self.draw(self.train_frames)
        xt, yt = x[:TUNING_FRAMES], y[:TUNING_FRAMES]
        recovery = self.name.split("-", 2)[2]
        if self.name.startswith("ce-sq"):
            fronts = {"": tuple(lloyd_scalar(column, self.levels) for column in y.T)}
        else:
            fronts = {f"{w:g}": tuple(uniform_scalar(column, self.levels, w) for column in y.T) for w in WIDENINGS}
        best: tuple[float, Codec] | None = None
        for widen, quantizers in fronts.items():
            codec = self._with_decoder(quantizers, recovery, xt, yt, {"widen": float(widen)} if widen else {})
            packed = codec.encode(yt)
            estimate = codec.decode_with_source(packed, xt) if isinstance(codec, GenieCodec) else codec.decode(packed)
            error = float(np.sum((xt - estimate) ** 2))
            if best is None or error < best[0]:
                best = error, codec
        assert best is not None
        return best[1]

    def _with_decoder(
        self, quantizers: tuple[ScalarQuantizer, ...], recovery: str, x: Array, y: Array, tuning: dict[str, float | str]
    ) -> ScalarCodec:
        """Return the codec of one encoder with its decoder's parameter fitted on (x, y)."""
        phi, s = self.phi, self.signal.s
        thresholds = np.stack([q.thresholds for q in quantizers])
        points = np.stack([q.points for q in quantizers])
        index = quantize(thresholds, y)
        rebuilt = rebuild(points, index)
        base = (self.name, self.signal, quantizers)
        if recovery == "l1*":
            return GenieCodec(
                *base, _refuse, tuning, lambda i, source: _nearest_solution(rebuild(points, i), phi, source)
            )
        if recovery == "l1":
            mu = self._mu(x, rebuilt)
            return ScalarCodec(*base, lambda i: l1.bpdn(rebuild(points, i), phi, mu), {**tuning, "mu": mu})
        if recovery == "omp":
            return ScalarCodec(*base, lambda i: omp.omp(rebuild(points, i), phi, s), tuning)
        noise = self.signal.noise_variance + float(np.mean([q.distortion for q in quantizers]))
        if recovery == "omp-residual":
            stops = STOPS * np.sqrt(self.signal.m * noise)
            stop = float(stops[_least(x, [omp.omp(rebuilt, phi, self.signal.m, stop) for stop in stops])])
            return ScalarCodec(
                *base, lambda i: omp.omp(rebuild(points, i), phi, self.signal.m, stop), {**tuning, "residual": stop}
            )
        if recovery == "mmse":
            return ScalarCodec(
                *base, lambda i: mixture_mmse(rebuild(points, i), phi, s, noise)[0], {**tuning, "noise": noise}
            )
        few, deviation = slice(0, 500), np.sqrt(self.signal.noise_variance)

        def consistent(i: Index, margin: float) -> Array:
            low, high = cells(thresholds, i)
            return consistent_l1(low - margin * deviation, high + margin * deviation, phi)

        margin = MARGINS[_least(x[few], [consistent(index[few], margin) for margin in MARGINS])]
        return ScalarCodec(*base, lambda i: consistent(i, margin), {**tuning, "margin": margin})

    def _mu(self, x: Array, rebuilt: Array) -> float:
        """Return the radius μ that was asked for, or the best of GENIE_MUS on training frames."""
        if self.mu == "best":
            path = l1.bpdn_path(rebuilt, self.phi, GENIE_MUS)
            return float(GENIE_MUS[_least(x, list(path.transpose(1, 0, 2)))])
        if isinstance(self.mu, str):
            if self.mu not in ("printed", "printed-variance"):
                raise QcsError(f"mu = '{self.mu}': {nearest(self.mu, ('best', 'printed', 'printed-variance'))}")
            return printed_mu(self.signal.noise_variance, self.levels, self.mu == "printed-variance")
        return radius(self.mu)

    def vector(self) -> Codec:
        phi, signal = self.phi, self.signal
        check_size(self.levels)
        wanted = max(self.train_frames, VQ_FRAMES_PER_CODEWORD * self.levels)
        x, y = self.draw(wanted)
        if self.name == "ec-vq":

            def estimate(values: Array) -> Array:
                return mixture_mmse(values, phi, signal.s, signal.noise_variance)[0]

            codebook = lloyd_vector(estimate(y), self.levels, self.seed)
            return VectorCodec(self.name, signal, codebook, codebook.points, estimate)
        codebook = lloyd_vector(y, self.levels, self.seed)
        sample = slice(0, TUNING_FRAMES)
        mu = self._mu(x[sample], codebook.points[codebook.nearest(y[sample])])
        table = l1.bpdn(codebook.points, phi, mu)
        return VectorCodec(self.name, signal, codebook, table, lambda values: values, {"mu": mu})

    def one_bit(self) -> Codec:
        if self.levels != 2:
            raise QcsError(f"{self.name} sends signs: levels must be 2, got {self.levels}")
        phi, s = self.phi, self.signal.s
        x, y = self.draw(self.train_frames)

        def direction(index: Index) -> Array:
            signs = 2.0 * index - 1.0
            return onebit.biht(signs, phi, s) if self.name == "1-bit-biht" else onebit.plan_vershynin(signs, phi, s)

        zero = ScalarQuantizer(np.zeros(1), np.array([-1.0, 1.0]), float("nan"))
        quantizers = (zero,) * self.signal.m
        found = direction(quantize(np.zeros((self.signal.m, 1)), y))
        gain = float(np.sum(found * x) / np.sum(found**2))
        return ScalarCodec(self.name, self.signal, quantizers, lambda index: gain * direction(index), {"gain": gain})


def _least(x: Array, estimates: list[Array]) -> int:
    """Return which estimate of x has the least squared error."""
    return int(np.argmin([np.sum((x - estimate) ** 2) for estimate in estimates]))


def _nearest_solution(rebuilt: Array, phi: Array, x: Array) -> Array:
    """Return for each frame the BPDN solution over GENIE_MUS nearest to x."""
    if rebuilt.shape[0] != x.shape[0] or x.shape[1] != phi.shape[1]:
        raise QcsError(f"source has shape {x.shape}, expected ({rebuilt.shape[0]}, {phi.shape[1]})")
    x_hat = np.empty_like(x)
    for i in range(0, len(x), 2000):
        part = slice(i, i + 2000)
        path = l1.bpdn_path(rebuilt[part], phi, GENIE_MUS)
        error = ((path - x[part, None]) ** 2).sum(axis=2)
        x_hat[part] = path[np.arange(len(path)), error.argmin(axis=1)]
    return x_hat


def _refuse(index: Index) -> Array:
    raise QcsError("the genie-aided decoder needs the source; call decode_with_source(packed, x)")
