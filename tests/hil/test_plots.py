"""What the plots draw, told to axes that only take notes."""

from collections.abc import Callable
from io import BytesIO
from typing import Any
from unittest.mock import MagicMock
from xml.etree import ElementTree as Xml

import numpy as np
import pytest

pytest.importorskip("matplotlib", reason="needs the extra 'report': pip install 'qcskit[report]'")
from qcskit.hil.report import plots


def drawn(plot: Callable[..., str], *data: Any, **more: Any) -> MagicMock:
    """The axes after a plot."""
    axes = MagicMock()
    plot.__wrapped__(axes, *data, **more)  # type: ignore[attr-defined]
    return axes


def test_a_segment_s_mismatches_stand_where_its_vectors_are() -> None:
    axes = drawn(plots.mismatch_map, [[0, 3], [4, 1]], 250, [0, 3, 0, 1000])
    (position, counts), options = axes.bar.call_args
    assert (position, counts, options["width"], options["align"]) == ([0, 1000], [3, 1], 250, "edge")
    assert axes.set_title.call_args.args == ("outputs: 1 (3), 3 (1,000)",)
    assert axes.set.call_args.kwargs == {"xlabel": "vector", "ylabel": "mismatches per 250 vectors"}
    assert drawn(plots.mismatch_map, [[0, 3]], 250, []).set_title.call_args.args == ("outputs: undecodable",)
    assert axes.xaxis.set_major_locator.called
    assert axes.yaxis.set_major_locator.called


def test_no_more_than_eight_outputs_are_named() -> None:
    title = drawn(plots.mismatch_map, [[0, 3]], 250, range(1, 10)).set_title.call_args.args[0]
    assert title == "outputs: 0 (1), 1 (2), 2 (3), 3 (4), 4 (5), 5 (6), 6 (7), 7 (8)"


def test_a_cumulative_curve_is_percent_of_all_encodes() -> None:
    axes = drawn(plots.cumulative, [0.5, 1.5, 2.5, 3.5], [1, 2, 1], unit="cycles")
    assert axes.stairs.call_args.args[0].tolist() == [25.0, 75.0, 100.0]
    assert axes.stairs.call_args.args[1] == [0.5, 1.5, 2.5, 3.5]
    assert axes.set.call_args.kwargs == {"xlabel": "cycles", "ylabel": "encodes at most this, %", "ylim": (0, 102)}
    assert not axes.set_title.called
    assert drawn(plots.cumulative, [0.5, 1.5], [0], unit="cycles").stairs.call_args.args[0].tolist() == [0.0]


@pytest.mark.parametrize(
    ("edges", "told"),
    [([0, 1, 2.5], False), ([0, 1, 2.6], True), ([0, 9], False), ([0, 2, 3.5, 6.5], False), ([0, 2, 3.5, 6.6], True)],
)
def test_a_bin_half_again_as_wide_as_the_first_is_no_tail(edges: list[float], told: bool) -> None:
    axes = drawn(plots.histogram, edges, [1] * (len(edges) - 1), unit="cycles", marks={})
    assert axes.set_title.called == told
    assert axes.stairs.call_args.args[1] == (edges[:-1] if told else edges)


def test_a_histogram_has_whole_ticks_and_names_its_marks() -> None:
    axes = drawn(plots.histogram, [0.5, 1.5], [3], unit="timer", marks={"p50": 1})
    assert axes.set.call_args.kwargs == {"xlabel": "timer", "ylabel": "encodes"}
    assert axes.xaxis.set_major_locator.called
    assert axes.yaxis.set_major_locator.called
    assert axes.legend.called
    bare = drawn(plots.histogram, [0.5, 1.5], [3], unit="timer", marks={"p50": 1.5})
    assert not bare.xaxis.set_major_locator.called
    assert not drawn(plots.histogram, [0.5, 1.5], [3], unit="timer", marks={}).legend.called


