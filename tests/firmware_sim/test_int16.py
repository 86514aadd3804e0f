"""The int16 encoder: NumPy, the C on this host and on every core, and the TFLite Micro runtime."""

import json
import shutil
import subprocess
from contextlib import suppress
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from support import cores, fuzz
from support.bundles import learned_bundle
from support.need import need_board, need_tool
from support.tables import c_text, corner_vectors, edge_vectors, uniform_vectors
from typer.testing import CliRunner

from qcskit.cli import build_app
from qcskit.codec.errors import QcsError
from qcskit.codec.learned import int16, tflm
from qcskit.codec.learned.chain import FrontEnd
from qcskit.codec.learned.int16 import Int16Layer, Int16Tables
from qcskit.firmware import CORES, Core, HostCodec, build_host_library, c_directory, sources
from qcskit.firmware_sim import SimulateConfig, simulate
from qcskit.hil.config import HilConfig
from qcskit.hil.fleet import run_fleet


def drawn(count: int, widest: int) -> list[tuple[fuzz.ModelSpec, Int16Tables, bytes]]:
    """Random models that the exporter takes: accumulators of some exceed 32 bits."""
    found = []
    seed = 0
    while len(found) < count:
        spec = fuzz.random_spec(seed, widest=widest)
        seed += 1
        with suppress(QcsError):
            found.append((spec, *fuzz.build_int16(spec)))
    assert seed < 2 * count
    return found


def test_random_models_agree() -> None:
    models = drawn(60, widest=128)
    text = {}
    for number, (_, tables, _) in enumerate(models):
        text |= c_text(f"m{number}", tables)
    library = build_host_library(c_directory(text))
    for number, (spec, tables, flatbuffer) in enumerate(models):
        rng = np.random.default_rng(number)
        counts = np.concatenate([make(tables, 100, rng) for make in (uniform_vectors, corner_vectors, edge_vectors)])
        x = tables.network_input(counts)
        expected = tables.encode_index(x)
        np.testing.assert_array_equal(int16.encode_index(tables, x), expected, err_msg=spec.describe())
        packed = HostCodec(library, f"qcs_m{number}_codec").encode(counts).rows
        np.testing.assert_array_equal(tables.packing.unpack(packed), expected, err_msg=spec.describe())
        oracle = tflm.TflmRuntime(flatbuffer, np.int16)
        found = tflm.index(oracle.run(x), oracle.output_grid, spec.thresholds)
        np.testing.assert_array_equal(found, expected, err_msg=spec.describe())


@pytest.mark.parametrize("core", [core for core in CORES.values() if core.name != "AVR"], ids=lambda core: core.name)
@pytest.mark.parametrize("plain", [False, True], ids=["fast", "plain"])
def test_every_core_gives_the_reference_bytes(core: Core, plain: bool) -> None:
    need_board(core.board)
    checks = [cores.make_check(tables, seed, random=100) for seed, (_, tables, _) in enumerate(drawn(20, widest=64))]
    assert cores.mismatches(core, checks, plain=plain) == []


def rounding_ties(*shifts: int) -> Int16Tables:
    """One input of weight 1; rows have biases, multipliers and shifts of their own, and the index tells the output."""
    biases = (0, 1, -1, -2, -3, 127, -129, -255, 256, 383, -384, -385)
    bias, multiplier, shift = np.array(list(product(biases, (2**30, 3 << 29), shifts))).T
    rows = len(bias)
    layer = Int16Layer(
        np.ones((rows, 1), np.int8), bias.astype(np.int32), multiplier.astype(np.int32), shift.astype(np.int8),
        int16.INT16_MIN, int16.INT16_MAX, np.zeros(0, np.int16),
    )  # fmt: skip
    thresholds = np.tile(np.arange(-40, 41, dtype=np.int32), (rows, 1))
    return Int16Tables((layer,), np.eye(rows, dtype=np.int8), thresholds, FrontEnd(0, 2**30, 1, 0))


@pytest.mark.parametrize("name", ["AVR", "Cortex-M0", "Cortex-M4", "Cortex-M55", "RV32IMC"])
def test_ties_of_both_roundings_are_rounded_as_by_the_definition(name: str) -> None:
    """Half of every sign, in the first rounding, the second or both."""
    need_board(CORES[name].board)
    few = name == "AVR"  # whose memory is small, and whose emulator is slow
    tables = rounding_ties(0, -1, -4) if few else rounding_ties(1, 0, -1, -2, -4)
    counts = np.arange(-400, 401, 7 if few else 1, dtype=np.int16)[:, None]
    assert cores.mismatches(CORES[name], [cores.Check(tables, counts, 0, 1)]) == []


