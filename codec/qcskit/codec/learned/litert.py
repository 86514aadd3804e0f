"""One adapter for the LiteRT runtime: `tflite-runtime` up to Python 3.11, its successor `ai-edge-litert` from 3.12.

It runs the float decoder of a bundle, and the int8 encoder for comparison. No TensorFlow.
"""

from importlib.util import find_spec

from qcskit.codec.errors import QcsError
from qcskit.codec.learned.apart import Apart
from qcskit.codec.learned.runtime_worker import LITERT


class LiteRt(Apart):
    """A `.tflite` model with one input and one output, run on whole batches.

    model: the flatbuffer. reference: take the plain C++ kernels instead of the optimised ones and XNNPACK.
    threads: of the runtime. Raises QcsError if the runtime does not accept the model, crashes, or fails when it runs.
    """

    def __init__(self, model: bytes, *, reference: bool = False, threads: int = 1) -> None:
        if not any(find_spec(name.partition(".")[0]) for name in LITERT):
            raise QcsError("no LiteRT runtime is installed; run 'pip install tflite-runtime' (Python 3.12 on: "
                           "ai-edge-litert)")  # fmt: skip
        super().__init__("the LiteRT runtime", model, "litert", reference=reference, threads=threads)
