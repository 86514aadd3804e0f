"""Table I of the DeepQCS paper: encoding, decoding and total time of CE-USQ-OMP and CE-USQ-L1 relative to DeepQCS.

    python benchmarks/running_time.py [--quick] [--bundles DIR] [--json FILE]

N = 20, 80, 160 with M = N/2, S = N/10, R = 1, 2.5, 4; K = M outputs. All methods in one run on one core, CPU time per
frame from y to indices and from indices to x̂, called from Python: one frame at a time, calls included, and in batches
of 1,000. DeepQCS is EncNet in C on the host, which packs the bits too, and DecNet in the LiteRT runtime.
CE-USQ-L1 is timed twice: with the kit's compiled path and, one frame at a time, with a general convex solver, Clarabel,
to the paper's tolerance 1e-3, as its l1-MAGIC was one. Time does not depend on weights: a size for which --bundles
holds no trained bundle is timed with untrained networks of the paper's shape (EncNet M-5M-M, DecNet with three hidden
layers of 4N) if TensorFlow is installed, else not measured.
"""

import os

os.environ["OPENBLAS_NUM_THREADS"] = "1"
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from _figures import Array, find_bundles, parse
from numpy.typing import NDArray
from rows import Row, report
from support.encoders import reference
from support.memory_model import MemoryCodec

from qcskit.codec.classical import make
from qcskit.codec.classical.codecs import ScalarCodec
from qcskit.codec.codecs import open_codec
from qcskit.codec.errors import QcsError
from qcskit.codec.learned.bundle import LearnedCodec
from qcskit.codec.learned.runtime_worker import litert
from qcskit.codec.signal import SignalConfig, draw_frames, measurement_matrix
from qcskit.firmware import build_host_library

SIZES = (20, 80, 160)
LEVELS = {1.0: 4, 2.5: 32, 4.0: 256}
"""Quantizer levels of each rate at M = N/2."""
METHODS = ("ce-usq-omp", "ce-usq-l1")
BATCH = 1_000
Bytes = NDArray[np.uint8]


@dataclass(frozen=True)
class Subject:
    """One method: y → what is sent, indices → x_hat, and where it came from. received: sent → indices, not timed.

    batches: it is timed with many frames at a time, too.
    """

    name: str
    encode: Callable[[Array], Bytes]
    decode: Callable[[Bytes], Array]
    note: str = ""
    received: Callable[[Bytes], Bytes] = lambda sent: sent
    batches: bool = True


def deepqcs(signal: SignalConfig, levels: int, codecs: list[LearnedCodec]) -> Subject | None:
    """Return DeepQCS of this size, from a trained bundle or untrained; None if neither is at hand."""
    for codec in codecs:
        if (codec.width, codec.packing.levels) == (signal.n, levels) and codec.facts.input_grid:
            content = codec.bundle.read("decoder.tflite")
            return _subject(codec.tables, codec.facts.input_grid.scale, content, f"bundle {codec.name}")
    try:
        content = _untrained_decoder(signal, levels)
    except ImportError:
        return None
    model = reference((signal.m, 5 * signal.m, signal.m), levels)
    return _subject(model.tables, 2.0 / 127, content, "untrained networks of the paper's shape")


def _subject(tables: Any, scale: float, decoder: bytes, note: str) -> Subject:
    host = MemoryCodec(build_host_library(), tables)
    run = litert(decoder, False, 1)[1]  # in this process: CPU time of another is not counted

    def encode(y: Array) -> Bytes:
        return host.encode(np.rint(y * (1 / scale)).clip(-128, 127).astype(np.int8)).rows

    def decode(index: Bytes) -> Array:
        return run(index.astype(np.int32))

    return Subject("deepqcs", encode, decode, note, tables.packing.unpack)


def _untrained_decoder(signal: SignalConfig, levels: int) -> bytes:
    """Return a DecNet of the paper's shape with random weights. Raises ImportError without TensorFlow."""
    import keras

    from qcskit.export.learned.decoder import decoder_flatbuffer

    widths = (4 * signal.n,) * 3
    layers = [keras.layers.Dense(width, "tanh") for width in widths] + [keras.layers.Dense(signal.n)]
    network = keras.Sequential([keras.Input((signal.m,)), *layers])
    return decoder_flatbuffer(network, np.linspace(-1, 1, levels), signal.m)


