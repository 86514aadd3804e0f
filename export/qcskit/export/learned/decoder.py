"""The decoder as a float32 flatbuffer: indices (frames, K) int32 → x_hat (frames, N), batch dimension free."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from qcskit.codec.chatter import captured_stderr


def decoder_flatbuffer(decnet: Any, levels: NDArray[np.float64], outputs: int) -> bytes:
    """Return DecNet with the table of levels g in front: index → level → x_hat."""
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    table = tf.constant(levels, tf.float32)

    @tf.function(input_signature=[tf.TensorSpec((None, outputs), tf.int32, name="index")])  # type: ignore[untyped-decorator]
    def decode(index: Any) -> Any:
        return decnet(tf.gather(table, index))

    # Keras 3 variables are unknown to the converter's own freezing: make them constants first.
    frozen = convert_variables_to_constants_v2(decode.get_concrete_function())
    converter = tf.lite.TFLiteConverter.from_concrete_functions([frozen])
    with captured_stderr():
        content: bytes = converter.convert()
    return content
