"""The source and its measurement: x sparse or recorded, fixed Φ, y = Φ x + n (DeepQCS paper, section II-A).

Here x is on the codec's own scale: a recording less the mean of its training part, in units of its standard deviation.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from qcskit.codec import matrices
from qcskit.codec.config import Table
from qcskit.codec.errors import QcsError
from qcskit.codec.recordings import Part, Recording, read_recording

DIRECT = ("identity", "uniform", "subsampling")
"""Matrices with which the device samples x itself, all of it or some: no front end measures."""


IN_THE_BUNDLE = "(in the bundle)"
"""Stands for the file whose windows, or pairs, a bundle holds."""


class SignalConfig(Table):
    """Table `[signal]`: what is sensed and how."""

    n: int = Field(default=20, ge=1, description="N, entries of a source vector")
    m: int = Field(default=10, ge=1, description="M, measurements per vector, M <= N; N if matrix = identity or N < 10")
    s: int = Field(
        default=2, ge=1, description="S, non-zero coefficients of a source vector, S <= M; no meaning if recorded"
    )
    noise_variance: float = Field(
        default=1e-4,
        ge=0,
        allow_inf_nan=False,
        description="variance of each entry of the noise n; 0 if a recording is sampled",
    )
    snr_db: float | None = Field(
        default=None,
        allow_inf_nan=False,
        description="E|Φx|²/E|n|² in dB, replaces noise_variance (recordings: as if white)",
    )
    source: Literal["gaussian", "signs", "recorded", "pairs"] = Field(
        default="gaussian",
        description="values of the non-zero coefficients: N(0, 1) or ±1; or windows of a recording; pairs of x and y "
        "come with a model of your own, see 'qcskit export --help'",
    )
    basis: Literal["identity", "dct", "haar", "db4"] = Field(
        default="identity", description="orthonormal basis in which x is sparse"
    )
    recording: str = Field(default="", description="file of a recorded source: .npy, .npz, .csv, .wav and more")
    recording_column: str = Field(
        default="", coerce_numbers_to_str=True, description="array of an .npz, column of a .csv, channel of a .wav"
    )
    recording_in: Literal["auto", "counts", "units"] = Field(
        default="auto", description="what the file holds; auto: whole numbers within int16 are counts"
    )
    recording_gaps: Literal["refuse", "interpolate"] = Field(
        default="refuse", description="what to do with missing values"
    )
    recording_hop: int = Field(default=1, ge=1, description="samples from one window of the recording to the next")
    matrix: Literal["dct", "gaussian", "bernoulli", "identity", "uniform", "subsampling", "file", "none"] = Field(
        default="dct",
        description="Φ: first M rows of the DCT, N(0, 1), ±1; the device samples x itself: all of it, evenly, at fixed "
        "random places; matrix_file; none: nobody knows how y came of x, as in pairs",
    )
    matrix_seed: int = Field(default=0, ge=0, description="seeds a random Φ")
    matrix_file: str = Field(default="", description="file that holds Φ (m, n): .npy, .npz or .csv")

    @model_validator(mode="after")
    def _ranges(self) -> Self:
        if (self.source == "pairs") != (self.matrix == "none"):
            raise ValueError("source = 'pairs' and matrix = 'none' go together: give both or none")
        if self.source == "pairs":
            return self._pairs()
        if "m" not in self.model_fields_set:
            object.__setattr__(self, "m", self.n if self.matrix == "identity" else min(self.m, self.n))
        if self.m > self.n or (self.matrix == "identity" and self.m < self.n):
            rule = "must equal n where matrix = 'identity'" if self.m < self.n else "must not exceed n"
            raise ValueError(f"m {rule}, got m = {self.m}, n = {self.n}")
        if self.source == "recorded" and self.matrix in DIRECT and "noise_variance" not in self.model_fields_set:
            object.__setattr__(self, "noise_variance", 0.0)
        if self.source != "recorded" and self.s > self.m:
            raise ValueError(f"s must not exceed m, got s = {self.s}, m = {self.m}")
        if (self.source == "recorded") != bool(self.recording):
            raise ValueError("source = 'recorded' and recording = FILE go together: give both or none")
        if (self.matrix == "file") != bool(self.matrix_file):
            raise ValueError("matrix = 'file' and matrix_file = FILE go together: give both or none")
        sampled = self.matrix in DIRECT and self.m < self.n
        if sampled and self.source != "recorded" and self.basis == "identity":
            raise ValueError("sub-sampling misses non-zero entries of x itself; choose basis dct, haar or db4")
        if self.snr_db is not None:
            object.__setattr__(self, "noise_variance", self._noise_variance(self.snr_db))
        return self

    def _pairs(self) -> Self:
        if self.recording != IN_THE_BUNDLE:
            raise ValueError("pairs of x and y are no source to train on: they come with a model of your own, 'qcskit "
                             "export MODEL.keras --pairs X Y'")  # fmt: skip
        return self

    def _noise_variance(self, snr_db: float) -> float:
        # E|Φx|² = E|x|²/N · |Φ|²_F, because the coefficients are white and the basis orthonormal.
        received = frame_energy(self) / self.n * float((measurement_matrix(self) ** 2).sum())
        return float(received / self.m * 10.0 ** (-snr_db / 10.0))


def frame_energy(config: SignalConfig) -> float:
    """Return E|x|²: S for sparse sources, N for recordings, which are scaled to unit variance."""
    return float(config.n if config.source == "recorded" else config.s)


def measurement_matrix(config: SignalConfig) -> NDArray[np.float64]:
    """Return Φ (M, N). Raises QcsError if it comes from a file that does not hold such a matrix.

    >>> float(np.round(np.linalg.norm(measurement_matrix(SignalConfig(n=20, m=10, s=2)), axis=0), 6).min())
    1.0
    """
    if config.matrix == "none":
        raise QcsError("nobody said how the y of these pairs came of x: give rows of what the device sees")
    if config.matrix == "dct":
        return matrices.dct_rows(config.m, config.n)
    if config.matrix == "file":
        return matrices.matrix_from_file(Path(config.matrix_file), config.m, config.n)
    if config.matrix in ("identity", "uniform"):
        return matrices.uniform(config.m, config.n)
    makers = {"gaussian": matrices.gaussian, "bernoulli": matrices.bernoulli, "subsampling": matrices.subsampling}
    return makers[config.matrix](config.m, config.n, config.matrix_seed)


def draw_sparse(config: SignalConfig, frames: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return x (frames, N) = Ψ c: a uniform random support of S coefficients, each N(0, 1) or ±1."""
    order = rng.random((frames, config.n)).argpartition(config.s - 1, axis=1)[:, : config.s]
    values = rng.standard_normal((frames, config.s))
    c = np.zeros((frames, config.n))
    np.put_along_axis(c, order, np.where(values < 0, -1.0, 1.0) if config.source == "signs" else values, axis=1)
    if config.basis == "identity":
        return c
    return c @ matrices.sparsity_basis(config.basis, config.n).T


