"""A `.tflite` that TensorFlow's converter made becomes a bundle that computes what TFLite Micro makes of the file."""

import contextlib
import re
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support import hostile
from support.tflite import CONVERTED, TAKEN, edited, frames, read, real_outputs
from typer.testing import CliRunner

from qcskit import firmware
from qcskit.cli import build_app
from qcskit.codec.errors import QcsError
from qcskit.codec.interface import Codec
from qcskit.codec.learned.activations import ACTIVATIONS
from qcskit.codec.learned.converted import read_converted
from qcskit.codec.learned.read_tflite import read_operators
from qcskit.codec.sensor import AdcConfig
from qcskit.export.config import ExportConfig
from qcskit.export.learned.flatbuffer import DenseOp, encoder_flatbuffer
from qcskit.export.learned.tflite_model import _dense_op, export_tflite, output_range, quantizer
from qcskit.export.packages import example_counts, package_files, write_package
from qcskit.firmware_sim import SimulateConfig, simulate
from qcskit.hil import Device

FEW = ExportConfig.model_validate({"golden_frames": 16, "test_windows": 40})


def export(path: Path, name: str, **keys: Any) -> Codec:
    """Export a file of tests/data/tflite."""
    given: dict[str, Any] = {"levels": 8, "config": FEW} | keys
    return export_tflite(CONVERTED / f"{name}.tflite", frames(), out=path / name, **given)


@pytest.fixture(scope="module", params=TAKEN)
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Codec]:
    return request.param, export(tmp_path_factory.mktemp("tflite"), request.param, levels=64)


@pytest.fixture(scope="module")
def codec(tmp_path_factory: pytest.TempPathFactory) -> Codec:
    """ReLU and sigmoid, one scale per layer, zero points of −58, −128 and −27."""
    return export(tmp_path_factory.mktemp("tflite"), "per_tensor")


def differing(codec: Codec, inputs: np.ndarray) -> list[str]:
    """Return the oracles that give other packets for network inputs."""
    own, oracles = codec.encode_inputs(inputs), codec.oracles()
    return [each.name for each in oracles if each.role == "oracle" and each.encode(inputs).differ(own).any()]


def test_it_computes_what_tflite_micro_makes_of_the_users_own_file(made: tuple[str, Codec]) -> None:
    """Of the file as it is, with its float, uint8 or batched ends; the bundle's own oracle may be a rebuilt one."""
    name, codec = made
    rng = np.random.default_rng(2)
    q = np.concatenate([codec.network_input(codec.edges(100, rng)), rng.integers(-128, 128, (100, 7))]).astype(np.int8)
    grid = codec.bundle.manifest.codec.input_grid
    output = real_outputs(read(name), (q.astype(float) - grid.zero_point) * grid.scale)
    expected = (output[..., None] > np.array(codec.facts.thresholds)).sum(axis=-1)
    np.testing.assert_array_equal(codec.input_index(q), expected)
    assert len(np.unique(expected)) > 20
    assert differing(codec, q) == []


def test_the_users_bytes_are_the_oracle_where_the_device_runs_nothing_else(made: tuple[str, Codec]) -> None:
    name, codec = made
    own = codec.bundle.read("encoder.tflite")
    assert (own == read(name)) == (name == "per_tensor")
    assert {op.name for op in read_operators(own)} <= {"FULLY_CONNECTED", "TANH", "LOGISTIC"}
    assert ", ".join(f"0x{byte:02x}" for byte in own[:4]) in codec.bundle.read(f"c/qcs_tflm_{name}.h").decode()


def test_simulate_finds_no_mismatch(codec: Codec, tmp_path: Path) -> None:
    config = SimulateConfig(vectors=500, oracle_vectors=200, reported_vectors=50, processes=1)
    verdict = simulate(codec.bundle, config, out=tmp_path / "v.json", progress=lambda done, total: None)
    assert verdict.passed
    assert {t.name: t.mismatches for t in verdict.implementations if t.role != "reported"} == dict.fromkeys(
        ("numpy", "c-host", "c-block", "tflm", "golden file"), 0
    )


