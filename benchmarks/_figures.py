"""What the rate-distortion figures share: sources of each figure, curves over rates, trained bundles, drawing."""

import argparse
import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rows import Row

from qcskit.codec.bundle import read_bundle
from qcskit.codec.classical import make
from qcskit.codec.classical.codecs import GenieCodec, Method
from qcskit.codec.classical.config import VECTOR_NAMES
from qcskit.codec.codecs import load_codec
from qcskit.codec.errors import QcsError
from qcskit.codec.files import write_file
from qcskit.codec.interface import Codec
from qcskit.codec.learned.bundle import Facts
from qcskit.codec.metrics import nmse_db
from qcskit.codec.signal import SignalConfig, draw_frames

Array = NDArray[np.float64]
TEST_SEED = 990_001
"""Test frames; training and fitting never draw with this seed."""

SOURCES = {
    "3": SignalConfig(n=20, m=10, s=2),
    "4a": SignalConfig(n=20, m=10, s=2),
    "4b": SignalConfig(n=30, m=15, s=3),
    "4c": SignalConfig(n=60, m=30, s=6),
    "4d": SignalConfig(n=80, m=40, s=8),
    "5": SignalConfig(n=7, m=4, s=1, noise_variance=0.01),
}
"""Source of each figure of the DeepQCS paper, section V."""

MARKERS = "osv^Dx+<>p*"
CYCLES = ("-", "--", ":")
"""Line styles, one for every ten curves, as colours repeat after ten."""
BESIDE_CURVES = 12
"""More curves than these: the legend stands beside the plot."""
LINE_INCHES = 0.2
"""What a curve of such a legend takes."""


@dataclass(frozen=True)
class Point:
    """One measured point of a curve. seconds: wall time of fitting and testing it; note: tuning, or what limits it.

    frames: test frames; standard_error_db: of the NMSE over them. runs: of a trained point, as
    `_sweeps.record` gives it.
    """

    curve: str
    rate_bits: float
    nmse_db: float | None
    seconds: float | None = None
    note: str = ""
    target_db: float | None = None
    frames: int | None = None
    standard_error_db: float | None = None
    key: str = ""
    """All that the point depends on; a point with the same key need not be measured again."""
    runs: list[dict[str, Any]] = field(default_factory=list)

    def row(self, floor_db: float | None) -> Row:
        """The point as a benchmark row; the reference is the MMSE floor of the same run."""
        meets = None if self.target_db is None or self.nmse_db is None else self.nmse_db <= self.target_db
        seconds = "" if self.seconds is None else f"; {self.seconds:.1f} s"
        return Row(f"{self.curve} R={self.rate_bits:.3f}", "NMSE", self.nmse_db, "dB", floor_db, self.target_db, meets,
                   self.note + seconds)  # fmt: skip