def recorded_windows(config: SignalConfig, part: Part) -> NDArray[np.float64]:
    """Return the windows (frames, N) of one part of the recording."""
    return read_source(config).windows(config.n, part, config.recording_hop)


def recorded_series(config: SignalConfig, part: Part) -> tuple[NDArray[np.float64], int, int]:
    """Return (samples, windows, hop) of one part: window k is samples[k·hop : k·hop + N]."""
    return read_source(config).part(config.n, part, config.recording_hop)


def test_windows(config: SignalConfig, most: int) -> NDArray[np.float64]:
    """Return up to `most` windows (frames, N) of the recording's test part, evenly spread, each once."""
    windows = recorded_windows(config, "test")
    places = np.linspace(0, len(windows) - 1, min(most, len(windows)))
    return windows[np.rint(places).astype(np.int64)]


def read_source(config: SignalConfig) -> Recording:
    """Return the recording of a recorded source. Raises QcsError if the source is another, or the file is at fault."""
    if config.source != "recorded":
        raise QcsError("[signal] source is not 'recorded': there are no windows")
    return read_recording(Path(config.recording), config.recording_column, config.n, config.recording_gaps)


def measure(
    x: NDArray[np.float64], phi: NDArray[np.float64], noise_variance: float, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Return y = Φ x + n (frames, M), n white Gaussian with the given variance per entry."""
    y = x @ phi.T
    if noise_variance == 0.0:
        return y
    return y + np.sqrt(noise_variance) * rng.standard_normal(y.shape)


def draw_frames(
    config: SignalConfig,
    frames: int,
    seed: int | Sequence[int],
    part: Part = "test",
    phi: NDArray[np.float64] | None = None,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return x (frames, N) and y (frames, M) drawn from the source model with this seed.

    part: which part of a recording its windows are drawn from (with replacement); sparse sources ignore it. phi: Φ if
    it is known already.
    """
    rng = np.random.default_rng(seed)
    if config.source == "recorded":
        windows = recorded_windows(config, part)
        x = windows[rng.integers(0, len(windows), frames)]
    else:
        x = draw_sparse(config, frames, rng)
    return x, measure(x, measurement_matrix(config) if phi is None else phi, config.noise_variance, rng)


def test_frames(config: SignalConfig, frames: int, seed: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return x (frames, N) and y (frames, M) to measure on: fresh ones; of a recording each test window once."""
    if config.source != "recorded":
        return draw_frames(config, frames, seed)
    x = test_windows(config, frames)
    return x, measure(x, measurement_matrix(config), config.noise_variance, np.random.default_rng(seed))
