"""What changed between two results.json, and whether it is a regression."""

from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any

from pydantic import Field

from qcskit.codec.config import Table
from qcskit.codec.errors import QcsError
from qcskit.codec.evidence import Evidence, differ
from qcskit.hil.results import NOT_MEASURED

_Tolerance = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Tolerances(Table):
    """How much worse a figure may get. None: shown, not judged."""

    nmse_db: _Tolerance = 0.05
    ticks_percent: _Tolerance = 1.0
    rate_percent: _Tolerance | None = None
    round_trip_percent: _Tolerance | None = None


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


def check_comparable(before: dict[str, Any], after: dict[str, Any]) -> None:
    """Raise QcsError if two results are of different models: no figure of one says anything of the other."""
    (one, one_id), (other, other_id) = ((results["bundle"]["name"], results["bundle"]["model_id"])
                                        for results in (before, after))  # fmt: skip
    if one_id != other_id:
        raise QcsError(f"the results are of different models: '{one}' ({one_id}) and '{other}' ({other_id}); "
                       f"compare two runs of one bundle")  # fmt: skip


def differing(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """Return the names of what ran otherwise: parts of the evidence of both, or of boards that are in both."""
    found = [part for one, other in _pairs(before, after) if one and other for part in _parts(one, other)]
    return [part for part in dict.fromkeys(_parts(before, after) + found) if part != "board"]


def notes(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """Return what makes figures of two results differ though nothing got worse: other frames, other vectors, parts."""
    found = []
    for old, new in _pairs(before, after):
        frames = _get(old, "nmse.frames"), _get(new, "nmse.frames")
        if frames[0] != frames[1] and NOT_MEASURED not in frames:
            found.append(f"{new['label']}: NMSE is of {frames[0]:,} frames before and of {frames[1]:,} after, "
                         "so it differs by chance as well")  # fmt: skip
    if others := differing(before, after):
        found.append(f"not the same was run: {differ(others)}")
    return found


def _parts(one: dict[str, Any], other: dict[str, Any]) -> list[str]:
    if "evidence" not in one or "evidence" not in other:
        return []
    return Evidence(**one["evidence"]).differing(Evidence(**other["evidence"]))


def _pairs(before: dict[str, Any], after: dict[str, Any]) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Return the entries of both results, matched by label; {} where there is none."""
    old, new = ({entry["label"]: entry for entry in results["devices"]} for results in (before, after))
    if len(old) == len(new) == 1:  # one board each: compare them, whatever they are called
        new = dict(zip(old, new.values(), strict=True))
    return [(old.get(label, {}), new.get(label, {})) for label in {**old, **new}]


def compare(before: dict[str, Any], after: dict[str, Any], tolerances: Tolerances) -> list[Change]:
    """Return every figure of every board, matched by label; a board that is gone or has failed is a regression."""
    return [change for old, new in _pairs(before, after) for change in _board(old, new, tolerances)]


def _board(old: dict[str, Any], new: dict[str, Any], tolerances: Tolerances) -> list[Change]:
    label = " → ".join(dict.fromkeys(entry["label"] for entry in (old, new) if entry))
    before, after = ("failed" if "error" in entry else "answered" if entry else "absent" for entry in (old, new))
    if (before, after) != ("answered", "answered"):
        return [Change(label, "board", before, after, None, "", None, after != "answered")]
    change = partial(_change, label, old, new)
    unit = _get(old, "ticks.unit")
    judged = unit != "timer" and _get(new, "ticks.unit") in (unit, NOT_MEASURED)
    ticks_percent = tolerances.ticks_percent if judged else None
    return [
        change("vectors", "answered", "", None, smaller_is_better=False),
        change("mismatches", "mismatches.count", "", 0.0),
        change("NMSE device", "nmse.device_db", "dB", tolerances.nmse_db),
        change("ticks p50", "ticks.p50", "%", ticks_percent),
        change("ticks p99", "ticks.p99", "%", ticks_percent),
        change("ticks max", "ticks.max", "%", ticks_percent),
        change("round trip p50", "round_trip_us.single.p50", "%", tolerances.round_trip_percent),
        change("vectors/s", "throughput.vectors_per_s", "%", tolerances.rate_percent, smaller_is_better=False),
        change("retries", "link.host.retries", "", None),
    ]


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
