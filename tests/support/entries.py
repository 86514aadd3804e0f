"""A results.json made by hand: one board that did everything right, every figure another number."""

import copy
from typing import Any

from qcskit.hil.results import NOT_MEASURED

_SPREAD = {"count": 300, "mean": 3.0, "histogram": {"edges": [0.5, 1.5, 2.5], "counts": [100, 200]}}
_ENTRY = {
    "port": "emu:native", "label": "left", "board": "native", "baud": 115_200, "firmware": "1.2.3", "protocol": 2,
    "model_id": "00112233aabbccdd", "vectors": 300, "answered": 300,
    "mismatches": {
        "count": 0, "first": [], "per_output": [], "undecodable": 0, "segment_vectors": 100, "segments": [],
    },
    "nmse": {
        "device_db": -12.0, "deployed_db": -12.0, "segment_vectors": 100, "per_segment_db": [-11.0, None, -13.0],
    },
    "recovery": NOT_MEASURED,
    "packet_bytes": _SPREAD | {"min": 4, "p50": 4, "p95": 4, "p99": 4, "max": 4},
    "ticks": _SPREAD | {"unit": "cycles", "hz": 16, "min": 900, "p50": 1000, "p95": 1500, "p99": 2000, "max": 4000},
    "device_time_us": {"min": 1.5, "p50": 2.5, "p95": 3.5, "p99": 4.5, "max": 5.5},
    "energy": NOT_MEASURED,
    "round_trip_us": {"single": _SPREAD | {"min": 300, "p50": 400, "p95": 500, "p99": 600, "max": 700}},
    "throughput": {"seconds": 0.25, "vectors": 300, "vectors_per_s": 1200.0},
    "link": {"host": {"retries": 8}},
    "series": {"t_s": [0.0, 0.1], "answered": [0, 300], "retries": [0, 8], "not_frames": [0, 9]},
}  # fmt: skip


def entry(**changes: object) -> dict[str, Any]:
    """Return the board's entry; changes: paths with `__` between keys, and what stands there.

    >>> entry(nmse__device_db=-9.0)["nmse"]["device_db"]
    -9.0
    """
    made = copy.deepcopy(_ENTRY)
    for path, value in changes.items():
        *tables, key = path.split("__")
        table: dict[str, Any] = made
        for name in tables:
            table = table[name]
        table[key] = value
    return made


def results(*devices: dict[str, Any]) -> dict[str, Any]:
    """Return results.json of these boards."""
    return {"kind": "hil", "schema_version": 2, "bundle": {"name": "b"}, "devices": list(devices)}