def parse(description: str, figures: Sequence[str] = ()) -> argparse.Namespace:
    """Return --quick, --json, --out, --bundles and, where there are several, --figure."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--quick", action="store_true", help="a few minutes: fewer rates and frames")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows here")
    parser.add_argument("--out", type=Path, metavar="DIR", help="write the figure here as SVG and PNG")
    more = "a trained bundle, or a folder of them: their curves join the figure; repeatable"
    parser.add_argument("--bundles", type=Path, action="append", default=[], metavar="DIR", help=more)
    if figures:
        sweep = "folder that 'qcskit sweep' wrote, LABEL=DIR names its curves: they join the figure; repeatable"
        parser.add_argument("--sweep", action="append", default=[], metavar="[LABEL=]DIR", help=sweep)
        reuse = "JSON of an earlier run: points of the same configuration are taken from it; repeatable"
        parser.add_argument("--reuse", type=Path, action="append", default=[], metavar="FILE", help=reuse)
        parser.add_argument("--figure", choices=figures, default=figures[0], help=f"default {figures[0]}")
        trained = "train the figure's curves too; table and runs go here, a broken run goes on"
        parser.add_argument("--train", type=Path, metavar="DIR", help=trained)
        parser.add_argument("--recipe", default="fast", help="with --train: fast, best or paper; default fast")
        only = "with --train: this curve alone; repeatable"
        parser.add_argument("--only", action="append", default=[], metavar="CURVE", help=only)
        parser.add_argument("--length", type=float, default=1.0, help="with --train: multiplies the recipe's steps")
        parser.add_argument("--workers", type=int, default=1, help="with --train: processes")
    return parser.parse_args()


def evaluate(codec: Codec | Method, x: Array, y: Array) -> float:
    """Return the NMSE in dB of one codec on test frames; a genie-aided one sees x."""
    return nmse_db(x, _estimates(codec, x, y))


def _estimates(codec: Codec | Method, x: Array, y: Array) -> Array:
    packed = codec.encode(y)
    return codec.decode_with_source(packed, x) if isinstance(codec, GenieCodec) else codec.decode(packed)


def standard_error_db(x: Array, x_hat: Array) -> float:
    """Return the standard error of the pooled NMSE in dB: that of a ratio of sums over frames."""
    error, energy = ((x - x_hat) ** 2).sum(axis=1), (x**2).sum(axis=1)
    ratio = error.sum() / energy.sum()
    spread = np.sqrt(np.sum((error - ratio * energy) ** 2)) / energy.sum()
    return float(10 / np.log(10) * spread / ratio)


@dataclass(frozen=True)
class Task:
    """A classical codec to fit and test: its curve's name, what `make` takes, and how many test frames.

    signal: another source than the figure's, for codecs that send more measurements or fewer.
    """

    name: str
    levels: int
    frames: int
    options: tuple[tuple[str, float | str], ...] = ()
    label: str = ""
    target_db: float | None = None
    signal: SignalConfig | None = None

    def key(self, signal: SignalConfig) -> str:
        """Return all that the task's point depends on, as text."""
        return key_of(
            self.signal or signal, codec=self.name, levels=self.levels, frames=self.frames, **dict(self.options)
        )


def key_of(signal: SignalConfig, **facts: object) -> str:
    """Return the key of a point: source and facts as JSON, sorted."""
    return json.dumps({**facts, "signal": signal.model_dump(mode="json")}, sort_keys=True)


def read_points(files: Iterable[Path]) -> dict[str, Point]:
    """Return the points of earlier runs' JSON files by their key; trained ones, which have none, by curve and rate.

    Raises QcsError if a file is missing or was not written by this benchmark.
    """
    points = {}
    for file in files:
        try:
            curves = json.loads(file.read_text(encoding="utf-8"))["curves"]
            found = [Point(**point) for point in curves]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise QcsError(f"--reuse '{file}' is not a JSON file of this benchmark ({error!r})") from None
        kept = [replace(point, key=_key_now(point.key)) if point.key else point for point in found]
        points |= {point.key or f"{point.curve} R={point.rate_bits:g}": point for point in kept}
    return points


def _key_now(key: str) -> str:
    """Return an earlier run's key as it is written today: with the keys that [signal] has got since."""
    facts, end = json.JSONDecoder().raw_decode(key)
    signal = SignalConfig.model_construct(**facts.pop("signal"))  # signs may be more than n: not validated
    return key_of(signal, **facts) + key[end:]


def classical_points(
    tasks: Iterable[Task], signal: SignalConfig, title: str, known: Mapping[str, Point],
    measured: Callable[[Point], None],
) -> list[Point]:  # fmt: skip
    """Fit and test every task that is not known, with a progress bar on stderr; call measured(point) after each.

    A refusal becomes a point without a value.
    """
    work = list(tasks)
    x, y = draw_frames(signal, max(task.frames for task in work), TEST_SEED)
    points = []
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        bar = progress.add_task(title, total=len(work))
        for task in work:
            progress.update(bar, description=f"{title}: {task.label or task.name} {task.levels}")
            key, label = task.key(signal), task.label or task.name
            if key in known:
                points.append(replace(known[key], curve=label, target_db=task.target_db))
            else:
                points.append(_point(task, signal, x[: task.frames], y[: task.frames]))
                measured(points[-1])
            progress.advance(bar)
    return points


