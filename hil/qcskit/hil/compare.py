"""What changed between two results.json, and whether it is a regression."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qcskit.codec.config import Table
from qcskit.codec.errors import QcsError
from qcskit.hil.results import SCHEMA_VERSION


class Tolerances(Table):
    """How much worse a figure may get. None: shown, not judged."""

    nmse_db: float = 0.05
    ticks_percent: float = 1.0
    rate_percent: float | None = None
    round_trip_percent: float | None = None


@dataclass(frozen=True)
class Change:
    """One figure of one board in both results. worse_by: in `unit`; regression: worse_by is beyond the tolerance."""

    board: str
    figure: str
    before: float | str | None
    after: float | str | None
    worse_by: float | None
    unit: str
    tolerance: float | None
    regression: bool


@dataclass(frozen=True)
class _Figure:
    name: str
    path: tuple[str, ...]
    unit: str  # "dB" and "" are differences, "%" relative
    tolerance: float | None
    smaller_is_better: bool = True


def read_results(path: Path) -> dict[str, Any]:
    """Return a results.json. Raises QcsError if it is not one."""
    try:
        results = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise QcsError(f"results '{path}' cannot be read: {error}") from None
    if not isinstance(results, dict) or results.get("kind") not in ("hil", "soak"):
        raise QcsError(f"'{path}' is not a results file of 'qcskit hil'")
    if results.get("schema_version") != SCHEMA_VERSION:
        raise QcsError(f"results '{path}': schema version {results.get('schema_version')}, this qcskit reads "
                       f"{SCHEMA_VERSION}; run 'qcskit hil' again")  # fmt: skip
    return results


def compare(before: dict[str, Any], after: dict[str, Any], tolerances: Tolerances) -> list[Change]:
    """Return every figure of every board, matched by label; a board that is gone or has failed is a regression."""
    old = {entry["label"]: entry for entry in before["devices"]}
    new = {entry["label"]: entry for entry in after["devices"]}
    if len(old) == len(new) == 1:  # one board each: compare them, whatever they are called
        new = {next(iter(old)): next(iter(new.values()))}
    changes = []
    for label in dict.fromkeys([*old, *new]):
        changes += _board(label, old.get(label), new.get(label), tolerances)
    return changes


def _board(label: str, old: dict[str, Any] | None, new: dict[str, Any] | None, tolerances: Tolerances) -> list[Change]:
    states = [_state(entry) for entry in (old, new)]
    if "answered" not in states or states[0] != states[1]:
        return [Change(label, "board", states[0], states[1], None, "", None, states[1] != "answered")]
    assert old is not None
    assert new is not None
    changes = []
    if old["model_id"] != new["model_id"]:
        changes.append(Change(label, "model id", old["model_id"], new["model_id"], None, "", None, False))
    return changes + [_change(label, figure, old, new) for figure in _figures(old, new, tolerances)]


def _state(entry: dict[str, Any] | None) -> str:
    return "absent" if entry is None else "failed" if "error" in entry else "answered"


def _figures(old: dict[str, Any], new: dict[str, Any], tolerances: Tolerances) -> list[_Figure]:
    same_ticks = _get(old, ("ticks", "unit")) == _get(new, ("ticks", "unit"))
    ticks = tolerances.ticks_percent if same_ticks and _get(new, ("ticks", "unit")) != "timer" else None
    return [
        _Figure("mismatches", ("mismatches", "count"), "", 0.0),
        _Figure("NMSE device", ("nmse", "device_db"), "dB", tolerances.nmse_db),
        _Figure("ticks p50", ("ticks", "p50"), "%", ticks),
        _Figure("ticks p99", ("ticks", "p99"), "%", ticks),
        _Figure("ticks max", ("ticks", "max"), "%", ticks),
        _Figure("round trip p50", ("round_trip_us", "single", "p50"), "%", tolerances.round_trip_percent),
        _Figure("vectors/s", ("throughput", "vectors_per_s"), "%", tolerances.rate_percent, smaller_is_better=False),
        _Figure("retries", ("link", "host", "retries"), "", None),
    ]


def _change(label: str, figure: _Figure, old: dict[str, Any], new: dict[str, Any]) -> Change:
    before, after = _get(old, figure.path), _get(new, figure.path)
    worse = None
    if isinstance(before, int | float) and isinstance(after, int | float):
        worse = float(after - before) if figure.smaller_is_better else float(before - after)
        if figure.unit == "%":
            worse = 100.0 * worse / before if before else 0.0
    lost = isinstance(before, int | float) and not isinstance(after, int | float)
    judged = figure.tolerance is not None
    regression = judged and (lost or (worse is not None and worse > (figure.tolerance or 0.0) + 1e-9))
    return Change(label, figure.name, before, after, worse, figure.unit, figure.tolerance, regression)


def _get(entry: dict[str, Any], path: tuple[str, ...]) -> Any:
    value: Any = entry
    for key in path:
        if not isinstance(value, dict):
            return value
        value = value.get(key)
    return value
