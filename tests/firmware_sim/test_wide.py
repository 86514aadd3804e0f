"""The wide encoder (16-bit activations): NumPy, the C on this host and on every core, and the TFLite Micro runtime."""

import json
import shutil
import subprocess
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from encoders import build_wide, write_text
from random_bundles import write_random_bundle
from tflite_micro import runtime
from typer.testing import CliRunner

from qcskit.cli import build_app
from qcskit.codec import wide
from qcskit.codec.bundle import Bundle, Manifest, read_bundle
from qcskit.codec.decoder import load_counts_codec
from qcskit.codec.errors import QcsError
from qcskit.export.flatbuffer import Int8Dense, encoder_flatbuffer, wide_tanh_table
from qcskit.export.wide import wide_tables
from qcskit.firmware import HostCodec, build_host_library, find_board, sources
from qcskit.firmware_sim import cores, fuzz, tflm
from qcskit.firmware_sim.config import SimulateConfig
from qcskit.firmware_sim.counts import wide_edges
from qcskit.firmware_sim.run import simulate
from qcskit.hil.config import HilConfig
from qcskit.hil.fleet import run_fleet


def drawn(count: int, widest: int) -> list[tuple[fuzz.ModelSpec, wide.WideTables, bytes]]:
    """Random models that the exporter takes: accumulators of some exceed 32 bits."""
    found = []
    seed = 0
    while len(found) < count:
        spec = fuzz.random_spec(seed, widest=widest)
        seed += 1
        with suppress(QcsError):
            found.append((spec, *build_wide(spec)))
    assert seed < 2 * count
    return found


