"""`qcskit inspect`: figures against the bundle's own files and an independent compiler run."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from qcskit.cli import build_app
from qcskit.codec.bundle import read_bundle
from qcskit.export import c_text, int8
from qcskit.export.tflm_glue import tflm_glue
from qcskit.firmware import count, sources
from qcskit.firmware.errors import FirmwareError
from qcskit.firmware.footprint import TARGETS, footprint, pushed_bytes, worst_stack
from qcskit.firmware.tflm import Tflm

runner = CliRunner()
ARM = pytest.mark.skipif(not shutil.which("arm-none-eabi-gcc"), reason="needs the Debian package gcc-arm-none-eabi")


def inspect_json(*arguments: str) -> dict:
    done = runner.invoke(build_app(), ["inspect", *arguments, "--json"])
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def test_facts_of_a_bundle(bundle_path) -> None:
    facts = inspect_json(str(bundle_path), "--no-cost")
    bundle = read_bundle(bundle_path)
    assert facts["cost"]["macs"] == 10 * 50 + 50 * 10
    # weights 1000, thresholds 10·7·4, hidden bias and multiplier 50·4 each, shifts 50, activation 256
    assert facts["cost"]["table_bytes"] == 1000 + 280 + 400 + 50 + 256
    assert facts["cost"]["packed_bytes"] == bundle.packing.packed_bytes
    assert facts["files"]["decoder.tflite"] == (bundle_path / "decoder.tflite").stat().st_size
    assert facts["nmse"]["int8_db"] == bundle.manifest.nmse.int8_db


def test_everything_is_shown_without_json(bundle_path) -> None:
    done = runner.invoke(build_app(), ["inspect", str(bundle_path)], terminal_width=200)
    assert done.exit_code == 0, done.output
    for word in ("10-50-10", "1.5 bits/entry", "Cortex-M4", "decoder.tflite", "1,000"):
        assert word in done.output


@ARM
def test_flash_is_what_size_counts(bundle_path, tmp_path) -> None:
    target = next(target for target in TARGETS if target.core == "Cortex-M4")
    found = footprint(target, bundle_path / "c", "small")
    root = sources()
    start = tmp_path / "start.c"
    start.write_text(
        '#include "qcs_model_small.h"\nvoid start(int16_t *in, uint8_t *out, int8_t *scratch);\n'
        "void start(int16_t *in, uint8_t *out, int8_t *scratch) "
        "{ qcs_encode_counts(&qcs_model_small, in, out, scratch); }\n"
    )
    free = root / "ports" / "freestanding"
    files = [start, *(root / "src").glob("*.c"), *free.glob("*.c"), bundle_path / "c" / "qcs_model_small.c"]
    include = [f"-I{place}" for place in (root / "include", root / "src", bundle_path / "c", free)]
    command = ["arm-none-eabi-gcc", *target.flags, "-std=c11", "-O2", "-ffreestanding", "-ffunction-sections",
               "-fdata-sections", "-nostartfiles", "-nodefaultlibs", "-Wl,--gc-sections,-e,start", *include,
               *map(str, files), "-o", str(tmp_path / "x.elf"), "-lgcc"]  # fmt: skip
    subprocess.run(command, check=True)
    size = ["arm-none-eabi-size", str(tmp_path / "x.elf")]
    whole = int(subprocess.run(size, capture_output=True, text=True, check=True).stdout.splitlines()[1].split()[0])
    assert 0 <= whole - found.flash_bytes <= 48  # start() itself
    assert found.table_bytes >= 1986  # the tables, and the structs that point to them
    assert found.ram_bytes == 0


def test_worst_stack_follows_the_deepest_path(tmp_path: Path) -> None:
    node = 'node: {{ title: "{0}" label: "{0}\\nf.c:1:1\\n{1} bytes (static)\\n0 dynamic objects" }}\n'
    edge = 'edge: {{ sourcename: "{0}" targetname: "{1}" label: "f.c:1:1" }}\n'
    text = "".join(node.format(*pair) for pair in (("a", 8), ("b", 16), ("c", 100), ("d", 40)))
    text += "".join(edge.format(*pair) for pair in (("a", "b"), ("a", "d"), ("b", "c")))
    (tmp_path / "x.ci").write_text(text)
    assert worst_stack(tmp_path, "a") == 8 + 16 + 100
    (tmp_path / "y.ci").write_text(edge.format("c", "a"))
    with pytest.raises(FirmwareError, match="calls itself"):
        worst_stack(tmp_path, "a")


@ARM
@pytest.mark.parametrize("core", ["Cortex-M0+", "Cortex-M4", "Cortex-M55"])
def test_what_assembly_pushes_counts_as_stack(core: str, bundle_path: Path) -> None:
    """The registers that each kernel's function pushes, added up by hand."""
    pushes = {"Cortex-M0+": 20 + 16 + 4, "Cortex-M4": 36 + 8 + 12 + 4 + 8 + 4, "Cortex-M55": 40 + 64 + 4}
    target = next(target for target in TARGETS if target.core == core)
    found = footprint(target, bundle_path / "c", "small").stack_bytes
    assert found is not None
    assert pushes[core] + 24 <= found <= pushes[core] + 128
    assert pushed_bytes(bytes.fromhex("f0b5")) == 20
    assert pushed_bytes(bytes.fromhex("2de9f04f00f000b82ded108b")) == 36 + 64  # a branch between


@pytest.mark.parametrize("content", [b"", b"random bytes here"])
def test_a_file_that_is_no_model_is_refused(tmp_path, content) -> None:
    (tmp_path / "x.tflite").write_bytes(content)
    done = runner.invoke(build_app(), ["inspect", str(tmp_path / "x.tflite")])
    assert getattr(done.exception, "exit_code", None) == 2
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
def test_a_tflm_build_that_is_not_one(arguments, message, bundle_path, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("lib.a").write_bytes(b"!<arch>\n")
    done = runner.invoke(build_app(), ["inspect", str(bundle_path), "--no-cost", *arguments])
    assert message in str(done.exception)


@ARM
@pytest.mark.skipif(
    "QCSKIT_TFLM_LIBRARY" not in os.environ, reason="needs QCSKIT_TFLM_LIBRARY and _INCLUDE, a TFLM build"
)
def test_tflm_on_the_board_sends_the_same_bytes(bundle_path, tmp_path) -> None:
    bundle = read_bundle(bundle_path)
    c_dir = Path(shutil.copytree(bundle_path / "c", tmp_path / "c"))
    flatbuffer = bundle.file("encoder.tflite").read_bytes()
    cuts = int8.output_cuts(np.array(bundle.manifest.thresholds))
    (c_dir / "qcs_tflm_small.h").write_text(c_text.tflm_header("small", bundle.tables, flatbuffer, 4000, cuts))
    (c_dir / "qcs_tflm_encoder.cc").write_text(tflm_glue("small", bundle.tables, flatbuffer))
    include = os.environ["QCSKIT_TFLM_INCLUDE"].split(os.pathsep)
    tflm = Tflm(Path(os.environ["QCSKIT_TFLM_LIBRARY"]), tuple(map(Path, include)))
    run = count("cortex-m4", c_dir, "small", bundle.vectors["input"], tflm=tflm)
    np.testing.assert_array_equal(run.packed, bundle.vectors["packed"])
    ours = count("cortex-m4", c_dir, "small", bundle.vectors["input"])
    assert run.instructions.mean() > 5 * ours.instructions.mean()
