"""Two results per figure, judged by hand; results files that are none, or of another schema."""

import pytest
from pydantic import ValidationError
from support.entries import entry, failed, results

from qcskit.codec.errors import QcsError
from qcskit.codec.evidence import Evidence
from qcskit.hil.compare import Change, Tolerances, check_comparable, compare, differing, notes

ALL = Tolerances(nmse_db=0.05, ticks_percent=1.0, rate_percent=10.0, round_trip_percent=25.0)


def changed(before: dict[str, object], after: dict[str, object], tolerances: Tolerances = ALL) -> dict[str, Change]:
    """The changes, figure → change, between two entries."""
    found = compare(results(entry(**before)), results(entry(**after)), tolerances)
    return {change.figure: change for change in found}


@pytest.mark.parametrize(
    ("figure", "path", "before", "after", "worse_by", "regression"),
    [
        ("mismatches", "mismatches__count", 2, 2, 0, False),
        ("mismatches", "mismatches__count", 2, 3, 1, True),
        ("mismatches", "mismatches__count", 3, 2, -1, False),
        ("NMSE device", "nmse__device_db", -12.0, -12.0, 0, False),
        ("NMSE device", "nmse__device_db", -12.0, -11.95, 0.05, False),  # the tolerance itself
        ("NMSE device", "nmse__device_db", -12.0, -11.949, 0.051, True),
        ("NMSE device", "nmse__device_db", -12.0, -15.0, -3, False),
        ("ticks p50", "ticks__p50", 1000, 1010, 1, False),
        ("ticks p50", "ticks__p50", 1000, 1011, 1.1, True),
        ("ticks p50", "ticks__p50", 1000, 500, -50, False),
        ("ticks p99", "ticks__p99", 2000, 2020, 1, False),
        ("ticks p99", "ticks__p99", 2000, 2040, 2, True),
        ("ticks max", "ticks__max", 4000, 4040, 1, False),
        ("ticks max", "ticks__max", 4000, 5000, 25, True),  # of 4000, not of 5000
        ("ticks max", "ticks__max", 0, 9, 0, False),  # no percentage of nothing
        ("round trip p50", "round_trip_us__single__p50", 400, 500, 25, False),
        ("round trip p50", "round_trip_us__single__p50", 400, 504, 26, True),
        ("round trip p50", "round_trip_us__single__p50", 400, 200, -50, False),
        ("vectors/s", "throughput__vectors_per_s", 1200.0, 1080.0, 10, False),  # a fall is worse
        ("vectors/s", "throughput__vectors_per_s", 1200.0, 1068.0, 11, True),
        ("vectors/s", "throughput__vectors_per_s", 1200.0, 2400.0, -100, False),
        ("retries", "link__host__retries", 8, 90, 82, False),  # shown only
        ("vectors", "answered", 300, 280, 20, False),
    ],
)
def test_a_figure_is_judged(
    figure: str, path: str, before: float, after: float, worse_by: float, regression: bool
) -> None:
    changes = changed({path: before}, {path: after})
    change = changes.pop(figure)
    assert (change.before, change.after, change.regression) == (before, after, regression)
    assert change.worse_by == pytest.approx(worse_by, abs=1e-9)
    assert not any(other.regression or other.worse_by for other in changes.values())


FIGURES = {
    "vectors": ("answered", "", None),
    "mismatches": ("mismatches__count", "", 0.0),
    "NMSE device": ("nmse__device_db", "dB", 0.05),
    "ticks p50": ("ticks__p50", "%", 1.0),
    "ticks p99": ("ticks__p99", "%", 1.0),
    "ticks max": ("ticks__max", "%", 1.0),
    "round trip p50": ("round_trip_us__single__p50", "%", 25.0),
    "vectors/s": ("throughput__vectors_per_s", "%", 10.0),
    "retries": ("link__host__retries", "", None),
}


def test_every_figure_has_a_unit_and_a_tolerance() -> None:
    changes = changed({}, {})
    assert {name: (change.unit, change.tolerance) for name, change in changes.items()} == {
        name: facts[1:] for name, facts in FIGURES.items()
    }
    assert {change.board for change in changes.values()} == {"left"}


@pytest.mark.parametrize("figure", [name for name in FIGURES if name != "mismatches"])  # those are always counted
def test_what_vanishes_is_a_regression_and_what_is_new_is_none(figure: str) -> None:
    path, _, tolerance = FIGURES[figure]
    gone = {path: "not measured"}
    change = changed({}, gone)[figure]
    assert (change.after, change.worse_by, change.regression) == ("not measured", None, tolerance is not None)
    assert not any(change.regression for change in changed(gone, {}).values())
    assert not any(change.regression for change in changed(gone, gone).values())


@pytest.mark.parametrize("lost", ["not measured", {}], ids=["not measured", "no keys"])
def test_ticks_that_vanish_whole_are_a_regression(lost: object) -> None:
    """The unit goes with them."""
    changes = changed({}, {"ticks": lost})
    assert [name for name, change in changes.items() if change.regression] == ["ticks p50", "ticks p99", "ticks max"]
    assert {changes[name].after for name in ("ticks p50", "ticks max")} == {"not measured"}
    assert not any(change.regression for change in changed({"ticks": lost}, {}).values())


