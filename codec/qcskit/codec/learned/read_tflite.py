"""Look into any `.tflite` file and say in one line what is wrong with it as an encoder, or as a decoder.

Nothing is executed: the file may be truncated, random or hostile.
"""

import math
import struct
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any

import numpy as np

from qcskit.codec.errors import QcsError
from qcskit.codec.learned.activations import OPERATORS
from qcskit.codec.optional import missing

ENCODER_OPERATORS = ("FULLY_CONNECTED", *OPERATORS)
"""What an exported encoder consists of."""

_SCHEMAS = ("tflite_micro.tensorflow.lite.micro.python.schema_py_generated", "ai_edge_litert.schema_py_generated")
_IDENTIFIER = b"TFL3"
_MOST_ENTRIES = 1 << 28
_ITEM_BYTES = {"INT8": 1, "UINT8": 1, "BOOL": 1, "INT16": 2, "FLOAT16": 2, "INT32": 4, "FLOAT32": 4, "INT64": 8}
_INSTEAD = {
    **dict.fromkeys(("ADD", "SUB", "MUL", "DIV"), "fold scaling into the layer beside it before you convert, or export "
                    "the Keras model, which does that"),
    **dict.fromkeys(("RELU", "RELU6", "RELU_N1_TO_1"), "give the layer before it this activation, so that it is fused"),
    "SOFTMAX": "convert the model without it, and put the thresholds on what it takes",
    "QUANTIZE": "between layers it stands where two scales meet; convert the whole model at once",
}  # fmt: skip
"""What would do in place of an operator."""
_CONVERT = "export one with 'qcskit export', or convert with full-integer int8 quantization"


@dataclass(frozen=True)
class Tensor:
    """One tensor: type such as "INT8", shape, quantization scales and zero points, its constant (empty: none)."""

    name: str
    kind: str
    shape: tuple[int, ...]
    scales: tuple[float, ...]
    zero_points: tuple[int, ...]
    constant: bytes

    @property
    def constant_bytes(self) -> int:
        """Bytes of its constant; 0: none."""
        return len(self.constant)


@dataclass(frozen=True)
class Operator:
    """One operator: its place in the file, name as in the TFLite schema, fused activation, its tensors."""

    place: int
    name: str
    fused: str
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]

    @property
    def where(self) -> str:
        """What messages call it."""
        return f"operator {self.place} {self.name}"


@dataclass(frozen=True)
class Graph:
    """Operators in order of execution; tensors that go in and come out. One tensor of the file is one object."""

    operators: list[Operator]
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]


@cache
def tflite_schema() -> Any:
    """Return the classes of the TFLite schema, from whichever runtime is here. Raises MissingLibraryError."""
    for module in _SCHEMAS:
        try:
            return import_module(module)
        except ImportError:
            continue
    raise missing("ai_edge_litert", "learned", "a .tflite file")


def read_operators(content: bytes) -> list[Operator]:
    """Return the operators of a `.tflite` file in order of execution. Raises QcsError as `read_graph` does."""
    return read_graph(content).operators


def read_graph(content: bytes) -> Graph:
    """Return what a `.tflite` file computes.

    Raises QcsError in one line if it is not a flatbuffer, truncated, damaged or has several subgraphs.
    """
    if len(content) < 8 or content[4:8] != _IDENTIFIER:
        what = (
            f"{len(content)} bytes" if len(content) < 8 else f"bytes 4 to 8 are {content[4:8]!r}, not {_IDENTIFIER!r}"
        )
        raise QcsError(f"this is not a TensorFlow Lite flatbuffer: {what}")
    schema = tflite_schema()
    try:
        return _graph(schema.Model.GetRootAsModel(content, 0), content)
    except (struct.error, IndexError, ValueError, TypeError, AttributeError, OverflowError, MemoryError) as error:
        said = " ".join(str(error).split())[:200]
        raise QcsError(f"the flatbuffer is truncated or damaged ({type(error).__name__}: {said})") from None


def check_encoder(content: bytes) -> list[Operator]:
    """Return the operators of an encoder that the kit's arithmetic covers. Raises QcsError as `check_chain` does."""
    operators = read_operators(content)
    check_chain(operators)
    return operators


def check_chain(operators: list[Operator]) -> None:
    """Raise QcsError unless this is a chain of `ENCODER_OPERATORS`, all int8 or all int16 with int8 weights.

    In one line that names the operator, tensor or fault, and what would do.
    """
    if not operators:
        raise QcsError("the flatbuffer holds no operator")
    kind = operators[0].inputs[0].kind if operators[0].inputs else ""
    for before, op in zip([None, *operators], operators, strict=False):
        if op.name not in ENCODER_OPERATORS:
            instead = _INSTEAD.get(op.name, "")
            raise QcsError(f"{op.where} is not supported; an encoder consists of {', '.join(ENCODER_OPERATORS)} "
                           f"only{instead and ': '}{instead}")  # fmt: skip
        if not op.inputs or len(op.outputs) != 1:
            raise QcsError(f"{op.where} has {len(op.inputs)} inputs and {len(op.outputs)} outputs: the file is damaged")
        for tensor in (op.inputs[0], op.outputs[0]):
            _check_grid(tensor, op.where, kind)
        if op.name == "FULLY_CONNECTED":
            _check_dense(op)
        if before is not None and op.inputs[0] is not before.outputs[0]:
            raise QcsError(f"{op.where} does not read the operator before it: only a chain of layers is supported")


