"""What a sweep shows: a table that fits, a picture of what was measured."""

import json
import re
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from qcskit.cli import build_app
from qcskit.cli.common import Screen
from qcskit.cli.sweep import summary
from qcskit.cli.sweep_picture import _page, front, picture, points, write_picture
from qcskit.codec.codecs import open_codec
from qcskit.codec.errors import QcsError
from qcskit.training.sweep import COLUMNS, append_row, read_table, run_sweep


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


@pytest.mark.parametrize("new", [("macs", "nmse_float_db", "vector_bytes"), ("nmse_float_db", "vector_bytes")])
def test_a_table_of_before_there_were_some_columns_is_read(new: tuple[str, ...], tmp_path: Path) -> None:
    old = COLUMNS[: -len(new)]
    rows = "".join(f"{','.join(f'{column} {k}' for column in old)}\n" for k in range(3))
    (tmp_path / "results.csv").write_text(f"{','.join(old)}\n{rows}")
    expected = [{column: f"{column} {k}" for column in old} | dict.fromkeys(new, "") for k in range(3)]
    assert read_table(tmp_path / "results.csv") == expected
    run_sweep([], tmp_path, 1, None, lambda row: None)
    assert (tmp_path / "results.csv").read_text().splitlines()[0] == ",".join(COLUMNS)
    assert read_table(tmp_path / "results.csv") == expected


def test_what_no_point_has_is_not_told() -> None:
    """Nor does a table without a row fail."""
    out = StringIO()
    for rows in (ROWS, []):
        Screen(file=out, width=80).print(summary(rows, Path("s")))
    assert not any(name in out.getvalue() for name in ("vector_bytes", "nmse_float_db", "float, dB"))


