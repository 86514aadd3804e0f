"""Write the integer EncNet as a TensorFlow Lite flatbuffer: FULLY_CONNECTED and TANH only, byte for byte reproducible.

Weights are int8, activations int8 or int16.

Hard tanh, ReLU and ReLU6 are fused into FULLY_CONNECTED: such an encoder has no TANH at all.

The schema classes are those that the pinned `tflite-micro` wheel carries, so writer and runtime agree.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import flatbuffers
import numpy as np
from numpy.typing import NDArray
from tflite_micro import runtime
from tflite_micro.tensorflow.lite.micro.python import schema_py_generated as schema

from qcskit.codec import wide
from qcskit.codec.chatter import captured_stderr
from qcskit.codec.errors import QcsError
from qcskit.export.read_flatbuffer import read_operators

TANH_SCALE = 1.0 / 128.0
"""Output scale of an int8 TANH, fixed by the TensorFlow Lite quantization specification; its zero point is 0."""

Bits = Literal[8, 16]
"""Of an activation."""

Activation = Literal["tanh", "hard_tanh", "relu", "relu6"]

_FUSED = {
    "tanh": schema.ActivationFunctionType.NONE,
    "hard_tanh": schema.ActivationFunctionType.RELU_N1_TO_1,
    "relu": schema.ActivationFunctionType.RELU,
    "relu6": schema.ActivationFunctionType.RELU6,
}

ARENA_MARGIN_BYTES = 1024
"""Room for what TFLM allocates only while it prepares the graph, which its report leaves out."""
ARENA_NEURON_BYTES = 4
"""Room for what CMSIS-NN keeps per neuron: with it 80-400-80 needs 1,232 bytes more than the host reports."""

_ALIGN_BYTES = 16
_SCHEMA_VERSION = 3


@dataclass(frozen=True)
class Int8Dense:
    """FULLY_CONNECTED with int8 weights and its activation, as the flatbuffer states it.

    weights: int8 (outputs, inputs), symmetric per output with weight_scale float32 (outputs,). bias: int32 (outputs,)
    in units of input_scale · weight_scale. pre_scale, pre_zero_point: grid of FULLY_CONNECTED's output.
    activation: tanh is an operator of its own with its own output grid; the others are fused and keep pre's grid.
    bits: of activations, input and output.
    """

    weights: NDArray[np.int8]
    weight_scale: NDArray[np.float32]
    bias: NDArray[np.int32]
    input_scale: np.float32
    input_zero_point: int
    pre_scale: np.float32
    pre_zero_point: int = 0
    activation: Activation = "tanh"
    bits: Bits = 8

    @property
    def output_scale(self) -> np.float32:
        """Scale of the layer's output grid."""
        return np.float32(tanh_scale(self.bits)) if self.activation == "tanh" else self.pre_scale

    @property
    def output_zero_point(self) -> int:
        """Zero point of the layer's output grid."""
        return 0 if self.activation == "tanh" else self.pre_zero_point


def tanh_scale(bits: Bits) -> float:
    """Return the output scale of TANH."""
    return TANH_SCALE if bits == 8 else wide.OUTPUT_SCALE


class _AlignedBuffer(schema.BufferT):  # type: ignore[misc]
    """A constant buffer whose data starts on a 16-byte boundary, so that a C array can be read in place."""

    def Pack(self, builder: Any) -> Any:  # noqa: N802  (name given by the generated code)
        offset = None
        if self.data is not None:
            content = bytes(self.data)
            builder.StartVector(1, len(content), _ALIGN_BYTES)
            builder.head -= len(content)
            builder.Bytes[builder.head : builder.head + len(content)] = content
            offset = builder.EndVector()
        schema.BufferStart(builder)
        if offset is not None:
            schema.BufferAddData(builder, offset)
        return schema.BufferEnd(builder)


class _Graph:
    """The one subgraph under construction: tensors, buffers and operators in file order."""

    def __init__(self, bits: Bits = 8) -> None:
        self.bits = bits
        self.buffers = [schema.BufferT()]
        self.tensors: list[Any] = []
        self.operators: list[Any] = []
        self.codes: list[int] = []

    def tensor(self, name: str, shape: Sequence[int], kind: int, scale: Any, zero_point: int, data: Any = None) -> int:
        quantization = schema.QuantizationParametersT()
        quantization.scale = np.atleast_1d(np.asarray(scale, np.float32))
        quantization.zeroPoint = np.full(quantization.scale.size, zero_point, np.int64)
        quantization.quantizedDimension = 0
        tensor = schema.TensorT()
        tensor.name, tensor.shape, tensor.type = name.encode(), np.asarray(shape, np.int32), kind
        tensor.quantization, tensor.buffer = quantization, 0
        if data is not None:
            buffer = _AlignedBuffer()
            buffer.data = np.frombuffer(np.ascontiguousarray(data).tobytes(), np.uint8)
            tensor.buffer = len(self.buffers)
            self.buffers.append(buffer)
        self.tensors.append(tensor)
        return len(self.tensors) - 1

    def operator(
        self, code: int, inputs: Sequence[int], output: int, options: Any = None, options_type: int = 0
    ) -> int:
        if code not in self.codes:
            self.codes.append(code)
        op = schema.OperatorT()
        op.opcodeIndex = self.codes.index(code)
        op.inputs, op.outputs = np.asarray(inputs, np.int32), np.asarray([output], np.int32)
        op.builtinOptions, op.builtinOptionsType = options, options_type
        self.operators.append(op)
        return output

    def finish(self, first: int, last: int, description: str) -> bytes:
        graph = schema.SubGraphT()
        graph.tensors, graph.operators, graph.name = self.tensors, self.operators, b"main"
        graph.inputs, graph.outputs = np.asarray([first], np.int32), np.asarray([last], np.int32)
        model = schema.ModelT()
        model.version, model.description = _SCHEMA_VERSION, description.encode()
        model.operatorCodes, model.subgraphs, model.buffers = (
            [_code(c, self.bits) for c in self.codes],
            [graph],
            self.buffers,
        )
        builder = flatbuffers.Builder(1 << 16)
        builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
        return bytes(builder.Output())