def test_its_package_compiles_and_predicts(codec: Codec, tmp_path: Path) -> None:
    files = package_files([codec.bundle], "plain", firmware.sources())
    write_package(tmp_path / "p", files)
    program, units = tmp_path / "example", sorted((tmp_path / "p").rglob("*.c"))
    include = {f"-I{file.parent}" for file in (tmp_path / "p").rglob("*.h")}
    subprocess.run(["cc", "-std=c11", *sorted(include), *map(str, units), "-o", str(program)], check=True)
    done = subprocess.run([program], capture_output=True, text=True, check=True)
    expected = codec.encode_counts(example_counts(codec)[None])[0]
    assert done.stdout == " ".join(f"{byte:02x}" for byte in expected) + " as predicted\n"


@pytest.mark.parametrize("port", ["emu:native", "emu:cortex-m4"])
def test_a_board_sends_the_same_bytes(codec: Codec, port: str) -> None:
    counts = np.concatenate([codec.edges(40, np.random.default_rng(0)), codec.bundle.vectors["counts"]])
    try:
        with Device.open(port, codec) as board:
            assert not board.encode(counts).packets.differ(codec.encode_counts(counts)).any()
            inputs = codec.bundle.vectors["input"]
            assert not board.encode(inputs).packets.differ(codec.encode_inputs(inputs)).any()
    except firmware.MissingToolError as error:
        pytest.skip(str(error))


def test_the_command_inspects_and_exports_it(tmp_path: Path) -> None:
    run, app, file = CliRunner().invoke, build_app(), CONVERTED / "float_ends.tflite"
    shown = run(app, ["inspect", str(file)])
    assert shown.exit_code == 0
    assert [word for word in ("QUANTIZE", "LOGISTIC", "DEQUANTIZE", "-58") if word not in shown.stdout] == []
    np.save(tmp_path / "y.npy", frames())
    np.save(tmp_path / "t.npy", np.array([0.25, 0.4, 0.6]))
    out = tmp_path / "b"
    done = run(app, ["export", str(file), "--calibrate", str(tmp_path / "y.npy"), "-o", str(out), "-q",
                     "--thresholds", str(tmp_path / "t.npy")])  # fmt: skip
    assert done.exit_code == 0, done.output
    shown = run(app, ["inspect", str(out), "--no-cost"], env={"COLUMNS": "200"})
    assert "7-9-6-5, relu-tanh-sigmoid, 4 levels" in shown.stdout
    assert "-1.912 … 5.053 from ADC count 0" in shown.stdout


