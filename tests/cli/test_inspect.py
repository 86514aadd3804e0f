"""`qcskit inspect`: figures against the bundle's own files and reference, on bundles of every kind."""

import json
import os
import re
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from rich.table import Table
from support.bundles import BUNDLES, learned_bundle, sampled_bundle
from support.command import Made, Run
from support.need import need_board
from typer.testing import CliRunner

from qcskit.cli import build_app
from qcskit.cli.inspect import instruction_table, most_instructions, tflm_cost, tflm_table
from qcskit.codec.codecs import open_codec
from qcskit.codec.errors import QcsError
from qcskit.codec.interface import Packets
from qcskit.codec.sensor import AdcConfig
from qcskit.firmware import DoesNotFitError, FirmwareError, boards, c_directory, count
from qcskit.firmware.footprint import Footprint
from qcskit.firmware.tflm import Tflm

runner = CliRunner()
ARM = pytest.mark.skipif(not shutil.which("arm-none-eabi-gcc"), reason="needs the Debian package gcc-arm-none-eabi")


def inspect_json(*arguments: str) -> dict:
    done = runner.invoke(build_app(), ["inspect", *arguments, "--json"])
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def test_facts_of_a_bundle(bundle_path: Path) -> None:
    facts = inspect_json(str(bundle_path), "--no-cost")
    codec = open_codec(bundle_path)
    assert facts["cost"]["macs"] == 10 * 50 + 50 * 10
    # weights 1000, thresholds 10·7·4, hidden bias and multiplier 50·4 each, shifts 50, activation 256
    assert facts["cost"]["table_bytes"] == 1000 + 280 + 400 + 50 + 256
    assert facts["cost"]["io_bytes"] == 2 * 10 + codec.packed_bytes_max
    assert facts["files"]["decoder.tflite"] == (bundle_path / "decoder.tflite").stat().st_size
    assert facts["nmse"]["deployed_db"] == codec.bundle.manifest.nmse.deployed_db
    assert facts["operators"] == ["FULLY_CONNECTED", "TANH", "FULLY_CONNECTED", "TANH"]


@pytest.mark.parametrize("name", BUNDLES)
def test_json_has_the_names_of_the_manifest(name: str, made: Made) -> None:
    facts = inspect_json(str(made(name)), "--no-cost")
    manifest = json.loads((made(name) / "manifest.json").read_text())
    assert {key: facts[key] for key in manifest if key != "files"} == {
        k: v for k, v in manifest.items() if k != "files"
    }
    assert set(facts) - set(manifest) == {"bundle", "cost"} | (
        {"operators"} if "encoder.tflite" in facts["files"] else set()
    )
    assert facts["files"] == {file: (made(name) / file).stat().st_size for file in manifest["files"]}


@pytest.mark.parametrize("name", BUNDLES)
def test_everything_is_shown_without_json(name: str, made: Made, run: Run) -> None:
    codec = open_codec(made(name))
    done = run("inspect", str(made(name)), "--core", "Cortex-M4")
    assert done.returncode == 0, done.stderr
    shown = [*codec.describe().values(), codec.bundle.manifest.model_id, "Cortex-M4", "vectors.npz", "N = "]
    assert [word for word in shown if word not in done.stdout] == []


SEES = {
    "int8": "y = Φ x of an analog front end, M = 10 of N = 20, Φ dct",
    "recorded": "y = Φ x of an analog front end, M = 6 of N = 12, Φ dct",
    "identity": "x itself, N = 7",
}


@pytest.mark.parametrize("name", SEES)
def test_what_the_device_sees_is_shown(name: str, made: Made) -> None:
    """A recording has no S; its level, scale and ADC are the manifest's."""
    text = shown(made(name))
    manifest = json.loads((made(name) / "manifest.json").read_text())
    signal, adc = manifest["signal"], manifest["adc"]
    assert SEES[name] in text
    assert f"one count {adc['units_per_count']:.6g}" in text
    assert f"{adc['bits']} bits signed" in text
    recorded = signal["source"] == "recorded"
    assert (f"about {signal['offset']:.6g}, standard deviation {signal['scale']:.4g}" in text) == recorded
    assert not re.search(r"\bS = \d", text)


