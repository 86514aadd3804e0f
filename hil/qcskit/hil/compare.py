"""What changed between two results.json, and whether it is a regression."""

import json
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from qcskit.codec.config import Table
from qcskit.codec.errors import QcsError
from qcskit.hil.results import NOT_MEASURED, check_schema


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


def read_results(path: Path) -> dict[str, Any]:
    """Return a results.json. Raises QcsError if it is not one."""
    try:
        results = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise QcsError(f"results '{path}' cannot be read: {error}") from None
    if not isinstance(results, dict) or results.get("kind") not in ("hil", "soak"):
        raise QcsError(f"'{path}' is not a results file of 'qcskit hil'")
    check_schema(results, path)
    return results


def compare(before: dict[str, Any], after: dict[str, Any], tolerances: Tolerances) -> list[Change]:
    """Return every figure of every board, matched by label; a board that is gone or has failed is a regression."""
    old, new = ({entry["label"]: entry for entry in results["devices"]} for results in (before, after))
    if len(old) == len(new) == 1:  # one board each: compare them, whatever they are called
        new = dict(zip(old, new.values(), strict=True))
    labels = {**old, **new}
    return [one for label in labels for one in _board(label, old.get(label, {}), new.get(label, {}), tolerances)]


def _board(label: str, old: dict[str, Any], new: dict[str, Any], tolerances: Tolerances) -> list[Change]:
    before, after = ("failed" if "error" in entry else "answered" if entry else "absent" for entry in (old, new))
    if (before, after) != ("answered", "answered"):
        return [Change(label, "board", before, after, None, "", None, after != "answered")]
    change = partial(_change, label, old, new)
    unit = _get(old, "ticks.unit")
    judged = unit != "timer" and _get(new, "ticks.unit") in (unit, NOT_MEASURED)
    ticks_percent = tolerances.ticks_percent if judged else None
    changes = [
        change("mismatches", "mismatches.count", "", 0.0),
        change("NMSE device", "nmse.device_db", "dB", tolerances.nmse_db),
        change("ticks p50", "ticks.p50", "%", ticks_percent),
        change("ticks p99", "ticks.p99", "%", ticks_percent),
        change("ticks max", "ticks.max", "%", ticks_percent),
        change("round trip p50", "round_trip_us.single.p50", "%", tolerances.round_trip_percent),
        change("vectors/s", "throughput.vectors_per_s", "%", tolerances.rate_percent, smaller_is_better=False),
        change("retries", "link.host.retries", "", None),
    ]
    if old["model_id"] != new["model_id"]:
        changes.insert(0, Change(label, "model id", old["model_id"], new["model_id"], None, "", None, False))
    return changes


def _change(
    label: str, old: dict[str, Any], new: dict[str, Any], name: str, path: str, unit: str, tolerance: float | None,
    *, smaller_is_better: bool = True,
) -> Change:  # fmt: skip
    """Return one figure's change. unit: "%" is relative, others are differences.

    A figure that was measured and is not any more is a regression; so is the first error (null is an NMSE without any).
    """
    before, after, worse = _get(old, path), _get(new, path), None
    if isinstance(before, int | float) and isinstance(after, int | float):
        worse = float(after - before) if smaller_is_better else float(before - after)
        if unit == "%":
            worse = 100.0 * worse / before if before else 0.0
    vanished = before != after and not isinstance(before, str) and after is not None
    beyond = vanished if worse is None else worse > (tolerance or 0.0) + 1e-9
    return Change(label, name, before, after, worse, unit, tolerance, beyond and tolerance is not None)


def _get(entry: dict[str, Any], path: str) -> Any:
    """Return the value at a path, NOT_MEASURED if it or what holds it was not measured."""
    value: Any = entry
    for key in path.split("."):
        value = value.get(key, NOT_MEASURED) if isinstance(value, dict) else value
    return value
