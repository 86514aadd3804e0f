"""Whether the flatbuffers of a learned bundle say what its tables and its manifest say; nothing is executed.

encoder.tflite states the network as export quantized it, and so every integer of the hidden layers, an activation's to
its last bit. The thresholds are held against the last layer in floating point, within the steps of its grids: which
accumulators exactly is what TFLite Micro shows in `simulate`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qcskit.codec.errors import QcsError
from qcskit.codec.learned.activations import OPERATORS, Activation, find_activation
from qcskit.codec.learned.chain import DenseChain, accumulator_unit, quantize_multiplier
from qcskit.codec.learned.read_tflite import Operator, Tensor, check_encoder, read_operators


@dataclass(frozen=True)
class Dense:
    """A layer as the flatbuffer states it: weights int8 (outputs, inputs) and their scales, one per output or for all.

    raw_bias: int32 (outputs,). source, pre, result: tensors in front of it, in front of its activation, and behind.
    """

    weights: NDArray[np.int8]
    weight_scales: tuple[float, ...]
    raw_bias: NDArray[np.int32]
    source: Tensor
    pre: Tensor
    result: Tensor
    activation: Activation

    @property
    def bias(self) -> NDArray[np.int64]:
        """Of an accumulator: the input's zero point folded in."""
        sums = self.weights.astype(np.int64).sum(axis=1)
        return self.raw_bias.astype(np.int64) - self.source.zero_points[0] * sums

    @property
    def unit(self) -> NDArray[np.float64]:
        """What one step of each accumulator is worth (outputs,)."""
        return accumulator_unit(self.source.scales[0], self.weight_scales, len(self.weights))

    @property
    def bits(self) -> int:
        """Of an activation."""
        return 16 if self.source.kind == "INT16" else 8


def check_tables(content: bytes, tables: DenseChain) -> tuple[Dense, ...]:
    """Return the layers of encoder.tflite. Raises QcsError that names a layer which is not the tables'."""
    layers = dense_layers(check_encoder(content))
    if tuple(len(layer.weights) for layer in layers) != tables.widths[1:]:
        raise QcsError(f"it has layers of {[len(layer.weights) for layer in layers]} outputs, tables.npz "
                       f"{list(tables.widths[1:])}")  # fmt: skip
    for number, (layer, weights) in enumerate(zip(layers, tables.every_weights, strict=True)):
        if layer.weights.shape != weights.shape or not np.array_equal(layer.weights, weights):
            raise QcsError(f"the weights of its layer {number} are not those of tables.npz")
    for number, (layer, own) in enumerate(zip(layers, tables.hidden, strict=False)):
        ratio = layer.unit / np.float64(layer.pre.scales[0])
        pairs = [quantize_multiplier(float(value)) for value in ratio]
        scaling = np.array([own.multiplier, own.shift]).T.tolist()
        if not np.array_equal(layer.bias, own.bias) or [list(pair) for pair in pairs] != scaling:
            raise QcsError(f"biases or scales of its layer {number} do not give the integers of tables.npz")
        if not same_activation(layer, tables, own):
            raise QcsError(f"zero point or activation of its layer {number} are not those of tables.npz")
    return layers


def same_activation(layer: Dense, tables: DenseChain, own: Any) -> bool:
    """Return whether a hidden layer of the tables makes of every sum what the flatbuffer's layer states.

    Both round once, but TFLite Micro's int16 operators interpolate.
    """
    low, high, pre, result = -(1 << layer.bits - 1), (1 << layer.bits - 1) - 1, layer.pre, layer.result
    sums = np.arange(2 * low, 2 * high + 2)  # all that can be told apart, and beyond both ends
    grid = (sums + pre.zero_points[0]).clip(low, high) - pre.zero_points[0]
    exact = layer.activation.apply(grid * pre.scales[0]) / result.scales[0] + result.zero_points[0]
    slack = 1.6 if layer.bits == 16 and layer.activation.operator else 0.6
    return bool((np.abs(tables.activated(own, sums) - exact.clip(low, high)) < slack).all())