@pytest.mark.parametrize("unit", ["", "mV"])
def test_the_level_of_x_is_told_in_its_unit(unit: str, tmp_path: Path) -> None:
    adc = AdcConfig(units_per_count=0.5, offset_counts=100, unit=unit)
    signal = sampled_bundle(tmp_path / "b", adc=adc, recording_in="counts").bundle.manifest.signal
    level, spread = (f"{text} {unit}".rstrip() for text in (f"{signal.offset:.6g}", f"{signal.scale:.4g}"))
    assert f"about {level}, standard deviation {spread} (training part)" in shown(tmp_path / "b")


def test_samples_of_x_are_told_from_all_of_x(tmp_path: Path) -> None:
    sampled_bundle(tmp_path / "bundle", matrix="uniform", m=4)
    assert "samples of x, M = 4 of N = 8" in shown(tmp_path / "bundle")


def test_the_clipped_share_is_the_manifests(made: Made) -> None:
    nmse = inspect_json(str(made("recorded")), "--no-cost")["nmse"]
    clipped = nmse["clipped"]
    assert len(clipped) == 6
    assert max(clipped) > 0
    worst = clipped.index(max(clipped))
    told = f"{sum(clipped) / 6:.2%} of the counts, most at input {worst}: {max(clipped):.2%}"
    assert told in shown(made("recorded"))


def shown(path: Path) -> str:
    """Return what inspect shows of a bundle, cells of its tables on one line each."""
    done = runner.invoke(build_app(), ["inspect", str(path), "--no-cost"], env={"COLUMNS": "400", "TERM": "dumb"})
    assert done.exit_code == 0, done.output
    return done.output


@pytest.mark.parametrize("name", ["int8", pytest.param("transform", marks=pytest.mark.slow)])
def test_instructions_are_those_of_the_counter(name: str, made: Made) -> None:
    need_board("cortex-m3")
    need_board("mega")
    codec = open_codec(made(name))
    found = inspect_json(str(made(name)), "--no-cost", "--count")["instructions"]
    for board in ("cortex-m3", "mega"):
        vectors = np.concatenate([codec.bundle.vectors["counts"][:8], codec.edges(24, np.random.default_rng(0))])
        run = count(board, made(name) / "c", codec.name, vectors)
        spent = {"mean": run.instructions[:8].mean(), "max": run.instructions.max(), "vectors": 32}
        bound, longest = found[board].pop("bound", None), codec.longest()
        assert found[board] == {"core": boards()[board].core, **spent}
        assert (bound is None) == (longest is None)
        if longest is not None:
            most = count(board, c_directory(longest[0]), codec.name, longest[1]).instructions.max()
            assert bound == most >= spent["max"]


def test_a_bound_is_shown_where_there_is_one() -> None:
    row = {"core": "Cortex-M4", "mean": 10_952.4, "max": 17_615, "vectors": 32}
    assert cells(instruction_table({"m4": row})) == [["m4"], ["Cortex-M4"], ["10,952"], ["17,615"]]
    rows = {"m4": {**row, "bound": 27_478}, "small": {**row, "bound": None}, "none": {"core": "AVR", "not_run": "why"}}
    assert cells(instruction_table(rows))[3:] == [["17,615", "17,615", ""], ["27,478", "not counted", ""]]


@pytest.mark.parametrize(("same", "told"), [(True, "the bundle's"), (False, "NOT the bundle's")])
def test_figures_on_tflm_are_told_with_whether_the_bytes_are_the_same(same: bool, told: str) -> None:
    facts = {"core": "Cortex-M4", "mean": 70_001.4, "max": 80_002, "code_bytes": 50_003, "table_bytes": 4004,
             "ram_bytes": 3005, "same_bytes": same, "vectors": 8}  # fmt: skip
    assert cells(tflm_table(facts))[1] == [
        "70,001, at most 80,002", "50,003 and 4,004 bytes", "3,005 bytes, the arena included",
        f"{told}, on 8 golden vectors",
    ]  # fmt: skip


