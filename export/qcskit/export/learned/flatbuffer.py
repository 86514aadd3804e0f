"""Write the integer EncNet as a TensorFlow Lite flatbuffer: FULLY_CONNECTED, TANH and LOGISTIC, byte for byte
reproducible.

Weights are int8, activations int8 or int16. Hard tanh, ReLU and ReLU6 are fused into FULLY_CONNECTED: such an encoder
has no TANH at all.

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

from qcskit.codec.chatter import captured_stderr
from qcskit.codec.errors import QcsError
from qcskit.codec.learned.activations import ACTIVATIONS, Activation
from qcskit.codec.learned.chain import accumulator_unit
from qcskit.codec.learned.int16 import OUTPUT_SCALE
from qcskit.codec.learned.read_tflite import read_operators, tflite_schema
from qcskit.codec.learned.tflm import RUNTIME
from qcskit.codec.optional import optional

runtime = optional(RUNTIME, "simulate", "export of a learned codec, on Linux x86-64,")
schema = tflite_schema()

Bits = Literal[8, 16]
"""Of an activation."""

_KINDS: dict[Bits, int] = {8: schema.TensorType.INT8, 16: schema.TensorType.INT16}
_VERSIONS: dict[Bits, dict[int, int]] = {
    8: {schema.BuiltinOperator.FULLY_CONNECTED: 4, schema.BuiltinOperator.TANH: 2, schema.BuiltinOperator.LOGISTIC: 2},
    16: {schema.BuiltinOperator.FULLY_CONNECTED: 12, schema.BuiltinOperator.TANH: 3},
}
"""Of int8 kernels, and of int16 × int8 with weights scaled per output (lite/tools/versioning/op_version.cc)."""

ARENA_MARGIN_BYTES = 1024
"""Room for what TFLM allocates only while it prepares the graph, which its report leaves out."""
ARENA_NEURON_BYTES = 4
"""Room for what CMSIS-NN keeps per neuron: with it 80-400-80 needs 1,232 bytes more than the host reports."""

_ALIGN_BYTES = 16
_SCHEMA_VERSION = 3


@dataclass(frozen=True)
class DenseOp:
    """FULLY_CONNECTED with int8 weights and its activation, as the flatbuffer states it.

    weights: int8 (outputs, inputs), symmetric with weight_scale float32 (outputs,), or (1,) that all outputs share.
    bias: int32 (outputs,) in units of input_scale · weight_scale. pre_scale, pre_zero_point: grid of FULLY_CONNECTED's
    output.
    activation: tanh and sigmoid are operators of their own with their own output grids; the others are fused and keep
    pre's grid.
    bits: of activations, input and output.
    """

    weights: NDArray[np.int8]
    weight_scale: NDArray[np.float32]
    bias: NDArray[np.int32]
    input_scale: np.float32
    input_zero_point: int
    pre_scale: np.float32
    pre_zero_point: int = 0
    activation: Activation = ACTIVATIONS["tanh"]
    bits: Bits = 8

    @property
    def unit(self) -> NDArray[np.float64]:
        """What one step of each accumulator is worth (outputs,)."""
        return accumulator_unit(float(self.input_scale), self.weight_scale, len(self.weights))

    @property
    def output_grid(self) -> tuple[np.float32, int]:
        """(scale, zero point) of the layer's output."""
        if not self.activation.operator:
            return self.pre_scale, self.pre_zero_point
        scale, zero_point = self.activation.output_grid if self.bits == 8 else (OUTPUT_SCALE, 0)
        return np.float32(scale), zero_point


class _AlignedBuffer(schema.BufferT):  # type: ignore[misc, name-defined]
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
        scales = np.atleast_1d(np.asarray(scale, np.float32))
        grid = schema.QuantizationParametersT(scale=scales, zeroPoint=np.full(scales.size, zero_point, np.int64))
        buffer = 0
        if data is not None:
            buffer = len(self.buffers)
            content = np.frombuffer(np.ascontiguousarray(data).tobytes(), np.uint8)
            self.buffers.append(_AlignedBuffer(data=content))
        dimensions = np.asarray(shape, np.int32)
        self.tensors.append(schema.TensorT(dimensions, kind, buffer, name.encode(), quantization=grid))
        return len(self.tensors) - 1

    def operator(self, code: int, inputs: Sequence[int], output: int, options: Any = None, kind: int = 0) -> int:
        if code not in self.codes:
            self.codes.append(code)
        ends = {"inputs": np.asarray(inputs, np.int32), "outputs": np.asarray([output], np.int32)}
        index = self.codes.index(code)
        self.operators.append(schema.OperatorT(index, **ends, builtinOptions=options, builtinOptionsType=kind))
        return output

    def finish(self, first: int, last: int, description: str) -> bytes:
        ends = {"inputs": np.asarray([first], np.int32), "outputs": np.asarray([last], np.int32)}
        graph = schema.SubGraphT(self.tensors, **ends, operators=self.operators, name=b"main")
        versions = _VERSIONS[self.bits]
        codes = [schema.OperatorCodeT(code, None, versions.get(code, 1), builtinCode=code) for code in self.codes]
        model = schema.ModelT(_SCHEMA_VERSION, codes, [graph], description.encode(), self.buffers)
        builder = flatbuffers.Builder(1 << 16)
        builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
        return bytes(builder.Output())


