"""Vectors per second of NumPy, the C host build and the TFLite Micro runtime, one core, same vectors, same run.

    python benchmarks/simulate_speed.py [--quick] [--json FILE]

CPU time of one thread, best of several repetitions (the machine may be shared). Indices only for NumPy and TFLM,
indices and packing for C. Results are compared before anything is timed.
"""

import os

os.environ["OPENBLAS_NUM_THREADS"] = "1"

import sys
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from rows import Row, arguments, report
from support.encoders import REFERENCE_WIDTHS, reference
from support.memory_model import MemoryCodec

from qcskit.codec.learned import int8_fast, tflm
from qcskit.firmware import build_host_library

TARGETS = {"numpy": 1e6, "c-block": 5e6}
"""For 10-50-10."""


def rate(run: Callable[[NDArray[np.int8]], object], x: NDArray[np.int8], repeats: int) -> float:
    """Return vectors per second of CPU time, best of `repeats`."""
    best = float("inf")
    for _ in range(repeats):
        start = time.process_time()
        run(x)
        best = min(best, time.process_time() - start)
    return len(x) / best


def measure(widths: tuple[int, ...], levels: int, quick: bool) -> list[Row]:
    """Return the rows of one encoder."""
    model = reference(widths, levels)
    tables = model.tables
    host = MemoryCodec(build_host_library(), tables)
    runtime = tflm.TflmRuntime(model.flatbuffer)
    macs = tables.macs
    frames = max(20_000, int((2e8 if quick else 2e9) / macs))
    x = np.random.default_rng(0).integers(-128, 128, (frames, widths[0]), np.int8)
    few = x[: max(500, frames // 50)]
    expected = tables.packing.pack(tables.encode_index(few))

    def oracle(vectors: NDArray[np.int8]) -> NDArray[np.uint8]:
        return tflm.index(runtime.run(vectors), runtime.output_grid, model.thresholds)

    subjects: dict[str, tuple[Callable[[NDArray[np.int8]], NDArray[np.uint8]], bool]] = {
        "tflm": (oracle, True),
        "numpy definition": (tables.encode_index, True),
        "numpy": (lambda v: int8_fast.encode_index(tables, v), True),
        "c-host": (lambda v: host.encode(v).rows, False),
        "c-block": (lambda v: host.encode_block(v).rows, False),
    }
    speeds = {}
    for name, (run, indices) in subjects.items():
        got = run(few)
        if not np.array_equal(tables.packing.pack(got) if indices else got, expected):
            raise SystemExit(f"{name} differs on {model.name}")
        speeds[name] = rate(run, few if name == "tflm" else x, 3 if quick else 5)
    rows = []
    for name, speed in speeds.items():
        target = TARGETS.get(name) if widths == REFERENCE_WIDTHS[0] else None
        meets = None if target is None else speed >= target
        ratio = f"{speed / speeds['tflm']:.1f} x TFLM"
        case = f"{model.name}, I = {levels}"
        rows.append(Row(case, name, speed, "vectors/s", speeds["tflm"], target, meets, ratio))
    return rows


def main() -> int:
    """Measure and report."""
    options = arguments("vectors per second of NumPy, C host and the TFLM runtime")
    rows = [row for widths, levels in zip(REFERENCE_WIDTHS, (8, 4, 4), strict=True)
            for row in measure(widths, levels, options.quick)]  # fmt: skip
    return report("simulate_speed", "simulation speed, one core (reference: TFLM runtime)", rows, options.json)


if __name__ == "__main__":
    sys.exit(main())