@pytest.mark.parametrize("units", [("timer", "timer"), ("cycles", "timer"), ("cycles", "instructions")])
def test_ticks_of_a_timer_or_of_another_unit_are_shown_only(units: tuple[str, str]) -> None:
    change = changed({"ticks__unit": units[0]}, {"ticks__unit": units[1], "ticks__p50": 9000})["ticks p50"]
    assert (change.worse_by, change.tolerance, change.regression) == (800, None, False)


def test_instructions_are_judged_like_cycles() -> None:
    unit = {"ticks__unit": "instructions"}
    assert changed(unit, unit | {"ticks__p50": 9000})["ticks p50"].regression


@pytest.mark.parametrize(("before", "after", "regression"), [(None, -30.0, True), (-30.0, None, False)])
def test_the_first_error_of_all_is_a_regression(before: float | None, after: float | None, regression: bool) -> None:
    """NMSE without any error is null, minus infinity dB."""
    change = changed({"nmse__device_db": before}, {"nmse__device_db": after})["NMSE device"]
    assert (change.worse_by, change.regression) == (None, regression)
    assert not changed({"nmse__device_db": None}, {"nmse__device_db": None})["NMSE device"].regression


def test_rate_and_round_trip_are_judged_on_request_only() -> None:
    slow = {"throughput__vectors_per_s": 1.0, "round_trip_us__single__p50": 9e9}
    changes = changed({}, slow, Tolerances())
    assert not any(change.regression for change in changes.values())
    wanted = {"mismatches": 0.0, "NMSE device": 0.05, "ticks p50": 1.0, "ticks p99": 1.0, "ticks max": 1.0}
    assert {name: one.tolerance for name, one in changes.items() if one.tolerance is not None} == wanted


def test_boards_are_matched_by_their_labels() -> None:
    left, right = entry(), entry(label="right", ticks__p50=5000)
    wrong = entry(mismatches__count=3)
    changes = compare(results(left, right), results(right, wrong), ALL)
    assert [(one.board, one.figure) for one in changes if one.worse_by] == [("left", "mismatches")]
    assert [one.regression for one in changes].count(True) == 1


def test_one_board_each_is_compared_whatever_it_is_called() -> None:
    changes = compare(results(entry()), results(entry(label="right", ticks__p50=5000)), ALL)
    assert [(one.board, one.figure) for one in changes if one.regression] == [("left → right", "ticks p50")]


def test_other_frames_are_told_and_none_where_they_are_the_same() -> None:
    assert notes(results(entry()), results(entry())) == []
    fewer = notes(results(entry()), results(entry(label="right", nmse__frames=7)))
    assert fewer == ["right: NMSE is of 300 frames before and of 7 after, so it differs by chance as well"]
    more = notes(results(entry()), results(entry(label="right", nmse__frames=1234)))
    assert more == ["right: NMSE is of 300 frames before and of 1,234 after, so it differs by chance as well"]


@pytest.mark.parametrize(
    ("before", "after", "regression"),
    [
        ("answered", "failed", True),
        ("failed", "failed", True),
        ("failed", "answered", False),
        ("answered", "absent", True),
        ("absent", "answered", False),
    ],
)
def test_a_board_that_is_gone_or_fails_is_a_regression(before: str, after: str, regression: bool) -> None:
    state = {"answered": [entry(label="it")], "failed": [failed("it")], "absent": []}
    third = entry(label="third")
    changes = compare(results(*state[before], third), results(third, *state[after]), ALL)
    told = [(one.figure, one.before, one.after, one.regression) for one in changes if one.board == "it"]
    assert told == [("board", before, after, regression)]


def test_results_of_different_models_are_not_compared() -> None:
    one, other = results(entry()), results(entry())
    check_comparable(one, other)
    other["bundle"] |= {"model_id": "ff", "name": "c"}
    with pytest.raises(QcsError, match=r"different models: 'b' \(00112233aabbccdd\) and 'c' \(ff\); compare two runs"):
        check_comparable(one, other)


def of(label: str, **parts: str) -> dict[str, object]:
    return entry(label=label, evidence=Evidence.of({"board": label, **parts}).model_dump())


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        (results(of("a", image="1")), results(of("a", image="1")), []),
        (results(of("a", image="1")), results(of("b", image="1")), []),  # one board each: its name is no part of it
        (results(of("a", image="1")), results(of("a", image="2")), ["image"]),
        (results(of("a", image="1"), of("b")), results(of("b"), of("a", image="2")), ["image"]),
        (results(of("a"), qcskit="1"), results(of("a"), qcskit="2"), ["qcskit"]),
        (results(of("a"), qcskit="1"), results(of("a")), ["qcskit"]),
        (results(of("a", flags="x", image="1"), of("c", flags="x")), results(of("a", flags="y", image="2"), of("c")),
         ["flags", "image"]),
        (results(of("a", image="1"), of("b")), results(failed("a"), of("b")), []),
        (results(of("a", image="1")), results(of("a", image="1"), of("b", image="9")), []),
    ],
)  # fmt: skip
def test_what_ran_otherwise_is_named(before: dict[str, object], after: dict[str, object], told: list[str]) -> None:
    assert differing(before, after) == differing(after, before) == told


@pytest.mark.parametrize("value", [-0.1, float("nan"), float("inf")])
@pytest.mark.parametrize("key", Tolerances.model_fields)
def test_a_tolerance_is_a_number_from_zero_up(key: str, value: float) -> None:
    with pytest.raises(ValidationError):
        Tolerances.model_validate({key: value})
