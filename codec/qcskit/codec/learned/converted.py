"""The int8 encoder inside a `.tflite` that TensorFlow's converter made: what stands round it is put aside.

A converter leaves float or uint8 ends, and reshapes with the operators that compute their shapes. None of them changes
a number that the device computes: its front end makes the network's inputs of counts.
"""

import math
from dataclasses import dataclass, replace
from itertools import pairwise

from qcskit.codec.errors import QcsError
from qcskit.codec.learned.agree import Dense, dense_layers
from qcskit.codec.learned.read_tflite import (
    Graph,
    Operator,
    Tensor,
    check_chain,
    read_graph,
    read_operators,
)

_OF_SHAPES = ("SHAPE", "STRIDED_SLICE", "PACK")
"""What computes the shape of a reshape where the batch is left open."""
_UINT8_ZERO = 128
"""The same grid has its zero point further up in uint8."""


@dataclass(frozen=True)
class Converted:
    """The encoder of a file. layers: in order. alone: the file holds nothing else and takes one frame at a time."""

    layers: tuple[Dense, ...]
    alone: bool


def read_converted(content: bytes) -> Converted:
    """Return the full-integer int8 encoder that a `.tflite` file holds; nothing is executed.

    Raises QcsError of one line that names the operator or tensor that cannot be computed, and what would do.
    """
    graph = read_graph(content)
    for tensor in (tensor for op in graph.operators for tensor in (*op.inputs, *op.outputs)):
        if tensor.kind == "INT16":
            raise QcsError(f"tensor '{tensor.name}' is INT16: a .tflite encoder is int8 throughout; for 16 bits export "
                           "the Keras model with export.profile = tflm16")  # fmt: skip
    operators = _without_reshapes([op for op in graph.operators if not _computes_a_shape(op)])
    chain = _without_ends(operators)
    check_chain(chain)
    _check_ends(graph, operators)
    layers = dense_layers(chain)
    for number, layer in enumerate(layers):
        _check_layer(number, layer)
    shapes = {tensor.shape[:-1] for op in chain for tensor in (op.inputs[0], *op.outputs)}
    return Converted(layers, len(chain) == len(graph.operators) and shapes == {(1,)})


def check_any(content: bytes) -> list[Operator]:
    """Return all operators of a file whose encoder the kit computes: int8, or one of its own in int16.

    Raises QcsError as `read_converted` does.
    """
    operators = read_operators(content)
    if operators and operators[0].inputs and operators[0].inputs[0].kind == "INT16":
        check_chain(operators)
        dense_layers(operators)
    else:
        read_converted(content)
    return operators


def _computes_a_shape(op: Operator) -> bool:
    return op.name in _OF_SHAPES and bool(op.outputs) and all(tensor.kind == "INT32" for tensor in op.outputs)


def _without_reshapes(operators: list[Operator]) -> list[Operator]:
    """Return the operators but those that reshape each frame; who read them reads what they read."""
    found, stands_for = [], dict[int, Tensor]()
    for op in operators:
        if not op.inputs or not op.outputs:
            raise QcsError(f"{op.where} has {len(op.inputs)} inputs and {len(op.outputs)} outputs: the file is damaged")
        source, result = stands_for.get(id(op.inputs[0]), op.inputs[0]), op.outputs[0]
        if op.name != "RESHAPE":
            found.append(replace(op, inputs=(source, *op.inputs[1:])))
            continue
        same = (source.scales, source.zero_points, source.kind) == (result.scales, result.zero_points, result.kind)
        if not same or source.shape[:1] != result.shape[:1] or math.prod(source.shape) != math.prod(result.shape):
            raise QcsError(f"{op.where} makes {result.kind} {result.shape} of {source.kind} {source.shape}: an encoder "
                           "takes each frame by itself; convert the model with a batch of 1")  # fmt: skip
        stands_for[id(result)] = source
    return found


def _without_ends(operators: list[Operator]) -> list[Operator]:
    """Return the operators but one at each end that goes between int8 and float32 or uint8."""
    inner = operators
    if inner and _converts(inner[0], inner[0].inputs[0], inner[0].outputs[0], "QUANTIZE"):
        inner = inner[1:]
    if inner and _converts(inner[-1], inner[-1].outputs[0], inner[-1].inputs[0], "DEQUANTIZE"):
        inner = inner[:-1]
    return inner


def _converts(op: Operator, outside: Tensor, inside: Tensor, floats: str) -> bool:
    """Tell whether an operator only writes an int8 tensor in another type. floats: its name if that is float32."""
    if inside.kind != "INT8":
        return False
    if outside.kind == "FLOAT32":
        return op.name == floats
    moved = tuple(zero + _UINT8_ZERO for zero in inside.zero_points)
    return op.name == "QUANTIZE" and outside.kind == "UINT8" and (outside.scales, outside.zero_points) == (
        inside.scales, moved,
    )  # fmt: skip


def _check_ends(graph: Graph, operators: list[Operator]) -> None:
    """Raise QcsError unless the file's one input goes into the first operator and the last one's result comes out."""
    for what, given in (("inputs", graph.inputs), ("outputs", graph.outputs)):
        if len(given) != 1:
            raise QcsError(f"the file has {len(given)} {what}, expected one: convert the encoder alone")
    last = graph.operators[-1]
    ends = {id(operators[-1].outputs[0]), *(id(tensor) for tensor in last.outputs if last.name == "RESHAPE")}
    linked = all(after.inputs[0] is before.outputs[0] for before, after in pairwise(operators))
    if not linked or operators[0].inputs[0] is not graph.inputs[0] or id(graph.outputs[0]) not in ends:
        raise QcsError("the file's input and output are not those of one chain of layers: convert the encoder alone")


def _check_layer(number: int, layer: Dense) -> None:
    """Raise QcsError unless a layer takes and gives one row per frame, on int8 grids, with weights in ± 127."""
    outputs, inputs = layer.weights.shape
    for what, tensor, width in (("takes", layer.source, inputs), ("gives", layer.pre, outputs)):
        if not tensor.shape or math.prod(tensor.shape[1:]) != width:
            raise QcsError(f"layer {number} {what} rows of {width}, its tensor '{tensor.name}' has the shape "
                           f"{tensor.shape}: only one row per frame is supported")  # fmt: skip
        if not -128 <= tensor.zero_points[0] <= 127:
            raise QcsError(f"tensor '{tensor.name}' has zero point {tensor.zero_points[0]}, expected -128 … 127")
    if (layer.weights == -128).any():
        raise QcsError(f"layer {number} has a weight of -128; convert with TensorFlow's converter, which keeps weights "
                       "within -127 … 127, as TFLite's specification has it")  # fmt: skip
