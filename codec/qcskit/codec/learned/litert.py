"""One adapter for the LiteRT runtime: `tflite-runtime`, or its successor `ai-edge-litert`.

It runs the float decoder of a bundle, and the int8 encoder for comparison. No TensorFlow.
"""

from qcskit.codec.learned.apart import Apart
from qcskit.codec.learned.runtime_worker import LITERT
from qcskit.codec.optional import need


class LiteRt(Apart):
    """A `.tflite` model with one input and one output, run on whole batches.

    model: the flatbuffer. reference: take the plain C++ kernels instead of the optimised ones and XNNPACK.
    threads: of the runtime. Raises QcsError if the runtime does not accept the model, crashes, or fails when it runs.
    """

    def __init__(self, model: bytes, *, reference: bool = False, threads: int = 1) -> None:
        need(LITERT, "learned", "a learned decoder")
        super().__init__("the LiteRT runtime", model, "litert", reference=reference, threads=threads)
