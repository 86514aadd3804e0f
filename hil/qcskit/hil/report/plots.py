"""Plots as inline SVG: every function takes plain data, without the axes, and returns the text of one `<svg>` element.

Output depends on the data alone: fixed ids, no dates.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import wraps
from io import StringIO
from itertools import cycle, product
from typing import Any, Concatenate, ParamSpec

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from qcskit.codec.foreign import printable

BLUE, ORANGE, GREEN, GREY = COLOURS = "#3480c8", "#d9730d", "#2a8f5b", "#8a8f98"
INK = "#1c2126"
"""Of text and axes; in a page it is the colour of the text around."""
_STYLE = {
    "svg.hashsalt": "qcskit", "svg.fonttype": "none", "font.size": 9, "font.family": "sans-serif",
    "axes.spines.top": False, "axes.spines.right": False, "axes.grid": True, "grid.color": INK, "grid.alpha": 0.15,
    "axes.axisbelow": True, "legend.frameon": False, "text.parse_math": False, "text.usetex": False,
    "axes.facecolor": "none", "savefig.facecolor": "none", "text.color": INK, "axes.edgecolor": INK,
    "axes.labelcolor": INK, "xtick.color": INK, "ytick.color": INK,
}  # fmt: skip


P = ParamSpec("P")
Numbers = Sequence[float]
Curves = Mapping[str, Sequence[float | None]]
Curves2 = Mapping[str, Sequence[tuple[float, float]]]


def _plot(draw: Callable[Concatenate[Any, P], None]) -> Callable[P, str]:
    """Turn a function that draws on axes into one that returns SVG text; labels are text, no formulas."""

    @wraps(draw)
    def svg(*data: P.args, **more: P.kwargs) -> str:
        with mpl.rc_context(_STYLE):
            figure = Figure(figsize=(4.6, 2.9), layout="constrained")
            draw(figure.add_subplot(), *data, **more)
            out = StringIO()
            figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
        text = out.getvalue().replace(INK, "currentColor")
        return printable(text[text.index("<svg") :], keep="\n")

    return svg


@_plot
def lines(axes: Any, x: Numbers, curves: Curves, xlabel: str, ylabel: str, style: str = "-") -> None:
    """Draw curves (name → values) over x; None leaves a gap."""
    for (name, values), color in zip(curves.items(), (BLUE, ORANGE, GREEN), strict=False):
        axes.plot(x, np.asarray(values, np.float64), style, color=color, lw=1.3, ms=3, label=name)
    axes.set(xlabel=xlabel, ylabel=ylabel)
    _whole(axes.yaxis, [value for values in curves.values() for value in values])
    if len(curves) > 1:
        axes.legend()


@_plot
def pareto(
    axes: Any, curves: Mapping[str, Sequence[tuple[float, float]]], exact: Mapping[str, float], floor_db: float | None
) -> None:
    """Draw NMSE in dB over bits per sample of codecs, name → points; what is exact at so many bits; a floor."""
    styles = cycle(product(("o-", "s--", "^:"), (BLUE, ORANGE, GREEN, GREY)))
    for (name, points), (style, color) in zip(curves.items(), styles, strict=False):
        bits, levels = zip(*sorted(points), strict=True)
        axes.plot(bits, levels, style, color=color, lw=1.2, ms=3, label=name)
    for name, place in exact.items():
        axes.axvline(place, color=GREY, ls="-.", lw=1.0, label=f"{name}, exact")
    if floor_db is not None:
        axes.axhline(floor_db, color=GREY, ls=":", lw=1.0, label="rounding of the converter")
    axes.set(xlabel="bits per sample, in whole bytes", ylabel="NMSE in dB")
    axes.legend(fontsize=6, loc="upper left", bbox_to_anchor=(1.0, 1.0))


def rate_and_cost(rate: Curves2, cost: Curves2, front: Sequence[tuple[float, float]]) -> Figure:
    """Return NMSE in dB over bits per entry, and over multiplications per source vector, of methods, name → points.

    front: the points of `cost` that no other beats.
    """
    with style():
        both = 1 + bool(cost)  # a table of old holds no cost
        figure = Figure(figsize=(4.5 * both, 3.6), layout="constrained")
        over_rate, *rest = np.ravel(figure.subplots(1, both))
        looks = dict(zip({**rate, **cost}, cycle(product(("o-", "s--", "^:"), COLOURS)), strict=False))
        for axes, curves, joined in ((over_rate, rate, True), *((axes, cost, False) for axes in rest)):
            for name, points in curves.items():
                look, color = looks[name]
                shape = look if joined else look[0]
                axes.plot(*zip(*points, strict=True), shape, color=color, lw=1.2, ms=4, label=name)
        for axes in rest:
            axes.step(*zip(*front, strict=True), where="post", color=GREY, lw=1.0, label="no other beats")
            axes.set(xlabel="multiplications per source vector", title="cost of the encoder and distortion")
            axes.set_xscale("symlog", linthresh=10)
            axes.legend(fontsize=7)
        over_rate.set(xlabel="bits per source entry", ylabel="NMSE in dB (lower is better)", title="rate, distortion")
        over_rate.legend(fontsize=7)
    return figure


def style() -> Any:
    """Return the context in which everything is drawn."""
    return mpl.rc_context(_STYLE)


def save(figure: Figure, out: Any, suffix: str) -> None:
    """Write a figure into an open binary file: .png, .svg, or for .html the `<svg>` alone."""
    if suffix == ".png":
        figure.savefig(out, format="png", dpi=160)
        return
    text = StringIO()
    figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None})
    svg = text.getvalue()
    out.write(printable(svg[svg.index("<svg") :] if suffix == ".html" else svg, keep="\n").encode())


@_plot
def quantizer_curve(axes: Any, thresholds: Numbers, levels: Numbers, steepness: Numbers) -> None:
    """Draw the SHQ at the given steepness values against the hard staircase it becomes."""
    t, g, a = np.asarray(thresholds), np.asarray(levels), np.linspace(-1.2, 1.2, 1200)
    for h, alpha in zip(steepness, np.linspace(0.35, 0.85, len(steepness)), strict=True):
        soft = (g[0] + g[-1]) / 2 + (np.diff(g) / 2.0 * np.tanh(h * (a[:, None] - t))).sum(-1)
        axes.plot(a, soft, color=ORANGE, alpha=alpha, lw=1.2, label=f"soft, h = {h:g}")
    axes.plot(a, g[np.searchsorted(t, a, side="left")], color=BLUE, lw=1.6, label="hard")
    axes.set(xlabel="EncNet output a", ylabel="quantized")
    axes.legend()


@_plot
def nmse_bars(axes: Any, values: dict[str, float]) -> None:
    """Draw one bar per name → NMSE in dB, the value beside it."""
    numbers = list(values.values())
    bars = axes.barh(list(values), numbers, color=[GREY, BLUE, GREEN, ORANGE][: len(values)] or BLUE, height=0.55)
    axes.bar_label(bars, labels=[f"{number:.3f} dB" for number in numbers], label_type="center", color="white")
    axes.invert_yaxis()
    axes.set(xlabel="NMSE in dB (further left is better)", xlim=(min(*numbers, -1.0) * 1.05, max(*numbers, 0.0)))
    axes.figure.set_size_inches(4.6, 0.8 + 0.5 * len(values))


@_plot
def reconstruction(axes: Any, x: Numbers, x_hat: Numbers, unit: str, joined: bool) -> None:
    """Draw a source vector and its estimate (N each), in units. joined: as a line, for samples of a signal."""
    n = np.arange(len(x))
    if joined:
        axes.plot(n, x, "-", color=GREY, lw=3.5, alpha=0.7, label="source x")
        axes.plot(n, x_hat, ".-", color=BLUE, lw=1.3, ms=5, label="decoded x̂")
    else:
        axes.axhline(0, color=GREY, lw=0.8)
        axes.vlines(n, 0, x, color=GREY, lw=5, alpha=0.7, label="source x")
        axes.plot(n, x_hat, "o", color=BLUE, ms=4, label="decoded x̂")
    axes.set(xlabel="sample" if joined else "entry", ylabel=unit or "own units")
    _whole(axes.xaxis, [])
    axes.legend()


@_plot
def histogram(axes: Any, edges: Numbers, counts: Sequence[int], unit: str, marks: dict[str, float]) -> None:
    """Draw a histogram with vertical marks (name → position); a wide last bin (the tail) is told in words."""
    edges, counts = _without_tail(axes, edges, counts)
    axes.stairs(counts, edges, fill=True, color=BLUE, alpha=0.75)
    _whole(axes.yaxis, counts)
    _whole(axes.xaxis, marks.values())
    for (name, position), style in zip(marks.items(), ("-", "--", ":"), strict=False):
        axes.axvline(position, color=ORANGE, ls=style, lw=1.2, label=f"{name} {position:,.6g}")
    axes.set(xlabel=unit, ylabel="encodes")
    if marks:
        axes.legend()


@_plot
def cumulative(axes: Any, edges: Numbers, counts: Sequence[int], unit: str) -> None:
    """Draw the cumulative distribution of a histogram, in percent."""
    total = max(1, sum(counts))
    edges, counts = _without_tail(axes, edges, counts)
    axes.stairs(100.0 * np.cumsum(counts) / total, edges, color=BLUE, lw=1.4, baseline=None)
    axes.set(xlabel=unit, ylabel="encodes at most this, %", ylim=(0, 102))


def _without_tail(axes: Any, edges: Numbers, counts: Sequence[int]) -> tuple[Numbers, Sequence[int]]:
    """Return the equal bins; tell a last bin that is wider in words: the few values far out would flatten the rest."""
    if len(edges) < 3 or edges[-1] - edges[-2] <= 1.5 * (edges[1] - edges[0]):
        return edges, counts
    _note(axes, f"{counts[-1]:,} more, up to {edges[-1]:,.6g}")
    return edges[:-1], counts[:-1]


def _whole(axis: Any, values: Iterable[float | None]) -> None:
    """Let an axis on which all values are whole numbers have whole ticks alone."""
    if all(value is None or float(value).is_integer() for value in values):
        axis.set_major_locator(MaxNLocator(nbins=6, integer=True))


def _note(axes: Any, text: str) -> None:
    axes.set_title(text, fontsize=8, loc="right", color=GREY)


@_plot
def mismatch_map(axes: Any, segments: Sequence[Sequence[int]], segment_vectors: int, per_output: Sequence[int]) -> None:
    """Draw where in the run vectors differ (counts per segment), and in which outputs."""
    position = [segment * segment_vectors for segment, _ in segments]
    axes.bar(position, [count for _, count in segments], width=segment_vectors, align="edge", color=ORANGE)
    outputs = [f"{number} ({count:,})" for number, count in enumerate(per_output) if count]
    _note(axes, f"outputs: {', '.join(outputs[:8]) or 'undecodable'}")
    _whole(axes.yaxis, [])
    _whole(axes.xaxis, [])
    axes.set(xlabel="vector", ylabel=f"mismatches per {segment_vectors:,} vectors")
