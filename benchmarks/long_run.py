"""A long run of `qcskit hil` and its report: neither memory nor files grow with the vectors.

    python benchmarks/long_run.py [--quick] [--json FILE] [--most 1000000]

The bundle tests/data/bundle on `emu:native`: 10,000 vectors, ten times as many, and so on. Memory is the peak of the
largest process (the command, its decoder, the emulator). Files may grow until 500 segments are told apart. The journal,
which grows by each packet and 6 bytes until the results are written, is not among them. --quick: 100,000 vectors.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.progress import track
from rows import Row, arguments, report

BUNDLE = Path(__file__).parents[1] / "tests" / "data" / "bundle"
FEWEST = 10_000
MOST_GROWTH_MB, MOST_FILE_GROWTH = 10.0, 2.0


def peak_mb(*command: str) -> tuple[float, float]:
    """Run the command; return the peak memory of its largest process in MB, and seconds. SystemExit if it fails."""
    start = time.monotonic()
    process = subprocess.Popen([sys.executable, "-m", "qcskit.cli", *command, "-q"])
    _, status, usage = os.wait4(process.pid, 0)
    if os.waitstatus_to_exitcode(status):
        raise SystemExit(f"qcskit {' '.join(command)} failed")
    return usage.ru_maxrss / 1024, time.monotonic() - start


def measure(vectors: int, folder: Path) -> dict[str, float]:
    """Return what a run of so many vectors and its report take."""
    results, page = folder / f"{vectors}.json", folder / f"{vectors}.html"
    hil_mb, seconds = peak_mb("hil", str(BUNDLE), "-p", "emu:native", "-n", str(vectors), "-o", str(results))
    report_mb, _ = peak_mb("report", str(BUNDLE), "-r", str(results), "-o", str(page))
    return {
        "mismatches": json.loads(results.read_bytes())["verdict"]["mismatches"], "seconds": seconds,
        "hil": hil_mb, "report": report_mb,
        "results.json": results.stat().st_size / 1e3, "report.html": page.stat().st_size / 1e3,
    }  # fmt: skip


def rows_of(vectors: int, found: dict[str, float], first: dict[str, float]) -> list[Row]:
    """Return the rows of a run beside the shortest one."""
    case = f"{vectors:,} vectors"
    rows = [
        Row(case, "mismatches", found["mismatches"], "vectors", None, 0, found["mismatches"] == 0),
        Row(case, "whole command", vectors / found["seconds"], "vectors/s", note=f"{found['seconds']:.1f} s"),
    ]
    for name in ("hil", "report"):
        most = first[name] + MOST_GROWTH_MB
        rows.append(Row(case, f"memory of {name}", found[name], "MB", first[name], most, found[name] <= most))
    for name in ("results.json", "report.html"):
        most = MOST_FILE_GROWTH * first[name]
        rows.append(Row(case, name, found[name], "kB", first[name], most, found[name] <= most))
    return rows


def main() -> int:
    """Run ever longer, print the table, write the JSON."""
    options = arguments(__doc__.splitlines()[0], most=1_000_000)
    most = 100_000 if options.quick else options.most
    counts = [FEWEST * 10**power for power in range(9) if FEWEST * 10**power <= most]
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        first = measure(FEWEST, Path(folder))
        for vectors in track(counts, "runs"):
            found = first if vectors == FEWEST else measure(vectors, Path(folder))
            rows += rows_of(vectors, found, first)
    return report("long_run", "Ever more vectors (reference: the shortest run)", rows, options.json)


if __name__ == "__main__":
    sys.exit(main())
