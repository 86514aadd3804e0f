"""The closing table of `qcskit hil`."""

from io import StringIO
from types import SimpleNamespace

import pytest
from support.entries import entry, failed, results

from qcskit.cli.bar import Bar
from qcskit.cli.common import Screen
from qcskit.cli.hil_view import Show, _column, _decibel, _fidelity, _saturation, _unit, verdict_table


def shown(**changes: object) -> str:
    out = StringIO()
    Screen(file=out, width=100).print(verdict_table(results(entry(**changes))))
    return out.getvalue()


def test_flagged_vectors_have_a_row_where_there_is_a_guard() -> None:
    line = next(line for line in shown(guarded=12).splitlines() if "flagged as off the codec's design" in line)
    assert "12 of 300 vectors, sent coarsely" in line
    assert "0 of 300 vectors" in shown(guarded=0)
    assert "flagged" not in shown(guarded=None) + shown()


def test_what_came_back_and_what_it_cost_have_rows_where_they_were_measured() -> None:
    recovery = {"frames": 3000, "perfect": 2000, "flagged": 900, "wrong": 100}
    energy = {"encode_uj": 1.5, "radio_uj": 2.5}
    text = shown(recovery=recovery, energy=energy)
    assert "2,000 of 3,000; flagged 900, wrong 100" in text
    assert "encode 1.5 µJ, radio 2.5 µJ per vector" in text
    assert "perfect recovery" not in shown()
    assert (_decibel(None), _decibel(-12.0), _decibel("not measured")) == ("exact", "-12.000", "not measured")


def test_whether_both_ends_count_the_same_is_said() -> None:
    words = {"agree": (True, False), "differ": (False, False), "board restarted": (False, True)}
    for word, (agree, restarted) in words.items():
        link = entry()["link"] | {"agree": agree, "board_restarted": restarted}
        text = shown(link=link)
        assert [other for other in words if other in text] == [word]


def test_each_board_has_one_bar_that_says_what_it_does(monkeypatch: pytest.MonkeyPatch) -> None:
    added: list[tuple[str, object]] = []
    changed: list[tuple[object, dict[str, object]]] = []
    monkeypatch.setattr(Bar, "add_task", lambda bar, text, total=None: added.append((text, total)) or len(added))
    monkeypatch.setattr(Bar, "update", lambda bar, task, **changes: changed.append((task, changes)))
    show = Show(enabled=False)
    for label, stage, done in (("a", "connect", 0), ("b", "run", 3), ("a", "compare", 8), ("a", "other", 9)):
        show.progress(label, stage, done, 10)
    show.soak(SimpleNamespace(answered=12_345, elapsed_s=30.9, duration_s=90.5), 2)
    show.soak(SimpleNamespace(answered=12_346, elapsed_s=31.0, duration_s=90.5), 3)
    assert added == [("a builds and connects", 10), ("b answers vectors", 10), ("soak, seconds", None)]
    assert changed == [
        (1, {"description": "a builds and connects", "completed": 0, "total": 10}),
        (2, {"description": "b answers vectors", "completed": 3, "total": 10}),
        (1, {"description": "a compares them", "completed": 8, "total": 10}),
        (1, {"description": "a other", "completed": 9, "total": 10}),
        (3, {"live": "12,345 vectors, 2 mismatches", "completed": 30, "total": 90}),
        (3, {"live": "12,346 vectors, 3 mismatches", "completed": 31, "total": 90}),
    ]


@pytest.mark.parametrize(
    ("sizes", "row"),
    [
        ({"min": 4, "mean": 4.0, "max": 4}, ("packet", "30 bits, sent in 4 bytes")),
        ({"min": 3, "mean": 3.0, "max": 3}, ("bytes per packet min / mean / max", "3 / 3.0 / 3")),
        ({"min": 1000, "mean": 2000.25, "max": 3000}, ("bytes per packet min / mean / max", "1,000 / 2,000.2 / 3,000")),
    ],
)
def test_bits_are_told_of_packets_that_are_all_as_long(sizes: dict[str, float], row: tuple[str, str]) -> None:
    """Else the rate is a mean of other packets than these."""
    made = entry(packet_bytes=entry()["packet_bytes"] | sizes)
    found = _column(made, results(made)["bundle"])
    assert [(name, text) for name, text in found.items() if "packet" in name] == [row]
    assert not any("packet" in name for name in _column(entry(packet_bytes="not measured"), results(made)["bundle"]))


@pytest.mark.parametrize(("share", "told"), [(0.0, {}), (0.00499, {}), (0.005, "0.5 %"), (1.0, "100.0 %")])
def test_vectors_that_saturate_are_told_from_half_a_percent_on(share: float, told: object) -> None:
    found = {name: str(text) for name, text in _saturation(share).items()}
    assert found == ({"vectors clipped through and through": told} if told else {})


def test_zero_hertz_is_no_rate_and_what_was_not_measured_has_no_row() -> None:
    assert _fidelity("not measured", "mV") == {}
    assert _unit({"unit": "cycles", "hz": 16_000_000}) == "cycles at 16,000,000 Hz"
    assert _unit({"unit": "timer", "hz": 0}) == "timer"


def test_what_is_wrong_is_red_and_what_needs_a_look_yellow() -> None:
    bundle = results(entry())["bundle"]
    link = entry()["link"]
    restarted = entry(link=link | {"board_restarted": True}, mismatches__count=1)
    found = [_column(made, bundle) for made in (entry(), restarted, entry(link=link | {"agree": False}))]
    assert [column["mismatches"].style for column in found] == ["green", "red", "green"]  # type: ignore[union-attr]
    assert [getattr(column["host and board counts"], "style", "") for column in found] == ["", "yellow", "yellow"]
    assert _column(failed("a"), bundle)["error"].style == "red"  # type: ignore[union-attr]
    assert _saturation(1.0)["vectors clipped through and through"].style == "yellow"
