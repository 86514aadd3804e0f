"""What a user does wrong gives one line and the right exit code, and leaves nothing half-written."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support.command import Made, Run, refused

from qcskit.codec.files import manifest_checksum


@pytest.fixture
def bundle(made: Made, tmp_path: Path) -> Path:
    """A copy that a test may damage."""
    return Path(shutil.copytree(made("int8"), tmp_path / "bundle"))


VERBS = ("simulate", "hil", "report", "inspect", "profile", "decode")


@pytest.mark.parametrize("verb", [*VERBS, "package"])
def test_missing_bundle(verb: str, tmp_path: Path, run: Run) -> None:
    extra = {"hil": ["--port", "emu:native"], "package": ["--to", "plain"]}.get(verb, [])
    refused(run(verb, "nowhere", *extra), "'nowhere' does not exist", "qcskit export")


@pytest.mark.parametrize("verb", VERBS)
def test_one_flipped_byte(verb: str, bundle: Path, tmp_path: Path, run: Run) -> None:
    file = bundle / "encoder.tflite"
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    extra = ["--port", "emu:native"] if verb == "hil" else []
    refused(run(verb, "bundle", *extra), "encoder.tflite does not match manifest.json", "qcskit export")
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"]


def test_truncated_manifest_and_other_schema(bundle: Path, tmp_path: Path, run: Run) -> None:
    manifest = bundle / "manifest.json"
    text = manifest.read_text()
    manifest.write_text(text[: len(text) // 2])
    refused(run("simulate", "bundle"), "manifest.json is not valid JSON")
    manifest.write_text(json.dumps({**json.loads(text), "schema_version": 99}))
    refused(run("simulate", "bundle"), "schema version 99", "run 'qcskit export' again")
    manifest.write_text(text.replace('"kind": "learned"', '"kind": "lerned"'))
    refused(run("simulate", "bundle"), "did you mean 'learned'?")


def test_unknown_key_names_the_nearest(tmp_path: Path, run: Run) -> None:
    (tmp_path / "qcs.toml").write_text("[train]\nstesp = 5\n")
    refused(run("train"), "unknown key 'stesp'", "'steps'", "qcs.toml")
    (tmp_path / "qcs.toml").write_text("[trian]\nsteps = 5\n")
    refused(run("train"), "unknown table [trian]", "'train'")
    (tmp_path / "qcs.toml").write_text("[train\n")
    refused(run("train"), "not valid TOML")
    assert not (tmp_path / "runs").exists()


def test_more_measurements_than_entries(tmp_path: Path, run: Run) -> None:
    refused(run("train", "--set", "signal.m=21"), "m must not exceed n, got m = 21, n = 20")


@pytest.mark.parametrize(
    ("moved", "instead"),
    [("adc_bits=12", "set adc.bits"), ("adc_offset_counts=3", "set adc.offset_counts"),
     ("input_ranges=[2.0]", "set export.input_quantiles")],
)  # fmt: skip
def test_a_key_that_moved_says_where_to(moved: str, instead: str, tmp_path: Path, run: Run) -> None:
    refused(run("export", "--coded", "-s", f"export.{moved}"), moved.split("=")[0], instead)
    key, _, value = moved.partition("=")
    (tmp_path / "qcs.toml").write_text(f"[export]\n{key} = {value}\n")
    refused(run("design", "ce-usq-omp"), "qcs.toml", key, instead)
    assert [path.name for path in tmp_path.iterdir()] == ["qcs.toml"]


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("adc.bits=7", ["[adc] bits"]),
        ("adc.unit=m;V", ["[adc] unit"]),
        ("adc.units_per_count=0", ["[adc] units_per_count"]),
        ("adc.bit=12", ["unknown key 'bit' in [adc]", "did you mean 'bits'?"]),
        ("adc.signed=false", ["an unsigned ADC of 16 bits leaves the int16 that a count is", "signed = true"]),
    ],
)
def test_a_converter_that_cannot_be_is_one_line(setting: str, words: list[str], tmp_path: Path, run: Run) -> None:
    bits = ["-s", "adc.bits=16"] if "signed" in setting else []
    refused(run("design", "ce-usq-omp", *bits, "-s", setting), *words)
    assert not list(tmp_path.iterdir())


def test_few_steps_name_the_key_that_stands_in_the_way(tmp_path: Path, run: Run) -> None:
    done = run("train", "--steps", "20")
    refused(done, "warmup_steps (200) must be fewer than steps (20): lower train.warmup_steps")
    assert "length" not in done.stderr
    refused(run("train", "--steps", "9"), "[train] steps")
    refused(run("train", "--length", "0.0001"), "steps x length is 1")


@pytest.mark.parametrize(
    ("key", "value"),
    [("matrix", "dctt"), ("matrix", 5), ("basis", "wood"), ("source", None), ("n", "x"), ("m", 0), ("scale", 0.0),
     ("offset", "a"), ("noise_variance", -1), ("extra", 1), ("recording_hop", 0), ("matrix_seed", -1), (None, None),
     (None, [])],
)  # fmt: skip
def test_a_manifest_whose_signal_is_at_fault_is_one_line(
    key: str | None, value: object, bundle: Path, tmp_path: Path, run: Run
) -> None:
    """The seal fits: what is wrong is what it says."""
    file = bundle / "manifest.json"
    manifest = json.loads(file.read_text())
    manifest["signal"] = value if key is None else {**manifest["signal"], key: value}
    file.write_text(json.dumps({**manifest, "checksum": manifest_checksum(manifest)}))
    refused(run("simulate", "bundle", "-n", "10"), "manifest.json: signal", key or "signal")
    assert not (tmp_path / "verdict.json").exists()


@pytest.mark.parametrize("setting", ["steps=5", "nothing.key=1", "train.levels=1", "train.steps=many"])
def test_bad_settings(setting: str, tmp_path: Path, run: Run) -> None:
    refused(run("train", "--set", setting))


def test_port_that_does_not_exist(bundle: Path, tmp_path: Path, run: Run) -> None:
    refused(run("hil", "bundle", "--port", "/dev/ttyNOPE9"), "/dev/ttyNOPE9", "does not exist")
    assert not (tmp_path / "results.json").exists()


def test_unknown_emulator_names_the_nearest(bundle: Path, tmp_path: Path, run: Run) -> None:
    refused(run("hil", "bundle", "--port", "emu:cortex-m44"), "cortex-m4")


def test_a_bundle_without_decoder_decodes_nothing(bundle: Path, run: Run) -> None:
    refused(run("decode", "bundle", "bundle/vectors.npz"), "bundle 'bundle' holds no decoder")


def test_unknown_formats_and_boards_name_the_nearest(bundle: Path, run: Run) -> None:
    refused(run("decode", "bundle", "--in", "hax"), "did you mean 'hex'?")
    refused(run("package", "bundle", "--to", "zefyr"), "did you mean 'zephyr'?")
    refused(run("profile", "bundle", "--board", "cortex-m44"), "did you mean 'cortex-m4'?")
    refused(run("simulate", "bundle", "--boards", "cortex-m44"), "did you mean 'cortex-m4'?")
    refused(run("simulate", "bundle", "-s", "simulate.tflm_vectors=5"), "unknown key 'tflm_vectors' in [simulate]")


def test_report_of_a_broken_results_file(bundle: Path, tmp_path: Path, run: Run) -> None:
    (tmp_path / "r.json").write_text("{")
    refused(run("report", "bundle", "-r", "r.json"), "r.json", "not valid JSON")
    assert not (tmp_path / "report.html").exists()


def test_building_the_command_line_loads_no_component(source_env: dict[str, str]) -> None:
    script = (
        "import sys; from qcskit.cli import build_app; build_app();"
        "print([name for name in ('tensorflow', 'numpy', 'serial') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=source_env, check=True)
    assert done.stdout.strip() == "[]"


FAILS_EARLY = """
import sys
from qcskit.cli import main
for words in (["train", "--keys"], ["export", "nope"]):
    sys.argv = ["qcskit", *words]
    try:
        main()
    except SystemExit as end:
        print(end.code)
