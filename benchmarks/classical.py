"""Classical methods and bounds: exactness against independent oracles, speed, floors, and what tuning is worth.

    python benchmarks/classical.py [--quick] [--json FILE]

The interior-point oracle is Clarabel (extra `test`); without it that row is not measured.
"""

import sys
import time

import numpy as np
from _figures import SOURCES, TEST_SEED, evaluate, parse
from rows import Row, report
from scipy.stats import norm

from qcskit.codec.classical import make
from qcskit.codec.classical.l1 import bpdn
from qcskit.codec.classical.lloyd import lloyd_scalar
from qcskit.codec.classical.mixture import mmse_floor
from qcskit.codec.classical.omp import omp
from qcskit.codec.classical.onebit import biht, plan_vershynin
from qcskit.codec.classical.rdf import blahut_arimoto
from qcskit.codec.signal import SignalConfig, draw_frames, measurement_matrix

GAUSSIAN_OPTIMUM = {2: 0.363380, 4: 0.117482, 8: 0.0345479, 16: 0.00950054}
"""Least mean square error of I levels for N(0, 1): Max, "Quantizing for minimum distortion", 1960."""


def at_most(case: str, metric: str, value: float | None, unit: str, target: float, note: str = "") -> Row:
    """Return a row whose target is an upper limit."""
    return Row(case, metric, value, unit, target=target, meets=None if value is None else value <= target, note=note)


def exactness(quick: bool) -> list[Row]:
    """L1 against an interior-point method, Lloyd and Blahut–Arimoto against known optima."""
    worst, count = _against_interior_point(40 if quick else 200)
    rows = [at_most("BPDN", "objective above Clarabel's, worst relative", worst, "", 1e-4, f"{count} problems")]
    source = norm.ppf((np.arange(1_000_000) + 0.5) / 1_000_000)
    for levels, optimum in GAUSSIAN_OPTIMUM.items():
        off = abs(lloyd_scalar(source, levels).distortion / optimum - 1)
        rows.append(at_most(f"Lloyd I={levels}", "distortion off the Gaussian optimum", 100 * off, "%", 0.1))
    grid = np.linspace(-6, 6, 601)
    weights = norm.pdf(grid) / norm.pdf(grid).sum()
    for distortion in (0.5, 0.2, 0.05, 0.01):
        point = blahut_arimoto((grid[:, None] - grid) ** 2, 1 / (2 * distortion), weights)
        off = abs(point.distortion / 4.0**-point.rate_bits - 1)
        note = f"{len(point.gap_bits)} passes, bounds {point.gap_bits[-1]:.1e} bits apart"
        case = f"Blahut–Arimoto R={point.rate_bits:.2f}"
        rows.append(at_most(case, "distortion off the Gaussian D(R)", 100 * off, "%", 0.5, note))
    return rows


def _against_interior_point(count: int) -> tuple[float | None, int]:
    """Return the largest relative excess of ‖x‖₁ over Clarabel's optimum on low-pass DCT and Gaussian problems."""
    try:
        import clarabel
        from scipy import sparse
    except ImportError:
        return None, 0
    rng, worst = np.random.default_rng(0), 0.0
    settings = clarabel.DefaultSettings()
    settings.verbose = False
    settings.tol_gap_rel = settings.tol_gap_abs = settings.tol_feas = 1e-9
    for number in range(count):
        signal = SignalConfig(n=80, m=40, s=8) if number % 2 else SignalConfig()
        phi = measurement_matrix(signal) if number % 4 < 2 else rng.standard_normal((signal.m, signal.n))
        y = draw_frames(signal, 1, number)[0] @ phi.T + 0.01 * rng.standard_normal((1, signal.m))
        mu = 10 ** rng.uniform(-3, 0)
        n, m = signal.n, signal.m
        cone = np.concatenate([np.zeros((1, 2 * n)), np.concatenate([phi, -phi], axis=1)])
        rows = sparse.csc_matrix(np.concatenate([-np.eye(2 * n), cone]))
        right = np.concatenate([np.zeros(2 * n), [mu], y[0]])
        cones = [clarabel.NonnegativeConeT(2 * n), clarabel.SecondOrderConeT(m + 1)]
        none = sparse.csc_matrix((2 * n, 2 * n))
        best = clarabel.DefaultSolver(none, np.ones(2 * n), rows, right, cones, settings).solve().obj_val
        worst = max(worst, abs(float(np.abs(bpdn(y, phi, mu)).sum()) - best) / max(best, 1e-3))
    return worst, count