def general_solver(codec: ScalarCodec) -> Subject | None:
    """Return CE-USQ-L1 with its convex problem given to Clarabel; None without it (extra `dev`).

    x = p − q with p, q ≥ 0, and (μ, ỹ − Φx) in a second-order cone.
    """
    try:
        import clarabel
        from scipy import sparse
    except ImportError:
        return None
    phi, points = measurement_matrix(codec.signal), np.stack([q.points for q in codec.quantizers])
    m, n = phi.shape
    cone = np.concatenate([np.zeros((1, 2 * n)), np.concatenate([phi, -phi], axis=1)])
    rows = sparse.csc_matrix(np.concatenate([-np.eye(2 * n), cone]))
    cones, empty = [clarabel.NonnegativeConeT(2 * n), clarabel.SecondOrderConeT(m + 1)], sparse.csc_matrix((2 * n,) * 2)
    settings = clarabel.DefaultSettings()
    settings.verbose = False
    settings.tol_gap_rel = settings.tol_gap_abs = settings.tol_feas = 1e-3

    def decode(index: Bytes) -> Array:
        found = []
        for y in np.take_along_axis(points, index.T.astype(np.intp), 1).T:
            right = np.concatenate([np.zeros(2 * n), [codec.tuning["mu"]], y])
            solved = clarabel.DefaultSolver(empty, np.ones(2 * n), rows, right, cones, settings).solve()
            found.append(np.subtract(solved.x[:n], solved.x[n:]))
        return np.stack(found)

    return Subject("ce-usq-l1, Clarabel", codec.index, decode, batches=False)


def seconds_per_frame(run: Callable[[], object], frames: int, budget_s: float) -> float:
    """Return the least CPU time per frame of repeated calls within `budget_s`, at least three."""
    best, spent, calls = float("inf"), 0.0, 0
    while calls < 3 or (spent < budget_s and calls < 10_000):
        start = time.process_time()
        run()
        taken = time.process_time() - start
        best, spent, calls = min(best, taken), spent + taken, calls + 1
    return best / frames


def times(subject: Subject, y: Array, frames: int, budget_s: float) -> tuple[float, float]:
    """Return encoding and decoding seconds per frame, `frames` at a time, averaged over different inputs."""
    groups = [y[i : i + frames] for i in range(0, min(len(y), 20 * frames), frames)]
    received = [subject.received(subject.encode(group)) for group in groups]
    share = budget_s / len(groups)
    encode = np.mean([seconds_per_frame(lambda g=group: subject.encode(g), frames, share) for group in groups])
    decode = np.mean([seconds_per_frame(lambda p=part: subject.decode(p), frames, share) for part in received])
    return float(encode), float(decode)


def rows_of(n: int, rate: float, subjects: list[Subject | None], quick: bool) -> list[Row]:
    """Return the rows of one cell of the table: microseconds of each, and the ratio to DeepQCS."""
    y = draw_frames(SignalConfig(n=n, m=n // 2, s=n // 10), 2 * BATCH, 31)[1]
    rows = []
    for label, frames in (("single", 1), ("batched", BATCH)):
        base: tuple[float, ...] | None = None
        for subject in subjects:
            case = f"N={n} R={rate:g} {label}"
            if subject is None:
                rows.append(
                    Row(f"{case} deepqcs", "total", None, "µs/frame", note="no bundle, and TensorFlow is not installed")
                )
                continue
            if frames > 1 and not subject.batches:
                continue
            encode, decode = times(subject, y if frames > 1 else y[:20], frames, 0.3 if quick else 0.6)
            parts = (encode, decode, encode + decode)
            for metric, value in zip(("encode", "decode", "total"), parts, strict=True):
                rows.append(Row(f"{case} {subject.name}", metric, value * 1e6, "µs/frame", note=subject.note))
            if base is None and subject.name == "deepqcs":
                base = parts
            elif base is not None:
                for metric, value, ours in zip(("encode", "decode", "total"), parts, base, strict=True):
                    rows.append(Row(f"{case} {subject.name}", f"{metric}, relative", value / ours, "× deepqcs", 1.0))
    return rows


def main() -> int:
    """Time every cell; 0, or 2 on wrong input."""
    options = parse(__doc__ or "")
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    rows = []
    try:
        opened = [open_codec(path) for path in find_bundles(options.bundles)]
        codecs = [codec for codec in opened if isinstance(codec, LearnedCodec)]
        for n in SIZES[:2] if options.quick else SIZES:
            signal = SignalConfig(n=n, m=n // 2, s=n // 10)
            for rate, levels in LEVELS.items():
                subjects = [deepqcs(signal, levels, codecs)]
                for name in METHODS:
                    codec = make(name, signal, levels, train_frames=2_000)
                    assert isinstance(codec, ScalarCodec)
                    subjects.append(Subject(name, codec.index, codec.recover))
                    general = general_solver(codec) if name == "ce-usq-l1" else None
                    subjects += [general] if general else []
                rows += rows_of(n, rate, subjects, options.quick)
    except QcsError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return report("running_time", "Table I: CPU time per frame, one core", rows, options.json)


if __name__ == "__main__":
    sys.exit(main())
