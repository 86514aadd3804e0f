"""What a sweep shows: a table that fits, a picture of what was measured."""

from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from qcskit.cli import build_app
from qcskit.cli.common import Screen
from qcskit.cli.sweep import summary
from qcskit.cli.sweep_picture import front, picture, points
from qcskit.codec.errors import QcsError
from qcskit.training.sweep import COLUMNS, append_row, read_table


def row(number: int, variant: str, bits: float, level: float, macs: str, **more: str) -> dict[str, str]:
    """A point that is done."""
    facts = {"point": f"{number:012x}", "status": "done", "variant": variant, "rate_bits": f"{bits:g}", "macs": macs}
    same = {"n": "20", "m": "10", "outputs": "10", "levels": "8", "seed": "0", "seconds": "1234.5"}
    return dict.fromkeys(COLUMNS, "") | same | facts | {"nmse_hard_db": f"{level:.4f}"} | more


ROWS = [
    row(1, "hard-surrogate", 1.5, -18.1234, "1500"), row(2, "hard-surrogate", 2, -21.5, "1500"),
    row(3, "ce-usq-omp", 1.5, -9.5, "0"), row(4, "ce-usq-omp", 1.5, -10.5, "0", seed="1"),
]  # fmt: skip


def test_the_table_fits_80_columns_and_tells_once_what_all_share() -> None:
    out = StringIO()
    Screen(file=out, width=80).print(summary(ROWS, Path("runs/sweep")))
    text = out.getvalue()
    assert max(map(len, text.splitlines())) <= 80
    for words in ("hard-surrogate", "-18.1234", "000000000004", "done"):
        assert words in text
    assert "all points: n 20, m 10, outputs 10, levels 8, seconds 1234.5" in " ".join(text.split())


def test_points_are_means_over_seeds_in_order_of_cost() -> None:
    assert points(ROWS, "rate_bits") == {
        "hard-surrogate": [(1.5, -18.1234), (2.0, -21.5)],
        "ce-usq-omp": [(1.5, -10.0)],
    }
    assert front(points(ROWS, "macs")) == [(0.0, -10.0), (1500.0, -21.5)]


@pytest.mark.parametrize(
    ("suffix", "begins"), [(".png", b"\x89PNG"), (".svg", b"<?xml"), (".html", b"<!doctype html>")]
)
def test_a_picture_by_its_suffix(suffix: str, begins: bytes) -> None:
    pytest.importorskip("matplotlib", reason="needs the extra 'report': pip install 'qcskit[report]'")
    made = picture(ROWS, "t<b>", suffix)
    assert made.startswith(begins)
    if suffix == ".html":
        assert b"<h1>t&lt;b&gt;</h1>" in made
        assert made.count(b"<tr>") == 1 + len(ROWS)
    if suffix != ".png":
        assert all(name in made for name in (b"hard-surrogate", b"no other beats", b"bits per source entry"))


def test_the_verb_draws_what_the_table_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("matplotlib", reason="needs the extra 'report': pip install 'qcskit[report]'")
    monkeypatch.chdir(tmp_path)

    def called(*words: str) -> Any:
        return CliRunner().invoke(build_app(), ["report", "results.csv", *words])

    assert "table 'results.csv' does not exist" in str(called().exception)
    append_row(tmp_path / "results.csv", row(9, "x", 1, -1, "", status="failed"))
    assert "holds no point that is done" in str(called().exception)
    append_row(tmp_path / "results.csv", ROWS[0] | {"macs": ""})  # of a table without costs
    assert called("-o", "p.svg").output.split() == ["report:", "p.svg"]
    assert b"multiplications" not in (tmp_path / "p.svg").read_bytes()
    assert isinstance(called("-o", "p.jpg").exception, QcsError)


def test_a_table_of_before_there_were_costs_is_read(tmp_path: Path) -> None:
    old = ",".join(COLUMNS[:-1])
    (tmp_path / "results.csv").write_text(f"{old}\n{','.join('x' for _ in COLUMNS[:-1])}\n")
    assert read_table(tmp_path / "results.csv") == [dict.fromkeys(COLUMNS, "x") | {"macs": ""}]
