"""Tables at any width: nothing is cut, numbers stay whole, what does not fit becomes lines."""

import ast
from io import StringIO
from pathlib import Path

import pytest
from rich.text import Text

from qcskit.cli import common
from qcskit.cli.sheet import Sheet

BOARD, PATH, FIGURES = "emu:cortex-m33", "/dev/serial/by-id/usb-" + "x" * 90, ["1,234,567,890", "-12.345678", "99.99 %"]


def shown(table: Sheet, width: int) -> str:
    out = StringIO()
    common.Screen(file=out, width=width).print(table)
    return out.getvalue()


@pytest.mark.parametrize("width", [30, 50, 80, 130, 200])
def test_no_figure_and_no_verdict_is_cut_at_any_width(width: int) -> None:
    table = Sheet("board", "port", title="figures [b]", caption="that is all")
    for name in ("ticks per encode", "NMSE", "share"):
        table.add_column(name, number=True)
    table.add_column("verdict")
    table.add_row(BOARD, PATH, *FIGURES, Text("regression"))
    text = shown(table, width)
    assert max(map(len, text.splitlines())) <= width
    assert "…" not in text
    for whole in (*FIGURES, "regression", "figures [b]"):
        assert whole in text  # on one line
    assert text.count("x") == (BOARD + PATH).count("x")  # folded


def test_a_table_that_fits_is_a_table_and_its_words_go_on_in_the_next_line() -> None:
    table = Sheet("board", "what")
    table.add_row(BOARD, "one two three four five six seven eight nine")
    assert "┃" in shown(table, 40)
    assert "┃" not in shown(table, 18)


def test_words_are_broken_only_where_no_column_has_room() -> None:
    table = Sheet(
        "core", "code", "tables", "static RAM", "scratch", "counts, packet", "worst stack", "RAM in all", "more"
    )
    for column in table.columns[1:]:
        column.justify = "right"
    table.add_row("Cortex-M0+", "1,660", "3,528", "0", "256", "24", "168", "448 + stack")
    for width in range(58, 100):
        text = shown(table, width)
        assert "Cortex-M0+" in text, width
        assert max(map(len, text.splitlines())) <= width


def test_every_verb_shows_its_tables_as_sheets() -> None:
    """The mechanism: a plain table cuts."""
    for file in sorted(Path(common.__file__).parent.glob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "Table":
                assert file.name == "sheet.py", f"{file.name}:{node.lineno}"


def wide(text: str) -> int:
    return max(map(len, text.splitlines()))


@pytest.mark.parametrize("word", ["x" * 9, "x" * 24, "x" * 60])
def test_a_frame_goes_where_it_does_not_fit_and_not_before(word: str) -> None:
    """At the narrowest width of each form it takes all of it: one less would break a number or a word."""

    def table() -> Sheet:
        made = Sheet("board", title="t")
        made.add_column("figure", number=True)
        made.add_row(word, "1,234,567,890")
        return made

    forms = {width: "frame" if "┃" in shown(table(), width) else "plain" for width in range(20, 120)}
    for width in forms:
        lines = shown(table(), width).splitlines()
        if "board" in lines[1] and "figure" not in lines[1]:
            forms[width] = "block"
    assert [*dict.fromkeys(forms[width] for width in sorted(forms))] == ["block", "plain", "frame"]
    folded = min(len(word), 24)
    framed = min(width for width, form in forms.items() if form == "frame")
    plain = min(width for width, form in forms.items() if form == "plain")
    assert framed == folded + 13 + 7
    assert plain == folded + 13 + 2
    assert "1,234,567,890" in shown(table(), plain)
    assert word in shown(table(), framed) or len(word) > 24


def test_in_a_block_a_long_header_takes_half_and_empty_cells_have_no_line() -> None:
    table = Sheet("h" * 40, title="t", caption="c")
    table.add_column("second", number=True)
    for cell in ("1" * 30, ""):
        table.add_row("word", cell)
    lines = [line.rstrip() for line in shown(table, 30).splitlines()]
    assert lines[0] == "t"
    assert lines[1].split() == ["h" * 15, "word"]
    assert lines[2].strip() == "h" * 15
    assert lines[3].strip() == "h" * 10
    assert lines[4].split()[0] == "second"
    assert lines[-1] == "c"
    assert sum("second" in line for line in lines) == 1