def cells(table: Table) -> list[list[str]]:
    return [list(column.cells) for column in table.columns]


def test_a_board_that_cannot_hold_the_model_says_so(tmp_path: Path) -> None:
    need_board("uno")
    learned_bundle(tmp_path / "big", widths=(20, 200, 200, 20))
    row = inspect_json(str(tmp_path / "big"), "--no-cost", "--count")["instructions"]["uno"]
    assert row["core"] == "AVR"
    assert "cannot hold this model" in row["not_run"]


@pytest.mark.parametrize("content", [b"", b"random bytes here"])
def test_a_file_that_is_no_model_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.tflite").write_bytes(content)
    done = runner.invoke(build_app(), ["inspect", str(tmp_path / "x.tflite")])
    assert isinstance(done.exception, QcsError)
    assert done.exception.exit_code == 2
    assert "not a TensorFlow Lite flatbuffer" in str(done.exception)


@ARM
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--tflm-library", "nowhere.a"), "no TFLM library 'nowhere.a'"),
        (("--tflm-library", "lib.a", "--tflm-include", "nowhere"), "no header folder 'nowhere'"),
        (("--tflm-library", "lib.a", "--tflm-include", "."), "give --tflm-include the TFLM tree"),
        (("--tflm-library", "lib.a", "--tflm-board", "native"), "try cortex-m4"),
    ],
)
def test_a_tflm_build_that_is_not_one(
    arguments: tuple[str, ...], message: str, bundle_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("lib.a").write_bytes(b"!<arch>\n")
    done = runner.invoke(build_app(), ["inspect", str(bundle_path), "--no-cost", *arguments])
    assert message in str(done.exception)


@ARM
def test_a_codec_without_tflm_form_says_so(made: Made, tmp_path: Path) -> None:
    (tmp_path / "lib.a").write_bytes(b"!<arch>\n")
    arguments = ["inspect", str(made("coded")), "--no-cost", "--tflm-library", str(tmp_path / "lib.a")]
    assert "this codec has no TFLM form" in str(runner.invoke(build_app(), arguments).exception)


@ARM
@pytest.mark.skipif(
    "QCSKIT_TFLM_LIBRARY" not in os.environ, reason="needs QCSKIT_TFLM_LIBRARY and _INCLUDE, a TFLM build"
)
@pytest.mark.parametrize("kind", ["counts", "input"])
def test_tflm_on_the_board_sends_the_same_bytes(kind: str, bundle_path: Path) -> None:
    codec = open_codec(bundle_path)
    include = os.environ["QCSKIT_TFLM_INCLUDE"].split(os.pathsep)
    tflm = Tflm(Path(os.environ["QCSKIT_TFLM_LIBRARY"]), tuple(map(Path, include)))
    values = codec.bundle.vectors[kind]
    run = count("cortex-m4", bundle_path / "c", codec.name, values, tflm=tflm)
    assert not Packets.rows(run.answers.rows, run.answers.lengths).differ(codec.encode_any(values)).any()
    ours = count("cortex-m4", bundle_path / "c", codec.name, values)
    assert run.instructions.mean() > 5 * ours.instructions.mean()


def test_a_longest_model_that_a_board_cannot_hold_has_no_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    def too_large(*asked: object) -> None:
        raise DoesNotFitError("board 'uno' cannot hold this model")

    monkeypatch.setattr("qcskit.firmware.count", too_large)
    assert most_instructions("demo", "uno", {"a.c": ""}, np.zeros((1, 1), np.int16)) is None


def test_the_cost_on_tflm_is_counted_on_golden_vectors_and_compared(
    bundle_path: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Same bytes or not; a TFLM that does not answer says why that may be."""
    codec = open_codec(bundle_path)
    counts = codec.bundle.vectors["counts"][:8]
    sent, asked = codec.encode_counts(counts), []
    rows = sent.bytes.reshape(8, -1).copy()
    for wrong in (0, 1):
        rows[:wrong, 0] ^= 1
        answers = SimpleNamespace(rows=rows.copy(), lengths=sent.lengths)
        run = SimpleNamespace(answers=answers, instructions=np.arange(1, 9) * 1000)
        monkeypatch.setattr("qcskit.firmware.count", lambda *given, run=run, **more: asked.append((given, more)) or run)
        monkeypatch.setattr("qcskit.firmware.footprint.footprint", lambda *given, **more: Footprint("M4", 1, 2, 3, 4))
        found = tflm_cost(codec, "cortex-m4", tmp_path / "lib.a", [tmp_path])
        assert found == {
            "board": "cortex-m4",
            "core": "M4",
            "mean": 4500.0,
            "max": 8000,
            "vectors": 8,
            "same_bytes": not wrong,
            "code_bytes": 1,
            "table_bytes": 2,
            "ram_bytes": 3,
            "stack_bytes": 4,
        }
    (board, c_dir, name, vectors), more = asked[0]
    assert (board.name, c_dir, name, more["tflm"].library) == (
        "cortex-m4",
        bundle_path / "c",
        codec.name,
        tmp_path / "lib.a",
    )
    assert np.array_equal(vectors, counts)

    def silent(*given: object, **more: object) -> None:
        raise FirmwareError("no answer")

    monkeypatch.setattr("qcskit.firmware.count", silent)
    with pytest.raises(FirmwareError, match=r"^no answer; a TFLM that refuses the model does not answer: the arena is"):
        tflm_cost(codec, "cortex-m4", tmp_path / "lib.a", [])


@pytest.mark.parametrize(
    ("words", "measured"),
    [
        (("--no-cost",), None),
        ((), "all"),
        (("--no-cost", "--core", "AVR"), ["AVR"]),
        (("--no-cost", "--flash", "9k"), "all"),
        (("--no-cost", "--ram", "9k"), "all"),
        (("--no-cost", "--picture", "x.svg"), "all"),
    ],
)
def test_cores_are_measured_where_something_asks_for_them(
    words: tuple[str, ...], measured: object, bundle_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []
    rows = [{"core": "AVR", "missing": "x"}]
    monkeypatch.setattr("qcskit.cli.inspect.footprints", lambda codec, only: asked.append(only or "all") or rows)
    monkeypatch.setattr("qcskit.cli.inspect.check_fit", lambda rows, *room: asked.append((rows, *room)))
    monkeypatch.setattr("qcskit.cli.inspect.write_picture", lambda *given: asked.append(given))
    done = runner.invoke(build_app(), ["inspect", str(bundle_path), "--json", *words])
    assert done.exit_code == 0, done.output
    picture = [(rows, Path("x.svg"), f"small, {open_codec(bundle_path).bundle.manifest.model_id}", None, None)]
    room = [9216 if option in words else None for option in ("--flash", "--ram")]
    known = [] if measured is None else rows
    assert asked == [*[measured] * bool(known), *picture * ("--picture" in words), (known, *room)]


def test_the_cost_on_tflm_is_shown_behind_the_others(
    bundle_path: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    facts = {
        "core": "Cortex-M4",
        "mean": 1.0,
        "max": 2,
        "code_bytes": 3,
        "table_bytes": 4,
        "ram_bytes": 5,
        "same_bytes": True,
        "vectors": 8,
    }
    asked: list[object] = []
    monkeypatch.setattr("qcskit.cli.inspect.tflm_cost", lambda codec, *given: asked.append(given) or facts)
    words = ["inspect", str(bundle_path), "--no-cost", "--tflm-library", "x.a"]
    text = runner.invoke(build_app(), words, env={"COLUMNS": "200", "TERM": "dumb"}).output
    places = [
        text.index(title) for title in ("bundle ", "the same encoder on TFLite Micro, Cortex-M4", "c/qcs_model_small.c")
    ]
    assert places == sorted(places)
    done = runner.invoke(
        build_app(), [*words, "--tflm-include", "a", "--tflm-include", "b", "--tflm-board", "c", "--json"]
    )
    assert json.loads(done.stdout)["tflm"] == facts
    assert asked == [("cortex-m4", Path("x.a"), []), ("c", Path("x.a"), [Path("a"), Path("b")])]
