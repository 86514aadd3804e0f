"""Generated C: compilers' strictest warnings, cppcheck, clang-format, and the TFLM header and glue as far as C goes."""

import itertools
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from support.bundles import classical_bundle, coded_bundle, learned_bundle, sampled_bundle
from support.tables import c_text

from qcskit.codec.bundle import Manifest, read_bundle
from qcskit.codec.learned.chain import FrontEnd
from qcskit.codec.learned.int8 import Int8Layer, Int8Tables
from qcskit.codec.sensor import AdcConfig
from qcskit.export.packages import package_files, write_package
from qcskit.firmware import sources

WARNINGS = ("-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wsign-conversion", "-Wshadow", "-Werror")


BUNDLES = {
    "int16": lambda path: learned_bundle(path, profile="tflm16", name="int16"),
    "coded": coded_bundle,
    "classical": lambda path: classical_bundle(path, name="classical"),
}
NAMES = ("small", *BUNDLES)


@pytest.fixture(scope="module")
def generated(bundle_path, tmp_path_factory) -> Path:
    """All generated text of bundles of every kind, and a plain package of one."""
    out = tmp_path_factory.mktemp("text")
    bundle = read_bundle(bundle_path)
    shutil.copytree(bundle_path / "c", out, dirs_exist_ok=True)
    for name, write in BUNDLES.items():
        for file, text in write(out / "bundles" / name).c_files().items():
            (out / file).write_text(text)
    write_package(out / "plain", package_files([bundle], "plain", sources()))
    return out


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_tables_compile_under_every_warning(generated, compiler, tmp_path) -> None:
    if not shutil.which(compiler):
        pytest.skip(f"needs the Debian package {compiler}")
    include = [f"-I{sources() / 'include'}", f"-I{generated}"]
    for name, layout in itertools.product(NAMES, ((), ("-DQCS_PLAIN",))):
        command = [compiler, "-std=c11", *WARNINGS, *layout, *include, "-c", str(generated / f"qcs_model_{name}.c"),
                   "-o", str(tmp_path / "x.o")]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


OTHER_ADCS = {
    "unsigned": AdcConfig(bits=10, signed=False, units_per_count=25.3, offset_counts=-7, unit="µV/°C"),
    "whole": AdcConfig(bits=16, units_per_count=0.25, offset_counts=-32768, unit="mV"),
}


def stated_facts(manifest: Manifest) -> list[str]:
    """Return C that holds if the header says what the manifest does: decimals against hexadecimal floats and bytes."""
    adc, word = manifest.adc, f"QCS_{manifest.name.upper()}"
    unit = "".join(f'\\x{byte:02x}""' for byte in adc.unit.encode())
    whole = {
        "WINDOW": manifest.signal.n, "WINDOWS": manifest.windows, "ADC_BITS": adc.bits, "ADC_SIGNED": int(adc.signed),
        "ADC_OFFSET_COUNTS": adc.offset_counts,
    }  # fmt: skip
    real = {"UNITS_PER_COUNT": adc.units_per_count, "RATE_BITS": manifest.rate_bits}
    return [
        *(f"{word}_{fact} == {value} && 10 -{word}_{fact} == 10 - ({value})" for fact, value in whole.items()),
        *(f"{word}_{fact} == {float(value).hex()}" for fact, value in real.items()),
        f'!strcmp({word}_MODEL_ID, "{manifest.model_id}")',
        f'!strcmp({word}_UNIT, "{unit}")',
    ]


def test_the_header_states_the_sensor_as_the_manifest_does(generated, bundle_path, tmp_path) -> None:
    bundles = [read_bundle(bundle_path), *(read_bundle(generated / "bundles" / name) for name in BUNDLES)]
    for name, adc in OTHER_ADCS.items():
        bundles.append(sampled_bundle(tmp_path / name, adc=adc, recording_in="units").bundle)
    for number, bundle in enumerate(bundles):
        checks = [
            f"  if (!({fact}))\n    return {place + 1};" for place, fact in enumerate(stated_facts(bundle.manifest))
        ]
        name = bundle.manifest.name
        lines = [
            "#include <string.h>",
            f'#include "qcs_model_{name}.h"',
            "int main(void) {",
            *checks,
            "  return 0;",
            "}",
        ]
        (tmp_path / "main.c").write_text("\n".join([*lines, ""]))
        include = [f"-I{sources() / 'include'}", f"-I{bundle.path / 'c'}"]
        binary = str(tmp_path / f"facts{number}")
        subprocess.run(["gcc", "-std=c11", "-Wall", "-Wextra", "-Werror", *include, str(tmp_path / "main.c"), "-o",
                        binary], check=True)  # fmt: skip
        assert subprocess.run([binary], check=False).returncode == 0, name