def speed(quick: bool) -> list[Row]:
    """L1 and OMP on batches, two cores at most."""
    rows = []
    for quantum in (0.0, 0.5):
        signal = SOURCES["4d"]
        phi = measurement_matrix(signal)
        x, y = draw_frames(signal, 2_000 if quick else 10_000, 1)
        rebuilt = np.round(y / quantum) * quantum if quantum else y
        for mu in (0.03, 0.3):
            bpdn(rebuilt[:64], phi, mu)  # compile
            start = time.perf_counter()
            bpdn(rebuilt, phi, mu)
            taken = (time.perf_counter() - start) * 10_000 / len(x)
            case = f"BPDN N=80 μ={mu} {'rebuilt' if quantum else 'unquantized'}"
            rows.append(at_most(case, "wall time of 10,000 frames", taken, "s", 60.0))
    for figure, target in (("3", 1e5), ("4d", None)):
        signal = SOURCES[figure]
        y = draw_frames(signal, 20_000 if quick else 200_000, 1)[1]
        start = time.perf_counter()
        omp(y, measurement_matrix(signal), signal.s)
        rate = len(y) / (time.perf_counter() - start)
        meets = None if target is None else rate >= target
        rows.append(Row(f"OMP N={signal.n} S={signal.s}", "batched", rate, "frames/s", target=target, meets=meets))
    return rows


def floors(quick: bool) -> list[Row]:
    """The MMSE floor of every source whose supports can be enumerated."""
    rows = []
    for figure in ("3", "4b", "5"):
        signal = SOURCES[figure]
        floor = mmse_floor(signal, 2_000 if quick else 20_000)
        note = f"± {floor.standard_error_db:.2f} dB, {floor.frames} frames"
        rows.append(Row(f"N={signal.n} M={signal.m} S={signal.s}", "MMSE floor", floor.nmse_db, "dB", note=note))
    return rows


def tuning(quick: bool) -> list[Row]:
    """The paper's μ in both readings of its units against the best one for the data; EC-VQ at one bit per entry."""
    rows, signal = [], SOURCES["3"]
    x, y = draw_frames(signal, 5_000 if quick else 50_000, TEST_SEED)
    for levels in (2, 4, 8, 16, 64, 256):
        best = make("ce-usq-l1", signal, levels)
        reached = evaluate(best, x, y)
        rows.append(Row(f"ce-usq-l1 I={levels}", "NMSE, best μ", reached, "dB", note=f"μ {best.tuning['mu']:.3g}"))  # type: ignore[attr-defined]
        for mu in ("printed", "printed-variance"):
            codec = make("ce-usq-l1", signal, levels, mu=mu)  # type: ignore[arg-type]
            note = f"μ {codec.tuning['mu']:.3g}"  # type: ignore[attr-defined]
            rows.append(Row(f"ce-usq-l1 I={levels}", f"NMSE, {mu} μ", evaluate(codec, x, y), "dB", reached, note=note))
    small = SOURCES["5"]
    x, y = draw_frames(small, 20_000 if quick else 200_000, TEST_SEED)
    rows.append(at_most("ec-vq N=7", "NMSE at R = 1", evaluate(make("ec-vq", small, 128), x, y), "dB", -15.8))
    return rows


def one_bit(quick: bool) -> list[Row]:
    """Exact recovery of binary signals (n = 511, m = 256, k = 5) from noisy signs, Gaussian A."""
    rng, frames = np.random.default_rng(0), 200 if quick else 2_000
    A = rng.standard_normal((256, 511))
    x = np.zeros((frames, 511))
    np.put_along_axis(x, rng.random(x.shape).argsort(axis=1)[:, :5], 1.0, 1)
    rows = []
    for snr_db in (0, 3, 6, 10):
        noise = np.sqrt(5 * 10 ** (-snr_db / 10)) * rng.standard_normal((frames, 256))
        signs = np.where(x @ A.T + noise >= 0, 1, -1)
        start = time.perf_counter()
        best = biht(signs, A, 5, binary=True)
        taken = (time.perf_counter() - start) / frames * 1e3
        found = {
            "BIHT, best iterate": best,
            "BIHT, last iterate": biht(signs, A, 5, keep="last", binary=True),
            "Plan–Vershynin": plan_vershynin(signs, A, 5, binary=True),
        }
        for name, estimate in found.items():
            share = float(np.mean(np.all(estimate == x, axis=1)))
            note = f"{taken:.2f} ms per vector" if estimate is best else ""
            rows.append(Row(f"{name} {snr_db} dB", "exact recoveries", share, "of all", note=note))
    return rows


def main() -> int:
    """Measure all; 1 if a target is missed."""
    options = parse(__doc__ or "")
    rows = [row for part in (exactness, speed, floors, tuning, one_bit) for row in part(options.quick)]
    return report("classical", "Classical methods and bounds", rows, options.json)


if __name__ == "__main__":
    sys.exit(main())
