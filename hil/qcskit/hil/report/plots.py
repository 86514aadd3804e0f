"""Plots as inline SVG text. Every function takes plain data and returns one `<svg>` element.

Output depends on the data alone: fixed ids, no dates.
"""

from collections.abc import Callable, Sequence
from io import StringIO
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

BLUE, ORANGE, GREEN, GREY = "#1f6fb4", "#d9730d", "#2a8f5b", "#8a8f98"
_STYLE = {
    "svg.hashsalt": "qcskit", "svg.fonttype": "none", "font.size": 9, "font.family": "sans-serif",
    "axes.spines.top": False, "axes.spines.right": False, "axes.grid": True, "grid.color": "#e6e8eb",
    "axes.axisbelow": True, "legend.frameon": False,
}  # fmt: skip


def _svg(draw: Callable[[Any], None], width: float = 5.2, height: float = 3.0) -> str:
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(width, height), layout="constrained")
        draw(figure.add_subplot())
        out = StringIO()
        figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    text = out.getvalue()
    return text[text.index("<svg") :]


def training_curve(history: dict[str, list[float]]) -> str:
    """Return soft (training) and hard (validation) NMSE over steps. history: step, soft_db, hard_db of equal length."""

    def draw(axes: Any) -> None:
        axes.plot(history["step"], history["soft_db"], color=GREY, lw=1.2, label="soft quantizer (training)")
        axes.plot(history["step"], history["hard_db"], color=BLUE, lw=1.6, label="hard quantizer (validation)")
        axes.set(xlabel="step", ylabel="NMSE in dB")
        axes.legend()

    return _svg(draw)


def quantizer_curve(thresholds: Sequence[float], levels: Sequence[float], steepness: Sequence[float]) -> str:
    """Return the SHQ at the given steepness values against the hard staircase it becomes."""
    t, g = np.asarray(thresholds), np.asarray(levels)
    v = np.diff(g) / 2.0
    a = np.linspace(-1.2, 1.2, 1200)

    def draw(axes: Any) -> None:
        shades = np.linspace(0.35, 0.85, len(steepness))
        for h, alpha in zip(steepness, shades, strict=True):
            soft = (g[0] + g[-1]) / 2 + (v * np.tanh(h * (a[:, None] - t))).sum(-1)
            axes.plot(a, soft, color=ORANGE, alpha=alpha, lw=1.2, label=f"soft, h = {h:g}")
        axes.plot(a, g[np.searchsorted(t, a, side="right")], color=BLUE, lw=1.6, label="hard")
        axes.set(xlabel="EncNet output a", ylabel="quantized")
        axes.legend()

    return _svg(draw)


def nmse_bars(values: Sequence[tuple[str, float]]) -> str:
    """Return one bar per (name, NMSE in dB), the value beside it."""

    def draw(axes: Any) -> None:
        names = [name for name, _ in values]
        numbers = [value for _, value in values]
        bars = axes.barh(names, numbers, color=[GREY, BLUE, GREEN, ORANGE][: len(values)] or BLUE, height=0.55)
        axes.bar_label(bars, labels=[f"{number:.3f} dB" for number in numbers], padding=4)
        axes.invert_yaxis()
        axes.set(xlabel="NMSE in dB (further left is better)", xlim=(min(numbers) * 1.25, 0))

    return _svg(draw, height=0.8 + 0.5 * max(1, len(values)))


def reconstructions(x: NDArray[np.floating[Any]], x_hat: NDArray[np.floating[Any]]) -> str:
    """Return source and estimate of a few vectors, stacked. Both (vectors, N)."""

    def draw(axes: Any) -> None:
        gap = 2.2 * max(1e-9, float(np.abs(x).max()))
        n = np.arange(x.shape[1])
        for row, (source, estimate) in enumerate(zip(x, x_hat, strict=True)):
            base = -gap * row
            axes.axhline(base, color="#d0d4d9", lw=0.8)
            axes.vlines(n, base, base + source, color=GREY, lw=4, alpha=0.6, label=None if row else "source x")
            axes.plot(n, base + estimate, "o", color=BLUE, ms=3.2, label=None if row else "decoded x̂")
        axes.set(xlabel="entry", yticks=[-gap * row for row in range(len(x))])
        axes.set_yticklabels([f"vector {row}" for row in range(len(x))])
        axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))

    return _svg(draw, width=11.0, height=0.9 + 0.6 * len(x))


