"""The closing table of `qcskit hil`."""

from io import StringIO

from support.entries import entry, results

from qcskit.cli.common import Screen
from qcskit.cli.hil_view import verdict_table


def shown(**changes: object) -> str:
    out = StringIO()
    Screen(file=out, width=100).print(verdict_table(results(entry(**changes))))
    return out.getvalue()


def test_flagged_vectors_have_a_row_where_there_is_a_guard() -> None:
    line = next(line for line in shown(guarded=12).splitlines() if "flagged as off the codec's design" in line)
    assert "12 of 300 vectors, sent coarsely" in line
    assert "0 of 300 vectors" in shown(guarded=0)
    assert "flagged" not in shown(guarded=None) + shown()


def test_whether_both_ends_count_the_same_is_said() -> None:
    words = {"agree": (True, False), "differ": (False, False), "board restarted": (False, True)}
    for word, (agree, restarted) in words.items():
        link = entry()["link"] | {"agree": agree, "board_restarted": restarted}
        text = shown(link=link)
        assert [other for other in words if other in text] == [word]
