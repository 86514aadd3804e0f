"""Trained curves of the rate-distortion figures: which points each figure needs, run as one resumable sweep."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from _sweeps import DEFAULT
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from qcskit.training.sweep import Point, Row, SweepConfig, grid, run_sweep

VARIANTS = ("deepqcs", "deepqcs-qg", "deepqcs-q", "deepqcs-ste")
"""The paper's, section V-B2."""
HARD = ("hard-surrogate", "hard-mixed", "hard-ste")
QUICK_LENGTH = 0.05
"""--quick trains this part of a recipe's steps: it shows that everything works, not how good it can be."""
FULL_RATES = (1.0, 1.5, 2.0)
"""Rates of figure 3 that the paper's recipe trains for up to its 10^7 steps; all other points have a tenth."""
SHORTER = 0.1
RATES = (0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0)
FEW_RATES = (0.5, 1.0, 1.5, 2.0, 3.0)
QUICK_RATES = (0.5, 1.5, 3.0)

N20 = {"n": 20, "m": 10, "s": 2}


@dataclass(frozen=True)
class Curve:
    """One trained curve: what is given to [sweep], [signal] and [train]."""

    label: str
    sweep: dict[str, Any]
    signal: dict[str, Any]
    train: dict[str, Any]


def curves(figure: str, quick: bool, train: dict[str, Any]) -> list[Curve]:
    """Return the trained curves of a figure of the DeepQCS paper, section V. train: keys of [train] for all of them."""
    if figure == "5":
        return _figure_5(quick, train)
    paper = train.get("recipe") == "paper"
    methods = [*(VARIANTS if figure == "3" else VARIANTS[:1]), "ce-decnet"] if paper else [None, "lloyd-decnet"]
    rates = QUICK_RATES if quick else RATES if figure in {"3", "4a"} else FEW_RATES
    if figure == "4b":
        signal = {"n": 30, "m": 15, "s": 3}
        bits = {10: range(1, 9), 15: range(1, 9), 20: range(1, 7)}
        found = [
            _curve(f"{methods[0] or DEFAULT}, K = {k}", signal, {**train, "outputs": k}, methods[0],
                   tuple(b * k / 30 for b in ((1, 3) if quick else bits[k])))
            for k in bits
        ]  # fmt: skip
        return [*found, _curve(str(methods[-1]), signal, train, methods[-1], rates)]
    n = {"3": 20, "4a": 20, "4c": 60, "4d": 80}[figure]
    signal = {"n": n, "m": n // 2, "s": n // 10}
    if not (paper and figure in {"3", "4a"}):
        return [_curve(method or DEFAULT, signal, train, method, rates) for method in methods]
    parts = [(tuple(rate for rate in rates if (rate in FULL_RATES) == full), full) for full in (True, False)]
    return [
        _curve(str(method), signal, train, method, some, 1.0 if full else SHORTER)
        for method in methods
        for some, full in parts
    ]


def _figure_5(quick: bool, train: dict[str, Any]) -> list[Curve]:
    """K one-bit outputs, EncNet of J = 4 layers, beside CE-DecNet.

    The paper prints L = 4 and d_2 = d_3 = d_4 = 5N, though d_L = N: read as three hidden layers, so L = 5.
    """
    signal = {"n": 7, "m": 4, "s": 1, "noise_variance": 0.01}
    networks: dict[str, Any] = {"decoder_hidden": 3, "decoder_factor": 5}
    paper = train.get("recipe") == "paper"
    slopes = {"steepness_slope": 1e-3, "mix_slope": 1e-6} if paper else {}
    method = "deepqcs" if paper else None
    found = []
    for k in (4, 8) if quick else range(4, 15):
        own = {**train, **networks, **slopes, "levels": 2, "outputs": k, "encoder_widths": (5 * k, 5 * k)}
        found.append(_curve(f"{method or DEFAULT}, K one-bit outputs", signal, own, method, ()))
    scalar = "ce-decnet" if paper else "lloyd-decnet"
    rates = tuple(bits * 4 / 7 for bits in (1, 2, 3))
    return [*found, _curve(scalar, signal, {**train, **networks, **slopes}, scalar, rates)]


def _curve(
    label: str, signal: dict[str, Any], train: dict[str, Any], method: str | None, rates: tuple[float, ...],
    share: float | None = None,
) -> Curve:  # fmt: skip
    """Return a curve of a method, None for the kit's default. share: of the recipe's steps; not given, SHORTER of the
    paper's and all of others."""
    paper = train.get("recipe") == "paper"
    share = share or (SHORTER if paper else 1.0)
    own = {**train, "length": train.get("length", 1.0) * share, **({"variant": method} if method else {})}
    return Curve(f"{label}, {train['recipe']}" if "recipe" in train else label, {"rates": rates}, signal, own)


def run_curves(
    wanted: list[Curve], folder: Path, seeds: tuple[int, ...] = (0,), workers: int = 1
) -> list[tuple[str, Row]]:
    """Train what `folder` does not hold yet and return (curve, row of the results table) for every point."""
    points: list[Point] = []
    labels: dict[str, str] = {}
    for curve in wanted:
        own = grid(SweepConfig(seeds=seeds, **curve.sweep), curve.signal, {"train": curve.train})
        labels |= {point.id: curve.label for point in own}
        points += own
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("train", total=len(points))
        rows = run_sweep(points, folder, workers, None, lambda row: bar.advance(task))
    return [(labels[row["point"]], row) for row in rows]