def test_a_tail_is_told_and_still_counts() -> None:
    """3 of 200 far out: the curve ends at 98.5 %."""
    bins = {"edges": [0.5, 1.5, 2.5, 9000.5], "counts": [97, 100, 3], "unit": "cycles"}
    axes = drawn(plots.cumulative, **bins)
    assert axes.stairs.call_args.args[0].tolist() == [48.5, 98.5]
    assert axes.stairs.call_args.args[1] == [0.5, 1.5, 2.5]
    assert axes.set_title.call_args.args == ("3 more, up to 9,000.5",)
    axes = drawn(plots.histogram, **bins, marks={"p50": 2, "p99": 8000})
    assert axes.stairs.call_args.args == ([97, 100], [0.5, 1.5, 2.5])
    assert [call.args[0] for call in axes.axvline.call_args_list] == [2, 8000]
    assert [call.kwargs["label"] for call in axes.axvline.call_args_list] == ["p50 2", "p99 8,000"]


def test_lines_leave_a_gap_where_there_is_no_value() -> None:
    axes = drawn(plots.lines, [0, 1, 2], {"a": [1.0, None, 3.0], "b": [4, 5, 6]}, "x", "y")
    (x, values, _), options = axes.plot.call_args_list[0]
    assert (x, options["label"]) == ([0, 1, 2], "a")
    assert np.array_equal(values, [1.0, np.nan, 3.0], equal_nan=True)
    assert axes.legend.called
    assert axes.set.call_args.kwargs == {"xlabel": "x", "ylabel": "y"}
    assert not drawn(plots.lines, [0], {"a": [1]}, "x", "y").legend.called


def test_points_of_codecs_are_joined_by_rate_and_exact_ones_stand_upright() -> None:
    axes = drawn(plots.pareto, {"a": [(2.0, -30.0), (1.0, -20.0)], "b": [(1.5, -9.0)]}, {"c": 4.5}, -50.0)
    joined = [(*call.args[:2], call.kwargs["label"]) for call in axes.plot.call_args_list]
    assert joined == [((1.0, 2.0), (-20.0, -30.0), "a"), ((1.5,), (-9.0,), "b")]
    assert (axes.axvline.call_args.args, axes.axhline.call_args.args) == ((4.5,), (-50.0,))
    assert axes.axvline.call_args.kwargs["label"] == "c, exact"
    assert axes.axhline.call_args.kwargs["label"] == "rounding of the converter"
    assert axes.set.call_args.kwargs == {"xlabel": "bits per sample, in whole bytes", "ylabel": "NMSE in dB"}
    looks = [(call.args[2], call.kwargs["color"]) for call in axes.plot.call_args_list]
    assert looks[0] != looks[1]
    assert axes.legend.called
    assert not drawn(plots.pareto, {"a": [(1.0, -20.0)]}, {}, None).axhline.called


def test_bars_bear_their_names_and_values() -> None:
    axes = drawn(plots.nmse_bars, {"float": -12.5, "deployed": -12.25, "left": -11.0})
    assert axes.barh.call_args.args == (["float", "deployed", "left"], [-12.5, -12.25, -11.0])
    assert axes.bar_label.call_args.kwargs["labels"] == ["-12.500 dB", "-12.250 dB", "-11.000 dB"]
    assert axes.set.call_args.kwargs == {"xlabel": "NMSE in dB (further left is better)", "xlim": (-12.5 * 1.05, 0.0)}
    assert axes.invert_yaxis.called  # the first one stands on top
    assert drawn(plots.nmse_bars, {"a": -0.5, "b": 2.0}).set.call_args.kwargs["xlim"] == (-1.05, 2.0)


def test_rate_and_cost_stand_beside_each_other() -> None:
    """What no other beats is a step of its own; a table without cost is one picture."""
    rate = {"a": [(1.0, -10.0), (2.0, -20.0)], "b": [(1.0, -9.0)]}
    cost = {"a": [(500.0, -10.0), (700.0, -20.0)], "b": [(0.0, -9.0)]}
    left, right = plots.rate_and_cost(rate, cost, [(0.0, -9.0), (500.0, -10.0)]).axes
    for axes, points in ((left, rate), (right, cost)):
        found = {str(line.get_label()): [tuple(xy) for xy in line.get_xydata()] for line in axes.lines[:2]}
        assert found == points
    assert [line.get_linestyle() for line in (*left.lines, *right.lines)] == ["-", "-", "None", "None", "-"]
    assert [line.get_color() for line in left.lines] == [line.get_color() for line in right.lines[:2]]
    front = right.lines[2]
    assert (front.get_label(), front.get_drawstyle()) == ("no other beats", "steps-post")
    assert [tuple(xy) for xy in front.get_xydata()] == [(0.0, -9.0), (500.0, -10.0)]
    assert (left.get_xlabel(), right.get_xlabel()) == (
        "bits per source entry", "multiplications per source vector",
    )  # fmt: skip
    assert left.get_ylabel() == "NMSE in dB (lower is better)"
    assert right.get_xscale() == "symlog"
    assert all(axes.get_legend() for axes in (left, right))
    assert len(plots.rate_and_cost(rate, {}, []).axes) == 1


