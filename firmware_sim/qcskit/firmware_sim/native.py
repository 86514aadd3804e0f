"""The oracle of a `native` bundle: TFLite Micro for the hidden layers, float64 for the last one and its thresholds.

Nothing here knows the folded tables: weights, biases and scales are read from encoder.tflite.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qcskit.codec.errors import QcsError
from qcskit.firmware_sim.tflm import TflmRuntime

_FUSED_TO_ONE = 2
"""RELU_N1_TO_1 of the TFLite schema's ActivationFunctionType."""


class NativeOracle:
    """Indices from the float decision boundaries: how many thresholds t are <= activation(w · h + b).

    flatbuffer: encoder.tflite. thresholds: of the float quantizer, ascending. h: dequantized output of the hidden
    layers in the TFLite Micro runtime. Raises QcsError if the file is not a chain of dense layers.
    """

    def __init__(self, flatbuffer: bytes, thresholds: Sequence[float]) -> None:
        import flatbuffers
        from tflite_micro.tensorflow.lite.micro.python import schema_py_generated as schema

        model = schema.ModelT.InitFromPackedBuf(bytearray(flatbuffer), 0)
        graph = model.subgraphs[0]
        codes = [model.operatorCodes[op.opcodeIndex].builtinCode for op in graph.operators]
        dense = [i for i, code in enumerate(codes) if code == schema.BuiltinOperator.FULLY_CONNECTED]
        if not dense:
            raise QcsError("encoder.tflite holds no FULLY_CONNECTED; run 'qcskit export' again")
        last = graph.operators[dense[-1]]
        source, weights, bias = (graph.tensors[i] for i in last.inputs)
        self._step, self._zero_point = float(source.quantization.scale[0]), int(source.quantization.zeroPoint[0])
        self._weights = _constant(model, weights, np.int8) * np.asarray(weights.quantization.scale, float)[:, None]
        self._bias = _constant(model, bias, np.int32) * np.asarray(bias.quantization.scale, float)
        self._clips = last.builtinOptions.fusedActivationFunction == _FUSED_TO_ONE
        self._thresholds = np.asarray(thresholds, float)
        self._hidden: TflmRuntime | None = None
        if dense[-1] > 0:
            graph.operators = graph.operators[: dense[-1]]
            graph.outputs = last.inputs[:1]
            builder = flatbuffers.Builder(1 << 16)
            builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
            self._hidden = TflmRuntime(bytes(builder.Output()))

    def index(self, x: NDArray[np.int8]) -> NDArray[np.uint8]:
        """Return indices (frames, K) of int8 network inputs x (frames, M)."""
        h = x if self._hidden is None else self._hidden.run(x)
        real = (h.astype(float) - self._zero_point) * self._step
        pre = real @ self._weights.T + self._bias
        value = pre.clip(-1, 1) if self._clips else np.tanh(pre)
        return (value[..., None] >= self._thresholds).sum(axis=-1).astype(np.uint8)


def _constant(model: Any, tensor: Any, dtype: type) -> NDArray[Any]:
    data = np.asarray(model.buffers[tensor.buffer].data, np.uint8).tobytes()
    return np.frombuffer(data, dtype).reshape(tuple(tensor.shape))
