"""Damaged files of a bundle, every hash made to fit: each is refused in one line, or changes nothing that counts.

    python benchmarks/hostile_files.py [--quick] [--json FILE] [--mutants N] [--seed N] [--kind NAME]

A mutant is opened as every verb opens a bundle, its C text compared, golden counts encoded and checked against TFLite
Micro or the definition, golden packets decoded. Kinds: each file of a learned bundle, tables and manifest of a coded
and a classical one, the packets that `decode` is given, and a converter's .tflite that `export` is given, which may
become a bundle if that computes what TFLite Micro makes of it. Counted as fault: an error of the kit or of a library, a
signal, another result, an error of several lines, more than 10 s, more than 1 GB.
"""

import io
import resource
import shutil
import sys
import tempfile
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from pathlib import Path

from rich.progress import track
from rows import Row, arguments, report

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from support import hostile, hostile_bundles, tflite  # noqa: E402

from qcskit.codec.codecs import open_codec  # noqa: E402
from qcskit.codec.errors import QcsError  # noqa: E402
from qcskit.codec.stream import read_packets  # noqa: E402

LEARNED, GOLDEN = ROOT / "tests" / "data" / "bundle", ROOT / "tests" / "data" / "golden"
_LEARNED = (
    "decoder.tflite", "encoder.tflite", "manifest.json", "tables.npz", "vectors.npz", "c/qcs_model_small.c",
    "c/qcs_model_small.h",
)  # fmt: skip
FILES = {
    **{name: (LEARNED, name) for name in _LEARNED},
    **{f"coded {name}": (GOLDEN / "coded_3", name) for name in ("manifest.json", "tables.npz")},
    **{f"classical {name}": (GOLDEN / "usq_omp", name) for name in ("manifest.json", "tables.npz")},
    "packets .npz": (LEARNED, ""),
    **{f"converter's {name}.tflite": (tflite.CONVERTED, name) for name in ("per_tensor", "float_ends")},
}
CHUNK = 200
MOST_MB = 1024


def chunk(kind: str, seed: int, count: int) -> tuple[Counter[str], float]:
    """Return how `count` mutants of a kind ended, and the most memory of this process and its children, in MB."""
    source, name = FILES[kind]
    if source == tflite.CONVERTED:
        return _converted(name, seed, count), _memory_mb()
    ends: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(shutil.copytree(source, Path(folder) / "b"))
        codec = open_codec(path)
        packets = hostile_bundles.golden(codec)
        if not name:
            return _packets(path, seed, count), _memory_mb()
        expected = hostile_bundles.worth(path, packets)
        for what, content in hostile_bundles.mutants(path, name, seed, count):
            try:
                ends[hostile_bundles.attempt(path, name, content, expected, packets)] += 1
            except Exception as error:  # what is looked for
                print(f"{kind}: {what[:200]}: {type(error).__name__}: {error}", file=sys.stderr)
                ends[type(error).__name__] += 1
    return ends, _memory_mb()


def _packets(path: Path, seed: int, count: int) -> Counter[str]:
    codec, ends = open_codec(path), Counter[str]()
    content = (path / "vectors.npz").read_bytes()
    for what, mutant in hostile.npz_mutants(content, seed, count):
        try:
            list(read_packets(io.BytesIO(mutant), "npz", codec))
            ends["same"] += 1
        except QcsError as error:
            ends["refused" if "\n" not in str(error) else "several lines"] += 1
        except Exception as error:  # what is looked for
            print(f"packets: {what[:200]}: {type(error).__name__}: {error}", file=sys.stderr)
            ends[type(error).__name__] += 1
    return ends


def _converted(name: str, seed: int, count: int) -> Counter[str]:
    ends = Counter[str]()
    for what, mutant in hostile_bundles.tflite_mutants(tflite.read(name), seed, count):
        try:
            ends[hostile_bundles.export_mutant(mutant)] += 1
        except Exception as error:  # what is looked for
            print(f"{name}: {what[:200]}: {type(error).__name__}: {error}", file=sys.stderr)
            ends[type(error).__name__] += 1
    return ends


def _memory_mb() -> float:
    who = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return max(resource.getrusage(each).ru_maxrss for each in who) / 1024


def attack(kind: str, seed: int, mutants: int) -> list[Row]:
    """Return the figures of a kind."""
    ends, memory_mb = Counter[str](), 0.0
    for start in track(range(0, mutants, CHUNK), kind):
        with suppress(BrokenProcessPool), ProcessPoolExecutor(1) as pool:
            found, used_mb = pool.submit(chunk, kind, 1_000_000 * seed + start, min(CHUNK, mutants - start)).result()
            ends += found
            memory_mb = max(memory_mb, used_mb)
    refused, same = ends.pop("refused", 0), ends.pop("same", 0)
    faults = mutants - refused - same
    words = ", ".join(f"{name} {count}" for name, count in ends.items())
    dead = faults - sum(ends.values())
    note = words + (f" up to {dead} with a process that died" if dead else "")
    note = f"refused {refused}, no matter {same}{note and '; '}{note}"
    return [
        Row(kind, "faults", faults, f"of {mutants}", None, 0, faults == 0, note),
        Row(kind, "memory", memory_mb, "MB", None, MOST_MB, memory_mb <= MOST_MB),
    ]


def main() -> int:
    """Attack every kind, print the table, write the JSON."""
    options = arguments(__doc__.splitlines()[0], mutants=2000, seed=1, kind="")
    kinds = [options.kind] if options.kind else list(FILES)
    mutants = 100 if options.quick else options.mutants
    rows = [row for kind in kinds for row in attack(kind, options.seed, mutants)]
    return report("hostile_files", "Damaged files, hashes made to fit", rows, options.json)


if __name__ == "__main__":
    raise SystemExit(main())
