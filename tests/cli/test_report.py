"""The report page: complete, self-contained, and honest about what was not measured."""

import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from support.bundles import BUNDLES, drifting_counts, sampled_bundle
from support.command import Made
from support.tampered import tampered
from typer.testing import CliRunner

from qcskit.cli import build_app
from qcskit.cli.report import weigh
from qcskit.codec.bundle import read_bundle
from qcskit.codec.codecs import open_codec
from qcskit.codec.errors import QcsError
from qcskit.codec.sensor import AdcConfig

pytest.importorskip("matplotlib", reason="needs the extra 'report': pip install 'qcskit[report]'")
from qcskit.hil.report import plots
from qcskit.hil.report.page import render

Called = Callable[..., Any]


def test_a_bundle_alone_gives_a_page_without_outside_references(bundle_path: Path, tmp_path: Path) -> None:
    done = CliRunner().invoke(
        build_app(), ["report", str(bundle_path), "-o", str(tmp_path / "r.html"), "--json", "--no-cost"]
    )
    assert json.loads(done.stdout) == {"report": str(tmp_path / "r.html")}
    text = (tmp_path / "r.html").read_text()
    assert text.count("<svg") == 6
    assert "no device was measured" in text
    assert not re.search(r'(src|href)="https?:', text)
    assert [file.name for file in tmp_path.iterdir()] == ["r.html"]


@pytest.mark.parametrize("name", BUNDLES)
def test_the_page_is_reproducible(name: str, made: Made) -> None:
    codec = open_codec(made(name))
    assert render(codec, None, None) == render(codec, None, None)


def test_the_soft_curve_meets_the_staircase(bundle_path: Path) -> None:
    facts = open_codec(bundle_path).bundle.manifest.codec.model_dump()
    svg = plots.quantizer_curve(facts["thresholds"], facts["quantizer_levels"], [5, 105])
    assert svg.startswith("<svg")
    assert "soft, h = 105" in svg


def measured(called: Called, bundle: Path) -> None:
    """r.json and v.json of a bundle."""
    called("hil", str(bundle), "-p", "emu:native", "-n", "60", "-q", "-o", "r.json")
    called("simulate", str(bundle), "-n", "100", "-q", "-o", "v.json")


