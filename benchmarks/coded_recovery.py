"""Perfect-recovery probability of coded compressive sensing against SNR, number of measurements and alphabet.

    python benchmarks/coded_recovery.py [--quick] [--json FILE] [--svg DIRECTORY] [--figure NAME ...]

Figures: `paper` (Lee & Hong's Fig. 2: n = 511, k = 5, p = 2, m = 256, beside one-bit methods), `recovery` (SNR for 99 %
of every decoder, m = 256 and 128), `measurements` (the same against m), `alphabets` (integer x, p = 3, 5, 7, both
kernels), `overload` (k + 1 and more non-zeros), `real` (real-valued x rounded to an integer grid).

SNR of one-bit methods, with a Gaussian matrix, is E A_ij² / σ², the power of a matrix entry over the noise variance. Of
the coded scheme it is the paper's, (p·a)² / 12 σ², a the level spacing: the power of the lattice code. The entries of
the matrix sensed with, lifted to integers times a, have another power: 1.77 dB more for p = 2, 0.53, 0.18 and 0.08 dB
less for p = 3, 5, 7 (`entry_power_db` of each curve, rows `entry power`). Schemes are compared on equal entry power:
`coded_paper.svg`; `coded_paper_lattice.svg` is the paper's axis.
Bands are 95 % Clopper–Pearson intervals. Exit status 1 if a target is missed (with --quick none is judged).
"""

import argparse
import math
import sys
from pathlib import Path

import numpy as np
from coded_curves import Curve, Trial, draw, sweep
from rows import Row, report

from qcskit.codec.classical.onebit import biht, plan_vershynin
from qcskit.codec.coded import theory
from qcskit.codec.coded.sawtooth import sawtooth
from qcskit.codec.coded.scheme import CodedConfig, CodedScheme
from qcskit.codec.metrics import nmse_db

SEED = 20260101
N, K = 511, 5


def coded_trial(scheme: CodedScheme, lists: tuple[int, ...], weight: int | None = None) -> Trial:
    """Return a trial of the scheme with these list sizes."""

    def trial(snr_db: float, frames: int, rng: np.random.Generator) -> tuple[int, int]:
        x = scheme.draw(frames, rng, weight)
        result = scheme.decode_symbols(scheme.quantize(scheme.measure(x, snr_db, rng)), lists)
        right = (result.x == x).all(axis=1) & result.ok
        return int(right.sum()), int((~result.ok).sum())

    return trial


def one_bit_trial(m: int, method: str) -> Trial:
    """Return a trial of a one-bit method: Gaussian matrix (a new one per block), binary x, noise before the sign."""

    def trial(snr_db: float, frames: int, rng: np.random.Generator) -> tuple[int, int]:
        A = rng.standard_normal((m, N))
        x = np.zeros((frames, N))
        np.put_along_axis(x, rng.random(x.shape).argpartition(K - 1, axis=1)[:, :K], 1.0, axis=1)
        sigma = 10 ** (-snr_db / 20)
        signs = np.where(x @ A.T + sigma * rng.standard_normal((frames, m)) >= 0, 1.0, -1.0)
        if method == "convex":
            x_hat = plan_vershynin(signs, A, K, binary=True)
        else:
            x_hat = biht(signs, A, K, keep="best" if method == "best" else "last", binary=True)
        return int((x_hat == x).all(axis=1).sum()), 0

    return trial


def scheme_for(m: int, **settings: object) -> CodedScheme:
    """Return the reference scheme, n = 511 and k = 5, without guard unless asked for."""
    return CodedScheme(CodedConfig(**{"n": N, "k": K, "m": m, "guard": False, **settings}))  # type: ignore[arg-type]


def around(centre: float, step: float = 0.2, below: int = 4, above: int = 3) -> list[float]:
    """Return abscissas around an expected threshold."""
    return [round(centre + step * i, 3) for i in range(-below, above + 1)]


def threshold_row(curve: Curve, target: float | None, reference: float | None, quick: bool, note: str = "") -> Row:
    """Return the SNR at which `curve` reaches 99 %."""
    crossing = curve.crossing()
    if crossing is None:
        return Row(curve.case, "SNR for 99 %", None, "dB", reference, target, None, "beyond the range swept")
    band = f"95 %: {crossing[1]:.2f} … {crossing[2]:.2f}"
    meets = None if target is None or quick else crossing[0] <= target
    return Row(curve.case, "SNR for 99 %", round(crossing[0], 3), "dB", reference, target, meets,
               "; ".join(filter(None, (band, note))))  # fmt: skip