def test_a_model_beyond_the_reach_of_avr_pointers_says_so(tmp_path) -> None:
    """64 KiB of flash: without the message, such a firmware would read wrong weights."""
    if not shutil.which("avr-gcc"):
        pytest.skip("needs the Debian package gcc-avr")
    cases = ((170, 1, 2, True), (190, 1, 2, False), (170, 2, 2, False), (40, 1, 256, True), (40, 1, 256, False))
    for width, depth, levels, fits in cases:
        outputs = 3 if levels == 2 else 32 if fits else 33  # thresholds of 255 · 4 bytes per output
        layer = Int8Layer(
            np.ones((width, width), np.int8), np.zeros(width, np.int32), np.full(width, 2**30, np.int32),
            np.full(width, -8, np.int8), 0, np.arange(-128, 128).astype(np.int8),
        )  # fmt: skip
        tables = Int8Tables((layer,) * depth, np.ones((outputs, width), np.int8),
                            np.zeros((outputs, levels - 1), np.int32), FrontEnd(0, 2**30, 0, 0))  # fmt: skip
        for file, text in c_text("m", tables).items():
            (tmp_path / file).write_text(text)
        command = ["avr-gcc", "-mmcu=atmega2560", "-std=c11", f"-I{sources() / 'include'}", "-c",
                   str(tmp_path / "qcs_model_m.c"), "-o", str(tmp_path / "m.o")]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert (done.returncode == 0) == fits, done.stderr
        assert ("AVR takes 61440 and 32767" in done.stderr) != fits


def test_the_tflm_header_holds_the_flatbuffer_in_c_and_in_cxx(generated, bundle_path, tmp_path) -> None:
    program = tmp_path / "dump.c"
    program.write_text(
        '#include <stdio.h>\n#include "qcs_tflm_small.h"\n'
        "int main(void) {\n  fwrite(qcs_tflm_small, 1, sizeof qcs_tflm_small, stdout);\n"
        "  return qcs_tflm_small_cuts[0] != -95 || ((unsigned long long)qcs_tflm_small & 15U) != 0;\n}\n"
    )
    for compiler in (["gcc", "-std=c11"], ["g++", "-x", "c++", "-std=c++14"]):
        if not shutil.which(compiler[0]):
            pytest.skip(f"needs the Debian package {compiler[0]}")
        subprocess.run([*compiler, "-Wall", "-Wextra", f"-I{generated}", str(program), "-o", str(tmp_path / "dump")],
                       check=True)  # fmt: skip
        done = subprocess.run([str(tmp_path / "dump")], capture_output=True, check=True)
        assert done.stdout == (bundle_path / "encoder.tflite").read_bytes()


def test_cppcheck_finds_nothing_in_generated_files(generated) -> None:
    if not shutil.which("cppcheck"):
        pytest.skip("needs the Debian package cppcheck")
    command = ["cppcheck", "-q", "--std=c11", "--enable=warning,style,performance,portability", "--error-exitcode=1",
               "--suppress=*:*/src/qcs_[a-l]*", "--suppress=shiftNegativeLHS", f"-I{sources() / 'include'}",
               *(str(generated / f"qcs_model_{name}.c") for name in NAMES),
               str(generated / "plain" / "example" / "main.c")]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_generated_files_are_clang_format_clean(generated) -> None:
    tool = shutil.which("clang-format") or str(Path(sys.executable).with_name("clang-format"))
    if not Path(tool).is_file():
        pytest.skip("needs clang-format: pip install 'qcskit[dev]'")
    style = (Path(__file__).parents[2] / ".clang-format").read_text()
    files = [*generated.glob("*.[ch]"), *generated.glob("*.cc"), generated / "plain" / "example" / "main.c"]
    settings = json.dumps(dict(line.split(": ") for line in style.splitlines() if ": " in line))
    done = subprocess.run([tool, f"--style={settings}", "--dry-run", "--Werror", *map(str, files)],
                          capture_output=True, text=True, check=False)  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_the_glue_registers_what_the_model_uses(generated) -> None:
    text = (generated / "qcs_tflm_encoder.cc").read_text()
    assert "MicroMutableOpResolver<2>" in text
    assert "resolver.AddFullyConnected();\n  resolver.AddTanh();" in text
    assert "%%" not in text
