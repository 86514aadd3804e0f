"""Damaged flatbuffers into `qcskit inspect FILE`: a table or one line, never a crash, at once.

    python benchmarks/hostile_inspect.py [--quick] [--json FILE] [--mutants 2000] [--seed N] [--kind NAME]

Mutants of the encoder of tests/data/bundle, its decoder, and every file of tests/data/tflite: words and bytes replaced,
bytes lost and doubled. Counted as fault: an exit code other than 0 and 2, an error of several lines, a signal, more
than 10 s, more than 1 GB. What `export` and the other verbs make of such files is `hostile_files.py`.
"""

import resource
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from pathlib import Path

from rich.progress import track
from rows import Row, arguments, report
from support.hostile_bundles import SLOW_S, tflite_mutants
from support.tflite import CONVERTED
from typer.testing import CliRunner

from qcskit.cli import build_app
from qcskit.codec.errors import QcsError

BUNDLE = Path(__file__).parents[1] / "tests" / "data" / "bundle"
FILES = {path.name: path for path in [*sorted(BUNDLE.glob("*.tflite")), *sorted(CONVERTED.glob("*.tflite"))]}
CHUNK = 200
MOST_MB = 1024


def outcome(file: Path) -> str:
    """Return how `inspect` of a file ended: shown, refused, or what is a fault."""
    start = time.monotonic()
    done = CliRunner().invoke(build_app(), ["inspect", str(file)])
    if time.monotonic() - start > SLOW_S:
        return "slow"
    if isinstance(done.exception, QcsError):
        return "refused" if "\n" not in str(done.exception) else "several lines"
    return "shown" if done.exit_code == 0 else repr(done.exception)


def chunk(name: str, seed: int, count: int) -> tuple[Counter[str], float]:
    """Return how `count` mutants of a file ended, and the most memory of this process, in MB."""
    ends = Counter[str]()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / name
        for what, content in tflite_mutants(FILES[name].read_bytes(), seed, count):
            file.write_bytes(content)
            end = outcome(file)
            ends[end] += 1
            if end not in ("shown", "refused"):
                print(f"{name}: {what[:200]}: {end}", file=sys.stderr)
    return ends, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def attack(name: str, seed: int, mutants: int) -> list[Row]:
    """Return the figures of a file."""
    ends, memory_mb = Counter[str](), 0.0
    for start in track(range(0, mutants, CHUNK), name):
        with suppress(BrokenProcessPool), ProcessPoolExecutor(1) as pool:
            found, used_mb = pool.submit(chunk, name, 1_000_000 * seed + start, min(CHUNK, mutants - start)).result()
            ends += found
            memory_mb = max(memory_mb, used_mb)
    faults = mutants - ends["shown"] - ends["refused"]  # mutants of a process that died are among them
    note = ", ".join(f"{end} {count:,}" for end, count in ends.most_common())
    return [
        Row(name, "faults", faults, f"of {mutants:,}", None, 0, faults == 0, note),
        Row(name, "memory", memory_mb, "MB", None, MOST_MB, memory_mb <= MOST_MB),
    ]


def main() -> int:
    """Attack every file, print the table, write the JSON."""
    options = arguments(__doc__.splitlines()[0], mutants=2000, seed=1, kind="")
    mutants = 200 if options.quick else options.mutants
    rows = [row for name in ([options.kind] if options.kind else FILES) for row in attack(name, options.seed, mutants)]
    return report("hostile_inspect", "Damaged flatbuffers into inspect", rows, options.json)


if __name__ == "__main__":
    sys.exit(main())