def figure_paper(quick: bool) -> tuple[list[Row], list[Curve]]:
    """Fig. 2 of the paper in one picture, m = 256: every method over the whole range, 600 vectors per point."""
    trials = 100 if quick else 600
    plain, best = scheme_for(256, lists=(1,)), scheme_for(256, guard=True)
    cases = [
        ("coded, SC, 90 rows (paper)", coded_trial(scheme_for(256, rows="all", lists=(1,)), (1,)), range(1, 9), trials),
        ("coded, SC, 45 rows", coded_trial(plain, (1,)), range(0, 7), trials),
        ("coded, adaptive 1-8-32, guard", coded_trial(best, (1, 8, 32)), range(-1, 6), trials),
        ("BIHT, best iterate", one_bit_trial(256, "best"), range(-8, 5, 2), trials),
        ("BIHT, last iterate", one_bit_trial(256, "last"), range(-8, 15, 2), trials),
        ("convex program", one_bit_trial(256, "convex"), range(-8, 15, 2), trials),
    ]
    curves = sweep(cases, SEED + 5)
    for curve, scheme in zip(curves, (scheme_for(256, rows="all"), plain, best), strict=False):
        curve.entry_power_db = entry_power_db(scheme)
    rows = []
    for curve in curves:
        for at in (4.0, 6.0, 14.0):
            value = next((p.perfect for p in curve.points if p.at == at), None)
            if value is not None:
                note = f"at {at + curve.entry_power_db:.2f} dB of the entries"
                rows.append(Row(curve.case, f"perfect recovery at {at:g} dB", value, "of vectors", note=note))
    return rows, curves


