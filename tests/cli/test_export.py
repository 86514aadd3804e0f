"""What `qcskit export` hands to an exporter: a run, a model of one's own, arrays of files; what it tells meanwhile."""

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from qcskit.cli import build_app
from qcskit.cli import export as verb
from qcskit.codec.errors import QcsError
from qcskit.codec.sensor import AdcConfig

Asked = list[tuple[str, tuple[Any, ...], dict[str, Any]]]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Asked:
    """What exporters are called with, in an empty folder; each tells a stage."""
    found: Asked = []
    monkeypatch.chdir(tmp_path)
    manifest = SimpleNamespace(model_dump=lambda mode: {"name": "a"})

    def exporter(name: str, place: int, result: Any) -> Any:
        def export(*given: Any, **more: Any) -> Any:
            found.append((name, given, more))
            (more.get("progress") or given[place])("measure", 30, 40)
            return result

        return export

    codec = SimpleNamespace(bundle=SimpleNamespace(manifest=manifest))
    for module, name, result in (
        ("own", "export_model", codec),
        ("tflite_model", "export_tflite", codec),
        ("run", "export_run", manifest),
    ):
        made = SimpleNamespace(**{name: exporter(name, 3, result)})
        monkeypatch.setitem(sys.modules, f"qcskit.export.learned.{module}", made)
    return found


def call(*words: str) -> Any:
    return CliRunner().invoke(build_app(), ["export", *words])


def test_a_model_of_ones_own_comes_with_the_arrays_of_its_files(asked: Asked) -> None:
    for number, name in enumerate("abcde"):
        np.save(f"{name}.npy", np.full((3, 2), number))
    for name in ("m.keras", "m.tflite"):
        Path(name).write_text("")
    done = call(
        "m.keras",
        "--calibrate",
        "a.npy",
        "--pairs",
        "b.npy",
        "c.npy",
        "--test",
        "d.npy",
        "e.npy",
        "--json",
        "-s",
        "adc.bits=10",
        "-o",
        "out",
        "--name",
        "mine",
        "--allow-loss",
    )
    assert done.exit_code == 0, done.output
    ((name, (model, calibration), more),) = asked
    assert (name, model, more["out"], more["adc"].bits) == ("export_model", Path("m.keras"), Path("out"), 10)
    assert (more["config"].name, more["config"].allow_loss) == ("mine", True)
    assert [array[0, 0] for array in (calibration, *more["pairs"], *more["test"])] == [0, 1, 2, 3, 4]
    assert call("m.tflite", "--thresholds", "b.npy", "--levels", "5", "--json").exit_code == 0
    name, (model, calibration), more = asked[1]
    assert (name, model, calibration, more["levels"]) == ("export_tflite", Path("m.tflite"), None, 5)
    assert (more["thresholds"][0, 0], more["config"].allow_loss, more["out"]) == (1, False, Path("runs/bundle"))


def test_a_run_is_exported_under_its_own_name_or_another(
    asked: Asked, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(verb, "_run_name", lambda run: "its_own")
    monkeypatch.setattr("qcskit.codec.files.check_named", lambda out, name: named.append((out, name)))
    named: list[tuple[Path, str]] = []
    out, adc = Path("out"), AdcConfig()
    for name in ("", "another"):
        config = SimpleNamespace(name=name)
        verb.run_export(Path("run"), out, config, adc, bool(name))
        assert asked[-1][1][:3] == (Path("run"), out, config)
        assert asked[-1][1][4] is adc
    assert named == [(out, "its_own"), (out, "another")]
    assert capfd.readouterr().err.splitlines() == ["load TensorFlow …", "measure: 30 of 40"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("nowhere",), "nowhere"),
        (("run", "--coded"), "export takes one of a run, a model, --coded and --codec NAME"),
        (("--coded", "--codec", "transform"), "export takes one of a run, a model, --coded and --codec NAME"),
        (("plain",), "'plain' is a file without a suffix: name your model .keras or .tflite, as it is"),
        (("run", "--levels", "5"), "--levels goes with a model of yours, a .tflite file"),
        (("run", "--calibrate", "y"), "--calibrate goes with a model of yours, a .keras file"),
        (("m.keras", "--pairs", "x", "--json"), "--pairs takes two files, X and Y, and got 'x' and the option --json"),
        (("m.keras", "--to", "zip"), "there is no package format 'zip'"),
    ],
)
def test_wrong_use_is_one_line_and_calls_nothing(words: tuple[str, ...], told: str, asked: Asked) -> None:
    Path("plain").write_text("")
    Path("m.keras").write_text("")
    Path("run").mkdir()
    error = call(*words).exception
    assert isinstance(error, QcsError)
    assert told in str(error)
    assert "\n" not in str(error)
    assert asked == []