def _code(builtin: int, bits: Bits) -> Any:
    code = schema.OperatorCodeT()
    code.builtinCode = builtin
    code.deprecatedBuiltinCode = builtin
    code.version = _VERSIONS[bits].get(builtin, 1)
    return code


_VERSIONS: dict[Bits, dict[int, int]] = {
    8: {schema.BuiltinOperator.FULLY_CONNECTED: 4, schema.BuiltinOperator.TANH: 2},
    16: {schema.BuiltinOperator.FULLY_CONNECTED: 12, schema.BuiltinOperator.TANH: 3},
}
"""Of int8 kernels, and of int16 × int8 with weights scaled per output (lite/tools/versioning/op_version.cc)."""


def encoder_flatbuffer(layers: Sequence[Int8Dense], description: str) -> bytes:
    """Return the flatbuffer of dense layers with their activations, batch 1, int8 or int16 in and out."""
    bits = layers[0].bits
    graph = _Graph(bits)
    int8, int32 = schema.TensorType.INT8, schema.TensorType.INT32
    kind = int8 if bits == 8 else schema.TensorType.INT16
    first = layers[0]
    source = graph.tensor("y", (1, first.weights.shape[1]), kind, first.input_scale, first.input_zero_point)
    current = source
    for number, layer in enumerate(layers):
        outputs, inputs = layer.weights.shape
        weights = graph.tensor(f"w{number}", (outputs, inputs), int8, layer.weight_scale, 0, layer.weights)
        bias_scale = layer.input_scale * layer.weight_scale
        bias = graph.tensor(f"b{number}", (outputs,), int32, bias_scale, 0, layer.bias.astype("<i4"))
        pre = graph.tensor(f"pre{number}", (1, outputs), kind, layer.pre_scale, layer.pre_zero_point)
        options = schema.FullyConnectedOptionsT()
        options.fusedActivationFunction = _FUSED[layer.activation]
        if bits == 16:
            options.quantizedBiasType = int32
        graph.operator(schema.BuiltinOperator.FULLY_CONNECTED, (current, weights, bias), pre, options,
                       schema.BuiltinOptions.FullyConnectedOptions)  # fmt: skip
        current = pre
        if layer.activation == "tanh":
            current = graph.tensor(f"a{number}", (1, outputs), kind, tanh_scale(bits), 0)
            graph.operator(schema.BuiltinOperator.TANH, (pre,), current)
    return graph.finish(source, current, description)


@cache
def tanh_table(pre_scale: float) -> NDArray[np.int8]:
    """Return TFLM's int8 TANH: entry q + 128 is what the runtime gives for q on a grid of `pre_scale`."""
    graph = _Graph()
    int8 = schema.TensorType.INT8
    source = graph.tensor("x", (1, 256), int8, pre_scale, 0)
    last = graph.tensor("y", (1, 256), int8, TANH_SCALE, 0)
    graph.operator(schema.BuiltinOperator.TANH, (source,), last)
    interpreter = runtime.Interpreter.from_bytes(graph.finish(source, last, "tanh"))
    interpreter.set_input(np.arange(-128, 128, dtype=np.int8)[None, :], 0)
    interpreter.invoke()
    table: NDArray[np.int8] = interpreter.get_output(0)[0].copy()
    table.setflags(write=False)
    return table


@cache
def wide_tanh_table() -> NDArray[np.int16]:
    """Return the 256 points between which TFLM's int16 TANH interpolates, read from the runtime: int16, rising.

    On a grid of 2/12288 an input q stands for 2 q of the table's steps, 256 of which lie between two points; at a point
    the output is the point. The last one is what the output saturates at.
    """
    graph = _Graph(16)
    int16 = schema.TensorType.INT16
    source = graph.tensor("x", (1, 256), int16, 2.0 / (3 * 4096), 0)
    last = graph.tensor("y", (1, 256), int16, wide.OUTPUT_SCALE, 0)
    graph.operator(schema.BuiltinOperator.TANH, (source,), last)
    interpreter = runtime.Interpreter.from_bytes(graph.finish(source, last, "tanh"))
    interpreter.set_input((128 * np.arange(256)).astype(np.int16)[None, :], 0)
    interpreter.invoke()
    table: NDArray[np.int16] = interpreter.get_output(0)[0].copy()
    table.setflags(write=False)
    return table


def measured_arena_bytes(flatbuffer: bytes) -> int:
    """Return the tensor arena that this host's TFLM runtime reports for the model, in bytes, plus a margin.

    Graph preparation takes more than what stays, and CMSIS-NN keeps a sum per neuron, which this host's kernels do not:
    ARENA_MARGIN_BYTES and ARENA_NEURON_BYTES. Pointers of a 64-bit host are twice a board's.
    """
    interpreter = runtime.Interpreter.from_bytes(flatbuffer)
    with captured_stderr() as read:
        interpreter.print_allocations()
        text = read()
    match = re.search(r"Arena allocation total (\d+) bytes", text)
    if match is None:
        raise QcsError("the TFLM runtime did not report its arena; is the pinned tflite-micro installed?")
    neurons = sum(op.outputs[0].shape[-1] for op in read_operators(flatbuffer) if op.name == "FULLY_CONNECTED")
    return int(match[1]) + ARENA_MARGIN_BYTES + ARENA_NEURON_BYTES * neurons
