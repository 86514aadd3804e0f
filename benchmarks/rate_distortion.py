"""Test NMSE against rate: figures 3, 4 a-d and 5 of the DeepQCS paper.

    python benchmarks/rate_distortion.py --figure 3|4a|4b|4c|4d|5 [--quick] [--sweep DIR] [--bundles DIR]
                                         [--reuse FILE] [--json FILE] [--out DIR]

Every classical codec is fitted on its own training frames (docs/classical.md says how) and tested on others. Trained
codecs come from sweeps (`qcskit sweep`: --sweep takes its folder, float networks with the hard quantizer) or from
bundles (`qcskit export`: --bundles takes one or a folder of them, int8 encoder); those of the figure's source join it.
With --train DIR they are trained here (a TensorFlow installation is needed; --quick then trains a twentieth of the
recipe's steps); --recipe paper takes the paper's own methods, --only one curve, and the same command goes on after a
break, within a point too. Each trained point of the JSON holds its seed, steps, wall time and validation curve. --json
is rewritten after every classical point; --reuse takes over from such a file what was measured with the same settings:
classical curves are computed once, and trained curves of other recipes stay.
"""

import argparse
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict

import numpy as np
from _figures import SOURCES, Point, Task, bundle_points, classical_points, draw, key_of, parse, read_points
from _sweeps import caption, records, sweep_points
from rows import Row, report, write_rows

from qcskit.codec.classical.build import one_bit_signal
from qcskit.codec.classical.mixture import mmse_floor
from qcskit.codec.classical.rdf import remote_rdf
from qcskit.codec.config import nearest
from qcskit.codec.errors import QcsError
from qcskit.codec.signal import SignalConfig

SCALAR_LEVELS = (2, 4, 8, 16, 32, 64, 128, 256)
QUICK_LEVELS = (2, 4, 8, 16, 64)
MATRIX_NAMES = {"gaussian": "a Gaussian Φ", "dct": "the DCT"}
RDF_VERSION = 2
"""Of how the bounds are computed; a change makes earlier ones unfit for --reuse."""


def figure_3(quick: bool) -> Iterator[Task]:
    """All methods at N = 20."""
    frames = 20_000 if quick else 100_000
    for levels in QUICK_LEVELS if quick else SCALAR_LEVELS:
        for name in (
            "ce-usq-l1",
            "ce-sq-l1",
            "ce-usq-l1*",
            "ce-usq-omp",
            "ce-usq-omp-residual",
            "ce-usq-mmse",
            "ce-sq-mmse",
        ):
            yield Task(name, levels, frames)
        yield Task("ce-usq-l1", levels, frames, (("mu", "printed"),), "ce-usq-l1, printed μ")
        yield Task("ce-usq-consistent", levels, min(frames, 10_000))
    for size in (16, 64, 256) if quick else (16, 64, 256, 1024):
        yield Task("ce-vq-l1", size, frames)
        yield Task("ec-vq", size, frames)
    yield from one_bit_tasks(SOURCES["3"], quick)


def one_bit_tasks(signal: SignalConfig, quick: bool) -> Iterator[Task]:
    """Signs alone: the rate is the number of measurements, of a Gaussian Φ or of the figure's own."""
    frames = 10_000 if quick else 20_000
    for name in ("1-bit-biht", "1-bit-pv"):
        for matrix, counts in (("gaussian", (5, 10, 20, 30, 40, 60, 80)), ("dct", (5, 10, 15, 20))):
            for count in counts[:: 2 if quick else 1]:
                source = one_bit_signal(signal, count, matrix)
                yield Task(name, 2, frames, label=f"{name}, M rows of {MATRIX_NAMES[matrix]}", signal=source)


def figure_4(signal: SignalConfig, quick: bool) -> Iterator[Task]:
    """CE-USQ-L1 and its neighbours at growing N."""
    frames = (400_000 if quick else 2_000_000) // signal.n
    for levels in QUICK_LEVELS if quick else SCALAR_LEVELS:
        for name in ("ce-usq-l1", "ce-sq-l1", "ce-usq-omp"):
            yield Task(name, levels, frames)
        yield Task("ce-usq-l1", levels, frames, (("mu", "printed"),), "ce-usq-l1, printed μ")
        if signal.n <= 30:
            yield Task("ce-usq-mmse", levels, min(frames, 10_000))


def figure_5(quick: bool) -> Iterator[Task]:
    """The small case, N = 7: vector quantizers reach high rates, and the limit can be computed."""
    frames = 20_000 if quick else 100_000
    for bits in (4, 5, 6, 7, 8) if quick else (3, 4, 5, 6, 7, 8, 9, 10, 11, 12):
        yield Task("ec-vq", 2**bits, frames, target_db=-15.8 if bits == 7 else None)
        yield Task("ce-vq-l1", 2**bits, frames)
    for levels in (2, 4, 8) if quick else (2, 3, 4, 6, 8, 11):
        for name in ("ce-usq-l1*", "ce-usq-l1", "ce-usq-mmse"):
            yield Task(name, levels, frames)