@pytest.fixture
def called(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Called:
    """The command in this process and an empty folder; raises what it raises."""
    monkeypatch.chdir(tmp_path)
    return lambda *words: CliRunner().invoke(build_app(), words, catch_exceptions=False)


def test_evidence_of_another_bundle_is_refused(bundle_path: Path, tmp_path: Path, called: Called) -> None:
    """The same tables, and so the same model id; one byte of one file differs, and the hashes know it."""
    measured(called, bundle_path)
    other = tampered(read_bundle(bundle_path), tmp_path / "b", "manifest.json", lambda m: m["tools"].update(x="1")).path
    called("report", str(bundle_path), "-r", "r.json", "-v", "v.json", "-o", "good.html", "-q", "--no-cost")
    assert "bit-exact" in (tmp_path / "good.html").read_text()
    for option, file, command in (("-r", "results 'r.json'", "hil"), ("-v", "verdict 'v.json'", "simulate")):
        with pytest.raises(QcsError, match=f"{file} is of another bundle than '.*b'.*; run 'qcskit {command}' on this"):
            called("report", str(other), option, file.split("'")[1], "-o", "bad.html")
    assert not (tmp_path / "bad.html").exists()


def test_what_cannot_be_counted_is_told_and_the_page_stands(bundle_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a compiler or an emulator says."""
    codec = open_codec(bundle_path)
    for broken in ("profile.counted", "memory.footprints"):

        def fails(*asked: object, **more: object) -> None:
            raise QcsError("the emulator was killed")

        monkeypatch.setattr(f"qcskit.cli.{broken}", fails)
        monkeypatch.setattr("qcskit.firmware.Board.missing", ())
        assert weigh(codec).counted == "not measured: the emulator was killed"


def test_a_page_is_shown_in_the_browser(called: Called, bundle_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[str] = []
    monkeypatch.setattr("webbrowser.open", shown.append)
    for option in ((), ("--open",)):
        called("report", str(bundle_path), "-q", "--no-cost", "-o", "a b.html", *option)
    assert shown == [(Path.cwd() / "a b.html").as_uri()]


def test_results_and_verdict_swapped_are_refused(bundle_path: Path, called: Called) -> None:
    measured(called, bundle_path)
    with pytest.raises(QcsError, match=r"results 'v\.json' are not what 'qcskit hil' writes"):
        called("report", str(bundle_path), "-r", "v.json")
    with pytest.raises(QcsError, match=r"verdict 'r\.json' is not what 'qcskit simulate' writes"):
        called("report", str(bundle_path), "-v", "r.json")


def test_a_verdict_without_its_last_chunks_is_not_called_bit_exact(bundle_path: Path) -> None:
    half = {"passed": True, "complete": False, "vectors": 1234, "implementations": [], "not_run": {}}
    page = render(open_codec(bundle_path), None, half)
    assert "incomplete, 1,234 vectors agree so far" in page
    assert "bit-exact" not in page


def test_a_far_tail_does_not_flatten_the_histogram() -> None:
    edges = [*range(0, 81), 2_000_000]
    svg = plots.histogram(edges, [5] * 80 + [2], "ns", {"p50": 40})
    assert "2 more, up to 2e+06" in svg or "2 more, up to 2,000,000" in svg
    assert "more, up to" not in plots.histogram(edges[:-1], [5] * 80, "ns", {})


def test_own_data_and_the_figures_in_units_are_on_the_page(tmp_path: Path, called: Called) -> None:
    """Of a recording: what the device clipped, how close it comes in units, and no S, which means nothing there."""
    bundle = sampled_bundle(tmp_path / "b", adc=AdcConfig(unit="µV")).bundle.path
    np.savetxt("day.csv", drifting_counts(80), fmt="%d")
    called("hil", str(bundle), "-p", "emu:native", "--data", "day.csv", "-q", "-o", "r.json")
    called("simulate", str(bundle), "-n", "100", "--data", "day.csv", "-q", "-o", "v.json")
    called("report", str(bundle), "-r", "r.json", "-v", "v.json", "-o", "r.html", "-q", "--no-cost")
    page = (tmp_path / "r.html").read_text()
    error = json.loads((tmp_path / "r.json").read_text())["devices"][0]["nmse"]["fidelity"]["largest_error"]
    for words in (
        "the 10 packets of day.csv", f"largest error {error:.4g} µV", "10 distinct windows",
        "0.00% of the counts clipped", "N = 8, M = 8, noise variance 0", "one count 1 µV",
    ):  # fmt: skip
        assert words in page, words
    assert "S = 2" not in page


def test_a_board_that_cannot_be_counted_on_is_named_with_what_it_needs(
    bundle_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("qcskit.cli.memory.footprints", lambda *asked: [])
    monkeypatch.setattr("qcskit.firmware.Board.missing", (("tool", "package-a"), ("other", "package-b")))
    told = weigh(open_codec(bundle_path)).counted
    assert told.startswith("not measured: board ")
    assert told.endswith(" needs package-a, package-b")


def test_what_is_counted_stands_in_the_page_with_its_share(bundle_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bytes of the cores that were measured, and of the one on which instructions are counted."""
    asked: list[Any] = []
    layers = [SimpleNamespace(name="call", instructions=400.0), SimpleNamespace(name="last", instructions=1200.0)]
    found = SimpleNamespace(total=SimpleNamespace(instructions=1600.4), layers=layers, core="Cortex-M4", frames=8)
    monkeypatch.setattr("qcskit.cli.memory.footprints", lambda codec, cores: asked.append(cores) or [{"core": "x"}])
    monkeypatch.setattr("qcskit.cli.profile.counted", lambda codec, *how: asked.append(how) or "counts")
    monkeypatch.setattr("qcskit.firmware.profile.profile", {"counts": found}.get)
    monkeypatch.setattr("qcskit.firmware.profile.flame_svg", lambda counted: f"<svg of {counted.core}>")
    monkeypatch.setattr("qcskit.firmware.Board.missing", ())
    results = {"devices": [{"board": "uno"}, {"error": "gone"}, {"board": "no such"}]}
    cost = weigh(open_codec(bundle_path), results)
    assert asked == [{"Cortex-M4", "AVR"}, ("cortex-m4", 8)]
    assert cost.layers == [("call", 400.0, 400 / 1600.4), ("last", 1200.0, 1200 / 1600.4)]
    assert cost.counted == "1,600 instructions on a Cortex-M4 (QEMU), mean of 8 golden vectors"
    assert (cost.cores, cost.flame) == ([{"core": "x"}], "<svg of Cortex-M4>")
    assert weigh(open_codec(bundle_path)).cores == [{"core": "x"}]
    assert asked[2] == {"Cortex-M4"}


def test_the_page_is_of_what_is_named_or_lies_beside_with_its_dates(
    bundle_path: Path, called: Called, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is not there has no date."""
    measured(called, bundle_path)
    for name, day in (("r.json", 1), ("v.json", 2)):
        os.utime(name, (86_400 * day, 86_400 * day + 3660))
    shutil.copytree(bundle_path, "bundle")
    asked: list[Any] = []
    monkeypatch.setattr("qcskit.hil.report.page.write_report", lambda *given: asked.append(given))
    monkeypatch.setattr("qcskit.cli.report.weigh", lambda codec, results: results and f"cost of {results['kind']}")
    both = {"results written": "1970-01-02 01:01 UTC", "verdict written": "1970-01-03 01:01 UTC"}
    called("report", "bundle", "-r", "r.json", "-v", "v.json", "-q")
    _, results, verdict, out, cost, dates = asked.pop()
    assert (results["kind"], verdict["passed"], out, cost, dates) == (
        "hil",
        True,
        Path("report.html"),
        "cost of hil",
        both,
    )
    Path("v.json").rename("verdict.json")
    called("report", "bundle", "-q", "--no-cost")
    _, results, verdict, _, cost, dates = asked.pop()
    assert (results, verdict["passed"], cost) == (None, True, None)
    assert dates == {"verdict written": both["verdict written"]}
    Path("r.json").rename("results.json")
    called("report", "bundle", "-q")
    assert asked.pop()[1:][-1] == both
