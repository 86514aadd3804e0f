"""The source and its measurement: S-sparse x, fixed Φ, y = Φ x + n (DeepQCS paper, section II-A)."""

from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from qcskit.codec.config import Table

FloatArray = NDArray[np.floating[Any]]


class SignalConfig(Table):
    """Table `[signal]`: what is sensed and how."""

    n: int = Field(20, ge=2, description="N, entries of a source vector")
    m: int = Field(10, ge=1, description="M, measurements per vector, M < N")
    s: int = Field(2, ge=1, description="S, non-zero entries of a source vector, S <= M")
    noise_variance: float = Field(1e-4, ge=0, allow_inf_nan=False, description="variance of each entry of the noise n")
    matrix: Literal["dct"] = Field("dct", description="measurement matrix: first M rows of the N x N DCT")

    @model_validator(mode="after")
    def _sizes(self) -> Self:
        if self.m >= self.n:
            raise ValueError(f"m must be smaller than n (compressed sensing), got m = {self.m}, n = {self.n}")
        if self.s > self.m:
            raise ValueError(f"s must not exceed m, got s = {self.s}, m = {self.m}")
        return self


def measurement_matrix(config: SignalConfig) -> NDArray[np.float64]:
    """Return Φ (M, N): the first M rows of the N x N DCT-II, columns scaled to unit norm (section V-A).

    >>> np.round(np.linalg.norm(measurement_matrix(SignalConfig(n=20, m=10, s=2)), axis=0), 6).min()
    1.0
    """
    rows = np.arange(config.m)[:, None]
    columns = np.arange(config.n)[None, :]
    phi = np.cos(np.pi * rows * (2 * columns + 1) / (2 * config.n))
    phi[0] /= np.sqrt(2.0)
    unit: NDArray[np.float64] = phi / np.linalg.norm(phi, axis=0)
    return unit


def draw_sparse(config: SignalConfig, frames: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return x (frames, N): a uniform random support of S entries, each N(0, 1)."""
    order = rng.random((frames, config.n)).argpartition(config.s - 1, axis=1)[:, : config.s]
    x = np.zeros((frames, config.n))
    np.put_along_axis(x, order, rng.standard_normal((frames, config.s)), axis=1)
    return x


def measure(
    x: NDArray[np.float64], phi: NDArray[np.float64], noise_variance: float, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Return y = Φ x + n (frames, M), n white Gaussian with the given variance per entry."""
    y: NDArray[np.float64] = x @ phi.T
    return y + np.sqrt(noise_variance) * rng.standard_normal(y.shape)


def draw_frames(config: SignalConfig, frames: int, seed: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return x (frames, N) and y (frames, M) drawn from the source model with this seed."""
    rng = np.random.default_rng(seed)
    x = draw_sparse(config, frames, rng)
    return x, measure(x, measurement_matrix(config), config.noise_variance, rng)