def test_the_staircase_belongs_to_the_lower_level_at_a_threshold() -> None:
    """Cells are (t, t']; a soft curve of great steepness is the staircase."""
    axes = drawn(plots.quantizer_curve, [-0.5, 0.5], [-1.0, 0.0, 1.0], [1.0, 1e6])
    soft, (a, hard) = axes.plot.call_args_list[1].args[1], axes.plot.call_args_list[2].args
    assert hard.tolist() == [-1.0 if value <= -0.5 else 0.0 if value <= 0.5 else 1.0 for value in a]
    assert np.allclose(soft, hard, atol=1e-6)
    assert axes.plot.call_args_list[0].kwargs["label"] == "soft, h = 1"
    assert axes.plot.call_args_list[2].kwargs["label"] == "hard"
    assert (a[0], a[-1]) == (-1.2, 1.2)
    assert axes.set.call_args.kwargs == {"xlabel": "EncNet output a", "ylabel": "quantized"}
    assert axes.legend.called


def test_a_source_stands_beside_its_estimate() -> None:
    """Samples of a signal are joined; entries of a sparse vector stand upright."""
    joined = drawn(plots.reconstruction, [1.0, 0.0], [0.5, 0.25], "mV", True)
    (n, x, *_), (_, x_hat, *_) = (call.args for call in joined.plot.call_args_list)
    assert (list(n), x, x_hat) == ([0, 1], [1.0, 0.0], [0.5, 0.25])
    assert joined.set.call_args.kwargs == {"xlabel": "sample", "ylabel": "mV"}
    apart = drawn(plots.reconstruction, [1.0, 0.0], [0.5, 0.25], "", False)
    assert apart.vlines.call_args.args[1:] == (0, [1.0, 0.0])
    assert apart.plot.call_args.args[1:] == ([0.5, 0.25], "o")
    assert [len(axes.plot.call_args_list) for axes in (joined, apart)] == [2, 1]
    for axes, called in ((joined, joined.plot.call_args_list), (apart, [apart.vlines.call_args, apart.plot.call_args])):
        assert [call.kwargs["label"] for call in called] == ["source x", "decoded x̂"]
        assert axes.legend.called
        assert axes.xaxis.set_major_locator.called
    assert apart.set.call_args.kwargs == {"xlabel": "entry", "ylabel": "own units"}


@pytest.mark.parametrize(("values", "whole"), [([1.0, None, 30.0], True), ([1.0, 2.5], False)])
def test_counts_have_whole_ticks(values: list[float | None], whole: bool) -> None:
    axes = drawn(plots.lines, [0, 1, 2], {"a": values}, "x", "y")
    assert axes.yaxis.set_major_locator.called == whole


def test_a_picture_takes_the_colour_of_the_text_around_it() -> None:
    svg = plots.nmse_bars({"float": -3.0})
    assert plots.INK not in svg
    assert "currentColor" in svg
    assert "fill: #ffffff" not in svg.split("</defs>")[0]


def test_labels_are_text_and_no_formulas() -> None:
    """An odd formula would not even be drawn; what acts on a terminal or is no XML is an escape."""
    svg = plots.nmse_bars({"$\\frac{$ <b>": -3.0, "a\x00\x1b[31m": -4.0})
    assert "$\\frac{$ &lt;b&gt;" in svg
    assert "a\\x00\\x1b[31m" in svg
    Xml.fromstring(svg)


@pytest.mark.parametrize(("suffix", "begins"), [(".png", b"\x89PNG"), (".svg", b"<?xml"), (".html", b"<svg")])
def test_a_figure_is_saved_in_the_form_that_its_name_ends_in(suffix: str, begins: bytes) -> None:
    figure = plots.Figure(figsize=(2, 1))
    figure.subplots().plot([1, 2])
    plots.save(figure, out := BytesIO(), suffix)
    assert out.getvalue().startswith(begins)
