"""Random encoders through NumPy, C and the TFLite Micro runtime; one that fails is shrunk and printed.

    python benchmarks/fuzz_models.py [--quick] [--json FILE] [--models 2000] [--frames 500] [--first-seed 0]

Model n is a function of its seed alone, so any failure can be run again with --first-seed n --models 1.
"""

import os

os.environ["OPENBLAS_NUM_THREADS"] = "1"

import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from rich.progress import track
from rows import Row, arguments, report
from support import fuzz

from qcskit.codec.errors import QcsError
from qcskit.firmware import build_host_library


def check(job: tuple[int, int]) -> tuple[int, str | None, str]:
    """Return (seed, None or the shrunk failure, what became of it) of one model."""
    seed, frames = job
    library = build_host_library()
    try:
        failure = fuzz.check_spec(fuzz.random_spec(seed), library, frames=frames, seed=seed)
    except QcsError as error:
        return seed, None, f"refused: {error}"
    return seed, str(fuzz.shrink(failure, library)) if failure else None, "checked"


def main() -> int:
    """Check all models on all cores and report."""
    options = arguments("random models, all implementations", models=2000, frames=500, first_seed=0)
    models = min(options.models, 200) if options.quick else options.models
    build_host_library()
    jobs = [(options.first_seed + number, options.frames) for number in range(models)]
    failures, refused = [], 0
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:
        for seed, failure, outcome in track(pool.map(check, jobs, chunksize=10), "random models", total=models):
            refused += outcome != "checked"
            if failure:
                failures.append(f"seed {seed}: {failure}")
    for failure in failures:
        print(failure, file=sys.stderr)
    case = "depth 1-5, widths 1-256, I 2-256"
    rows = [
        Row(case, "models checked", models - refused, "models", None, 2000 if not options.quick else None,
            None if options.quick else models - refused >= 2000),
        Row(case, "models refused by the exporter", refused, "models"),
        Row(case, "vectors per model", options.frames, "vectors"),
        Row(case, "models with a mismatch", len(failures), "models", None, 0, not failures),
    ]  # fmt: skip
    return report("fuzz_models", "random models: NumPy = C = TFLM", rows, options.json)


if __name__ == "__main__":
    sys.exit(main())