def _point(task: Task, signal: SignalConfig, x: Array, y: Array) -> Point:
    label, start = task.label or task.name, time.perf_counter()
    if task.signal is not None:
        signal = task.signal
        x, y = draw_frames(signal, task.frames, TEST_SEED)
    try:
        codec = make(task.name, signal, task.levels, **dict(task.options))  # type: ignore[arg-type]
    except QcsError as error:
        symbols = 1 if task.name in VECTOR_NAMES else signal.m
        return Point(label, symbols * float(np.log2(task.levels)) / signal.n, None, note=str(error))
    x_hat = _estimates(codec, x, y)
    reached, deviation = nmse_db(x, x_hat), standard_error_db(x, x_hat)
    tuned = [f"{key} {value:.3g}" for key, value in getattr(codec, "tuning", {}).items()]
    note = ", ".join([f"± {deviation:.2f} dB", *tuned])
    seconds = round(time.perf_counter() - start, 1)
    return Point(label, codec.rate_bits, reached, seconds, note, task.target_db, len(x), deviation, task.key(signal))


def bundle_points(folders: Sequence[Path], signal: SignalConfig, frames: int) -> list[Point]:
    """Return a point per bundle in `folders` that was trained for `signal`, its curve named by the variant."""
    if not folders:
        return []
    x, y = draw_frames(signal, frames, TEST_SEED)
    points = []
    for path in find_bundles(folders):
        bundle = read_bundle(path)
        source, facts = bundle.manifest.signal, bundle.manifest.codec
        same = (source.n, source.m, source.s, source.noise_variance) == (
            signal.n, signal.m, signal.s, signal.noise_variance,
        )  # fmt: skip
        if not same or not isinstance(facts, Facts):
            continue
        codec = load_codec(bundle)
        variant = str(facts.training.get("variant") or "deepqcs")
        steps = facts.training.get("steps", "unknown")
        label, note = f"{variant} {facts.arithmetic}", f"{path.name}, {steps} steps"
        points.append(Point(label, codec.rate_bits, evaluate(codec, x, y), note=note))
    return sorted(points, key=lambda point: (point.curve, point.rate_bits))


def find_bundles(folders: Sequence[Path]) -> list[Path]:
    """Return every bundle among and directly below `folders`. Raises QcsError if a folder does not exist."""
    found = []
    for folder in folders:
        if not folder.is_dir():
            raise QcsError(f"--bundles '{folder}' is not a directory")
        if (folder / "manifest.json").is_file():
            found.append(folder)
        else:
            found += sorted(path.parent for path in folder.glob("*/manifest.json"))
    return found


def draw(
    out: Path, name: str, title: str, points: Sequence[Point], limits: Sequence[tuple[str, float]] = ()
) -> list[Path]:
    """Write the curves of `points` and horizontal `limits` (label, dB) as SVG and PNG; return the paths."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams.update(
        {"svg.hashsalt": name, "font.size": 9, "axes.spines.top": False, "axes.spines.right": False}
    )
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7.5, 5.0), layout="constrained")
    for number, curve in enumerate(dict.fromkeys(point.curve for point in points)):
        own = sorted((p.rate_bits, p.nmse_db) for p in points if p.curve == curve and p.nmse_db is not None)
        if own:
            limit = "remote RDF" in curve
            style = ":" if "lower" in curve else "--" if limit else CYCLES[number // 10 % len(CYCLES)]
            marker, color = ("", "black") if limit else (MARKERS[number % len(MARKERS)], f"C{number % 10}")
            axes.plot(*zip(*own, strict=True), style, marker=marker, ms=4, lw=1.2, color=color, label=curve)
    for label, level in limits:
        axes.axhline(level, color="black", lw=0.8, ls=":")
        axes.annotate(label, (1.0, level), xycoords=("axes fraction", "data"), ha="right", va="bottom", fontsize=8)
    axes.set(xlabel="rate R (bits per source entry)", ylabel="NMSE (dB)", title=title)
    axes.grid(visible=True, lw=0.3)
    if len(axes.lines) > BESIDE_CURVES:
        figure.set_size_inches(11.5, max(5.0, LINE_INCHES * len(axes.lines)))
        figure.legend(fontsize=8, loc="outside right upper", frameon=False)
    else:
        axes.legend(fontsize=8, ncols=2)
    paths = [out / f"{name}.svg", out / f"{name}.png"]
    for path in paths:
        write_file(path, _saver(figure, path.suffix[1:]))
    pyplot.close(figure)
    return paths


def _saver(figure: object, kind: str) -> Callable[[BinaryIO], None]:
    meta = {"Date": None} if kind == "svg" else {"Software": None}
    return lambda file: figure.savefig(file, format=kind, dpi=150, metadata=meta)  # type: ignore[attr-defined]
