"""`qcskit compare` on a screen of 80 columns: the verdict, the boards, what was not the same."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from support.entries import entry, failed, results

from qcskit.cli import main
from qcskit.cli.compare import changes_table
from qcskit.hil.compare import Change

Compared = Callable[..., str]
LARGE = {"throughput__vectors_per_s": 123456.789, "ticks__max": 1_234_567_890, "nmse__device_db": -12.345678}


@pytest.fixture
def compared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Compared:
    """What is printed of two results."""
    monkeypatch.chdir(tmp_path)

    def call(*made: object, code: int = 0) -> str:
        for name, value in zip("ab", made, strict=True):
            (tmp_path / f"{name}.json").write_text(json.dumps(value))
        monkeypatch.setattr(sys, "argv", ["qcskit", "compare", "a.json", "b.json"])
        with pytest.raises(SystemExit) as end:
            main()
        assert int(str(end.value.code or 0)) == code
        return capsys.readouterr().out

    return call


def test_a_comparison_ends_with_a_verdict_that_names_the_boards(compared: Compared) -> None:
    same = compared(results(entry()), results(entry()))
    assert same.splitlines()[0] == "a.json → b.json: b (00112233aabbccdd)"
    assert same.splitlines()[-1] == "verdict: no regression in 5 figures judged of left"
    worse = compared(results(entry()), results(entry(label="right", ticks__p50=1400)), code=1)
    assert worse.splitlines()[-1] == "verdict: 1 regression: ticks p50 of left → right"
    gone = compared(results(entry()), results(failed("left")), code=1)
    assert gone.splitlines()[-1] == "verdict: 1 regression: board of left"


def test_no_figure_is_cut_at_80_columns(compared: Compared) -> None:
    text = compared(results(entry()), results(entry(**LARGE)), code=1)
    assert max(map(len, text.splitlines()[1:-1])) <= 80
    for figure in ("123,456.789", "1,234,567,890", "-12.346", "regression", "0.05 dB"):
        assert figure in text
    assert "…" not in text


def test_other_frames_are_explained(compared: Compared) -> None:
    text = compared(results(entry()), results(entry(nmse__frames=7)))
    assert "left: NMSE is of 300 frames before and of 7 after, so it differs by chance as well" in text


def test_a_regression_is_red_and_what_is_judged_and_is_none_is_green() -> None:
    changes = [
        Change("left", "a", 1, 2, 1.0, "%", 0.5, True),
        Change("left", "b", 1.0, 2.5, 1.0, "", None, False),
        Change("left", "c", None, "failed", None, "dB", 0.5, False),
        Change("left", "d", 1, 2, None, "", None, True),
    ]
    columns = [list(column.cells) for column in changes_table("left", changes).columns]
    assert [getattr(cell, "style", cell) for cell in columns[-1]] == ["red", "", "green", "red"]
    assert columns[1:5] == [
        ["1", "1.000", "None", "1"],
        ["2", "2.500", "failed", "2"],
        ["+1 %", "+1", "", ""],
        ["0.5 %", "", "0.5 dB", ""],
    ]