def encoder_flatbuffer(layers: Sequence[DenseOp], description: str) -> bytes:
    """Return the flatbuffer of dense layers with their activations, batch 1, int8 or int16 in and out."""
    bits = layers[0].bits
    graph, kind = _Graph(bits), _KINDS[bits]
    int8, int32 = schema.TensorType.INT8, schema.TensorType.INT32
    first = layers[0]
    current = graph.tensor("y", (1, first.weights.shape[1]), kind, first.input_scale, first.input_zero_point)
    for number, layer in enumerate(layers):
        outputs, inputs = layer.weights.shape
        weights = graph.tensor(f"w{number}", (outputs, inputs), int8, layer.weight_scale, 0, layer.weights)
        bias_scale = layer.input_scale * layer.weight_scale
        bias = graph.tensor(f"b{number}", (outputs,), int32, bias_scale, 0, layer.bias.astype("<i4"))
        pre = graph.tensor(f"pre{number}", (1, outputs), kind, layer.pre_scale, layer.pre_zero_point)
        options = schema.FullyConnectedOptionsT(vars(schema.ActivationFunctionType)[layer.activation.fused])
        if bits == 16:
            options.quantizedBiasType = int32
        graph.operator(schema.BuiltinOperator.FULLY_CONNECTED, (current, weights, bias), pre, options,
                       schema.BuiltinOptions.FullyConnectedOptions)  # fmt: skip
        current = pre
        if layer.activation.operator:
            current = graph.tensor(f"a{number}", (1, outputs), kind, *layer.output_grid)
            graph.operator(vars(schema.BuiltinOperator)[layer.activation.operator], (pre,), current)
    return graph.finish(0, current, description)


@cache
def activation_points(name: str, pre_scale: float, pre_zero_point: int = 0) -> NDArray[np.int8]:
    """Return TFLM's int8 operator of an activation: entry q + 128 is what the runtime gives for q on this grid."""
    return _points(ACTIVATIONS[name], np.arange(-128, 128, dtype=np.int8), pre_scale, pre_zero_point, 8)


@cache
def int16_tanh_table() -> NDArray[np.int16]:
    """Return the 256 points between which TFLM's int16 TANH interpolates, read from the runtime: int16, rising.

    On a grid of 2/12288 an input q stands for 2 q of the table's steps, 256 of which lie between two points; at a point
    the output is the point. The last one is what the output saturates at.
    """
    return _points(ACTIVATIONS["tanh"], (128 * np.arange(256)).astype(np.int16), 2.0 / (3 * 4096), 0, 16)


def _points(activation: Activation, values: NDArray[Any], scale: float, zero_point: int, bits: Bits) -> NDArray[Any]:
    content = activation_flatbuffer(activation, len(values), scale, zero_point, bits)
    interpreter = runtime.Interpreter.from_bytes(content, arena_size=1 << 20)
    interpreter.set_input(values[None, :], 0)
    interpreter.invoke()
    table: NDArray[Any] = interpreter.get_output(0)[0].copy()
    table.setflags(write=False)
    return table


def activation_flatbuffer(activation: Activation, width: int, scale: float, zero_point: int, bits: Bits) -> bytes:
    """Return a flatbuffer that is the operator of an activation for `width` values on a grid."""
    graph, kind = _Graph(bits), _KINDS[bits]
    source = graph.tensor("x", (1, width), kind, scale, zero_point)
    grid = activation.output_grid if bits == 8 else (OUTPUT_SCALE, 0)
    last = graph.tensor("y", (1, width), kind, *grid)
    graph.operator(vars(schema.BuiltinOperator)[activation.operator], (source,), last)
    return graph.finish(source, last, activation.name)


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
