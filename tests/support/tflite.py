"""Flatbuffers of TensorFlow's converter (tests/data/tflite), changed in one place, and run as they are by TFLM."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
from numpy.typing import NDArray
from tflite_micro import runtime
from tflite_micro.tensorflow.lite.micro.python import schema_py_generated as schema

CONVERTED = Path(__file__).parents[1] / "data" / "tflite"
TAKEN = ("per_tensor", "float_ends", "uint8_ends", "reshaped", "batch_4")
"""Those of which bundles are made."""


def read(name: str) -> bytes:
    """Return a file of tests/data/tflite."""
    return (CONVERTED / f"{name}.tflite").read_bytes()


def frames(count: int = 300) -> NDArray[np.float64]:
    """Return rows (count, 7) like those that the files' grids were chosen by."""
    return np.random.default_rng(5).normal(2, 1, (count, 7))


def edited(content: bytes, edit: Callable[[Any, Any], object]) -> bytes:
    """Write a flatbuffer anew after `edit(model, graph)` of its parts."""
    model = schema.ModelT.InitFromPackedBuf(bytearray(content), 0)
    edit(model, model.subgraphs[0])
    builder = flatbuffers.Builder(1 << 16)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


def real_outputs(content: bytes, inputs: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return what TFLite Micro makes of real inputs (frames, M) in a file of any ends, batch and shape, (frames, K)."""
    interpreter = runtime.Interpreter.from_bytes(content, arena_size=1 << 17)
    source, result = interpreter.get_input_details(0), interpreter.get_output_details(0)
    found = []
    for rows in inputs.reshape(-1, *source["shape"]):
        interpreter.set_input(_on_grid(rows, source), 0)
        interpreter.invoke()
        found.append(_off_grid(interpreter.get_output(0), result))
    return np.concatenate(found)


def _on_grid(values: NDArray[np.float64], tensor: Any) -> NDArray[Any]:
    if tensor["dtype"] == np.float32:
        return values.astype(np.float32)
    (scale,), (zero,) = tensor["quantization_parameters"]["scales"], tensor["quantization_parameters"]["zero_points"]
    return np.rint(values / scale + zero).astype(tensor["dtype"])


def _off_grid(values: NDArray[Any], tensor: Any) -> NDArray[np.float64]:
    if tensor["dtype"] == np.float32:
        return values.astype(np.float64)
    (scale,), (zero,) = tensor["quantization_parameters"]["scales"], tensor["quantization_parameters"]["zero_points"]
    return (values.astype(np.float64) - zero) * scale