def histogram(edges: Sequence[float], counts: Sequence[int], unit: str, marks: dict[str, float]) -> str:
    """Return a histogram with vertical marks (name → position); a wide last bin (the tail) is told in words."""
    edges, counts, tail = _without_tail(edges, counts)

    def draw(axes: Any) -> None:
        axes.stairs(counts, edges, fill=True, color=BLUE, alpha=0.75)
        if tail:
            axes.set_title(tail, fontsize=8, loc="right", color=GREY)
        for (name, position), style in zip(marks.items(), ("-", "--", ":"), strict=False):
            axes.axvline(position, color=ORANGE, ls=style, lw=1.2, label=f"{name} {position:,.6g}")
        axes.set(xlabel=unit, ylabel="encodes")
        if marks:
            axes.legend()

    return _svg(draw)


def cumulative(edges: Sequence[float], counts: Sequence[int], unit: str) -> str:
    """Return the cumulative distribution of a histogram, in percent."""
    total = max(1, sum(counts))
    inner, shown, tail = _without_tail(edges, counts)

    def draw(axes: Any) -> None:
        axes.stairs(100.0 * np.cumsum(shown) / total, inner, color=BLUE, lw=1.4, baseline=None)
        if tail:
            axes.set_title(tail, fontsize=8, loc="right", color=GREY)
        axes.set(xlabel=unit, ylabel="encodes at most this, %", ylim=(0, 102))

    return _svg(draw)


def _without_tail(edges: Sequence[float], counts: Sequence[int]) -> tuple[Sequence[float], Sequence[int], str]:
    """Return the equal bins, and words for a last bin that is wider: the few values far out would flatten the rest."""
    if len(edges) < 3 or edges[-1] - edges[-2] <= 1.5 * (edges[1] - edges[0]):
        return edges, counts, ""
    return edges[:-1], counts[:-1], f"{counts[-1]:,} more, up to {edges[-1]:,.6g}"


def mismatch_map(segments: Sequence[Sequence[int]], segment_vectors: int, per_output: Sequence[int]) -> str:
    """Return where in the run vectors differ (counts per segment), and in which outputs."""

    def draw(axes: Any) -> None:
        position = [segment * segment_vectors for segment, _ in segments]
        axes.bar(position, [count for _, count in segments], width=segment_vectors, align="edge", color=ORANGE)
        outputs = [f"{number} ({count:,})" for number, count in enumerate(per_output) if count]
        axes.set_title(f"outputs: {', '.join(outputs[:8]) or 'undecodable'}", fontsize=8, loc="right", color=GREY)
        axes.set(xlabel="vector", ylabel=f"mismatches per {segment_vectors:,} vectors")

    return _svg(draw)


def over_time(t_s: Sequence[float], series: dict[str, Sequence[float]]) -> str:
    """Return counters over the seconds of a run."""

    def draw(axes: Any) -> None:
        for (name, values), color in zip(series.items(), (BLUE, ORANGE, GREEN), strict=False):
            axes.plot(t_s, values, color=color, lw=1.3, label=name)
        axes.set(xlabel="time in s", ylabel="count")
        axes.legend()

    return _svg(draw)


def nmse_per_segment(values: Sequence[float | None], segment_vectors: int) -> str:
    """Return the device's NMSE over the run, one point per segment of vectors."""

    def draw(axes: Any) -> None:
        x = np.arange(len(values)) * segment_vectors
        axes.plot(x, [np.nan if value is None else value for value in values], ".-", color=BLUE, lw=0.8, ms=3)
        axes.set(xlabel="vector", ylabel="NMSE in dB")

    return _svg(draw)
