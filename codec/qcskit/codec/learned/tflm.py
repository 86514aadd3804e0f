"""The oracle: the real TFLite Micro runtime, and the quantizer's float thresholds applied to its output.

Nothing here knows the folded tables: weights, biases and scales are those of encoder.tflite. It runs unchanged, one
vector per invocation, as on a device. For profile `native` only its hidden layers do; the last one and the thresholds
are float64.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from qcskit.codec.errors import QcsError
from qcskit.codec.learned.activations import OPERATORS, find_activation
from qcskit.codec.learned.read_tflite import tflite_schema
from qcskit.codec.optional import optional

RUNTIME = "tflite_micro.python.tflite_micro.runtime"
PURPOSE = "the oracle, which is built for Linux x86-64,"

_LEAST_ARENA = 1 << 16
"""Bytes of tensor arena that any small model fits in; larger ones get ten times the flatbuffer."""


class TflmRuntime:
    """A flatbuffer in the TFLite Micro interpreter, in this process: one that the kit made itself. Others go `apart`.

    dtype: int8, or int16 for 16-bit activations. Raises QcsError if the runtime refuses it or it is not of this type,
    (1, M) → (1, K).
    """

    def __init__(self, flatbuffer: bytes, dtype: type[np.integer[Any]] = np.int8) -> None:
        runtime = optional(RUNTIME, "simulate", PURPOSE)
        try:
            arena = max(_LEAST_ARENA, 10 * len(flatbuffer))
            self._interpreter = runtime.Interpreter.from_bytes(flatbuffer, arena_size=arena)
            source, result = self._interpreter.get_input_details(0), self._interpreter.get_output_details(0)
        except Exception as error:  # whatever its flatbuffer parser and its C++ raise
            raise QcsError(f"TFLite Micro does not accept it: {error}") from None
        for name, tensor in (("input", source), ("output", result)):
            shape = tuple(map(int, tensor["shape"]))
            if np.dtype(tensor["dtype"]) != dtype or len(shape) != 2 or shape[0] != 1:
                raise QcsError(f"its {name} is {np.dtype(tensor['dtype'])} {shape}, expected "
                               f"{np.dtype(dtype)} (1, n)")  # fmt: skip
        self._dtype = dtype
        self.inputs, self.outputs = int(source["shape"][1]), int(result["shape"][1])
        self.output_grid = _grid(result["quantization_parameters"])

    def run(self, x: NDArray[Any]) -> NDArray[Any]:
        """Return the output (frames, K) for inputs x (frames, M), both of the runtime's dtype."""
        output = np.empty((len(x), self.outputs), self._dtype)
        step = self._interpreter
        for frame in range(len(x)):
            step.set_input(x[frame : frame + 1], 0)
            step.invoke()
            output[frame] = step.get_output(0)[0]
        return output


class Runtime(Protocol):
    """What computes outputs (frames, K) of inputs (frames, M)."""

    def run(self, x: NDArray[Any]) -> NDArray[Any]:
        """Return the output (frames, K) for inputs x (frames, M)."""


def index(output: NDArray[Any], grid: tuple[float, int], thresholds: Sequence[float]) -> NDArray[np.uint8]:
    """Return indices of int8 or int16 outputs, any shape: how many thresholds t have q > floor(zero_point + t / scale).

    grid: (scale, zero_point) of the output. thresholds: of the float quantizer, ascending.
    >>> index(np.array([-1, 0, 1, 2, 127], np.int8), (1 / 128, 0), [0.0, 1.5 / 128])
    array([0, 0, 1, 2, 2], dtype=uint8)
    """
    scale, zero_point = grid
    edges = np.array([math.floor(zero_point + t / scale) for t in thresholds])
    least = int(np.iinfo(output.dtype).min)
    of_value = np.searchsorted(edges, np.arange(least, -least), side="left").astype(np.uint8)
    return of_value[output.astype(np.int32) - least]


def _grid(parameters: dict[str, Sequence[float]]) -> tuple[float, int]:
    scales, zero_points = parameters["scales"], parameters["zero_points"]
    if len(scales) != 1 or len(zero_points) != 1:
        raise QcsError("its output has no single quantization scale")
    return float(scales[0]), int(zero_points[0])


class NativeOracle:
    """Indices from the float decision boundaries: how many thresholds t are < activation(w · h + b).

    flatbuffer: encoder.tflite. thresholds: of the float quantizer, ascending. h: dequantized output of the hidden
    layers in the TFLite Micro `runtime`. The file is a chain of dense layers: a codec that is read has been checked.
    """

    def __init__(
        self, flatbuffer: bytes, thresholds: Sequence[float], runtime: "Callable[[bytes], Runtime] | None" = None
    ) -> None:
        schema = tflite_schema()
        model = schema.ModelT.InitFromPackedBuf(bytearray(flatbuffer), 0)
        graph = model.subgraphs[0]
        numbers = [max(code.builtinCode, code.deprecatedBuiltinCode) for code in model.operatorCodes]
        codes = [numbers[op.opcodeIndex] for op in graph.operators]
        dense = [i for i, code in enumerate(codes) if code == schema.BuiltinOperator.FULLY_CONNECTED]
        last = graph.operators[dense[-1]]
        source, weights, *biases = (graph.tensors[i] for i in last.inputs if i >= 0)
        self._step, self._zero_point = float(source.quantization.scale[0]), int(source.quantization.zeroPoint[0])
        scales = np.asarray(weights.quantization.scale, float)
        self._weights = _constant(model, weights, np.int8) * scales[:, None]
        self._bias = sum(_constant(model, bias, np.int32) * (self._step * scales) for bias in biases)
        words = {number: word for word, number in vars(schema.ActivationFunctionType).items() if word.isupper()}
        after = [word for word in OPERATORS if vars(schema.BuiltinOperator)[word] in codes[dense[-1] + 1 :]]
        activation = find_activation(words[last.builtinOptions.fusedActivationFunction], *(after or ("",)))
        assert activation is not None  # `agree` has read the same file
        self._activation = activation
        self._thresholds = np.asarray(thresholds, float)
        self._hidden: Runtime | None = None
        if dense[-1] > 0:
            graph.operators = graph.operators[: dense[-1]]
            graph.outputs = last.inputs[:1]
            builder = optional("flatbuffers", "simulate", PURPOSE).Builder(1 << 16)
            builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
            self._hidden = (runtime or TflmRuntime)(bytes(builder.Output()))

    def index(self, x: NDArray[np.int8]) -> NDArray[np.uint8]:
        """Return indices (frames, K) of int8 network inputs x (frames, M)."""
        h = x if self._hidden is None else self._hidden.run(x)
        real = (h.astype(float) - self._zero_point) * self._step
        value = self._activation.apply(real @ self._weights.T + self._bias)
        return (value[..., None] > self._thresholds).sum(axis=-1).astype(np.uint8)


def _constant(model: Any, tensor: Any, dtype: type) -> NDArray[Any]:
    data = np.asarray(model.buffers[tensor.buffer].data, np.uint8).tobytes()
    return np.frombuffer(data, dtype).reshape(tuple(tensor.shape))
