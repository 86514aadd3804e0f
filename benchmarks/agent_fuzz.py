"""Frames of every kind into the serial agent of every codec, under sanitizers: it answers, and never wrongly.

    python benchmarks/agent_fuzz.py [--quick] [--json FILE] [--frames 1200000] [--seed N]

One agent per bundle of tests/support/bundles.py, the transform codecs among them; all of its C and that of the codec
with ASan and UBSan (gcc), then with MSan (clang), where these are installed. A tenth of what goes in is random bytes;
the rest are frames of every type with fields right and wrong: 30 % whole, 43 % with bytes lost, flipped, doubled,
inserted, 17 % cut off. Memory of the agent is on the heap, of exactly the stated size. Every fourth time HELLO must be
answered, every 64th the packet for the same counts must be the same. --quick: 50,000 frames.
"""

import sys
import tempfile
import time
from pathlib import Path

from rich.progress import track
from rows import Row, arguments, report
from support.agents import SANITIZERS, fuzz, fuzz_program
from support.bundles import BUNDLES, bounded_bundle, lossless_bundle

from qcskit.firmware import FirmwareError

WRITERS = {**BUNDLES, "bounded": bounded_bundle, "lossless": lossless_bundle}
REPLIES = ("INFO", "RESULT", "ECHOED", "COUNTS", "DONE", "BAUD_SET", "ERROR")


def attack(program: Path, number: int, case: str, frames: int, seed: int) -> Row:
    """Return how many findings an agent's frames gave: the first one ends it."""
    start = time.perf_counter()
    try:
        counts = fuzz(program, number, frames, seed)
    except AssertionError as error:
        print(f"{case}: {error}", file=sys.stderr)
        return Row(case, "findings", 1, f"in {frames:,} frames", None, 0, False, str(error).strip().partition("\n")[0])
    rate = frames / (time.perf_counter() - start)
    told = ", ".join(f"{name} {counts[name]:,}" for name in REPLIES)
    missing = [name for name in REPLIES if not counts[name]]
    note = f"{rate:,.0f} frames/s; {told}" + (f"; never {', '.join(missing)}" if missing else "")
    return Row(case, "findings", 0, f"in {frames:,} frames", None, 0, not missing, note)


def main() -> int:
    """Attack every agent with every sanitizer, print the table, write the JSON."""
    options = arguments(__doc__.splitlines()[0], frames=1_200_000, seed=1)
    frames = -(-(50_000 if options.quick else options.frames) // len(WRITERS))
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        codecs = [write(Path(folder) / name) for name, write in WRITERS.items()]
        for sanitizers in SANITIZERS:
            try:
                program = fuzz_program(codecs, sanitizers)
            except FirmwareError as error:
                rows.append(Row(sanitizers, "findings", None, "", note=str(error)))
                continue
            for number, name in track(list(enumerate(WRITERS)), sanitizers):
                rows.append(attack(program, number, f"{name}, {sanitizers}", frames, options.seed + number))
    return report("agent_fuzz", "Frames of every kind into the serial agent", rows, options.json)


if __name__ == "__main__":
    sys.exit(main())
