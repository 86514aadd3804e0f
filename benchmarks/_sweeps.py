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


def sweep_points(folders: Iterable[str], signal: SignalConfig, figure: str) -> list[Point]:
    """Return a point per curve and rate of the finished rows that were trained for `signal`.

    folders: DIR or LABEL=DIR; LABEL joins the curve's name. Rows that differ in their seed alone make one point, of
    their mean squared error. Nothing is written. Raises QcsError if a folder holds no results.csv.
    """
    groups: dict[tuple[str, float], list[tuple[Row, int | None]]] = {}
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
            groups.setdefault(key, []).append((row, run.get("test_frames")))
    return [_point(curve, rate, rows) for (curve, rate), rows in sorted(groups.items())]


def _one_method(runs: list[tuple[Row, dict[str, Any]]]) -> list[tuple[Row, dict[str, Any]]]:
    """Return the rows with `deepqcs-q` called `deepqcs` where a recipe chose the variant by the rate: none has both."""
    rates = {name: {row["rate_bits"] for row, _ in runs if row["variant"] == name} for name in ("deepqcs", "deepqcs-q")}
    if not all(rates.values()) or rates["deepqcs"] & rates["deepqcs-q"]:
        return runs
    return [(row | {"variant": "deepqcs"} if row["variant"] == "deepqcs-q" else row, run) for row, run in runs]


def _point(curve: str, rate: float, rows: list[tuple[Row, int | None]]) -> Point:
    """Return the point of some seeds of one configuration."""
    reached = np.array([float(row["nmse_hard_db"]) for row, _ in rows])
    row, frames = rows[0]
    steps = f", {row['steps']} steps" if row["steps"] else ""
    note = f"{row['recipe'] or row['variant']}{steps}, K = {row['outputs']}, I = {row['levels']}"
    if len(rows) > 1:
        note += f", {len(rows)} seeds: {reached.min():.2f} … {reached.max():.2f} dB"
    seconds = sum(float(row["seconds"] or 0) for row, _ in rows)
    return Point(curve, rate, float(10 * np.log10(np.mean(10 ** (reached / 10)))), seconds, note, frames=frames)


def _curve(row: Row, figure: str) -> str:
    """Return the curve's name, as the figures of the paper tell them apart."""
    if row["variant"].startswith("deepqcs") and figure == "4b":
        return f"{row['variant']}, K = {row['outputs']}"
    if row["variant"].startswith("deepqcs") and figure == "5" and row["levels"] == "2":
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