def test_designed_codecs_are_swept_and_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Through [adc] of the configuration; a rate that no whole bits give is one line before anything runs."""
    pytest.importorskip("matplotlib", reason="needs the extra 'report': pip install 'qcskit[report]'")
    monkeypatch.chdir(tmp_path)
    Path("qcs.toml").write_text(
        "[signal]\nn = 8\nm = 6\n[adc]\nbits = 10\n[sparse]\ntrain_frames = 1000\ntest_frames = 400\nguard = false\n"
    )

    def called(*words: str) -> Any:
        return CliRunner().invoke(build_app(), list(words))

    sweep = ["sweep", "--variant", "sparse", "-o", ".", "--json", "--rate"]
    told = str(called(*sweep, "1.3").exception)
    assert "rate = 1.3: 10.4 bits of a vector of n = 8; nearest: 1.25" in told
    assert "\n" not in told
    done = called(*sweep, "1.5")
    (found,) = json.loads(done.stdout)["rows"]
    codec = open_codec(Path("runs") / found["point"])
    nmse = codec.bundle.manifest.nmse
    assert codec.bundle.manifest.adc.bits == 10
    assert (found["status"], found["variant"], found["rate_bits"], found["vector_bytes"]) == (
        "done", "sparse-lloyd", "1.5", "2",
    )  # fmt: skip
    assert [found["nmse_hard_db"], found["nmse_float_db"]] == [f"{nmse.deployed_db:.4f}", f"{nmse.float_db:.4f}"]
    assert called("report", "results.csv", "-o", "p.html").exit_code == 0
    page = Path("p.html").read_text()
    assert all(word in page for word in ("sparse-lloyd", found["nmse_hard_db"], found["nmse_float_db"]))


def test_the_page_has_every_figure_in_its_column_by_method_and_rate() -> None:
    columns = {
        "variant": "method",
        "rate_bits": "bits per entry",
        "vector_bytes": "bytes",
        "nmse_hard_db": "NMSE, dB",
        "nmse_float_db": "in floating point, dB",
        "macs": "multiplications",
        "n": "N",
        "m": "M",
        "outputs": "K",
        "levels": "I",
        "seed": "seed",
        "seconds": "s",
        "point": "point",
    }
    rows = [{name: f"{name} {k}" for name in columns} | {"rate_bits": rate} for k, rate in enumerate(("10", "9"))]
    same = [row | {"variant": "a & b"} for row in rows]
    page = _page("t<b>", "<svg>", [*same, rows[0] | {"variant": "a"}])
    assert re.findall(r'<th scope="col">(.*?)</th>', page) == [*columns.values()]
    found = [re.findall("<td>(.*?)</td>", line) for line in re.findall(r"<tr>(<td>.*?)</tr>", page)]
    assert [line[:2] for line in found] == [["a", "10"], ["a &amp; b", "9"], ["a &amp; b", "10"]]
    assert found[1][2:] == [f"{name} 1" for name in columns][2:]
    assert "<title>t&lt;b&gt;</title>" in page


def test_the_last_row_of_a_point_counts_and_their_number_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[Any] = []
    monkeypatch.setattr("qcskit.cli.sweep_picture.picture", lambda *given: drawn.append(given) or b"content")
    again = row(1, "x", 2, -5, "1")
    for line in (row(1, "x", 2, -4, "1"), row(2, "x", 2, -6, "1", status="failed"), row(3, "x", 2, -7, "1"), again):
        append_row(tmp_path / "results.csv", line)
    assert write_picture(tmp_path / "results.csv", tmp_path / "p.PNG") == 2
    assert drawn == [([again, row(3, "x", 2, -7, "1")], f"{tmp_path / 'results.csv'}", ".png")]
    assert (tmp_path / "p.PNG").read_bytes() == b"content"
    with pytest.raises(QcsError, match=r"^--out 'p\.jpg': a picture is \.png, \.svg, \.html$"):
        write_picture(tmp_path / "results.csv", Path("p.jpg"))


def test_every_option_reaches_the_sweep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of [train] only what was given, and all of it."""
    asked: list[Any] = []
    monkeypatch.setattr("qcskit.training.sweep.run_sweep", lambda *given: asked.append(given) or [])
    monkeypatch.chdir(tmp_path)
    words = ["sweep", "-o", "s", "--rate", "1.5", "--rate", "2", "--variant", "deepqcs", "--seed", "3"]
    more = ["--workers", "2", "--scheduler", "tcp://x:1", "-s", "train.steps=700", "-s", "signal.n=24", "-q"]
    done = CliRunner().invoke(build_app(), [*words, *more])
    assert done.exit_code == 0, done.output
    ((points, out, workers, scheduler, _),) = asked
    assert (out, workers, scheduler, len(points)) == (Path("s"), 2, "tcp://x:1", 2)
    told = [(p.columns()["rate_bits"], p.config.variant, p.config.seed, p.config.steps, p.signal.n) for p in points]
    assert told == [(rate, "deepqcs", 3, 700, 24) for rate in ("1.5", "2")]


def test_what_failed_is_told_while_it_runs_and_how_far_it_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    changed: list[dict[str, Any]] = []
    rows = [row(1, "x", 1, -9.5, ""), row(2, "x", 1, -1, "", status="failed", error="out of memory")]

    def run(points: Any, out: Path, workers: int, scheduler: str, finished: Any) -> list[dict[str, str]]:
        for line in rows:
            finished(line)
        return rows

    monkeypatch.setattr("qcskit.training.sweep.run_sweep", run)
    monkeypatch.setattr("qcskit.cli.bar.Bar.update", lambda bar, task, **changes: changed.append(changes))
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(build_app(), ["sweep", "--variant", "ce-usq-omp", "--rate", "1", "--rate", "2", "-q"])
    assert changed == [
        {"advance": 1, "live": "000000000001 -9.5000 dB"},
        {"advance": 1, "live": "000000000002 failed: out of memory"},
        {"completed": 2},
    ]
    assert "1 of 2 points failed" in str(done.exception)
