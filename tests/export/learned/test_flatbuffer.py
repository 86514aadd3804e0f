"""What the flatbuffer holds: two operators, constants that can be read in place, tables of the runtime's own tanh."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from tflite_micro.tensorflow.lite.micro.python import schema_py_generated as schema

from qcskit.codec.errors import QcsError
from qcskit.codec.learned.activations import ACTIVATIONS
from qcskit.export.learned import flatbuffer as module
from qcskit.export.learned.flatbuffer import Bits, DenseOp, activation_points, encoder_flatbuffer


def test_tanh_table_is_close_to_tanh_and_ascends() -> None:
    for scale in (0.01, 3 / 127, 0.1):
        table = activation_points("tanh", float(np.float32(scale)))
        ideal = np.clip(np.rint(128 * np.tanh(np.arange(-128, 128) * scale)), -128, 127)
        assert np.abs(table - ideal).max() <= 1
        assert np.all(np.diff(table.astype(int)) >= 0)


def test_the_flatbuffer_holds_only_fully_connected_and_tanh_and_aligned_constants(bundle_path) -> None:
    content = (bundle_path / "encoder.tflite").read_bytes()
    model = schema.Model.GetRootAsModel(content, 0)
    codes = {model.OperatorCodes(i).BuiltinCode() for i in range(model.OperatorCodesLength())}
    assert codes == {schema.BuiltinOperator.FULLY_CONNECTED, schema.BuiltinOperator.TANH}
    for i in range(model.BuffersLength()):
        data = model.Buffers(i).DataAsNumpy()
        if not isinstance(data, int):
            assert (data.__array_interface__["data"][0] - np.frombuffer(content, np.uint8).ctypes.data) % 16 == 0


def layer(inputs: int, outputs: int, place: int, bits: Bits, activation: str) -> DenseOp:
    """Return a layer every number of which is its own."""
    rng = np.random.default_rng(place)
    return DenseOp(
        rng.integers(-127, 128, (outputs, inputs), np.int8), rng.uniform(0.01, 0.1, outputs).astype(np.float32),
        rng.integers(-9999, 9999, outputs, np.int32), np.float32(0.5 + place), 3 + place if bits == 8 else 0,
        np.float32(0.05 + 0.01 * place), -7 - place if bits == 8 else 0, ACTIVATIONS[activation], bits,
    )  # fmt: skip


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("activations", [("tanh", "tanh"), ("relu", "tanh"), ("tanh", "hard_tanh"), ("hard_tanh",)])
def test_every_tensor_and_operator_is_what_the_layers_say(bits: Bits, activations: tuple[str, ...]) -> None:
    widths = (5, 4, 3)
    layers = [layer(widths[i], widths[i + 1], i, bits, name) for i, name in enumerate(activations)]
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(encoder_flatbuffer(layers, "about it"), 0))
    (graph,) = model.subgraphs
    tensors = {tensor.name.decode(): tensor for tensor in graph.tensors}
    kind = schema.TensorType.INT8 if bits == 8 else schema.TensorType.INT16
    assert model.description == b"about it"

    def check(name: str, shape: tuple[int, ...], kind: int, scale: Any, zero: int, data: Any = None) -> None:
        tensor = tensors.pop(name)
        assert (tuple(tensor.shape), tensor.type) == (shape, kind)
        np.testing.assert_array_equal(tensor.quantization.scale, np.atleast_1d(scale))
        assert set(tensor.quantization.zeroPoint) == {zero}
        content = model.buffers[tensor.buffer].data
        assert (b"" if content is None else bytes(content)) == (b"" if data is None else data.tobytes())

    check("y", (1, 5), kind, layers[0].input_scale, layers[0].input_zero_point)
    read, expected = "y", []
    for i, op in enumerate(layers):
        rows, columns = op.weights.shape
        expected.append(([read, f"w{i}", f"b{i}"], [f"pre{i}"], op.activation.fused))
        check(f"w{i}", (rows, columns), schema.TensorType.INT8, op.weight_scale, 0, op.weights)
        check(f"b{i}", (rows,), schema.TensorType.INT32, op.input_scale * op.weight_scale, 0, op.bias)
        check(f"pre{i}", (1, rows), kind, op.pre_scale, op.pre_zero_point)
        read = f"pre{i}"
        if op.activation.name == "tanh":  # TFLite fixes its grid
            check(f"a{i}", (1, rows), kind, 1 / 128 if bits == 8 else 1 / 32768, 0)
            assert op.output_grid == ((1 / 128, 0) if bits == 8 else (1 / 32768, 0))
            expected.append(([read], [f"a{i}"], None))
            read = f"a{i}"
        else:
            assert op.output_grid == (op.pre_scale, op.pre_zero_point)
    assert not tensors
    names = [tensor.name.decode() for tensor in graph.tensors]
    fused = {value: name for name, value in vars(schema.ActivationFunctionType).items() if name.isupper()}
    found = [
        ([names[i] for i in op.inputs], [names[i] for i in op.outputs],
         fused[op.builtinOptions.fusedActivationFunction] if op.builtinOptions else None)
        for op in graph.operators
    ]  # fmt: skip
    assert found == expected
    assert [[names[i] for i in ends] for ends in (graph.inputs, graph.outputs)] == [["y"], [read]]
    codes = [model.operatorCodes[op.opcodeIndex].builtinCode for op in graph.operators]
    dense, tanh = schema.BuiltinOperator.FULLY_CONNECTED, schema.BuiltinOperator.TANH
    assert codes == [dense if options else tanh for _, _, options in expected]
    sums = {op.builtinOptions.quantizedBiasType for op in graph.operators if op.builtinOptions}
    assert sums == {schema.TensorType.INT32 if bits == 16 else 0}  # of 16 bits TFLite takes int64 unless told


def test_a_runtime_that_says_no_arena_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    silent = SimpleNamespace(print_allocations=lambda: None)
    runtime = SimpleNamespace(Interpreter=SimpleNamespace(from_bytes=lambda content: silent))
    monkeypatch.setattr(module, "runtime", runtime)
    with pytest.raises(QcsError, match="did not report its arena; is the pinned tflite-micro installed"):
        module.measured_arena_bytes(b"")


@pytest.mark.parametrize("bits", [8, 16])
def test_constants_of_any_length_start_on_16_bytes(bits: Bits) -> None:
    """So that a C array can be read in place; whatever stands before them."""
    rng = np.random.default_rng(1)
    for width in range(6, 38):
        content = rng.integers(-127, 128, (1, width)).astype(np.int8)
        layer = DenseOp(content, np.ones(1, np.float32), np.array([7], np.int32), np.float32(1), 0, np.float32(1),
                        bits=bits)  # fmt: skip
        assert encoder_flatbuffer([layer], "x" * width).index(content.tobytes()) % 16 == 0