def check_thresholds(last: Dense, tables: DenseChain, thresholds: Sequence[float], exact: bool) -> None:
    """Raise QcsError unless the last layer passes float thresholds (I−1) where the tables' accumulators say.

    exact: the thresholds act on the accumulators themselves (profile native), not on the grid of the output.
    """
    t, own = np.asarray(thresholds), tables.thresholds.astype(np.int64)
    scale, zero_point = last.pre.scales[0], last.pre.zero_points[0]
    low, high = -(1 << last.bits - 1), (1 << last.bits - 1) - 1

    def value(acc: NDArray[np.int64]) -> NDArray[np.float64]:
        real = last.unit[:, None] * (acc + last.bias[:, None])
        if not exact:
            real = real.clip((low - zero_point) * scale, (high - zero_point) * scale)
        return last.activation.apply(real)

    # Half a step of each grid, and the whole step in which a threshold lies on the output's.
    slack = 1e-6 if exact else scale + 2.0 ** (2 - last.bits)
    reach = (1 << last.bits - 1) * np.abs(last.weights.astype(np.int64)).sum(axis=1)[:, None]
    early = (value(own) < t - slack) & (own <= reach)
    late = (value(own - 1) > t + slack) & (own > -reach)
    if (early | late).any():
        output, place = np.argwhere(early | late)[0].tolist()
        raise QcsError(f"codec.thresholds[{place}] of manifest.json, {t[place]:g}, is not where output {output} of "
                       f"tables.npz passes it")  # fmt: skip


def check_decoder(content: bytes, outputs: int, width: int, levels: Sequence[float]) -> None:
    """Raise QcsError unless decoder.tflite begins with the table of `levels`, K indices in, N entries out."""
    operators = read_operators(content)
    for number, op in enumerate(operators):
        if op.name.startswith("CUSTOM") or not op.inputs or not op.outputs:
            raise QcsError(f"its operator {number} {op.name[:60]} is not supported")
    if not operators or operators[0].name != "GATHER" or len(operators[0].inputs) != 2:
        raise QcsError("it does not begin with GATHER, the table of levels")
    table, index = operators[0].inputs
    if (index.kind, index.shape[1:]) != ("INT32", (outputs,)):
        raise QcsError(f"its input is {index.kind} {index.shape}, expected INT32 (frames, {outputs})")
    with np.errstate(over="ignore"):
        stated = np.asarray(levels, "<f4").tobytes()
    if table.kind != "FLOAT32" or table.constant != stated:
        raise QcsError("its table is not codec.quantizer_levels of manifest.json")
    result = operators[-1].outputs[0]
    if (result.kind, result.shape[1:]) != ("FLOAT32", (width,)):
        raise QcsError(f"its output is {result.kind} {result.shape}, expected FLOAT32 (frames, {width})")


def dense_layers(operators: list[Operator]) -> tuple[Dense, ...]:
    """Return the layers of a chain of operators. Raises QcsError that names an operator that is no part of one."""
    found = []
    for number, op in enumerate(operators):
        after = operators[number + 1] if number + 1 < len(operators) else op
        if op.name == "FULLY_CONNECTED":
            found.append(_dense(op, after if after.name in OPERATORS else op))
        elif not number or operators[number - 1].name != "FULLY_CONNECTED":
            raise QcsError(f"{op.where} does not follow a FULLY_CONNECTED")
    return tuple(found)


def _dense(op: Operator, end: Operator) -> Dense:
    """end: the operator of its activation, or itself."""
    if len(op.inputs) not in (2, 3) or len(op.inputs[1].shape) != 2 or any(t.kind != "INT32" for t in op.inputs[2:]):
        raise QcsError(f"{op.where} has a bias that is not int32, or weights that are no matrix")
    source, weights, *biases = op.inputs
    pre, result, outputs = op.outputs[0], end.outputs[0], weights.shape[0]
    fitting = len(weights.scales) in (1, outputs) and all(bias.constant_bytes == 4 * outputs for bias in biases)
    fitting = fitting and outputs > 0
    if not fitting or any(len(t.scales) != 1 or len(t.zero_points) != 1 for t in (source, pre, result)):
        raise QcsError(f"{op.where} has other numbers of scales or biases than outputs")
    if not all(np.isfinite(scale) and scale > 0 for t in (source, weights, pre) for scale in t.scales):
        raise QcsError(f"{op.where} has a scale that is not a positive number")
    activation = find_activation(op.fused, end.name if end is not op else "")
    if activation is None:
        raise QcsError(f"{op.where} has no activation that the integer encoder computes")
    _check_operator_grid(end, activation)
    values: NDArray[np.int8] = np.frombuffer(weights.constant, np.int8).reshape(weights.shape)
    raw: NDArray[Any] = np.frombuffer(biases[0].constant, "<i4") if biases else np.zeros(outputs, np.int32)
    return Dense(values, weights.scales, raw.astype(np.int32), source, pre, result, activation)


def _check_operator_grid(end: Operator, activation: Activation) -> None:
    """Raise QcsError unless an operator of an activation gives the one grid that it has in int8."""
    result = end.outputs[0]
    scale, zero_point = result.scales[0], result.zero_points[0]
    if activation.operator and result.kind == "INT8" and activation.output_grid != (scale, zero_point):
        own = "{:g} at {}".format(*activation.output_grid)
        raise QcsError(f"{end.where} gives a grid of {scale:g} at {zero_point}, in int8 it is {own}")