print([name for name in ("tensorflow", "keras") if name in sys.modules])
"""


def test_a_run_that_is_not_there_loads_no_tensorflow_and_any_encoding_will_do(source_env: dict[str, str]) -> None:
    env = source_env | {"PYTHONIOENCODING": "cp1252"}
    done = subprocess.run([sys.executable, "-c", FAILS_EARLY], capture_output=True, env=env, check=True)
    shown, told = done.stdout.decode("cp1252"), done.stderr.decode("cp1252")
    assert shown.split()[-3:] == ["0", "2", "[]"]
    assert "\\u03b2" in shown  # beta, of the keys
    assert told.splitlines() == ["error: run 'nope' does not exist; train one with 'qcskit train'"]


@pytest.mark.parametrize("verb", ["simulate", "hil", "report"])
def test_an_output_that_cannot_be_written_is_refused_before_the_work(
    verb: str, bundle: Path, tmp_path: Path, run: Run
) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    extra = ["--port", "emu:native"] if verb == "hil" else []
    refused(run(verb, "bundle", *extra, "--out", "folder"), "'folder' is a directory")
    refused(run(verb, "bundle", *extra, "--out", "file/x"), "file' is not a directory")
    refused(run(verb, "bundle", *extra, "--out", "bundle"), "would change 'bundle', which this run needs")


def test_decode_does_not_overwrite_its_input(made: Made, tmp_path: Path, run: Run) -> None:
    packets = tmp_path / "packets.bin"
    packets.write_bytes(bytes(8))
    refused(run("decode", str(made("classical")), "packets.bin", "--out", "packets.bin"), "would change 'packets.bin'")
    assert packets.read_bytes() == bytes(8)


def leave_program(folder: Path) -> None:
    """A compiler that tells that it was run."""
    (folder / "own.sh").write_text("#!/bin/sh\ntouch ran\nexit 1\n")
    (folder / "own.sh").chmod(0o755)


@pytest.mark.parametrize("verb", ["simulate", "hil"])
def test_a_configuration_that_lies_in_the_folder_runs_and_opens_nothing(
    verb: str, bundle: Path, tmp_path: Path, run: Run
) -> None:
    """It is somebody's: taken from where it lies, it names neither a program nor a port that writes a file."""
    key = {"simulate": "compiler", "hil": "port"}[verb]
    (tmp_path / "kept.txt").write_text("kept")
    leave_program(tmp_path)
    text = '[simulate]\ncompiler = "./own.sh"\n[hil]\nport = ["spy://none?file=kept.txt"]\n'
    (tmp_path / "qcs.toml").write_text(text)
    refused(run(verb, "bundle", "-n", "10"), f"[{verb}] {key} names what is run or opened", "-c qcs.toml")
    assert not (tmp_path / "ran").exists()
    assert (tmp_path / "kept.txt").read_text() == "kept"


@pytest.mark.skipif(os.name != "posix", reason="needs a shell")
def test_a_configuration_that_is_named_may_name_a_compiler(bundle: Path, tmp_path: Path, run: Run) -> None:
    leave_program(tmp_path)
    (tmp_path / "qcs.toml").write_text('[simulate]\ncompiler = "./own.sh"\n')
    refused(run("simulate", "bundle", "-n", "10", "-c", "qcs.toml"), "own.sh")
    assert (tmp_path / "ran").exists()


@pytest.mark.parametrize("port", ["spy:///dev/none?file=kept.txt", "SPY:///dev/none?color&file=%6bept.txt"])
def test_a_log_of_the_line_empties_no_file(port: str, bundle: Path, tmp_path: Path, run: Run) -> None:
    (tmp_path / "kept.txt").write_text("kept")
    refused(run("hil", "bundle", "-p", port, "-q"), "would empty the file 'kept.txt'")
    assert (tmp_path / "kept.txt").read_text() == "kept"