def figure_recovery(quick: bool) -> tuple[list[Row], list[Curve]]:
    """Fig. 2 of the paper at m = 256, and the same at m = 128."""
    trials = 1000 if quick else 20_000
    rows, curves = [], []
    for m, paper, single, listed in ((256, 6.2, 4.3, 3.2), (128, 9.3, 6.45, 5.2)):
        everything, plain, independent = scheme_for(m, rows="all", lists=(1,)), scheme_for(m, lists=(1,)), scheme_for(m)
        guarded = scheme_for(m, guard=True)
        cases = [
            (f"m={m} SC, 90 rows (paper)", coded_trial(everything, (1,)), around(paper), trials),
            (f"m={m} list 8, 90 rows", coded_trial(everything, (8,)), around(paper - 0.8), trials // 4),
            (f"m={m} SC, 45 rows", coded_trial(plain, (1,)), around(single), trials),
            (f"m={m} list 8, 45 rows", coded_trial(independent, (8,)), around(listed + 0.2), trials // 2),
            (f"m={m} list 32, 45 rows", coded_trial(independent, (32,)), around(listed), trials),
            (f"m={m} adaptive 1-8-32, guard", coded_trial(guarded, (1, 8, 32)), around(listed + 0.1), trials),
            (f"m={m} list 128, 45 rows", coded_trial(independent, (128,)), around(listed), trials // 4),
        ]
        if m == 256:
            few = 200 if quick else 1000
            span = list(np.arange(-8.0, 4.1, 1.0))
            cases += [
                ("m=256 BIHT, last iterate", one_bit_trial(m, "last"), span, few),
                ("m=256 BIHT, best iterate", one_bit_trial(m, "best"), span, few),
                ("m=256 convex program", one_bit_trial(m, "convex"), [*span, 6.0, 10.0], few),
            ]
        found = sweep(cases, SEED)
        curves += found
        bound = theory.normal_approximation_snr_db(m, 2, theory.source_bits(2, N, K))
        targets = {0: (6.4 if m == 256 else None), 4: (3.3 if m == 256 else 5.3), 6: 3.0 if m == 256 else None}
        for i, curve in enumerate(found):
            aim = "an aim; normal approximation as reference" if (m, i) == (256, 6) else ""
            one_bit = "BIHT" in curve.case or "convex" in curve.case
            row = threshold_row(curve, targets.get(i), None if one_bit else bound, quick, aim)
            rows.append(row)
        rows.append(entry_power_row(independent))
    return rows, curves


def entry_power_row(scheme: CodedScheme) -> Row:
    """Return by how much the power of the sensing matrix's entries exceeds (p·a)² / 12."""
    case = f"m={scheme.config.m}, 45 rows"
    return Row(case, "entry power over (p·a)²/12", round(entry_power_db(scheme), 2), "dB")


def entry_power_db(scheme: CodedScheme) -> float:
    """Return the power of the sensing matrix's entries over (p·a)² / 12, that of the lattice code."""
    return 10 * math.log10(float(np.mean(scheme.sensing_matrix**2)) / (scheme.config.p**2 / 12))


def figure_measurements(quick: bool) -> tuple[list[Row], list[Curve]]:
    """SNR for 99 % against the number of measurements, beside BIHT's best iterate."""
    trials = 500 if quick else 4000
    cases = []
    for m, listed in ((64, 8.6), (128, 5.2), (256, 3.2), (512, 1.8)):
        cases.append((f"m={m} list 32", coded_trial(scheme_for(m), (32,)), around(listed, 0.25, 4, 4), trials))
    for m, centre in ((128, 8.0), (256, 0.0), (512, -4.0)):
        few = 200 if quick else 500
        cases.append((f"m={m} BIHT, best iterate", one_bit_trial(m, "best"), around(centre, 1.0, 3, 4), few))
    curves = sweep(cases, SEED + 1)
    bounds = {f"m={m} list 32": theory.normal_approximation_snr_db(m, 2, theory.source_bits(2, N, K))
              for m in (64, 128, 256, 512)}  # fmt: skip
    return [threshold_row(curve, None, bounds.get(curve.case), quick) for curve in curves], curves


def figure_alphabets(quick: bool) -> tuple[list[Row], list[Curve]]:
    """Integer x: p = 3, 5, 7 at m = 128, both kernels with plain decoding, and the adaptive list."""
    trials = 1000 if quick else 10_000
    cases, bounds = [], {}
    for p, n, low in ((3, 728, 8.4), (5, 624, 8.0), (7, 342, 7.6)):
        for gamma in (1, 2):
            scheme = CodedScheme(CodedConfig(p=p, n=n, k=K, m=128, guard=False, gamma=gamma))
            wide = around(low, 0.8, 3, 11) if p > 3 and gamma == 1 else around(low, 0.3, 4, 4)
            cases.append((f"p={p} n={n} SC, gamma={gamma}", coded_trial(scheme, (1,)), wide, trials))
        best = CodedScheme(CodedConfig(p=p, n=n, k=K, m=128, guard=False))
        name = f"p={p} n={n} adaptive 1-8-32"
        cases.append((name, coded_trial(best, (1, 8, 32)), around(low - 1.1, 0.25, 3, 4), trials // 4))
        bounds[name] = theory.normal_approximation_snr_db(128, p, theory.source_bits(p, n, K))
    curves = sweep(cases, SEED + 2)
    rows = [threshold_row(curve, None, bounds.get(curve.case), quick) for curve in curves]
    for p in (5, 7):
        one, two = (next(r.value for r in rows if r.case.startswith(f"p={p}") and r.case.endswith(f"gamma={g}"))
                    for g in (1, 2))  # fmt: skip
        gain = None if one is None or two is None else round(one - two, 2)
        rows.append(Row(f"p={p}", "gain of kernel [[1,0],[2,1]]", gain, "dB"))
    return rows, curves


def figure_overload(quick: bool) -> tuple[list[Row], list[Curve]]:
    """More non-zeros than designed for, at high SNR: how often the result is right, flagged, or silently wrong."""
    trials = 5000 if quick else 100_000
    rows = []
    for p, n in ((2, 511), (3, 728), (5, 624)):
        for guard in (False, True):
            scheme = CodedScheme(CodedConfig(p=p, n=n, k=K, m=128, guard=guard))
            count = trials if p == 2 else trials // 10
            for extra in (1, 2, 3):
                (curve,) = sweep([(f"p={p} {'guard' if guard else 'no guard'}, k+{extra}",
                                   coded_trial(scheme, (1,), K + extra), [16.0], count)], SEED + 3)  # fmt: skip
                point = curve.points[0]
                target = 0.0 if guard and extra == 1 else None
                meets = None if target is None else point.wrong == 0.0
                rows.append(Row(curve.case, "silently wrong", point.wrong, "of vectors", None, target, meets,
                                f"flagged {point.flagged:.5f} of {point.trials}"))  # fmt: skip
    return rows, []


def figure_real(quick: bool) -> tuple[list[Row], list[Curve]]:
    """Real-valued x (Remark 3): several alphabets at 20 dB, and one over SNR and k."""
    frames = 500 if quick else 3000
    cases = [(5, 124, 256, 2), (7, 342, 256, 2), (13, 168, 256, 2), (7, 342, 512, 3), (13, 168, 512, 3)]
    rows = [row for case in cases for row in real_rows(*case, 20.0, frames)]
    for k in (1, 2, 3):
        for snr_db in (5.0, 10.0, 15.0, 30.0) if k == 2 else (5.0, 10.0, 15.0, 20.0, 30.0):
            rows += real_rows(7, 342, 256, k, snr_db, frames)
    return rows, []


def real_rows(p: int, n: int, m: int, k: int, snr_db: float, frames: int) -> list[Row]:
    """Return how often the nearest integers are recovered, and the NMSE where they are and over all vectors.

    x has k entries uniform in ±1, scaled so that they fill the alphabet; b = round(scaled x) is what is recovered, and
    A (scaled x − b) is noise of about 12 / k in SNR whatever the scale, so m must be large enough for that.
    """
    scheme = CodedScheme(CodedConfig(p=p, n=n, k=k, m=m, design_snr_db=10 * math.log10(12 / k)))
    rng = np.random.default_rng(SEED + 4)
    place = scheme.draw(frames, rng) != 0
    x = np.where(place, rng.uniform(-1.0, 1.0, place.shape), 0.0)
    scale = p / 2
    b = np.clip(np.rint(x * scale), -(p // 2), p // 2)
    y = (x * scale) @ scheme.sensing_matrix.T
    sigma = p / math.sqrt(12 * 10 ** (snr_db / 10))
    result = scheme.decode_symbols(sawtooth(y + sigma * rng.standard_normal(y.shape), 1.0, p))
    right = (result.x == b).all(axis=1) & result.ok
    case = f"p={p} n={n} m={m} k={k}, {snr_db:g} dB"
    good = right & x.any(axis=1)
    error = nmse_db(x[good], result.x[good] / scale) if good.any() else None
    grid = nmse_db(x, b / scale)
    return [
        Row(case, "integers recovered", float(right.mean()), "of vectors"),
        Row(case, "NMSE where recovered", error, "dB", grid, note="reference: rounding alone"),
        Row(case, "NMSE, all vectors", nmse_db(x, np.where(result.ok[:, None], result.x, 0) / scale), "dB"),
    ]


FIGURES = {
    "paper": (figure_paper, "SNR in dB"),
    "recovery": (figure_recovery, "SNR in dB"),
    "measurements": (figure_measurements, "SNR in dB"),
    "alphabets": (figure_alphabets, "SNR in dB"),
    "overload": (figure_overload, ""),
    "real": (figure_real, ""),
}


def main() -> int:
    """Run the figures asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer trials: a minute or two per figure")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write rows and curves here")
    parser.add_argument("--svg", type=Path, metavar="DIRECTORY", help="write one SVG per figure with curves here")
    parser.add_argument("--figure", nargs="+", choices=list(FIGURES), default=list(FIGURES))
    options = parser.parse_args()
    rows, curves = [], []
    for name in options.figure:
        run, xlabel = FIGURES[name]
        more_rows, more_curves = run(options.quick)
        rows += more_rows
        curves += [{"figure": name, **curve.as_dict()} for curve in more_curves]
        if options.svg and more_curves:
            options.svg.mkdir(parents=True, exist_ok=True)
            title = f"coded compressive sensing: {name}"
            if name == "paper":
                draw(options.svg / "coded_paper_lattice.svg", more_curves, "SNR in dB, of the lattice code", title)
                draw(options.svg / "coded_paper.svg", more_curves, "SNR in dB, equal entry power", title, True)
            else:
                draw(options.svg / f"coded_{name}.svg", more_curves, xlabel, title)
    return report("coded_recovery", "Coded compressive sensing", rows, options.json, curves)


if __name__ == "__main__":
    sys.exit(main())
