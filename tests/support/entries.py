"""A results.json made by hand: one board that did everything right, every figure another number."""

import copy
from typing import Any

from qcskit.codec.evidence import Evidence
from qcskit.hil.config import HilConfig
from qcskit.hil.results import NOT_MEASURED, SCHEMA_VERSION
from qcskit.hil.session import verdict_of

MODEL_ID = "00112233aabbccdd"
_SPREAD = {"count": 300, "mean": 3.0, "histogram": {"edges": [0.5, 1.5, 2.5], "counts": [100, 200]}}
_ENTRY = {
    "port": "emu:native", "label": "left", "board": "native", "baud": 115_200, "firmware": "1.2.3", "protocol": 2,
    "model_id": MODEL_ID, "tick_source": "cycles", "rx_buffer_bytes": 4096, "max_batch": 255,
    "evidence": Evidence.of({"bundle": "b1", "image": "i1", "board": "left"}).model_dump(),
    "vectors": 300, "answered": 300, "resumed": 0, "saturated": 0.25,
    "clipped": {"vectors": 300, "share": 0.125, "per_input": [0.0, 0.25]},
    "mismatches": {
        "count": 0, "first": [], "per_output": [], "undecodable": 0, "segment_vectors": 100, "segments": [],
    },
    "nmse": {
        "frames": 300, "device_db": -12.0, "deployed_db": -12.0, "float_db": -12.5, "float_frames": 5000,
        "segment_vectors": 100, "per_segment_db": [-11.0, None, -13.0],
        "fidelity": {
            "distinct": 70, "nmse_db": -12.0, "window_nmse_db": -7.0, "snr_db": 12.0, "prd_percent": 3.5,
            "largest_error": 0.75, "median_db": -14.0, "p95_db": -9.0, "worst_db": -5.0,
        },
    },
    "recovery": NOT_MEASURED,
    "packet_bytes": _SPREAD | {"min": 4, "p50": 4, "p95": 4, "p99": 4, "max": 4},
    "ticks": _SPREAD | {"unit": "cycles", "hz": 16, "min": 900, "p50": 1000, "p95": 1500, "p99": 2000, "max": 4000},
    "device_time_us": {"min": 1.5, "mean": 3.0, "p50": 2.5, "p95": 3.5, "p99": 4.5, "max": 5.5},
    "energy": NOT_MEASURED,
    "round_trip_us": {
        "echo": NOT_MEASURED, "answer": NOT_MEASURED,
        "single": _SPREAD | {"min": 300, "p50": 400, "p95": 500, "p99": 600, "max": 700},
    },
    "throughput": {
        "seconds": 0.25, "vectors": 300, "vectors_per_s": 1200.0, "bytes_sent": 9000, "bytes_received": 4000,
    },
    "link": {
        "host": {"frames_sent": 40, "retries": 8, "replies": 32, "unexpected": 0, "timeouts": 8, "reconnects": 0},
        "board": {"frames": 36, "crc_errors": 2, "overruns": 0, "duplicates": 1},
        "agree": True, "board_restarted": False, "not_frames": 9, "log_bytes": 70, "byte_loss_estimate": 0.001,
        "batch": 16, "repeats": 1,
    },
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


def failed(label: str, error: str = "gone") -> dict[str, Any]:
    """Return the entry of a board that failed."""
    return {"port": "/dev/ttyX", "label": label, "error": error}


def results(*devices: dict[str, Any], **parts: str) -> dict[str, Any]:
    """Return results.json of these boards; parts: of the evidence."""
    config = HilConfig(port=["emu:native"])
    about = {
        "path": "b", "name": "b", "model_id": MODEL_ID, "codec": "learned", "n": 20, "inputs": 10, "windows": 1,
        "packed_bytes_max": 4, "rate_bits": 1.5, "unit": "mV", "source_windows": 80,
    }  # fmt: skip
    return {
        "schema_version": SCHEMA_VERSION, "kind": "hil", "bundle": about,
        "data": {"name": "day.csv", "sha256": "ab" * 32, "packets": 300, "samples_left": 7},
        "evidence": Evidence.of({"bundle": "b1", **parts}).model_dump(), "settings": config.model_dump(),
        "devices": list(devices), "verdict": verdict_of(list(devices), config),
    }  # fmt: skip
