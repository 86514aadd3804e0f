"""Figures of merit, each with its definition.

>>> from qcskit.codec import metrics
>>> round(metrics.nmse_db([[1.0, 2.0]], [[1.0, 1.9]]), 2)
-26.99
"""

import math
from typing import Annotated, Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import Field

from qcskit.codec.config import Table

_Share = Annotated[float, Field(ge=0, le=1)]
_ROUNDING = 1e-12
"""Share of the largest value that doubles may lose on the way through a codec's own scale."""


class Clipped(Table):
    """Share of the counts of some vectors that were clipped (`Codec.clipped`), in all and of each input."""

    vectors: Annotated[int, Field(ge=0, le=10**15)]
    share: _Share
    per_input: list[_Share] = Field(min_length=1, max_length=65_535)

    @classmethod
    def of(cls, vectors: int, per_input: NDArray[Any]) -> Self:
        """Return the facts of shares (inputs,) on so many vectors.

        >>> Clipped.of(2, np.array([[True, False], [True, True]]).mean(axis=0)).share
        0.75
        """
        return cls(vectors=vectors, share=float(per_input.mean()), per_input=per_input.tolist())

    def plus(self, other: Self) -> Self:
        """Return the shares on the vectors of both."""
        total = self.vectors + other.vectors
        sums = np.multiply(self.per_input, self.vectors) + np.multiply(other.per_input, other.vectors)
        return self.of(total, sums / total)

    def describe(self) -> str:
        """Return it in words."""
        worst = max(range(len(self.per_input)), key=self.per_input.__getitem__)
        most = f", most at input {worst}: {self.per_input[worst]:.2%}" if self.share else ""
        return f"{self.share:.2%} of the counts{most}"


class Fidelity(Table):
    """How close x_hat comes to x (frames, N), in the units of x; dB figures are None where the error is 0.

    nmse_db: about the training mean. window_nmse_db: about each window's own mean. snr_db: −nmse_db. prd_percent:
    100 √(Σ|x − x_hat|² / Σ|x|²), x about nothing (percentage root-mean-square difference). largest_error: in units.
    median_db, p95_db, worst_db: of the NMSE of single windows, about the training mean. distinct: different windows.
    """

    distinct: int = Field(ge=0)
    nmse_db: float | None
    window_nmse_db: float | None
    snr_db: float | None
    prd_percent: float | None = Field(ge=0)
    largest_error: float = Field(ge=0)
    median_db: float | None
    p95_db: float | None
    worst_db: float | None

    def describe(self, unit: str) -> str:
        """Return the figures in words. unit: of x, "" if it has no name."""
        figures = {
            "NMSE about the window's own mean": (self.window_nmse_db, " dB"), "SNR": (self.snr_db, " dB"),
            "PRD": (self.prd_percent, " %"), "largest error": (self.largest_error, f" {unit}" if unit else ""),
            "windows' NMSE median": (self.median_db, " dB"), "95 %": (self.p95_db, " dB"),
            "worst": (self.worst_db, " dB"),
        }  # fmt: skip
        shown = [f"{name} {value:.4g}{tail}" for name, (value, tail) in figures.items() if value is not None]
        if self.exact:
            shown = ["exact"]
        return ", ".join([*shown, f"{self.distinct:,} distinct windows"])

    @property
    def exact(self) -> bool:
        """Whether x came back as it was."""
        return self.largest_error == 0 and self.distinct > 0


def difference(x: NDArray[np.float64], x_hat: NDArray[np.float64], mean: float) -> NDArray[np.float64]:
    """Return x − x_hat, any shape; 0 where it is no more than what the rounding of doubles leaves.

    What is flagged (NaN) counts as an estimate of the mean of the training part.

    >>> difference(np.array([3.0, 0.1, 5.0]), np.array([2.0, 0.3 - 0.2, np.nan]), mean=4.0).tolist()
    [1.0, 0.0, 1.0]
    """
    found = x - np.where(np.isnan(x_hat), mean, x_hat)
    return np.where(np.abs(found) <= _ROUNDING * np.abs(x).max(initial=0.0), 0.0, found)


def fidelity(x: ArrayLike, x_hat: ArrayLike, mean: float = 0.0) -> Fidelity:
    """Return the figures of estimates x_hat of x, both (frames, N) in units; NaN counts as `mean`, the training one.

    >>> found = fidelity([[1.0, 3.0], [1.0, 3.0]], [[1.0, 2.0], [1.0, 3.0]], mean=2.0)
    >>> found.distinct, found.largest_error, round(found.nmse_db, 2), round(found.prd_percent, 1)
    (1, 1.0, -6.02, 22.4)
    """
    source, estimate = np.asarray(x, np.float64), np.asarray(x_hat, np.float64)
    off = difference(source, estimate, mean)
    error = (off**2).sum(axis=1)
    energy = ((source - mean) ** 2).sum(axis=1)
    own = ((source - source.mean(axis=1, keepdims=True)) ** 2).sum()
    with np.errstate(divide="ignore", invalid="ignore"):
        single = 10.0 * np.log10(error / energy)
    single = single[energy > 0]
    spread = (
        [float(np.quantile(single, q, method="nearest")) for q in (0.5, 0.95, 1.0)] if len(single) else [np.nan] * 3
    )
    pooled = decibels(error.sum(), energy.sum())
    whole = float((source**2).sum())
    return Fidelity(
        distinct=len(np.unique(source, axis=0)), nmse_db=pooled, window_nmse_db=decibels(error.sum(), own),
        snr_db=None if pooled is None else -pooled,
        prd_percent=100.0 * math.sqrt(float(error.sum()) / whole) if whole > 0 else None,
        largest_error=float(np.abs(off).max(initial=0.0)),
        **{name: value if math.isfinite(value) else None
           for name, value in zip(("median_db", "p95_db", "worst_db"), spread, strict=True)},
    )  # fmt: skip


def decibels(error: float, energy: float) -> float | None:
    """Return 10 log10(error / energy); None if either is 0."""
    return 10.0 * math.log10(error / energy) if error > 0 and energy > 0 else None


def nmse_db(x: ArrayLike, x_hat: ArrayLike) -> float:
    """Return 10 log10(sum |x - x_hat|^2 / sum |x|^2), pooled over all frames, in dB.

    Both arrays: real, shape (frames, N). Pooled, so all-zero frames are allowed.
    Raises ValueError if the shapes differ, `x` is zero everywhere, or an entry is not finite.
    >>> round(nmse_db(np.ones((2, 4)), np.full((2, 4), 0.9)), 3)
    -20.0
    """
    source, estimate = np.asarray(x, np.float64), np.asarray(x_hat, np.float64)
    if source.shape != estimate.shape:
        raise ValueError(f"x has shape {source.shape}, x_hat {estimate.shape}: they must be equal")
    energy = float(np.sum(source**2))
    error = float(np.sum((source - estimate) ** 2))
    if not math.isfinite(energy) or not math.isfinite(error):
        raise ValueError("x or x_hat holds NaN or infinity")
    if energy == 0.0:
        raise ValueError("x is zero everywhere: NMSE is not defined")
    return 10.0 * math.log10(error / energy) if error > 0.0 else -math.inf