@pytest.mark.parametrize("verb", [("inspect",), ("export", "--levels", "4", "--calibrate", "y.npy", "-o", "b", "-q")])
def test_the_command_refuses_a_file_that_it_cannot_compute(
    verb: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    np.save("y.npy", frames())
    for name, word in (("int16", "int32|INT16"), ("scaled", "operator 0 SUB")):
        done = CliRunner().invoke(build_app(), [*verb, str(CONVERTED / f"{name}.tflite")])
        assert isinstance(done.exception, QcsError)
        assert done.exception.exit_code == 2
        assert re.search(word, str(done.exception))
    assert [file.name for file in tmp_path.iterdir() if not file.name.startswith(".")] == ["y.npy"]


def test_native_thresholds_lie_on_the_accumulators(tmp_path: Path) -> None:
    """Between two steps of the output's grid too; of a layer without a bias as well."""

    def without_bias(model: Any, graph: Any) -> None:
        graph.operators[1].inputs[2] = -1

    config = FEW.model_copy(update={"profile": "native"})
    for name, content in (("own", read("per_tensor")), ("bare", edited(read("per_tensor"), without_bias))):
        codec = export_tflite(content, frames(), out=tmp_path / name, levels=200, config=config)
        assert codec.bundle.read("encoder.tflite") == content
        (oracle,) = codec.oracles()
        counts = codec.edges(300, np.random.default_rng(0))
        assert oracle.name == "tflm hidden + float64"
        assert not oracle.encode(counts).differ(codec.encode_counts(counts)).any()


@pytest.mark.parametrize("adc", [
    {}, {"bits": 12, "signed": False}, {"bits": 12, "offset_counts": 300, "units_per_count": 0.01},
])  # fmt: skip
def test_counts_become_the_inputs_of_the_network(tmp_path: Path, adc: dict[str, Any]) -> None:
    """The value of a count on the file's own grid, rounded, whatever the ADC and the zero point; all of it reached."""
    codec = export(tmp_path, "per_tensor", adc=AdcConfig(**adc))
    manifest, every = codec.bundle.manifest, np.arange(-32768, 32768, dtype=np.int64)
    grid, low, high = manifest.codec.input_grid, manifest.adc.low, manifest.adc.high
    counts = every[(every >= low) & (every <= high)].astype(np.int16)
    exact = (manifest.adc.values(counts) / grid.scale + grid.zero_point).clip(-128, 127)
    found = codec.network_input(np.repeat(counts[:, None], 7, axis=1))
    # Rounded twice, as TFLite Micro requantizes.
    np.testing.assert_allclose(found, np.repeat(exact[:, None], 7, axis=1), atol=0.75 + 1e-3)
    reached = (grid.scale * (-128 - grid.zero_point), grid.scale * (127 - grid.zero_point))
    if "units_per_count" not in adc:
        assert (found.min(), found.max()) == (-128, 127)
        assert manifest.adc.values(high) == pytest.approx(max(map(abs, reached)), rel=1e-3)
    drawn = codec.bundle.vectors["y"]
    assert {row.tobytes() for row in drawn} <= {row.tobytes() for row in frames()}
    assert codec.clipped(codec.counts(drawn)).mean() < 0.05


def test_whole_numbers_are_counts(tmp_path: Path) -> None:
    y = np.rint(frames())
    codec = export_tflite(read("per_tensor"), y, out=tmp_path / "b", levels=4, config=FEW)
    assert codec.bundle.manifest.adc.units_per_count == 1.0
    assert codec.name == "encoder"
    np.testing.assert_array_equal(np.unique(codec.bundle.vectors["counts"]), np.unique(codec.bundle.vectors["y"]))


@pytest.mark.parametrize(("name", "low", "high"), [("per_tensor", 0.0, 1.0), ("uint8_ends", 0.0, None),
                                                   ("reshaped", None, None)])  # fmt: skip
def test_equal_cells_divide_what_the_output_can_be(name: str, low: float | None, high: float | None) -> None:
    last = _dense_op(read_converted(read(name)).layers[-1])
    scale, zero = last.output_grid
    ends = (low if low is not None else (-128 - zero) * scale, high if high is not None else (127 - zero) * scale)
    assert output_range(last) == pytest.approx(ends)
    edges, values = quantizer(last, None, 4)
    np.testing.assert_allclose(np.diff([ends[0], *edges, ends[1]]), (ends[1] - ends[0]) / 4, rtol=1e-5)
    np.testing.assert_allclose(values, ends[0] + (np.arange(4) + 0.5) * (ends[1] - ends[0]) / 4, rtol=1e-5)
    edges, values = quantizer(last, [ends[0] - 1.0, ends[0] + 0.1], None)
    np.testing.assert_allclose(values[:2], [edges[0], np.mean(edges)])


def test_cells_at_the_ends_reach_as_far_as_the_output_or_their_threshold() -> None:
    """Thresholds beyond what the output can be are never or always reached; their cells are empty."""
    last = DenseOp(np.ones((1, 1), np.int8), np.ones(1, np.float32), np.zeros(1, np.int32), np.float32(1), 0,
                   np.float32(1), activation=ACTIVATIONS["tanh"])  # fmt: skip
    for edges, values in {
        (-0.5, 0.0, 0.5): [-0.75, -0.25, 0.25, 0.75], (-3.0, 0.5): [-3.0, -1.25, 0.75], (0.5, 4.0): [-0.25, 2.25, 4.0],
    }.items():  # fmt: skip
        found = quantizer(last, edges, None)
        assert (found[0].tolist(), found[1].tolist()) == (list(edges), values)


@pytest.mark.parametrize("count", [0, 255, 256])
def test_there_are_as_many_thresholds_as_an_index_has_room_for(count: int) -> None:
    last = _dense_op(read_converted((CONVERTED / "per_tensor.tflite").read_bytes()).layers[-1])
    low, high = output_range(last)
    edges = np.linspace(low, high, count + 2)[1:-1]
    if count == 255:
        assert len(quantizer(last, edges, None)[1]) == 256
        return
    with pytest.raises(QcsError, match=f"^thresholds are {count} numbers, expected 1 … 255, finite, each larger"):
        quantizer(last, edges, None)


def test_it_tells_when_it_writes(tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    export(tmp_path, "per_tensor", progress=lambda *what: told.append(what))
    assert told == [("write", 0, 1), ("write", 1, 1)]


def test_a_shared_scale_stays_one(tmp_path: Path) -> None:
    layers = [_dense_op(layer) for layer in read_converted(read("per_tensor")).layers]
    again = encoder_flatbuffer(layers, "again")
    assert [len(op.inputs[1].scales) for op in read_operators(again) if op.name == "FULLY_CONNECTED"] == [1, 1]
    np.testing.assert_array_equal(real_outputs(again, frames()), real_outputs(read("per_tensor"), frames()))


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"levels": None}, "give either thresholds of its outputs, or levels"),
        ({"thresholds": [0.5]}, "give either thresholds of its outputs, or levels"),
        ({"levels": 257}, r"levels is 257, expected 2 … 256"),
        (
            {"levels": None, "thresholds": [0.5, 0.5]},
            r"thresholds are 2 numbers, expected 1 … 255, finite, each larger than the one before$",
        ),
        ({"levels": None, "thresholds": [0.5, np.nan]}, "thresholds are 2 numbers"),
        ({"levels": None, "thresholds": []}, "thresholds are 0 numbers"),
        ({"levels": None, "thresholds": ["a"]}, "thresholds are no list of numbers"),
        ({"levels": None, "thresholds": [-20, 40]}, r"-20 … 40 tell nothing apart: the output lies in 0 … 1; give"),
        ({"config": ExportConfig(profile="tflm16")}, "export.profile = tflm16: a .tflite keeps the int8"),
        ({"adc": AdcConfig(units_per_count=1e6)}, "check the ADC scale"),
    ],
)
def test_what_does_not_go_with_a_file(tmp_path: Path, keys: dict[str, Any], message: str) -> None:
    with pytest.raises(QcsError, match=message) as caught:
        export(tmp_path, "per_tensor", **keys)
    assert str(caught.value).startswith(f"model '{CONVERTED / 'per_tensor.tflite'}': ")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("y", "message"),
    [(None, "give y as the network takes it"), (np.zeros((5, 6)), "rows of 6 numbers, the model has 7"),
     (np.full((5, 7), np.inf), "row 0 holds NaN")],
)  # fmt: skip
def test_frames_that_it_cannot_take(tmp_path: Path, y: Any, message: str) -> None:
    with pytest.raises(QcsError, match=message):
        export_tflite(read("per_tensor"), y, out=tmp_path / "b", levels=4)


def test_what_only_the_runtime_refuses_is_one_line_too(tmp_path: Path) -> None:
    def other_bias_scale(model: Any, graph: Any) -> None:
        own = graph.tensors[graph.operators[0].inputs[2]].quantization
        own.scale = np.asarray(own.scale) * 1e6

    with pytest.raises(QcsError, match=r"^the \.tflite: TFLite Micro does not accept this model"):
        export_tflite(edited(read("per_tensor"), other_bias_scale), frames(), out=tmp_path / "b", levels=4)
    assert not list(tmp_path.iterdir())


def test_a_damaged_file_is_refused_in_one_line_or_computes_what_the_runtime_does(tmp_path: Path) -> None:
    taken, refused = [], []
    for number, (what, mutant) in enumerate(hostile.word_mutants(read("per_tensor"), 3, 600)):
        try:
            read_converted(mutant)
        except QcsError as error:
            refused.append(str(error))
            continue
        if number % 150:
            continue
        with contextlib.suppress(QcsError):
            codec = export_tflite(mutant, frames(20), out=tmp_path / "b", levels=4, config=FEW)
            assert differing(codec, codec.bundle.vectors["input"]) == [], what
            taken.append(what)
    assert taken
    assert [line for line in refused if "\n" in line] == []
