"""Quantiles and histograms by hand and against NumPy; the points of a link over time."""

import numpy as np
import pytest

from qcskit.hil.distribution import Distribution, LinkSeries


def test_distributions_against_numpy() -> None:
    rng = np.random.default_rng(1)
    values = rng.lognormal(9, 1.5, 200_000).astype(np.int64)
    exact, rounded = Distribution(distinct=10**6), Distribution(distinct=100)
    for part in np.array_split(values, 17):
        exact.add(part)
        rounded.add(part)
    for p in (0.5, 0.95, 0.99):
        wanted = np.quantile(values, p, method="inverted_cdf")
        assert exact.quantile(p) == wanted
        assert rounded.quantile(p) == pytest.approx(wanted, rel=0.01)
    summary = rounded.summary()
    assert summary is not None
    assert (summary["min"], summary["max"], summary["count"]) == (values.min(), values.max(), 200_000)
    histogram = summary["histogram"]
    assert sum(histogram["counts"]) == 200_000
    assert len(histogram["edges"]) == len(histogram["counts"]) + 1 <= 82


def of(values: object, **options: int) -> Distribution:
    made = Distribution(**options)
    made.add(values)  # type: ignore[arg-type]
    return made


@pytest.mark.parametrize(
    ("values", "p50", "p95", "p99"),
    [
        ([7], 7, 7, 7),
        ([1, 2], 1, 2, 2),  # half of all do not exceed 1
        ([3, 1, 2], 2, 3, 3),
        (range(1, 101), 50, 95, 99),
        (range(1, 102), 51, 96, 100),
        ([5] * 95 + [9] * 5, 5, 5, 9),
        ([5] * 94 + [9] * 6, 5, 9, 9),
        ([0, 0, 0], 0, 0, 0),
    ],
)
def test_quantiles_by_hand(values: list[int], p50: int, p95: int, p99: int) -> None:
    summary = of(values).summary()
    assert summary is not None
    assert (summary["p50"], summary["p95"], summary["p99"]) == (p50, p95, p99)


def test_a_summary_by_hand() -> None:
    summary = of([[5, 2], [2, 1]]).summary()
    assert summary == {
        "count": 4, "min": 1, "mean": 2.5, "p50": 2, "p95": 5, "p99": 5, "max": 5,
        "histogram": {"edges": [0.5, 1.5, 2.5, 3.5, 4.5, 5.5], "counts": [1, 2, 0, 0, 1]},
    }  # fmt: skip
    assert of([1, 1, 2]).summary()["mean"] == 1.333  # type: ignore[index]
    assert of([]).summary() is None
    with pytest.raises(ValueError, match="empty distribution"):
        of([]).quantile(0.5)


def test_the_few_far_out_are_one_bin() -> None:
    """Beyond the 99.5 % quantile: 4 of 1000 values."""
    assert of([3] * 996 + [1000] * 4).histogram() == {"edges": [2.5, 3.5, 1000.5], "counts": [996, 4]}
    wide = of(range(0, 40_000, 10)).histogram()
    assert len(wide["counts"]) == 81
    assert wide["edges"][:2] == [-0.5, pytest.approx(-0.5 + 39_791 / 80, abs=1e-3)]
    assert wide["edges"][-2:] == [39_790.5, 39_990.5]
    assert wide["counts"][-1] == 20


def test_beyond_the_distinct_values_three_digits_stay() -> None:
    """Values fall into cells of a thousandth, told by their middles; count, sum, least and largest stay exact."""
    values = [1, 999, 1003, 12_345, 12_399]
    exact, rounded = of(values, distinct=5), of([*values, 999_999], distinct=5)
    assert [exact.quantile(p) for p in (0.2, 0.4, 0.6, 0.8, 1.0)] == values
    assert [rounded.quantile(k / 6) for k in range(1, 7)] == [1, 999, 1005, 12_350, 12_350, 999_500]
    with np.errstate(all="raise"):
        assert [of([*range(7), 1000], distinct=5).quantile(p) for p in (0.1, 0.2, 1.0)] == [0, 1, 1000]
    few = of([*range(1007, 1013), 2001], distinct=5)  # middles beyond the least and the largest are not told
    assert (few.quantile(0.1), few.quantile(0.5), few.quantile(1.0)) == (1007, 1015, 2001)
    rounded.add([12_301])
    assert rounded.quantile(5 / 7) == 12_350
    summary = rounded.summary()
    assert summary is not None
    assert (summary["count"], summary["max"]) == (7, 999_999)
    assert summary["mean"] == round((sum(values) + 999_999 + 12_301) / 7, 3)


def test_a_link_s_points_are_a_tenth_of_a_second_apart_and_thinned() -> None:
    series = LinkSeries(50.0)
    for now_s in (50.0, 50.05, 50.1, 50.15, 50.5, 50.55):
        series.note(now_s, round(now_s * 100), 2, 3)
    assert series.columns == {
        "t_s": [0.0, 0.1, 0.5], "answered": [5000, 5010, 5050], "retries": [2, 2, 2], "not_frames": [3, 3, 3],
    }  # fmt: skip
    for second in range(51, 1051):
        series.note(float(second), second, 0, 0)
        lengths = {len(column) for column in series.columns.values()}
        assert len(lengths) == 1
        assert max(lengths) < 300
    t_s = np.array(series.columns["t_s"])
    assert (np.diff(t_s) > 0).all()
    assert t_s[-1] > 990
    assert (np.array(series.columns["answered"][3:]) - 50 == t_s[3:]).all()
