"""`qcskit advise`: what it prints and writes of a recording, and that nothing is written of a bad one."""

import json
import tempfile
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import Result
from support.command import Run, refused
from typer.testing import CliRunner

from qcskit.cli import build_app
from qcskit.cli.advise import _facts, _panels, as_dict, write_configuration
from qcskit.cli.advise_compare import Wanted
from qcskit.codec.errors import QcsError
from qcskit.codec.readers import Samples
from qcskit.codec.survey import BANDS, SHARES, survey


@pytest.fixture
def recording(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A sine of 11 bits beside time stamps, with a gap in line 12; the working directory is its own."""
    values = np.rint(2000 + 1000 * np.sin(np.arange(4000) / 7)).astype(int).astype(str)
    values[10] = ""
    lines = (f"2024-01-01 00:00:{k % 60:02d};{value}" for k, value in enumerate(values))
    path = tmp_path / "sine.csv"
    path.write_text("\n".join(["time;v", *lines]) + "\n")
    monkeypatch.chdir(tmp_path)
    return path


def advise(*arguments: str, only_look: bool = True) -> Result:
    command = ["advise", "sine.csv", "--fill", "interpolate", *["--no-compare"] * only_look, *arguments]
    return CliRunner().invoke(build_app(), command, env={"COLUMNS": "200", "TERM": "dumb"})


def test_it_says_what_it_sees(recording: Path) -> None:
    done = advise("-n", "16", "-m", "4", "--rate", "100", "-o", "p.html")
    assert done.exit_code == 0, done.output
    for words in ("4,000", "100 Hz", "1000 … 3000", "11 bits", "best 4 of 16 (KLT)", "compresses well", "2.27 Hz"):
        assert words in done.stdout
    page = (recording.parent / "p.html").read_text()
    assert page.count("<svg") == 3
    assert "compresses well" in page


def test_json_says_the_same(recording: Path) -> None:
    facts = json.loads(advise("-n", "16", "--json").stdout)
    assert (facts["samples"], facts["integers"], facts["bits"], facts["n"], facts["m"]) == (4000, True, 11, 16, 8)
    assert facts["coefficients"]["KLT"]["0.99"] == 2
    assert len(facts["klt_db"]) == 2
    assert sum(part["mean"] for part in facts["parts"].values()) == pytest.approx(6000, abs=100)
    assert facts["comparison"] is None


def test_the_picture_is_one_svg_of_three(recording: Path) -> None:
    assert advise("-q", "-o", "p.svg").stdout == ""
    root = ET.parse(recording.parent / "p.svg").getroot()
    panels = root.findall("{http://www.w3.org/2000/svg}svg")
    assert [panel.get("y") for panel in panels] == ["0.0pt", "208.8pt", "417.6pt"]
    assert {panel.get("height") for panel in panels} == {"208.8pt"}


@pytest.mark.parametrize(
    ("rate_hz", "axes", "last"),
    [(50.0, ("s", "Hz"), (319 / 50, 25.0)), (None, ("sample", "part of the sampling rate"), (319, 0.5))],
)
def test_every_panel_has_its_own_numbers_in_units_where_they_are_known(
    rate_hz: float | None, axes: tuple[str, str], last: tuple[float, float], monkeypatch: pytest.MonkeyPatch
) -> None:
    values = np.sin(np.arange(4000.0) / 7)
    found = survey(Samples(values, True, rate_hz=rate_hz), 16, 4)
    drawn: list[tuple] = []
    monkeypatch.setattr("qcskit.hil.report.plots.lines", lambda *words: drawn.append(words) or "<svg>")
    assert _panels(found) == ["<svg>"] * 3
    signal, power, left = drawn
    assert (signal[1], signal[2]) == ({"signal": values[:320].tolist()}, axes[0])
    assert (signal[0][0], signal[0][-1]) == pytest.approx((0.0, last[0]))
    assert (power[2], power[0][-1]) == (axes[1], pytest.approx(last[1]))
    peak = power[0][int(np.argmax(power[1]["power"]))]
    assert peak == pytest.approx((rate_hz or 1.0) / (2 * np.pi * 7), rel=0.1)
    assert (left[0], left[1].keys()) == (list(range(16)), {"KLT", "DCT", "db4"})
    assert all(len(curve) == 16 for curve in left[1].values())


def test_a_gap_is_refused_with_its_place(recording: Path, run: Run) -> None:
    refused(run("advise", "sine.csv", "-o", "p.svg"), "'sine.csv', line 12, column 'v': no number here", "interpolate")
    assert [path.name for path in recording.parent.iterdir()] == ["sine.csv"]


@pytest.mark.parametrize(
    ("extra", "words"),
    [
        (("--fill", "interpolat"), "--fill interpolat: did you mean 'interpolate'?"),
        (("--column", "w"), "'sine.csv' has no column 'w'"),
        (("-n", "16", "-m", "17"), "'sine.csv': m must lie in 1 … n"),
        (("-n", "900"), "'sine.csv': the recording has 4,000 samples"),
        (("--rate", "-1"), "--rate -1: a rate is a positive number"),
        (("-o", "p.jpeg"), "'p.jpeg': a picture is .svg or .html"),
        (("--bits", "0"), "--bits 0: expected a number above 0, at most 16"),
        (("--train", "-1"), "--train -1: expected a number above 0"),
        (("--nj-per-bit", "nan"), "--nj-per-bit nan: expected a number above 0"),
        (("--write", "q.toml"), "--write needs the comparison; leave out --no-compare"),
    ],
)
def test_what_is_wrong_is_one_line_and_writes_nothing(extra: tuple[str, ...], words: str, recording: Path) -> None:
    error = advise("-o", "p.svg", *extra).exception
    assert isinstance(error, QcsError)
    assert words in str(error)
    assert "\n" not in str(error)
    assert [path.name for path in recording.parent.iterdir()] == ["sine.csv"]


def test_a_picture_needs_its_extra(recording: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qcskit.codec.optional.find_spec", lambda name: None)
    assert "pip install 'qcskit[report]'" in str(advise("-o", "p.svg").exception)


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compare at one window length and one rate."""
    monkeypatch.setattr("qcskit.export.compare.RATES", (1.0,))
    monkeypatch.setattr("qcskit.export.compare.SIZES", ())


@pytest.mark.usefixtures("few")
def test_it_compares_codecs_and_writes_the_best_one(recording: Path) -> None:
    done = advise("-n", "16", "--no-cost", "--nj-per-bit", "10", "--rate", "50", "--write", "q.toml", "-o", "p.html",
                  "--json", only_look=False)  # fmt: skip
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    compared = found["comparison"]
    rows = {row["name"]: row for row in compared["codecs"]}
    assert {"lossless", "DCT-16", "KLT-16", "ce-sq-omp"} <= rows.keys()
    point = rows["KLT-16"]["points"][0]
    assert (point["asked_bits"], point["settings"]["transform"]["basis"]) == (1.0, "klt")
    assert point["radio_nj_per_sample"] == pytest.approx(10 * point["bits"])
    assert rows["KLT-16"]["packet_seconds"] == rows["KLT-16"]["packet_samples"] / 50
    assert rows["KLT-16"]["cost"] is None
    assert rows["lossless"]["points"][0]["exact"]
    assert rows["lossless"]["points"][0]["nmse_db"] is None
    assert compared["raw_bits"] == 12
    best = compared["best"]["1"][0]
    text = (recording.parent / "q.toml").read_text()
    assert text.startswith(f"# {best}, ")
    page = (recording.parent / "p.html").read_text()
    assert page.count("<svg") == 4
    assert "lossless, exact" in page
    assert "<li>At 1 bit per sample " in page
    made = CliRunner().invoke(build_app(), ["design", "--codec", rows[best]["codec"], "-c", "q.toml", "-o", "b", "-q"])
    assert made.exit_code == 0, made.output
    manifest = json.loads((recording.parent / "b" / "manifest.json").read_text())
    assert manifest["nmse"]["deployed_db"] == pytest.approx(rows[best]["points"][0]["nmse_db"], abs=1.5)


@pytest.mark.usefixtures("few")
def test_tables_and_verdict_are_printed_behind_the_survey(recording: Path) -> None:
    shown = advise("-n", "16", "--no-cost", "--write", "q.toml", only_look=False).stdout
    places = [shown.index(words) for words in ("recording sine.csv", "what comes back", "what it costs", "At 1 bit per",
                                               "next: qcskit design --codec")]  # fmt: skip
    assert places == sorted(places)
    assert "Not measured: M4, M0+, AVR, flash, RAM." in " ".join(shown.split())
    assert "radio" not in shown


def test_a_configuration_is_never_replaced(recording: Path) -> None:
    (recording.parent / "q.toml").write_text("mine")
    assert "--write 'q.toml': the file exists" in str(advise("--write", "q.toml", only_look=False).exception)
    assert (recording.parent / "q.toml").read_text() == "mine"


def test_the_picture_does_not_replace_the_recording(recording: Path) -> None:
    recording.rename(recording.parent / "sine.svg")
    done = CliRunner().invoke(build_app(), ["advise", "sine.svg", "-o", "sine.svg"])
    assert "would change 'sine.svg'" in str(done.exception)


@pytest.mark.usefixtures("few")
def test_what_is_broken_off_leaves_nothing(recording: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(recording.parent))
    seen: list[list[str]] = []

    def broken(*arguments: object) -> None:
        seen.append(sorted(path.name for path in recording.parent.iterdir()))
        raise KeyboardInterrupt

    monkeypatch.setattr("qcskit.export.compare.measure", broken)
    assert advise("-n", "16", "-o", "p.svg", "--write", "q.toml", only_look=False).exit_code != 0
    assert [name.startswith("qcskit-advise-") for name in seen[0]] == [True, False]
    assert [path.name for path in recording.parent.iterdir()] == ["sine.csv"]


def test_no_configuration_is_written_if_no_codec_is_best(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qcskit.cli.advise_words.winner", lambda comparison: None)
    assert write_configuration(tmp_path / "q.toml", None) is None
    assert not (tmp_path / "q.toml").exists()


def test_json_names_every_figure_of_the_survey() -> None:
    values = np.sin(np.arange(4000.0) / 7) * 1000
    found = survey(Samples(np.rint(values), True, rate_hz=50.0, unit="mV", units_per_count=0.5), 16, 4)
    told, floors, spectrum = as_dict(found, None), found.floors, found.spectrum
    assert (told["klt_db"], told["lmmse_db"]) == (floors.klt, floors.lmmse)
    assert (told["test_windows"], told["test_windows_of_one_value"]) == (floors.windows, floors.repeated)
    assert told["parts"] == {part: {"mean": mean, "std": std} for part, (mean, std) in found.parts.items()}
    assert told["peaks"] == [{"of_half_rate": place, "energy": share} for place, share in spectrum.peaks]
    assert [*told["energy_below"].values()] == [*spectrum.bands]
    assert [*told["energy_below"]] == [str(band) for band in BANDS]
    assert [*told["coefficients"]] == [*floors.counts]
    assert all([*shares] == [str(share) for share in SHARES] for shares in told["coefficients"].values())
    assert [*told["coefficients"]["KLT"].values()] == [*floors.counts["KLT"]]
    assert (told["rate_hz"], told["unit"], told["units_per_count"], told["samples"]) == (50.0, "mV", 0.5, 4000)
    assert {name: told[name] for name in ("low", "high", "step", "bits", "distinct", "longest")} == {
        name: getattr(found.steps, name) for name in ("low", "high", "step", "bits", "distinct", "longest")
    }


@pytest.mark.parametrize(("unit", "per_count", "shown"), [("mV", 1.0, " mV"), ("mV", 0.5, ""), ("", 1.0, "")])
def test_a_unit_stands_behind_values_that_are_in_it(unit: str, per_count: float, shown: str) -> None:
    values = np.rint(np.sin(np.arange(4000.0) / 7) * 1000)
    found = survey(Samples(values.reshape(250, 16), True, unit=unit, units_per_count=per_count), 16, 4)
    facts = _facts(found)
    assert facts["samples"] == "4,000 in 250 windows"
    assert facts["range"] == f"-1000 … 1000{shown}"
    assert f"multiples of 1{shown}, 11 bits" in facts["integers"]
    assert all(facts[f"{part} part"].endswith(shown or facts[f"{part} part"][-1]) for part in found.parts)
    steps = replace(found.steps, step=None)
    assert _facts(replace(found, steps=steps))["values"].endswith("different ones, no step to be seen")


@pytest.mark.parametrize(("words", "quiet"), [((), False), (("-q",), True), (("--json",), True)])
def test_every_option_reaches_the_comparison(
    words: tuple[str, ...], quiet: bool, recording: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []

    def compared(*given: Any) -> None:
        asked.extend(given)
        raise QcsError("enough")

    monkeypatch.setattr("qcskit.cli.advise_compare.compared", compared)
    monkeypatch.setattr("qcskit.cli.advise_compare.front_end", lambda found, config, settings: settings)
    done = advise(
        "--column",
        "v",
        "--bits",
        "1.25",
        "--train",
        "3",
        "--nj-per-bit",
        "20",
        "--no-cost",
        "-n",
        "16",
        "-s",
        "signal.n=16",
        *words,
        only_look=False,
    )
    assert str(done.exception) == "enough"
    file, column, fill, found, wanted, front, silent = asked
    assert (file, column, fill, front, silent) == (Path("sine.csv"), "v", "interpolate", ["signal.n=16"], quiet)
    assert wanted == Wanted(1.25, 3.0, 20.0, False)
    assert (found.floors.n, found.floors.m) == (16, 8)
    assert ("recording sine.csv" in done.stdout) != quiet
