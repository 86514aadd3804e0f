"""The closing table of `qcskit hil`."""

from io import StringIO

from support.entries import entry, results

from qcskit.cli.common import Screen
from qcskit.cli.hil_view import _decibel, verdict_table


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