def trained_points(options: argparse.Namespace) -> list[Point]:
    """Train the figure's curves; NMSE with the hard quantizer on the run's own test frames."""
    from _deepqcs import QUICK_LENGTH, curves, run_curves

    train = {"recipe": options.recipe, "length": options.length * (QUICK_LENGTH if options.quick else 1.0)}
    wanted = curves(options.figure, options.quick, train)
    names = tuple(dict.fromkeys(curve.label.rpartition(", ")[0] for curve in wanted))
    for name in options.only:
        if name not in names:
            raise QcsError(f"--only '{name}' is no curve of figure {options.figure}; {nearest(name, names)}")
    wanted = [c for c in wanted if not options.only or c.label.rpartition(", ")[0] in options.only]
    points = []
    for curve, row in run_curves(wanted, options.train, workers=options.workers):
        done = row["status"] == "done"
        runs = records(options.train, [row]) if done else []
        ended = "".join(f"{run['steps']} of at most {run['most_steps']} steps, {run['ended']}" for run in runs)
        budget = f"{row['recipe']}, {ended or row['steps'] + ' steps'}, K = {row['outputs']}, I = {row['levels']}"
        points.append(
            Point(curve, float(row["rate_bits"]), float(row["nmse_hard_db"]) if done else None,
                  float(row["seconds"]) if done else None, budget if done else row["error"],
                  frames=runs[0]["test_frames"] if runs else None, runs=runs)
        )  # fmt: skip
    return points


def limit_points(quick: bool, known: Mapping[str, Point]) -> list[Point]:
    """Return the remote rate-distortion function of figure 5's source, from above and from below."""
    slopes = (3, 6, 12, 25, 50, 100) if quick else (2, 3, 4, 6, 8, 12, 16, 25, 35, 50, 70, 100, 140, 200)
    codewords, samples, fresh = (256, 4_000, 15_000) if quick else (512, 8_000, 40_000)
    settings = {"slopes": slopes, "codewords": codewords, "samples": samples, "fresh": fresh}
    key = key_of(SOURCES["5"], limit="remote RDF", version=RDF_VERSION, **settings)
    earlier = [point for name, point in known.items() if name.startswith(key)]
    if len(earlier) == 2 * len(slopes):
        return earlier
    points = []
    for p in remote_rdf(SOURCES["5"], slopes, codewords=codewords, samples=samples, fresh=fresh):
        gap = f"Blahut–Arimoto gap {p.gap_bits[-1]:.4f} bits after {len(p.gap_bits)} passes"
        note = f"slope {p.slope:g}, ± {p.standard_error_db:.3f} dB, {gap}"
        for side, rate in (("upper", p.rate_bits), ("lower", p.lower_rate_bits)):
            points.append(Point(f"remote RDF, {side} bound", rate, p.nmse_db, note=note, frames=fresh,
                                standard_error_db=p.standard_error_db, key=f"{key} {side} {p.slope:g}"))  # fmt: skip
    return points


def margin_row(points: Sequence[Point]) -> Row:
    """Return by how much the best method stays above the remote rate-distortion function, where both were measured."""
    limit = sorted((p.rate_bits, p.nmse_db) for p in points if p.curve == "remote RDF, upper bound" and p.nmse_db)
    rates, levels = zip(*limit, strict=True)
    margins = [
        (point.nmse_db - float(np.interp(point.rate_bits, rates, levels)), f"{point.curve} R={point.rate_bits:.3f}")
        for point in points
        if point.nmse_db is not None and "RDF" not in point.curve and rates[0] <= point.rate_bits <= rates[-1]
    ]
    least, which = min(margins)
    return Row("every method", "NMSE above remote RDF, least", least, "dB", target=0.0, meets=least >= 0, note=which)


def still_valid(known: Iterable[Point], fresh: Sequence[Point]) -> list[Point]:
    """Return the trained points of an earlier file that stay beside fresh ones.

    Those of other curves, and of the same ones what was trained by the same recipe and length at other rates.
    """
    taken = {(point.curve, point.rate_bits) for point in fresh}
    budgets: dict[str, set[object]] = {point.curve: set() for point in fresh}
    for point in fresh:
        budgets[point.curve] |= _budgets(point)
    return [
        point for point in known if not point.key and (point.curve, point.rate_bits) not in taken
        and (point.curve not in budgets or _budgets(point) & budgets[point.curve])
    ]  # fmt: skip


def _budgets(point: Point) -> set[object]:
    return {(run["recipe"], run["most_steps"]) for run in point.runs}


def main() -> int:
    """Measure one figure, print its table, write JSON and drawing; 1 if a target is missed, 2 on wrong input."""
    options = parse(__doc__ or "", tuple(SOURCES))
    figure, quick, signal = options.figure, options.quick, SOURCES[options.figure]
    tasks = figure_3(quick) if figure == "3" else figure_5(quick) if figure == "5" else figure_4(signal, quick)
    name = f"rate_distortion_{figure}"
    measured: list[Point] = []

    def keep(point: Point) -> None:
        measured.append(point)
        if options.json:
            write_rows(options.json, name, [p.row(None) for p in measured], [asdict(p) for p in measured])

    try:
        known = read_points(options.reuse)
        points = bundle_points(options.bundles, signal, 20_000) + sweep_points(options.sweep, signal, figure)
        points += trained_points(options) if options.train else []
        points += still_valid(known.values(), points)
        measured += [p for p in known.values() if p not in points]
        points += classical_points(tasks, signal, f"figure {figure}", known, keep)
        points += limit_points(quick, known) if figure == "5" else []
    except QcsError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    floor = mmse_floor(signal, 2_000 if quick else 20_000).nmse_db if signal.n <= 30 else None
    if options.out:
        source = f"N = {signal.n}, M = {signal.m}, S = {signal.s}, noise variance {signal.noise_variance:g}"
        title = "\n".join(filter(None, (source, caption(points))))
        shown = [("MMSE floor", floor)] if floor is not None and figure == "5" else []
        draw(options.out, f"figure_{figure}", title, points, shown)
    rows = [point.row(floor) for point in points] + ([margin_row(points)] if figure == "5" else [])
    title = f"Figure {figure}: NMSE against rate (reference: MMSE floor of unquantized measurements)"
    return report(name, title, rows, options.json, [asdict(point) for point in points])


if __name__ == "__main__":
    sys.exit(main())
