"""What the coded benchmarks share: estimated points with confidence bands, where a curve crosses, SVG."""

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import Progress
from scipy.stats import beta

from qcskit.codec.files import write_file

Trial = Callable[[float, int, np.random.Generator], tuple[int, int]]
"""trial(abscissa, frames, rng) -> (perfectly recovered, flagged as not recoverable)."""


@dataclass(frozen=True)
class Point:
    """One estimated probability of perfect recovery; low, high: 95 % Clopper–Pearson."""

    at: float
    trials: int
    perfect: float
    flagged: float
    wrong: float
    low: float
    high: float


@dataclass
class Curve:
    """Points of one scheme along SNR (dB) or whatever the figure's abscissa is.

    entry_power_db: power of the sensing matrix's entries over the power that the scheme's SNR is defined with. SNR plus
    that is the SNR of the entries, on which different schemes can be compared.
    """

    case: str
    points: list[Point] = field(default_factory=list)
    entry_power_db: float = 0.0

    def crossing(self, probability: float = 0.99) -> tuple[float, float, float] | None:
        """Return where the curve, its upper and its lower band last rise to `probability`; None if it never does.

        Interpolates the logarithm of the failure rate, which is nearly straight there.
        """
        at = [p.at for p in self.points]
        found = []
        for values in ([p.perfect for p in self.points], [p.high for p in self.points], [p.low for p in self.points]):
            found.append(_last_rise(at, values, probability))
        if found[0] is None:
            return None
        return found[0], found[1] if found[1] is not None else at[0], found[2] if found[2] is not None else at[-1]

    def as_dict(self) -> dict[str, object]:
        """Return what goes into the JSON."""
        return {
            "case": self.case,
            "entry_power_db": round(self.entry_power_db, 3),
            "points": [asdict(p) for p in self.points],
        }


def _last_rise(at: Sequence[float], values: Sequence[float], probability: float) -> float | None:
    log_failure = [math.log(max(1.0 - v, 1e-7)) for v in values]
    goal = math.log(1.0 - probability)
    if log_failure[-1] > goal:
        return None
    for i in range(len(at) - 2, -1, -1):
        if log_failure[i] > goal:
            share = (log_failure[i] - goal) / (log_failure[i] - log_failure[i + 1])
            return at[i] + share * (at[i + 1] - at[i])
    return None


def estimate(at: float, trial: Trial, trials: int, seed: int, block: int = 2048) -> Point:
    """Return the point at `at` from `trials` frames, drawn block by block."""
    rng = np.random.default_rng([seed, round(at * 1000) & 0xFFFF])
    perfect = flagged = 0
    for start in range(0, trials, block):
        good, bad = trial(at, min(block, trials - start), rng)
        perfect, flagged = perfect + good, flagged + bad
    low = 0.0 if perfect == 0 else float(beta.ppf(0.025, perfect, trials - perfect + 1))
    high = 1.0 if perfect == trials else float(beta.ppf(0.975, perfect + 1, trials - perfect))
    return Point(at, trials, perfect / trials, flagged / trials, (trials - perfect - flagged) / trials, low, high)


def sweep(cases: Sequence[tuple[str, Trial, Sequence[float], int]], seed: int) -> list[Curve]:
    """Return one curve per (case, trial, abscissas, trials per point), with a progress bar on stderr."""
    curves = []
    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("points", total=sum(len(case[2]) for case in cases))
        for case, trial, abscissas, trials in cases:
            curve = Curve(case)
            for at in abscissas:
                curve.points.append(estimate(float(at), trial, trials, seed))
                bar.update(task, advance=1, description=f"{case} at {at:g}")
            curves.append(curve)
    return curves


def draw(path: Path, curves: Sequence[Curve], xlabel: str, title: str, equal_entries: bool = False) -> None:
    """Write an SVG of perfect-recovery probability with bands. Needs matplotlib (extra `report`).

    equal_entries: along the SNR of the matrix's entries instead of each scheme's own.
    """
    import matplotlib as mpl

    mpl.use("Agg")
    mpl.rcParams["svg.hashsalt"] = "qcskit"
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(8, 5))
    for curve in curves:
        at = [p.at + (curve.entry_power_db if equal_entries else 0.0) for p in curve.points]
        (line,) = axes.plot(at, [p.perfect for p in curve.points], marker=".", label=curve.case)
        low, high = [p.low for p in curve.points], [p.high for p in curve.points]
        axes.fill_between(at, low, high, color=line.get_color(), alpha=0.2, linewidth=0)
    axes.set(xlabel=xlabel, ylabel="probability of perfect recovery", title=title, ylim=(0, 1.01))
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
    figure.tight_layout()
    write_file(path, lambda file: figure.savefig(file, format="svg", metadata={"Date": None}))
    plt.close(figure)
