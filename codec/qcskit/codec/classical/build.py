"""`make`: every classical codec by name, fitted to a seeded training set."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from qcskit.codec.classical import l1, omp
from qcskit.codec.classical._check import Array, radius
from qcskit.codec.classical._source import analyse, dictionary, require_gaussian, synthesise
from qcskit.codec.classical.codecs import GenieCodec, Index, Method, ScalarCodec, VectorCodec, quantize
from qcskit.codec.classical.consistent import consistent_l1
from qcskit.codec.classical.lloyd import (
    ScalarQuantizer,
    check_size,
    lloyd_scalar,
    lloyd_vector,
    on_grid,
    uniform_scalar,
)
from qcskit.codec.classical.mixture import mixture_mmse
from qcskit.codec.classical.recovery import Front, Recover, Tuning, decoder_name, front_of, recover_with
from qcskit.codec.config import nearest
from qcskit.codec.errors import QcsError
from qcskit.codec.signal import SignalConfig, draw_frames

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
CONSISTENT_TUNING_FRAMES = 500
VQ_FRAMES_PER_CODEWORD = 100
"""Training vectors per codeword of a vector quantizer."""

Mu = float | Literal["best", "printed", "printed-variance"]
RECOVERIES = ("l1", "omp", "omp-residual", "consistent", "mmse")
Quantizers = tuple[ScalarQuantizer, ...]
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
    count: float | None = None,
) -> Method:
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
    count: measurement units of one ADC count, for an encoder that sees counts: every threshold lies halfway between two
    of them, and points and decoder are fitted to those cells; None: unquantized measurements.
    Raises QcsError if the name is unknown, `levels` does not fit it, μ < 0, or the mixture or codebook is too large.
    """
    if name not in NAMES:
        raise QcsError(f"unknown classical codec '{name}'; {nearest(name, NAMES)}")
    if train_frames < 1000:
        raise QcsError(f"train_frames = {train_frames}: fitting needs at least 1000 frames")
    if name.endswith("-mmse") or name == "ec-vq":
        require_gaussian(signal, name)
    build = _Build(name, signal, levels, mu, train_frames, seed, count)
    return build.vector() if name in ("ce-vq-l1", "ec-vq") else build.scalar()


def printed_mu(noise_variance: float, levels: int, sigma_is_variance: bool = False) -> float:
    """Return the paper's μ = √σ_n (1 + 1/I), section V-B, with σ_n the noise standard deviation, or its variance.

    Neither reading has M in it, although ‖n‖₂ grows as √M σ: the formula is a guess at a size, not a bound.
    >>> round(printed_mu(1e-4, 8), 4), round(printed_mu(1e-4, 8, sigma_is_variance=True), 5)
    (0.1125, 0.01125)
    """
    sigma = noise_variance if sigma_is_variance else float(np.sqrt(noise_variance))
    return float(np.sqrt(sigma)) * (1 + 1 / levels)


def one_bit_signal(
    signal: SignalConfig, measurements: int, matrix: Literal["gaussian", "bernoulli", "dct"] = "gaussian"
) -> SignalConfig:
    """Return the same source seen through `measurements` rows of Φ, whose signs a 1-bit codec sends.

    Its rate is measurements / N, so a curve needs as many sources as points, and more rows than N are usual: here, and
    only here, m may reach or exceed n. Columns keep unit norm and noise its variance per entry, so each measurement is
    the weaker the more there are. matrix: of all signals' choices; the DCT has N rows.
    Raises QcsError if there are fewer than S rows, or more than the DCT has.
    >>> one_bit_signal(SignalConfig(n=20, m=10, s=2), 40).m
    40
    """
    most = signal.n if matrix == "dct" else 65535
    if not signal.s <= measurements <= most:
        raise QcsError(f"{measurements} one-bit measurements with matrix '{matrix}': give S = {signal.s} … {most}")
    return signal.model_copy(update={"m": measurements, "matrix": matrix, "matrix_file": ""})


