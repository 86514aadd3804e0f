"""The page of every kind of codec, of a run in which one board failed, and of one that differed."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from support.bundles import BUNDLES, lossless_bundle
from support.entries import entry, failed, results

from qcskit.codec.interface import Codec
from qcskit.hil.config import HilConfig
from qcskit.hil.fleet import run_fleet

pytest.importorskip("matplotlib", reason="needs the extra 'report': pip install 'qcskit[report]'")
pytest.importorskip("jinja2", reason="needs the extra 'report': pip install 'qcskit[report]'")
from qcskit.hil.report import plots
from qcskit.hil.report.page import Cost, Plot, bundle_figures, device_view, facts, origin, render, windows
from qcskit.hil.schema import read_results


@pytest.fixture
def codec_of_sparse(tmp_path: Path) -> Codec:
    """One that decodes drawn vectors, to be changed."""
    return BUNDLES["sparse"](tmp_path / "b")


def test_failed_boards_and_mismatches_are_on_the_page(codec: Codec, tmp_path: Path) -> None:
    config = HilConfig(port=["emu:native", "/dev/ttyNONE"], vectors=300)
    run_fleet(codec, config, out=tmp_path / "r.json", resume=False, progress=lambda *_: None)
    results = read_results(tmp_path / "r.json")
    wrong = results["devices"][0]["mismatches"]
    wrong.update(count=2, segments=[[0, 1], [2, 1]], first=[{"vector": 7, "expected": "00", "got": "01"}])
    wrong["per_output"] = [0, 0, 0, 2]
    page = render(codec, results, None)
    assert "it does not exist" in page
    assert "Mismatches" in page
    assert "<code>01</code>" in page


@pytest.mark.parametrize("name", BUNDLES)
def test_the_page_says_what_the_codec_says_of_itself(name: str, tmp_path: Path) -> None:
    codec = BUNDLES[name](tmp_path / "b")
    rows, page = facts(codec), render(codec, None, None)
    assert rows | codec.describe() == rows
    assert all(label in page for label in rows)
    assert ("Golden vector 0" in page) == codec.decodes


def test_recovery_is_told_instead_of_nmse(tmp_path: Path) -> None:
    codec, config = BUNDLES["coded"](tmp_path / "b"), HilConfig(port=["emu:native"], vectors=100)
    results = run_fleet(codec, config, out=tmp_path / "r.json", resume=False, progress=lambda *_: None)
    page = render(codec, results, None)
    assert "flagged 0, wrong 0" in page
    assert "NMSE device" not in page


def test_without_any_error_it_is_exact_on_the_page_and_null_in_the_results(tmp_path: Path) -> None:
    codec, config = lossless_bundle(tmp_path / "b"), HilConfig(port=["emu:native"], vectors=100)
    results = run_fleet(codec, config, out=tmp_path / "r.json", resume=False, progress=lambda *_: None)
    (device,) = results["devices"]
    nmse, rows = device["nmse"], device_view(device)["rows"]
    assert (nmse["device_db"], nmse["deployed_db"], nmse["fidelity"]["nmse_db"]) == (None, None, None)
    assert {nmse["fidelity"]["largest_error"], *nmse["per_segment_db"]} == {0.0, None}
    assert rows["NMSE device"] == rows["NMSE integer reference, same vectors"] == "exact"
    assert rows["fidelity"].startswith("exact, ")
    assert facts(codec)["NMSE deployed"].startswith("exact (")
    assert "NMSE over the run" in render(codec, results, None)


CHECKED = {"passed": True, "complete": True, "vectors": 9, "implementations": [], "not_run": {"avr": "needs 9 bytes"}}


def test_packets_of_any_length_on_the_page(toy_codec: Codec, tmp_path: Path) -> None:
    config = HilConfig(port=["emu:native"], vectors=100)
    results = run_fleet(toy_codec, config, out=tmp_path / "r.json", resume=False, progress=lambda *_: None)
    page = render(toy_codec, results, CHECKED)
    assert "min 1, p50" in page
    assert "not run: needs 9 bytes" in page


def test_the_rows_of_a_board_by_hand() -> None:
    """Every row from its own figure: all of them differ."""
    made = entry(
        answered=299, mismatches__count=1234, nmse__device_db=-11.0, device_time_us__max=1234.5,
        energy={"kind": "estimate", "encode_uj": 1.5, "radio_uj": "not measured"},
    )  # fmt: skip
    assert device_view(made, "mV")["rows"] == {
        "board": "native, firmware 1.2.3, protocol 2",
        "vectors answered": "299 of 300",
        "mismatches": "1,234",
        "vectors": "299, drawn from 70 windows",
        "packet": "4 bytes",
        "NMSE device": "-11.000 dB",
        "NMSE integer reference, same vectors": "-12.000 dB",
        "fidelity": "NMSE about the window's own mean -7 dB, SNR 12 dB, PRD 3.5 %, largest error 0.75 mV, "
        "windows' NMSE median -14 dB, 95 % -9 dB, worst -5 dB, 70 distinct windows",
        "clipped": "12.50% of the counts, most at input 1: 25.00%",
        "encode": "min 900, p50 1,000, p95 1,500, p99 2,000, max 4,000 cycles",
        "encode time": "min 1.5, p50 2.5, p95 3.5, p99 4.5, max 1,234.5 µs",
        "round trip, one vector": "min 300, p50 400, p95 500, p99 600, max 700 µs",
        "throughput": "1,200 vectors/s through this link",
        "link": "emu:native at 115,200 baud; 40 frames sent, 8 retries, 8 timeouts, 0 reconnects; "
        "board: 2 CRC errors, 0 overruns; both ends count the same",
        "energy (estimate)": "encode 1.5 µJ, radio not measured",
        "evidence": f"SHA-256 {made['evidence']['sha256']}",
    }


def test_what_is_not_measured_says_so() -> None:
    nothing = "not measured"
    made = entry(
        ticks=nothing, device_time_us=nothing, nmse__device_db=nothing, nmse__deployed_db=None, nmse__fidelity=nothing,
        clipped=nothing,
    )  # fmt: skip
    view = device_view(made)
    told = ("encode", "encode time", "NMSE device", "NMSE integer reference, same vectors", "fidelity", "clipped")
    assert [view["rows"][row] for row in told] == [nothing] * 6
    assert view["rows"]["energy (estimate)"].startswith("not measured: set hil.uj_per_kilocycle")
    assert not [title for title in view["figures"] if title.startswith("Encode")]


def test_recovery_by_hand() -> None:
    recovery = {"frames": 3000, "perfect": 2000, "flagged": 900, "wrong": 100}
    view = device_view(entry(recovery=recovery))
    assert view["rows"]["perfect recovery"] == "2,000 of 3,000; flagged 900, wrong 100"
    assert "NMSE over the run" not in view["figures"]


def test_a_board_that_failed_has_one_row() -> None:
    view = device_view({"label": "it", "error": "gone"})
    assert view == {"label": "it", "rows": {"failed": "gone"}, "figures": {}, "first": []}


def test_the_figures_of_a_board_draw_its_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: dict[str, list[tuple[object, ...]]] = {}
    for name in ("lines", "histogram", "cumulative", "mismatch_map"):
        monkeypatch.setattr(
            plots, name, lambda *data, _name=name, **more: drawn.setdefault(_name, []).append((*data, more))
        )
    first = [{"vector": number} for number in range(30)]
    wrong = {"count": 30, "first": first, "per_output": [0, 9], "segment_vectors": 100, "segments": [[2, 30]]}
    view = device_view(entry(mismatches=wrong))
    assert list(view["figures"]) == ["Encode, cycles", "Encode, cumulative", "NMSE over the run", "Link", "Mismatches"]
    assert view["first"] == first[:20]
    bins = {"edges": [0.5, 1.5, 2.5], "counts": [100, 200], "unit": "cycles"}
    assert drawn["histogram"] == [(bins | {"marks": {"p50": 1000, "p95": 1500, "p99": 2000}},)]
    assert drawn["cumulative"] == [(bins,)]
    assert drawn["mismatch_map"] == [([[2, 30]], 100, [0, 9], {})]
    (starts, curve, *axes), (t_s, counters, *link_axes) = drawn["lines"]
    assert (list(starts), curve) == ([0, 100, 200], {"NMSE": [-11.0, None, -13.0]})  # type: ignore[call-overload]
    assert (t_s, counters) == ([0.0, 0.1], {"answered": [0, 300], "retries": [0, 8], "not frames": [0, 9]})
    assert (axes, link_axes) == (["vector", "NMSE in dB", ".-", {}], ["time in s", "count", {}])
    assert [plot.words for plot in view["figures"].values()] == [
        *2 * ["min 900, p50 1,000, p95 1,500, p99 2,000, max 4,000 cycles"],
        "about -12.000 dB from beginning to end",
        "answered 300, retries 8, not frames 9",
        "30 vectors differ",
    ]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({}, "both ends count the same"),
        ({"link__agree": False}, "host and board count differently"),
        ({"link__agree": False, "link__board_restarted": True}, "the board restarted"),
    ],
)
def test_what_is_told_of_the_counters_of_both_ends(changes: dict[str, object], told: str) -> None:
    assert device_view(entry(**changes))["rows"]["link"].endswith(f"0 overruns; {told}")


def test_a_rate_that_was_not_measured_says_so() -> None:
    assert device_view(entry(throughput__vectors_per_s=None))["rows"]["throughput"] == "not measured"
    assert device_view(entry(throughput__vectors_per_s=1200.0))["rows"]["throughput"] == (
        "1,200 vectors/s through this link"
    )


def test_pictures_have_a_title_and_words_for_who_cannot_see_them() -> None:
    drawn = Plot("<svg a><svg b>", 'it is < "that"').svg_with("Some <plot>")
    label = "Some &lt;plot&gt;: it is &lt; &quot;that&quot;"
    assert drawn == f'<svg role="img" aria-label="{label}" a><svg b>'


def test_bars_stand_beside_each_other_on_the_same_frames_only(
    decoding_codec: Codec, monkeypatch: pytest.MonkeyPatch
) -> None:
    bars: list[dict[str, float]] = []
    monkeypatch.setattr(plots, "nmse_bars", lambda values: bars.append(values) or "")
    failed, unmeasured = {"label": "b", "error": "gone"}, entry(label="c", nmse__device_db="not measured")
    fewer = entry(label="d", nmse__device_db=-9.0, nmse__frames=7)
    bundle_figures(decoding_codec, {"devices": [entry(nmse__device_db=-11.0), failed, unmeasured, fewer]})
    nmse = decoding_codec.bundle.manifest.nmse
    assert bars == [{"float": nmse.float_db, "deployed": nmse.deployed_db}, {"integer reference": -12.0, "left": -11.0},
                    {"integer reference": -12.0, "d": -9.0}]  # fmt: skip


def test_bars_of_as_many_frames_but_other_vectors_are_told_apart(decoding_codec: Codec) -> None:
    own, drawn = entry(label="e", nmse__device_db=-8.0), entry()
    for made, asked in ((own, "file ab12"), (drawn, "seed 7")):
        made["evidence"]["parts"]["vectors"] = asked
    beside = entry(label="f", nmse__device_db=-12.0)
    beside["evidence"]["parts"]["vectors"] = "seed 7"
    nmse = decoding_codec.bundle.manifest.nmse
    figures = bundle_figures(decoding_codec, {"devices": [own, drawn, beside]})
    told = {title: plot.words for title, plot in figures.items() if title.startswith("NMSE")}
    exported = f"float {nmse.float_db:.3f} dB, deployed {nmse.deployed_db:.3f} dB"
    assert told == {
        f"NMSE, {nmse.frames:,} frames of the export": exported,
        "NMSE, 300 frames of the run (file ab12)": "integer reference -12.000 dB, e -8.000 dB",
        "NMSE, 300 frames of the run (seed 7)": "integer reference -12.000 dB, left -12.000 dB, f -12.000 dB",
    }
    assert list(bundle_figures(decoding_codec, {"devices": [drawn]}))[-1] == "NMSE, 300 frames of the run"


def test_facts_of_a_bundle_by_hand(tmp_path: Path) -> None:
    """Every row from its own figure."""
    codec = BUNDLES["sparse"](tmp_path / "b")
    manifest = codec.bundle.manifest
    nmse = manifest.nmse.model_copy(
        update={"float_db": -20.1234, "deployed_db": -19.9876, "frames": 1500, "clipped": (0.25, 0.0)}
    )
    tools = {"numpy": "2.5", "qcskit": "9.8"}
    codec.bundle = replace(codec.bundle, manifest=manifest.model_copy(update={"nmse": nmse, "tools": tools}))
    rows = facts(codec)
    assert rows["model"] == f"sparse, id {manifest.model_id}, codec sparse"
    assert rows["source"] == "N = 8, M = 6, S = 2, noise variance 0.0001"
    assert (rows["NMSE float"], rows["NMSE deployed"]) == ("-20.123 dB", "-19.988 dB (1,500 frames)")
    assert rows["clipped"] == "12.50% of the counts"
    assert rows["made with"] == "numpy 2.5, qcskit 9.8"
    assert "S =" not in facts(BUNDLES["transform"](tmp_path / "t"))["source"]


@pytest.mark.parametrize(
    ("unit", "scale", "told"),
    [("", 1.0, ""), ("", 2.5, " units of the sensor"), ("mV", 2.5, " mV"), ("mV", 1.0, " mV")],
)
def test_windows_are_in_units(
    codec_of_sparse: Codec, monkeypatch: pytest.MonkeyPatch, unit: str, scale: float, told: str
) -> None:
    """The unit of the sensor; without one, of a scaled source, the sensor's; of drawn vectors none."""
    axes: list[tuple[str, bool]] = []
    monkeypatch.setattr(plots, "reconstruction", lambda x, x_hat, unit, joined: axes.append((unit, joined)) or "")
    manifest = codec_of_sparse.bundle.manifest
    signal = manifest.signal.model_copy(update={"scale": scale})
    adc = manifest.adc.model_copy(update={"unit": unit})
    bundle = replace(codec_of_sparse.bundle, manifest=manifest.model_copy(update={"signal": signal, "adc": adc}))
    codec_of_sparse.bundle = bundle
    x, x_hat = (bundle.vectors[name].astype(float) for name in ("x", "x_hat"))
    titles = [f"Golden vector {n}: largest error {abs(x[n] - x_hat[n]).max():.3g}{told}" for n in range(3)]
    assert list(windows(codec_of_sparse)) == titles
    assert axes == [(told.strip(), False)] * 3


