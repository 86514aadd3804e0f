"""Trained curves of the rate-distortion figures: which points each figure needs, run as one resumable sweep."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from qcskit.training.sweep import Point, Row, SweepConfig, grid, run_sweep

VARIANTS = ("deepqcs", "deepqcs-qg", "deepqcs-q", "deepqcs-ste")
QUICK_LENGTH = 0.05
"""--quick trains this part of a recipe's steps: it shows that everything works, not how good it can be."""

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
    rates = (0.5, 1.5, 3.0) if quick else (0.5, 1.0, 1.5, 2.0, 3.0)
    if figure in {"3", "4a"}:
        methods = (*VARIANTS, "ce-decnet") if figure == "3" else ("deepqcs", "ce-decnet")
        return [Curve(name, {"rates": rates}, N20, {**train, "variant": name}) for name in methods]
    if figure == "4b":
        signal = {"n": 30, "m": 15, "s": 3}
        found = [
            Curve(f"deepqcs, K = {k}", {"rates": tuple(b * k / 30 for b in ((1, 3) if quick else (1, 2, 3, 4, 5)))},
                  signal, {**train, "outputs": k})
            for k in (10, 15, 20)
        ]  # fmt: skip
        return [*found, Curve("ce-decnet", {"rates": rates}, signal, {**train, "variant": "ce-decnet"})]
    if figure in {"4c", "4d"}:
        n = 60 if figure == "4c" else 80
        signal = {"n": n, "m": n // 2, "s": n // 10}
        return [Curve(name, {"rates": rates}, signal, {**train, "variant": name}) for name in ("deepqcs", "ce-decnet")]
    # Fig. 5: K one-bit outputs, EncNet of J = 4 layers, DecNet of L = 4.
    small = {**train, "levels": 2, "encoder_widths": (35, 35, 35), "decoder_hidden": 3}
    bits = (4, 8) if quick else (4, 5, 6, 7, 8, 10, 12, 14)
    signal = {"n": 7, "m": 4, "s": 1, "noise_variance": 0.01}
    return [Curve("deepqcs, K one-bit outputs", {"outputs": bits}, signal, small)]


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
