"""Decoded vectors per second on one core: plain and adaptive decoding, lists, recovery alone; BIHT beside them.

    python benchmarks/coded_speed.py [--quick] [--json FILE]

n = 511, k = 5, p = 2, m = 256, 45 rows. Received symbols in, x out (dense), CPU time of one thread, best of several
repetitions; `perfect` is the share that equals the source. Also p = 3, 5, 7 at m = 128.
"""

import os

os.environ["OPENBLAS_NUM_THREADS"] = "1"

import sys
import time
from collections.abc import Callable

import numpy as np
from rows import Row, arguments, report

from qcskit.codec.classical.onebit import biht
from qcskit.codec.coded import sc_binary
from qcskit.codec.coded.recover import recover, tables
from qcskit.codec.coded.scheme import CodedConfig, CodedScheme


def rate(run: Callable[[], object], vectors: int, repeats: int) -> float:
    """Return vectors per second of CPU time, best of `repeats` after one run that compiles."""
    run()
    best = float("inf")
    for _ in range(repeats):
        start = time.process_time()
        run()
        best = min(best, time.process_time() - start)
    return vectors / best


def received(scheme: CodedScheme, snr_db: float, frames: int) -> tuple[np.ndarray, np.ndarray]:
    """Return x (frames, n) and received symbols (frames, m)."""
    rng = np.random.default_rng(1)
    x = scheme.draw(frames, rng)
    return x, scheme.quantize(scheme.measure(x, snr_db, rng))


def binary_rows(quick: bool) -> list[Row]:
    """Return the rows of the reference scheme."""
    repeats = 5 if quick else 15
    scheme = CodedScheme(CodedConfig(guard=False))
    rows = []
    for snr_db, lists, frames, target in (
        (7.0, (1,), 40_000, 1e6), (7.0, (1, 8, 32), 40_000, 5e5), (5.0, (1, 8, 32), 40_000, 1e5),
        (4.0, (1, 8, 32), 10_000, None), (3.3, (1, 8, 32), 4_000, None), (3.3, (8,), 4_000, None),
        (3.3, (32,), 2_000, None),
    ):  # fmt: skip
        x, q = received(scheme, snr_db, frames)
        result = scheme.decode_symbols(q, lists)
        perfect = float((result.x == x).all(axis=1).mean())
        speed = rate(lambda q=q, lists=lists: scheme.decode_symbols(q, lists), frames, repeats)
        name = "plain SC + recovery" if lists == (1,) else f"lists {'-'.join(map(str, lists))} + recovery"
        meets = None if target is None else speed >= target
        rows.append(Row(f"{name}, {snr_db:g} dB", "speed", speed, "vectors/s", None, target, meets,
                        f"perfect {perfect:.4f}"))  # fmt: skip
    x, q = received(scheme, 7.0, 40_000)
    u, _ = sc_binary.decode(q, scheme._plain, scheme.info)
    t = tables(scheme.dictionary)
    plain = rate(lambda: sc_binary.decode(q, scheme._plain, scheme.info), len(q), repeats)
    rows.append(Row("SC alone", "speed", plain, "vectors/s"))
    rows.append(Row("recovery alone", "speed", rate(lambda: recover(u, t), len(q), repeats), "vectors/s"))
    return rows


def other_rows(quick: bool) -> list[Row]:
    """Return the rows of integer alphabets and of BIHT."""
    rows = []
    for p, n, snr_db in ((3, 728, 9.0), (5, 624, 8.5), (7, 342, 8.2)):
        scheme = CodedScheme(CodedConfig(p=p, n=n, m=128, guard=False))
        x, q = received(scheme, snr_db, 4000)
        perfect = float((scheme.decode_symbols(q).x == x).all(axis=1).mean())
        speed = rate(lambda q=q, scheme=scheme: scheme.decode_symbols(q), len(q), 3 if quick else 7)
        rows.append(Row(f"p={p} n={n} m=128 adaptive, {snr_db:g} dB", "speed", speed, "vectors/s",
                        note=f"perfect {perfect:.4f}"))  # fmt: skip
    rng = np.random.default_rng(2)
    A = rng.standard_normal((256, 511))
    x = np.zeros((64, 511))
    np.put_along_axis(x, rng.random(x.shape).argpartition(4, axis=1)[:, :5], 1.0, axis=1)
    signs = np.where(x @ A.T + np.sqrt(5.0 / 10**0.7) * rng.standard_normal((64, 256)) >= 0, 1.0, -1.0)
    speed = rate(lambda: biht(signs, A, 5, keep="best", binary=True), 64, 2 if quick else 5)
    rows.append(Row("BIHT, best iterate, m=256, 7 dB", "speed", speed, "vectors/s"))
    return rows


def main() -> int:
    """Measure and report."""
    options = arguments(__doc__.splitlines()[0])
    rows = [*binary_rows(options.quick), *other_rows(options.quick)]
    return report("coded_speed", "Coded compressive sensing: decoding speed, one core", rows, options.json)


if __name__ == "__main__":
    sys.exit(main())