def counts_for(tables: wide.WideTables, frames: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    uniform = rng.integers(-32768, 32768, (frames // 3, tables.inputs)).astype(np.int16)
    corners = rng.choice(np.array([-32768, -32767, 32766, 32767], np.int16), (frames // 3, tables.inputs))
    return np.concatenate([uniform, corners, wide_edges(tables, frames // 3, rng)])


def test_random_models_agree(tmp_path: Path) -> None:
    models = drawn(60, widest=128)
    for number, (_, tables, _) in enumerate(models):
        write_text(tmp_path, f"m{number}", tables)
    library = build_host_library(tmp_path)
    for number, (spec, tables, flatbuffer) in enumerate(models):
        counts = counts_for(tables, 300, number)
        x = wide.network_input(tables, counts)
        expected = wide.encode_index(tables, x)
        np.testing.assert_array_equal(wide.encode_index_fast(tables, x), expected, err_msg=spec.describe())
        packed = HostCodec(library, f"qcs_codec_m{number}").encode(counts)
        np.testing.assert_array_equal(tables.packing.unpack(packed), expected, err_msg=spec.describe())
        oracle = tflm.TflmRuntime(flatbuffer, np.int16)
        found = tflm.index(oracle.run(x), oracle.output_grid, spec.thresholds)
        np.testing.assert_array_equal(found, expected, err_msg=spec.describe())


@pytest.mark.parametrize("core", cores.CORES, ids=lambda core: core.name)
@pytest.mark.parametrize("plain", [False, True], ids=["fast", "plain"])
def test_every_core_gives_the_reference_bytes(core: cores.Core, plain: bool) -> None:
    for tool, package in find_board(core.board).missing:
        pytest.skip(f"{tool} is missing: apt-get install {package}")
    checks = [cores.make_check(tables, seed, random=100) for seed, (_, tables, _) in enumerate(drawn(20, widest=64))]
    assert cores.mismatches(core, checks, write_text, plain=plain) == []


def test_an_avr_gives_the_reference_bytes() -> None:
    for tool, package in find_board("avr").missing:
        pytest.skip(f"{tool} is missing: apt-get install {package}")
    checks = [cores.make_check(tables, seed, random=30) for seed, (_, tables, _) in enumerate(drawn(3, widest=40))]
    assert cores.board_mismatches("avr", checks, write_text) == []


def test_tanh_is_the_runtime_s_for_every_input() -> None:
    from qcskit.export import flatbuffer as writer

    graph = writer._Graph(16)
    int16 = writer.schema.TensorType.INT16
    source = graph.tensor("x", (1, 65536), int16, wide.PRE_SCALE, 0)
    last = graph.tensor("y", (1, 65536), int16, wide.OUTPUT_SCALE, 0)
    graph.operator(writer.schema.BuiltinOperator.TANH, (source,), last)
    interpreter = runtime.Interpreter.from_bytes(graph.finish(source, last, "tanh"), arena_size=1 << 20)
    every = np.arange(-32768, 32768).astype(np.int16)
    interpreter.set_input(every[None, :], 0)
    interpreter.invoke()
    found = wide.tanh(wide_tanh_table(), every)
    np.testing.assert_array_equal(found, interpreter.get_output(0)[0])
    assert (np.diff(found) >= 0).all()  # what lets thresholds be folded
    assert np.abs(found / 32768 - np.tanh(every / 4096)).max() < 2.0 / 32768


@pytest.mark.parametrize("activation", ["tanh", "hard_tanh"])
def test_a_folded_threshold_is_the_first_accumulator_that_reaches_it(activation) -> None:
    """Weights 1 and 100 make every accumulator attainable: the runtime must change its index exactly at a threshold."""
    scale, weight_scale = np.float32(1 / 500), np.array([1 / 400, 1 / 700], np.float32)
    pre = np.float32(wide.PRE_SCALE if activation == "tanh" else 1 / 32767)
    layer = Int8Dense(np.array([[1, 100], [1, 100]], np.int8), weight_scale, np.array([70_001, -5], np.int32), scale, 0,
                      pre, 0, activation, 16)  # fmt: skip
    t = np.sort(np.random.default_rng(2).uniform(-0.99, 0.99, 200))
    tables = wide_tables((layer,), t, 0, 16)
    oracle = tflm.TflmRuntime(encoder_flatbuffer((layer,), "one layer"), np.int16)
    for output, row in enumerate(tables.thresholds):
        acc = np.concatenate([row - 1, row]).astype(np.int64)
        x = np.stack([acc - 100 * (acc // 100), acc // 100], axis=1).astype(np.int16)
        np.testing.assert_array_equal(wide.last_accumulator(tables, x)[:, output], acc)
        found = tflm.index(oracle.run(x), oracle.output_grid, t.tolist())[:, output]
        np.testing.assert_array_equal(found, wide.encode_index(tables, x)[:, output])
        assert (found[200:] > found[:200]).all()


def test_a_bundle_goes_through_simulate_and_hil(tmp_path: Path) -> None:
    write_random_bundle(tmp_path / "b", (9, 20, 5), 12, 4, profile="tflm16")
    bundle = read_bundle(tmp_path / "b")
    verdict = simulate(bundle, SimulateConfig(vectors=2000, tflm_vectors=500))
    assert verdict.passed
    assert [tally.vectors for tally in verdict.implementations] == [2032, 2032, 2032, 508]
    assert [tally.name for tally in verdict.implementations] == ["numpy", "definition", "c-host", "tflm"]
    assert verdict.sets == {"golden": 32, "source": 1000, "uniform": 600, "edges": 400}
    results = run_fleet(bundle, HilConfig(port=["emu:native"], vectors=500), out=tmp_path / "r.json", resume=False,
                        progress=lambda label, stage, done, total: None)  # fmt: skip
    assert results["verdict"] == {"ok": True, "vectors": 500, "mismatches": 0, "failed": []}
    assert bundle.manifest.arithmetic == "int16"
    with pytest.raises(QcsError, match="takes ADC counts, not int8"):
        bundle.quantize_input(np.zeros((1, 9)))


def test_a_flatbuffer_of_other_widths_and_resume_are_refused(tmp_path: Path) -> None:
    write_random_bundle(tmp_path / "b", (9, 20, 5), 12, 4, profile="tflm16")
    write_random_bundle(tmp_path / "other", (8, 20, 5), 12, 4, profile="tflm16")
    bundle = read_bundle(tmp_path / "b")
    verdict = simulate(bundle, SimulateConfig(vectors=100))
    with pytest.raises(QcsError, match="run without --resume"):
        simulate(bundle, SimulateConfig(vectors=100), resume=verdict)
    shutil.copy(tmp_path / "other" / "encoder.tflite", tmp_path / "b" / "encoder.tflite")
    with pytest.raises(QcsError, match=r"encoder\.tflite has 8 inputs and 5 outputs, tables\.npz 9 and 5"):
        simulate(bundle, SimulateConfig(vectors=100))


def test_profile_and_inspect_count_it(tmp_path: Path) -> None:
    for tool, package in find_board("cortex-m4").missing:
        pytest.skip(f"{tool} is missing: apt-get install {package}")
    write_random_bundle(tmp_path / "b", (9, 20, 5), 12, 4, profile="tflm16")
    run = CliRunner().invoke(build_app(), ["profile", str(tmp_path / "b"), "-n", "3", "--json"])
    assert run.exit_code == 0, run.output
    counted = json.loads(run.stdout)
    assert len(counted["per_encode"]) == 3
    assert "four_rows" in {share["name"] for share in counted["functions"]}
    run = CliRunner().invoke(build_app(), ["inspect", str(tmp_path / "b"), "--json"])
    facts = json.loads(run.stdout)
    assert (facts["profile"], facts["arithmetic"]) == ("tflm16", "int16")
    assert facts["cost"]["scratch_bytes"] == 4 * 20
    cores_found = {row["core"]: row for row in facts["cores"]}
    assert cores_found["Cortex-M4"]["stack_bytes"] > 40


def test_the_mve_kernel_compiles_whatever_registers_are_left(tmp_path: Path) -> None:
    if not shutil.which("arm-none-eabi-gcc"):
        pytest.skip("needs arm-none-eabi-gcc: apt-get install gcc-arm-none-eabi")
    compilers = [("arm-none-eabi-gcc", "-mcpu=cortex-m55", "-mthumb")]
    if shutil.which("clang"):
        compilers.append(("clang", "--target=thumbv8.1m.main-none-eabi", "-mcpu=cortex-m55"))
    root = sources()
    for compiler, *core in compilers:
        for flags in (("-O0",), ("-O2",), ("-Os", "-fno-omit-frame-pointer")):
            command = [compiler, *core, "-mfloat-abi=hard", "-ffreestanding", "-std=c11", *flags, f"-I{root}/include",
                       f"-I{root}/ports/freestanding", "-c", str(root / "src" / "qcs_wide_mve.c"), "-o",
                       str(tmp_path / "x.o")]  # fmt: skip
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stderr


def test_unaligned_loads_can_be_forbidden(tmp_path: Path) -> None:
    if not shutil.which("arm-none-eabi-gcc"):
        pytest.skip("needs arm-none-eabi-gcc: apt-get install gcc-arm-none-eabi")
    root, sizes = sources(), []
    for flags in ((), ("-mno-unaligned-access",)):
        command = ["arm-none-eabi-gcc", "-mcpu=cortex-m4", "-mthumb", "-O2", "-std=c11", *flags, f"-I{root}/include",
                   "-ffreestanding", "-c", str(root / "src" / "qcs_wide_dsp.c"), "-o",
                   str(tmp_path / "x.o")]  # fmt: skip
        subprocess.run(command, check=True)
        done = subprocess.run(["arm-none-eabi-nm", str(tmp_path / "x.o")], capture_output=True, text=True, check=True)
        sizes.append(len(done.stdout.split()))
    assert sizes[0] > 0
    assert sizes[1] == 0


def test_a_tampered_c_file_is_caught(tmp_path: Path) -> None:
    write_random_bundle(tmp_path / "b", (9, 20, 5), 12, 4, profile="tflm16")
    source = tmp_path / "b" / "c" / "qcs_model_random.c"
    text = source.read_text()
    source.write_text(text.replace(".offset = 3,", ".offset = 4,"))
    assert source.read_text() != text
    bundle = Bundle(tmp_path / "b", read_manifest(tmp_path / "b"))
    verdict = simulate(bundle, SimulateConfig(vectors=500))
    assert not verdict.passed
    assert verdict.first_mismatch is not None
    assert verdict.first_mismatch.indices["c-host"] != verdict.first_mismatch.indices["tflm"]


def read_manifest(path: Path) -> Manifest:
    return Manifest.model_validate(json.loads((path / "manifest.json").read_text()))


def test_wrong_input_is_one_clear_line(tmp_path: Path) -> None:
    write_random_bundle(tmp_path / "b", (9, 20, 5), 12, 4, profile="tflm16")
    codec = load_counts_codec(read_bundle(tmp_path / "b"))
    assert codec is not None
    with pytest.raises(QcsError, match=r"counts are int16 of shape \(2, 8\), expected int16 \(frames, 9\)"):
        codec.encode_counts(np.zeros((2, 8), np.int16))
    with pytest.raises(QcsError, match="counts are float64"):
        codec.encode_counts(np.zeros((2, 9)))
    with pytest.raises(QcsError, match="NaN or infinity"):
        codec.encode(np.full((1, 9), np.nan))
    manifest = json.loads((tmp_path / "b" / "manifest.json").read_text())
    manifest["model_id"] = "0" * 16
    (tmp_path / "b" / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(QcsError, match=r"tables\.npz is of model .*run 'qcskit export' again"):
        load_counts_codec(read_bundle(tmp_path / "b"))
    manifest["model_id"], manifest["levels"] = codec.tables.model_id, 11  # type: ignore[attr-defined]
    (tmp_path / "b" / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(QcsError, match=r"manifest\.json and tables\.npz differ .*run 'qcskit export' again"):
        load_counts_codec(read_bundle(tmp_path / "b"))
    arrays = wide.to_arrays(codec.tables)  # type: ignore[attr-defined]
    del arrays["hidden0_shift"]
    with pytest.raises(QcsError, match="encoder tables are incomplete"):
        wide.from_arrays(arrays)