def test_a_vector_that_was_not_recovered_says_so(codec_of_sparse: Codec) -> None:
    codec_of_sparse.bundle.vectors["x_hat"][1, 2] = float("nan")
    assert list(windows(codec_of_sparse))[1] == "Golden vector 1: not recovered"


def test_samples_of_a_recording_are_joined(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    joined: list[bool] = []
    monkeypatch.setattr(plots, "reconstruction", lambda x, x_hat, unit, line: joined.append(line) or "")
    windows(BUNDLES["transform"](tmp_path / "b"))
    assert joined == [True] * 3


def test_where_the_figures_are_from(decoding_codec: Codec) -> None:
    made = results(failed("left"), qcskit="1.2", libraries="numpy 2")
    bare = origin(decoding_codec, None, {"evidence": None}, {"page written": "today"})
    name, checksum = decoding_codec.bundle.manifest.name, decoding_codec.bundle.manifest.checksum
    bundle = {"bundle": f"{name}, SHA-256 {checksum or 'not measured'}"}
    assert bare == bundle | {"page written": "today"}
    digest = made["evidence"]["sha256"]
    told = {"evidence of the results": f"SHA-256 {digest}", "measured with": "qcskit 1.2", "host": "numpy 2"}
    assert origin(decoding_codec, made, None, {}) == bundle | told
    without = results(failed("left"))
    rows = origin(decoding_codec, without, None, {})
    assert (rows["measured with"], rows["host"]) == ("qcskit not measured", "not measured")


def test_the_page_is_for_every_eye_and_every_width(decoding_codec: Codec) -> None:
    tally = {"name": "numpy", "role": "reference", "vectors": 9, "mismatches": 0}
    page = render(decoding_codec, results(entry()), CHECKED | {"implementations": [tally]})
    pictures = re.findall(r"<svg [^>]*>", page)
    assert len(pictures) > 5
    assert all('role="img" aria-label="' in picture for picture in pictures)
    assert not re.findall(r"<th(?! scope=)[^e>]*>", page)
    assert page.count("<table") == page.count("<caption")
    for words in ('name="viewport"', "prefers-color-scheme: dark", "@media print", "minmax(min(100%, 340px), 1fr)"):
        assert words in page
    assert f'<meta name="qcskit-model" content="{decoding_codec.bundle.manifest.model_id}">' in page


def test_cost_origin_and_dates_are_on_the_page(decoding_codec: Codec, monkeypatch: pytest.MonkeyPatch) -> None:
    for pictures in ("windows", "bundle_figures"):
        monkeypatch.setattr(f"qcskit.hil.report.page.{pictures}", lambda *codec: {})
    core = {"core": "Cortex-M4", "flash_needed_bytes": 4100, "code_bytes": 4000, "table_bytes": 100,
            "stack_bytes": None, "ram_needed_bytes": 777}  # fmt: skip
    cores, layers = [core, {"core": "AVR", "missing": "gcc-avr"}], [("dense <1>", 750.0, 0.75)]
    made, cost = results(failed("left")), Cost(cores, layers, "1,000 instructions", "<svg ></svg>")
    page = render(decoding_codec, made, None, cost, {"results written": "2026-01-01"})
    for words in ("4,100", "777", "not measured: needs the Debian package gcc-avr", "dense &lt;1&gt;", "width:75.0%",
                  "Flame picture", made["evidence"]["sha256"], "2026-01-01"):  # fmt: skip
        assert words in page
    bare = render(decoding_codec, None, None)
    assert "Flash, RAM and stack: not measured" in bare
    assert "Instructions per layer: not measured" in bare


def test_a_page_stands_whatever_the_reader_takes(tmp_path: Path) -> None:
    """Every figure at the end of its range, every list as short as may be."""
    wide = {"edges": [-1e15, 1e15], "counts": [10**15]}
    made = entry(
        ticks={"unit": "cycles", "hz": None, "count": 10**15, "mean": 1e15, "histogram": wide}
        | dict.fromkeys(("min", "p50", "p95", "p99", "max"), 1e15),
        mismatches={"count": 10**15, "first": [{"vector": 10**15, "expected": "", "got": "", "outputs": []}] * 100,
                    "per_output": [], "undecodable": 0, "segment_vectors": 10**10, "segments": [[10_000, 10**15]]},
        nmse__per_segment_db=[1e15, None, -1e15], nmse__device_db=-1e15, answered=10**15, vectors=10**15,
        series={"t_s": [0.0, 1e15], "answered": [0, 10**15], "retries": [0, 0], "not_frames": [0, 10**15]},
    )  # fmt: skip
    (tmp_path / "r.json").write_text(json.dumps(results(made)))
    view = device_view(read_results(tmp_path / "r.json")["devices"][0])
    assert len(view["figures"]) == 3  # no histogram of one value


def test_the_file_of_own_data_and_what_was_clipped_are_on_the_page(decoding_codec: Codec) -> None:
    clipped = {"data": {"vectors": 9, "share": 0.0625, "per_input": [0.0625]}}
    page = render(decoding_codec, results(entry()), CHECKED | {"clipped": clipped})
    assert "the 300 packets of day.csv, SHA-256 <code>abab" in page
    assert "6.25% of the counts clipped" in page
    without = render(decoding_codec, results(entry()) | {"data": None}, CHECKED)
    assert "day.csv" not in without
    assert "of the counts clipped" not in without


def test_flagged_vectors_by_hand() -> None:
    """Without a guard there is no such row."""
    row = "flagged as off the codec's design"
    assert device_view(entry(guarded=12))["rows"][row] == "12 of 300 vectors, sent coarsely"
    assert row not in device_view(entry())["rows"]