@dataclass(frozen=True)
class _Build:
    """One call of `make`."""

    name: str
    signal: SignalConfig
    levels: int
    mu: Mu
    train_frames: int
    seed: int
    count: float | None = None

    @property
    def phi(self) -> Array:
        return dictionary(self.signal)

    def draw(self, frames: int) -> tuple[Array, Array]:
        """Return coefficients (frames, N) and measurements (frames, M) of training frames."""
        x, y = draw_frames(self.signal, frames, self.seed, part="train")
        return analyse(self.signal, x), y

    def scalar(self) -> Method:
        """Return the codec of the front whose decoder, fitted to it, has the least error on training frames."""
        c, y = self.draw(self.train_frames)
        few = slice(None) if self.name.startswith("1-bit") else slice(0, TUNING_FRAMES)
        tried: list[tuple[float, Quantizers, Recover, Tuning]] = []
        fronts = self.fronts(y)
        for continuous, tuning in fronts:
            quantizers = self.placed(continuous, y)
            index = quantize(front_of(quantizers).thresholds, y[few])
            recover, fitted = self.recovery(quantizers, index, c[few])
            error = _error(c[few], recover(index)) if len(fronts) > 1 else 0.0
            tried.append((error, quantizers, recover, tuning | fitted))
        _, chosen, decoder, found = min(tried, key=lambda entry: entry[0])
        if self.name.endswith("*"):
            return self.genie(chosen, found)
        return ScalarCodec(self.name, self.signal, chosen, lambda index: synthesise(self.signal, decoder(index)), found)

    def fronts(self, y: Array) -> list[tuple[Quantizers, Tuning]]:
        """Return the quantizers to try, and what each adds to the tuning."""
        if self.name.startswith("1-bit"):
            if self.levels != 2:
                raise QcsError(f"{self.name} sends signs: levels must be 2, got {self.levels}")
            return [((ScalarQuantizer(np.zeros(1), np.array([-1.0, 1.0]), float("nan")),) * self.signal.m, Tuning())]
        if self.name.startswith("ce-sq"):
            return [(tuple(lloyd_scalar(column, self.levels) for column in y.T), Tuning())]
        return [
            (tuple(uniform_scalar(column, self.levels, widen) for column in y.T), Tuning(widen=widen))
            for widen in WIDENINGS
        ]

    def placed(self, quantizers: Quantizers, y: Array) -> Quantizers:
        """Return the quantizers with their thresholds between ADC counts, if the encoder sees counts."""
        if self.count is None:
            return quantizers
        return tuple(on_grid(q, column, self.count) for q, column in zip(quantizers, y.T, strict=True))

    def genie(self, quantizers: Quantizers, tuning: Tuning) -> GenieCodec:
        name, signal, phi, front = self.name, self.signal, self.phi, front_of(quantizers)

        def choose(index: Index, x: Array) -> Array:
            return synthesise(signal, _nearest_solution(front, index, phi, analyse(signal, x)))

        def refuse(index: Index) -> Array:
            raise QcsError(f"{name} is genie-aided: its decoder needs the source; call decode_with_source(packed, x)")

        return GenieCodec(name, signal, quantizers, refuse, tuning, choose)

    def recovery(self, quantizers: Quantizers, index: Index, c: Array) -> tuple[Recover, Tuning]:
        """Return the decoder indices → coefficients of this codec, its parameter fitted to (index, c)."""
        front, kind = front_of(quantizers), decoder_name(self.name)
        if kind == "l1*":  # for these frames only
            return lambda index: _nearest_solution(front, index, self.phi, c), Tuning()
        tuning = self.fitted(kind, front, quantizers, index, c)
        return recover_with(kind, tuning, front, self.phi, self.signal.s), tuning

    def fitted(self, kind: str, front: Front, quantizers: Quantizers, index: Index, c: Array) -> Tuning:
        """Return the decoder's parameter that gives the least error on training frames."""
        phi, m = self.phi, self.signal.m
        if kind == "l1":
            return Tuning(mu=self._mu(c, front.rebuild(index)))
        if kind == "omp":
            return Tuning()
        if kind in ("biht", "pv"):
            found = recover_with(kind, {"gain": 1.0}, front, phi, self.signal.s)(index)
            return Tuning(gain=float(np.sum(found * c) / np.sum(found**2)))
        noise = self.signal.noise_variance + float(np.mean([q.distortion for q in quantizers]))
        if kind == "mmse":
            return Tuning(noise=noise)
        if kind == "omp-residual":
            stops = STOPS * np.sqrt(m * noise)
            rebuilt = front.rebuild(index)
            return Tuning(residual=float(stops[_least(c, [omp.omp(rebuilt, phi, m, stop) for stop in stops])]))
        margins = np.array(MARGINS) * np.sqrt(self.signal.noise_variance)
        few = slice(0, CONSISTENT_TUNING_FRAMES)
        tried = [consistent_l1(*front.cells(index[few], margin), phi) for margin in margins]
        return Tuning(margin=float(margins[_least(c[few], tried)]))

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

    def vector(self) -> Method:
        phi, signal = self.phi, self.signal
        check_size(self.levels)
        x, y = self.draw(max(self.train_frames, VQ_FRAMES_PER_CODEWORD * self.levels))
        if self.name == "ec-vq":

            def estimate(values: Array) -> Array:
                return mixture_mmse(values, phi, signal.s, signal.noise_variance)[0]

            codebook = lloyd_vector(estimate(y), self.levels, self.seed)
            return VectorCodec(self.name, signal, codebook, synthesise(signal, codebook.points), estimate)
        codebook = lloyd_vector(y, self.levels, self.seed)
        sample = slice(0, TUNING_FRAMES)
        mu = self._mu(x[sample], codebook.points[codebook.nearest(y[sample])])
        table = synthesise(signal, l1.bpdn(codebook.points, phi, mu))
        return VectorCodec(self.name, signal, codebook, table, lambda values: values, {"mu": mu})


def _error(c: Array, estimate: Array) -> float:
    return float(np.sum((c - estimate) ** 2))


def _least(x: Array, estimates: list[Array]) -> int:
    """Return which estimate of x has the least squared error."""
    return int(np.argmin([_error(x, estimate) for estimate in estimates]))


def _nearest_solution(front: Front, index: Index, phi: Array, c: Array) -> Array:
    """Return for each frame the BPDN solution over GENIE_MUS nearest to its coefficients c (frames, N)."""
    if (len(index), phi.shape[1]) != c.shape:
        raise QcsError(f"source has shape {c.shape}, expected ({len(index)}, {phi.shape[1]})")
    nearest_c = np.empty_like(c)
    for i in range(0, len(c), 2000):
        part = slice(i, i + 2000)
        path = l1.bpdn_path(front.rebuild(index[part]), phi, GENIE_MUS)
        error = ((path - c[part, None]) ** 2).sum(axis=2)
        nearest_c[part] = path[np.arange(len(path)), error.argmin(axis=1)]
    return nearest_c