def test_an_avr_gives_the_reference_bytes() -> None:
    need_board("avr")
    checks = [cores.make_check(tables, seed, random=30) for seed, (_, tables, _) in enumerate(drawn(3, widest=40))]
    assert cores.mismatches(CORES["AVR"], checks) == []


def test_a_bundle_goes_through_simulate_and_hil(tmp_path: Path) -> None:
    codec = learned_bundle(tmp_path / "b", widths=(9, 20, 5), levels=12, seed=4, profile="tflm16")
    verdict = simulate(codec.bundle, SimulateConfig(vectors=2000, oracle_vectors=500))
    assert verdict.passed
    tallies = {tally.name: tally.vectors for tally in verdict.implementations}
    assert tallies == {"numpy": 2032, "c-host": 2032, "tflm": 532, "golden file": 32}
    assert verdict.sets == {"golden": 32, "source": 1100, "uniform": 300, "corners": 200, "edges": 400}
    results = run_fleet(codec, HilConfig(port=["emu:native"], vectors=500), out=tmp_path / "r.json", resume=False,
                        progress=lambda label, stage, done, total: None)  # fmt: skip
    assert results["verdict"] == {"ok": True, "vectors": 500, "mismatches": 0, "failed": []}
    assert codec.facts.arithmetic == "int16"
    with pytest.raises(QcsError, match="takes ADC counts, not network inputs"):
        codec.encode_inputs(np.zeros((1, 9), np.int8))


def test_profile_and_inspect_count_it(tmp_path: Path) -> None:
    need_board("cortex-m4")
    learned_bundle(tmp_path / "b", widths=(9, 20, 5), levels=12, seed=4, profile="tflm16")
    run = CliRunner().invoke(build_app(), ["profile", str(tmp_path / "b"), "-n", "3", "--json"])
    assert run.exit_code == 0, run.output
    counted = json.loads(run.stdout)
    assert len(counted["per_encode"]) == 3
    assert "four_rows" in {share["name"] for share in counted["functions"]}
    run = CliRunner().invoke(build_app(), ["inspect", str(tmp_path / "b"), "--json"])
    facts = json.loads(run.stdout)
    assert (facts["codec"]["profile"], facts["codec"]["arithmetic"]) == ("tflm16", "int16")
    cores_found = {row["core"]: row for row in facts["cores"]}
    assert cores_found["Cortex-M4"]["stack_bytes"] > 40
    assert cores_found["Cortex-M4"]["scratch_bytes"] == 4 * 20


def test_the_mve_kernel_compiles_whatever_registers_are_left(tmp_path: Path) -> None:
    need_tool("arm-none-eabi-gcc", "gcc-arm-none-eabi")
    compilers = [("arm-none-eabi-gcc", "-mcpu=cortex-m55", "-mthumb")]
    if shutil.which("clang"):
        compilers.append(("clang", "--target=thumbv8.1m.main-none-eabi", "-mcpu=cortex-m55"))
    root = sources()
    for compiler, *core in compilers:
        for flags in (("-O0",), ("-O2",), ("-Os", "-fno-omit-frame-pointer")):
            command = [compiler, *core, "-mfloat-abi=hard", "-ffreestanding", "-std=c11", *flags, f"-I{root}/include",
                       f"-I{root}/ports/freestanding", "-c", str(root / "src" / "qcs_int16_mve.c"), "-o",
                       str(tmp_path / "x.o")]  # fmt: skip
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stderr


def test_unaligned_loads_can_be_forbidden(tmp_path: Path) -> None:
    need_tool("arm-none-eabi-gcc", "gcc-arm-none-eabi")
    root, sizes = sources(), []
    for flags in ((), ("-mno-unaligned-access",)):
        command = ["arm-none-eabi-gcc", "-mcpu=cortex-m4", "-mthumb", "-O2", "-std=c11", *flags, f"-I{root}/include",
                   "-ffreestanding", "-c", str(root / "src" / "qcs_int16_dsp.c"), "-o",
                   str(tmp_path / "x.o")]  # fmt: skip
        subprocess.run(command, check=True)
        done = subprocess.run(["arm-none-eabi-nm", str(tmp_path / "x.o")], capture_output=True, text=True, check=True)
        sizes.append(len(done.stdout.split()))
    assert sizes[0] > 0
    assert sizes[1] == 0
