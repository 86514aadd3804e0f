"""One adapter for the LiteRT runtime: `tflite-runtime` up to Python 3.11, its successor `ai-edge-litert` from 3.12.

It runs the float decoder of a bundle, and the int8 encoder for comparison. No TensorFlow.
"""

from importlib import import_module
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qcskit.codec.chatter import captured_stderr
from qcskit.codec.errors import QcsError

_MODULES = ("tflite_runtime.interpreter", "ai_edge_litert.interpreter")


def runtime() -> ModuleType:
    """Return the interpreter module that is installed. Raises QcsError that says what to install."""
    for name in _MODULES:
        try:
            return import_module(name)
        except ImportError:
            continue
    raise QcsError("no LiteRT runtime is installed; run 'pip install tflite-runtime' (Python 3.12 on: ai-edge-litert)")


class LiteRt:
    """A `.tflite` model with one input and one output, run on whole batches.

    model: the flatbuffer. reference: take the plain C++ kernels instead of the optimised ones and XNNPACK.
    threads: of the runtime. Raises QcsError if the runtime does not accept the model, or fails when it runs.
    """

    def __init__(self, model: bytes, *, reference: bool = False, threads: int = 1) -> None:
        module = runtime()
        options: dict[str, Any] = {"num_threads": threads}
        if reference:
            options["experimental_op_resolver_type"] = module.OpResolverType.BUILTIN_REF
        try:
            with captured_stderr():  # the runtime announces its delegate
                self._interpreter = module.Interpreter(model_content=model, **options)
        except (ValueError, RuntimeError) as error:
            raise QcsError(f"the LiteRT runtime does not accept this model: {error}") from None
        self._input = self._interpreter.get_input_details()[0]
        self._output = self._interpreter.get_output_details()[0]
        self._batch = 0

    @property
    def output_grid(self) -> tuple[float, int]:
        """(scale, zero point) of the output; (0.0, 0) for a float output."""
        scale, zero_point = self._output["quantization"]
        return float(scale), int(zero_point)

    def run(self, x: NDArray[np.generic]) -> NDArray[Any]:
        """Return the output (frames, …) for input x (frames, …) of the model's input dtype."""
        if len(x) == 0:
            return np.empty((0, *self._output["shape"][1:]), self._output["dtype"])
        if len(x) != self._batch:
            self._interpreter.resize_tensor_input(self._input["index"], x.shape)
            self._interpreter.allocate_tensors()
            self._batch = len(x)
        self._interpreter.set_tensor(self._input["index"], np.ascontiguousarray(x, self._input["dtype"]))
        try:
            self._interpreter.invoke()
        except RuntimeError as error:
            raise QcsError(f"the LiteRT runtime cannot run this model: {' '.join(str(error).split())}") from None
        result: NDArray[Any] = self._interpreter.get_tensor(self._output["index"])
        return result
