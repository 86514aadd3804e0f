"""What a converter leaves round an int8 encoder is put aside; anything that changes a number is refused by name."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.bundles import learned_bundle
from support.tflite import TAKEN, edited, read
from tflite_micro.tensorflow.lite.micro.python import schema_py_generated as schema

from qcskit.codec.errors import QcsError
from qcskit.codec.learned.converted import check_any, read_converted

Edit = Callable[[Any, Any], object]
BUILTIN = schema.BuiltinOperator


def test_the_layers_of_a_file_are_found_between_its_ends() -> None:
    found = {name: read_converted(read(name)) for name in TAKEN}
    named = {name: "-".join(layer.activation.name for layer in each.layers) for name, each in found.items()}
    assert named == {
        "per_tensor": "relu-sigmoid", "float_ends": "relu-tanh-sigmoid", "uint8_ends": "relu6",
        "reshaped": "hard_tanh-linear", "batch_4": "tanh-relu",
    }  # fmt: skip
    assert [name for name, each in found.items() if each.alone] == ["per_tensor"]
    assert {layer.source.zero_points for each in found.values() for layer in each.layers[:1]} == {(-58,)}
    assert [len(layer.weight_scales) for layer in found["per_tensor"].layers] == [1, 1]
    assert not found["uint8_ends"].layers[0].raw_bias.any()


def test_every_file_is_shown_as_it_is() -> None:
    names = {name: [op.name for op in check_any(read(name))] for name in TAKEN}
    assert names["float_ends"][::6] == ["QUANTIZE", "DEQUANTIZE"]
    assert names["reshaped"][:4] == ["SHAPE", "STRIDED_SLICE", "PACK", "RESHAPE"]


def test_what_is_shown_is_what_can_be_exported_and_the_kits_own_16_bits(tmp_path: Path) -> None:
    own = learned_bundle(tmp_path / "b", profile="tflm16").bundle.read("encoder.tflite")
    assert [op.name for op in check_any(own)] == ["FULLY_CONNECTED", "TANH"] * 2
    for content, message in ((other(two_outputs, "per_tensor"), "2 outputs"), (read("int16"), "not int32")):
        with pytest.raises(QcsError, match=message):
            check_any(content)


def grid(graph: Any, tensor: int) -> Any:
    return graph.tensors[tensor].quantization


def other(edit: Edit, name: str) -> bytes:
    return edited(read(name), edit)


def replaced_code(place: int, code: int) -> Edit:
    def edit(model: Any, graph: Any) -> None:
        made = schema.OperatorCodeT(min(code, 127), None, 1, builtinCode=code)
        model.operatorCodes.append(made)
        operator = graph.operators[place]
        operator.opcodeIndex = len(model.operatorCodes) - 1
        operator.builtinOptionsType, operator.builtinOptions = 0, None

    return edit


def second_reads_a_twin(model: Any, graph: Any) -> None:
    """What follows the first operator reads another tensor of the same name and shape."""
    twin = schema.TensorT(**vars(graph.tensors[graph.operators[0].outputs[0]]))
    graph.tensors.append(twin)
    graph.operators[1].inputs[0] = len(graph.tensors) - 1


def middle_output(model: Any, graph: Any) -> None:
    graph.outputs = np.asarray(graph.operators[0].outputs, np.int32)


def two_outputs(model: Any, graph: Any) -> None:
    graph.outputs = np.asarray([*graph.outputs, graph.operators[0].outputs[0]], np.int32)


def other_input(model: Any, graph: Any) -> None:
    graph.inputs = np.asarray(graph.operators[0].outputs, np.int32)


def moved_zero(model: Any, graph: Any) -> None:
    grid(graph, graph.operators[0].inputs[0]).zeroPoint = np.array([71], np.int64)


def far_zero(model: Any, graph: Any) -> None:
    grid(graph, graph.operators[0].outputs[0]).zeroPoint = np.array([-300], np.int64)


def own_sigmoid_grid(model: Any, graph: Any) -> None:
    grid(graph, graph.outputs[0]).scale = np.array([1 / 128], np.float32)


def other_frames(model: Any, graph: Any) -> None:
    graph.tensors[graph.operators[3].outputs[0]].shape = np.array([7, 1], np.int32)


def other_grid(model: Any, graph: Any) -> None:
    grid(graph, graph.operators[3].outputs[0]).scale = np.array([1.0], np.float32)


def wider(model: Any, graph: Any) -> None:
    graph.tensors[graph.inputs[0]].shape = np.array([1, 8], np.int32)


def no_outputs(model: Any, graph: Any) -> None:
    graph.operators[0].outputs = np.zeros(0, np.int32)


def no_operators(model: Any, graph: Any) -> None:
    graph.operators.clear()


def unknown_activation(model: Any, graph: Any) -> None:
    graph.operators[0].builtinOptions.fusedActivationFunction = schema.ActivationFunctionType.SIGN_BIT


def weights(graph: Any) -> Any:
    """The tensor of the second layer's weights."""
    return graph.tensors[graph.operators[1].inputs[1]]


