"""Learned curves of a figure from folders that `qcskit sweep` wrote: results.csv, and runs/ beside it."""

import csv
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from _figures import Point

from qcskit.codec.errors import QcsError
from qcskit.codec.signal import SignalConfig

Row = dict[str, str]
DEFAULT = "default variant"
"""Curve of trainings that named no variant."""
_CURVE_POINTS = 50
"""So many points of a validation curve are kept."""


def record(run: dict[str, Any]) -> dict[str, Any]:
    """Return how a point was trained, of its metrics.json: budget, seed, what was made of it, the validation curve."""
    train, history = run["train"], run["history"]
    steps, most = int(history["step"][-1]), round(train["steps"] * train["length"])
    kept = np.unique(np.linspace(0, len(history["step"]) - 1, _CURVE_POINTS).astype(int))
    return {
        **{key: train[key] for key in ("recipe", "variant", "seed", "batch", "length", "patience")},
        "most_steps": most,
        "steps": steps,
        "ended": "at the most steps" if steps >= most else "validation stopped falling",
        "best_step": run["best_step"],
        "seconds": run["train_seconds"],
        "device": run.get("device"),
        "nmse_hard_db": run["nmse_hard_db"],
        "test_frames": run["test_frames"],
        "validation_step": [int(history["step"][i]) for i in kept],
        "validation_db": [round(history["hard_db"][i], 3) for i in kept],
    }


def caption(points: Iterable[Point]) -> str:
    """Return a line per recipe: how long the points were trained, and how many ended before they had to."""
    runs = [run for point in points for run in point.runs]
    lines = []
    for recipe in dict.fromkeys(run["recipe"] for run in runs):
        own = [run for run in runs if run["recipe"] == recipe]
        early = sum(run["steps"] < run["most_steps"] for run in own)
        made, most = (_span([run[key] for run in own]) for key in ("steps", "most_steps"))
        lines.append(f"recipe {recipe}: {made} steps of at most {most}, {early} of {len(own)} ended early")
    return "\n".join(lines)


def _span(values: list[int]) -> str:
    return " … ".join(f"{value:,}" for value in dict.fromkeys((min(values), max(values))))


def records(folder: Path, rows: Iterable[Row]) -> list[dict[str, Any]]:
    """Return `record` of the rows' runs below `folder`, of those that are still there."""
    found = [_run(folder / "runs" / row["point"]) for row in rows]
    return [record(run) for run in found if "history" in run]


def sweep_points(folders: Iterable[str], signal: SignalConfig, figure: str) -> list[Point]:
    """Return a point per curve and rate of the finished rows that were trained for `signal`.

    folders: DIR or LABEL=DIR; LABEL joins the curve's name. Rows that differ in their seed alone make one point, of
    their mean squared error. Nothing is written. Raises QcsError if a folder holds no results.csv.
    """
    groups: dict[tuple[str, float], list[tuple[Row, dict[str, Any]]]] = {}
    for text in folders:
        label, equals, path = text.rpartition("=")
        folder = Path(path)
        if not (folder / "results.csv").is_file():
            raise QcsError(f"--sweep '{folder}' holds no results.csv; make it with 'qcskit sweep --out {folder}'")
        rows = list({row["point"]: row for row in _finished(folder / "results.csv")}.values())
        runs = [(row, _run(folder / "runs" / row["point"])) for row in rows]
        runs = [(row, run) for row, run in runs if _fits(row, run, signal)]
        runs = _one_method(runs)
        recipes = {row["recipe"] for row, _ in runs} - {""}  # classical rows have none
        for row, run in runs:
            parts = [_curve(row, figure), row["recipe"] if len(recipes) > 1 else "", label if equals else ""]
            key = ", ".join(part for part in parts if part), float(row["rate_bits"])
            groups.setdefault(key, []).append((row, run))
    return [_point(curve, rate, rows) for (curve, rate), rows in sorted(groups.items())]


def _one_method(runs: list[tuple[Row, dict[str, Any]]]) -> list[tuple[Row, dict[str, Any]]]:
    """Return the rows of `deepqcs` and `hard-surrogate` as one curve where the kit chose by the rate: no K has both."""
    names = ("deepqcs", "hard-surrogate")
    places = {name: {(row["outputs"], row["rate_bits"]) for row, _ in runs if row["variant"] == name} for name in names}
    if not all(places.values()) or places["deepqcs"] & places["hard-surrogate"]:
        return runs
    return [(row | {"variant": DEFAULT} if row["variant"] in names else row, run) for row, run in runs]


def _point(curve: str, rate: float, rows: list[tuple[Row, dict[str, Any]]]) -> Point:
    """Return the point of some seeds of one configuration."""
    reached = np.array([float(row["nmse_hard_db"]) for row, _ in rows])
    row, frames = rows[0][0], rows[0][1].get("test_frames")
    runs = [record(run) for _, run in rows if "history" in run]
    made = {run["steps"] for run in runs} or ({row["steps"]} if row["steps"] else set())
    steps = f", {' / '.join(map(str, sorted(made)))} steps" if made else ""
    note = f"{row['recipe'] or row['variant']}{steps}, K = {row['outputs']}, I = {row['levels']}"
    if len(rows) > 1:
        note += f", {len(rows)} seeds: {reached.min():.2f} … {reached.max():.2f} dB"
    seconds = sum(float(row["seconds"] or 0) for row, _ in rows)
    pooled = float(10 * np.log10(np.mean(10 ** (reached / 10))))
    return Point(curve, rate, pooled, seconds, note, frames=frames, runs=runs)


def _curve(row: Row, figure: str) -> str:
    """Return the curve's name, as the figures of the paper tell them apart."""
    named = row["variant"].startswith(("deepqcs", "hard", DEFAULT))
    if named and figure == "4b":
        return f"{row['variant']}, K = {row['outputs']}"
    if named and figure == "5" and row["levels"] == "2":
        return f"{row['variant']}, K one-bit outputs"
    return row["variant"]


def _finished(table: Path) -> list[Row]:
    content = table.read_text(encoding="utf-8")
    whole = content[: content.rfind("\n") + 1]  # a sweep may be writing its next row
    rows = list(csv.DictReader(whole.splitlines()))
    if rows and not {"point", "status", "variant", "nmse_hard_db", "rate_bits"} <= set(rows[0]):
        raise QcsError(f"--sweep '{table}' is not a table of 'qcskit sweep'")
    return [row for row in rows if row["status"] == "done"]


def _run(folder: Path) -> dict[str, Any]:
    try:
        facts: dict[str, Any] = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return facts


def _fits(row: Row, run: dict[str, Any], signal: SignalConfig) -> bool:
    """Return whether a run is of this source; without its metrics.json the sizes have to do."""
    if run.get("signal"):
        return bool(SignalConfig.model_validate(run["signal"]) == signal)
    return (int(row["n"]), int(row["m"]), int(row["s"])) == (signal.n, signal.m, signal.s)