def _check_grid(tensor: Tensor, where: str, kind: str) -> None:
    """Raise QcsError unless activations are of this kind and quantized."""
    named = f"{where}: tensor '{tensor.name}'"
    if tensor.kind.startswith("FLOAT"):
        raise QcsError(f"{named} is {tensor.kind}: this is a float model; {_CONVERT}")
    if tensor.kind not in ("INT8", "INT16"):
        raise QcsError(f"{named} is {tensor.kind}, expected INT8 or INT16; {_CONVERT}")
    if tensor.kind != kind:
        raise QcsError(f"{named} is {tensor.kind}, the network's input {kind}; {_CONVERT}")
    if not tensor.scales:
        raise QcsError(f"{named} has no quantization scale; {_CONVERT}")


def _check_dense(op: Operator) -> None:
    weights = op.inputs[1] if len(op.inputs) > 1 else None
    if weights is None or weights.kind != "INT8" or not weights.constant_bytes:
        found = "missing" if weights is None else f"{weights.kind}, {weights.constant_bytes} bytes"
        raise QcsError(f"{op.where}: its weights are {found}, expected constant INT8; {_CONVERT}")
    if any(weights.zero_points):
        raise QcsError(f"{op.where}: its weights have a zero point, expected symmetric weights; {_CONVERT}")


def _graph(model: Any, content: bytes) -> Graph:
    if model.SubgraphsLength() != 1:
        raise QcsError(f"the flatbuffer has {model.SubgraphsLength()} subgraphs, expected 1")
    graph = model.Subgraphs(0)
    if max(graph.TensorsLength(), graph.OperatorsLength(), model.BuffersLength()) > len(content):
        raise ValueError("a vector is longer than the file")
    buffers = [_constant(model.Buffers(i)) for i in range(model.BuffersLength())]
    tensors = [_tensor(graph.Tensors(i), buffers) for i in range(graph.TensorsLength())]
    operators = [_operator(model, i, graph.Operators(i), tensors) for i in range(graph.OperatorsLength())]
    return Graph(operators, *_ends(graph, "the graph", tensors))


def _constant(buffer: Any) -> bytes:
    data = buffer.DataAsNumpy()  # raises where the bytes lie outside the file
    return b"" if isinstance(data, int) else bytes(data)


def _tensor(tensor: Any, buffers: list[bytes]) -> Tensor:
    name = _word(tensor.Name() or b"")
    kind = _name(tflite_schema().TensorType, tensor.Type())
    shape = tuple(int(n) for n in np.atleast_1d(tensor.ShapeAsNumpy())) if tensor.ShapeLength() else ()
    constant = buffers[tensor.Buffer()]
    if any(size < 0 for size in shape) or math.prod(shape) > _MOST_ENTRIES:
        raise ValueError(f"tensor '{name[:40]}' has the impossible shape {shape}")
    size, expected = len(constant), math.prod(shape) * _ITEM_BYTES.get(kind, 0)
    if size and kind in _ITEM_BYTES and size != expected:
        raise ValueError(f"tensor '{name}' has {size} bytes, its shape needs {expected}")
    quantization = tensor.Quantization()
    scales: tuple[float, ...] = ()
    zeros: tuple[int, ...] = ()
    if quantization is not None and quantization.ScaleLength():
        scales = tuple(float(v) for v in quantization.ScaleAsNumpy())
        zeros = tuple(int(v) for v in quantization.ZeroPointAsNumpy()) if quantization.ZeroPointLength() else ()
    return Tensor(name, kind, shape, scales, zeros, constant)


def _operator(model: Any, place: int, op: Any, tensors: list[Tensor]) -> Operator:
    schema = tflite_schema()
    code = model.OperatorCodes(op.OpcodeIndex())
    # Before schema 3a codes stood in one byte; readers take the larger of both fields.
    builtin = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
    custom = code.CustomCode()
    name = f"CUSTOM '{_word(custom)}'" if custom else _name(schema.BuiltinOperator, builtin)
    fused = "NONE"
    if name == "FULLY_CONNECTED" and op.BuiltinOptionsType() == schema.BuiltinOptions.FullyConnectedOptions:
        options = schema.FullyConnectedOptions()
        table = op.BuiltinOptions()
        options.Init(table.Bytes, table.Pos)
        fused = _name(schema.ActivationFunctionType, options.FusedActivationFunction())
    return Operator(place, name, fused, *_ends(op, f"an operator {name}", tensors))


def _ends(node: Any, what: str, tensors: list[Tensor]) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
    """Return the tensors that go into a node and come out of it; optional ones that are left out are not among them."""
    inputs = [int(i) for i in node.InputsAsNumpy()] if node.InputsLength() else []
    outputs = [int(i) for i in node.OutputsAsNumpy()] if node.OutputsLength() else []
    if any(i >= len(tensors) or i < -1 for i in (*inputs, *outputs)):
        raise ValueError(f"{what} refers to a tensor that is not there")
    return tuple(tensors[i] for i in inputs if i >= 0), tuple(tensors[i] for i in outputs if i >= 0)


def _word(raw: bytes) -> str:
    """Return a name of the file for messages: one line, not long."""
    return ascii(raw.decode(errors="replace"))[1:-1][:60]


def _name(enumeration: Any, value: int) -> str:
    return next((name for name, number in vars(enumeration).items() if number == value and name.isupper()), str(value))