def weights_off_zero(model: Any, graph: Any) -> None:
    weights(graph).quantization.zeroPoint[-1] = 1


def unsigned_weights(model: Any, graph: Any) -> None:
    weights(graph).type = schema.TensorType.UINT8


def computed_weights(model: Any, graph: Any) -> None:
    model.buffers[weights(graph).buffer].data = None


def no_weights(model: Any, graph: Any) -> None:
    graph.operators[1].inputs = graph.operators[1].inputs[:1]


def no_scale(model: Any, graph: Any) -> None:
    grid(graph, graph.operators[1].outputs[0]).scale = None


def least_weight(model: Any, graph: Any) -> None:
    buffer = model.buffers[graph.tensors[graph.operators[1].inputs[1]].buffer]
    buffer.data = np.array(buffer.data, np.uint8)
    buffer.data[5] = 128


@pytest.mark.parametrize(
    ("name", "edit", "message"),
    [
        ("int16", None, r"tensor '.*' is INT16: a \.tflite encoder is int8 throughout; for 16 bits"),
        ("scaled", None, "operator 0 SUB is not supported; .* only: fold scaling into the layer beside it"),
        ("per_tensor", replaced_code(2, BUILTIN.SOFTMAX), "operator 2 SOFTMAX .*: convert the model without it"),
        ("per_tensor", replaced_code(2, BUILTIN.RELU), "operator 2 RELU .*: give the layer before it this activation"),
        ("per_tensor", replaced_code(2, BUILTIN.CONV_2D), "operator 2 CONV_2D is not supported; an encoder"),
        ("per_tensor", replaced_code(1, BUILTIN.QUANTIZE), "operator 1 QUANTIZE .* where two scales meet"),
        ("per_tensor", replaced_code(0, BUILTIN.LOGISTIC), "operator 0 LOGISTIC does not follow a FULLY_CONNECTED"),
        ("per_tensor", unknown_activation, "operator 0 FULLY_CONNECTED has no activation that the integer encoder"),
        ("per_tensor", no_operators, "the flatbuffer holds no operator"),
        ("per_tensor", replaced_code(0, BUILTIN.STRIDED_SLICE), "operator 0 STRIDED_SLICE is not supported"),
        ("float_ends", replaced_code(3, BUILTIN.LOGISTIC), "operator 3 LOGISTIC gives a grid of 0.0078125 at 0"),
        ("float_ends", second_reads_a_twin, "are not those of one chain of layers"),
        ("per_tensor", second_reads_a_twin, "operator 1 FULLY_CONNECTED does not read the operator before it"),
        ("per_tensor", middle_output, "are not those of one chain of layers"),
        ("per_tensor", other_input, "are not those of one chain of layers"),
        ("float_ends", other_input, "are not those of one chain of layers"),
        ("per_tensor", two_outputs, "the file has 2 outputs, expected one"),
        ("uint8_ends", moved_zero, "operator 0 QUANTIZE is not supported"),
        ("per_tensor", far_zero, "has zero point -300, expected -128 … 127"),
        ("per_tensor", own_sigmoid_grid, "operator 2 LOGISTIC gives a grid of 0.0078125 at -128, in int8"),
        ("reshaped", other_frames, "operator 3 RESHAPE makes INT8 .* an encoder takes each frame by itself"),
        ("reshaped", no_outputs, "operator 0 SHAPE"),
        ("reshaped", other_grid, "operator 3 RESHAPE makes INT8 .* of INT8"),
        ("per_tensor", least_weight, "layer 1 has a weight of -128; convert with"),
        ("per_tensor", weights_off_zero, "operator 1 .*: its weights have a zero point, expected symmetric weights"),
        ("per_tensor", unsigned_weights, "operator 1 .*: its weights are UINT8, 54 bytes, expected constant INT8"),
        ("per_tensor", computed_weights, "operator 1 .*: its weights are INT8, 0 bytes, expected constant INT8"),
        ("per_tensor", no_weights, "operator 1 .*: its weights are missing, expected constant INT8"),
        ("per_tensor", no_scale, "operator 1 .*: tensor '.*' has no quantization scale"),
        ("per_tensor", wider, "layer 0 takes rows of 7, its tensor '.*' has the shape"),
    ],
)
def test_what_cannot_be_computed_is_named(name: str, edit: Edit | None, message: str) -> None:
    content = other(edit, name) if edit else read(name)
    with pytest.raises(QcsError, match=message) as caught:
        read_converted(content)
    assert "\n" not in str(caught.value)
