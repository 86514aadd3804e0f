"""The decoder as a float32 flatbuffer: indices (frames, K) int32 → x_hat (frames, N), batch dimension free."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray


def decoder_flatbuffer(decnet: Any, levels: NDArray[np.float64], outputs: int) -> bytes:
    """Return DecNet with the table of levels g in front: index → level → x_hat."""
    import tensorflow as tf

    table = tf.constant(levels, tf.float32)

    @tf.function(input_signature=[tf.TensorSpec((None, outputs), tf.int32, name="index")])  # type: ignore[untyped-decorator]
    def decode(index: Any) -> Any:
        return decnet(tf.gather(table, index))

    converter = tf.lite.TFLiteConverter.from_concrete_functions([decode.get_concrete_function()], decnet)
    with _quiet_stderr():
        content: bytes = converter.convert()
    return content


@contextmanager
def _quiet_stderr() -> Iterator[None]:
    """Keep the converter's C++ chatter off the terminal."""
    sys.stderr.flush()
    saved = os.dup(2)
    with open(os.devnull, "w") as sink:  # noqa: PTH123  (a device, not a file)
        os.dup2(sink.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(saved, 2)
            os.close(saved)
