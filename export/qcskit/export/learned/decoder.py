"""The decoder as a float32 flatbuffer: indices (frames, K) int32 → x_hat (frames, N), batch dimension free."""

import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qcskit.codec.chatter import captured_stderr
from qcskit.codec.errors import QcsError


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
        try:
            content: bytes = converter.convert()
        except Exception as error:  # of the converter's own, with pages of its intermediate language
            operators = ", ".join(dict.fromkeys(re.findall(r"'(tf\.\w+)' op", str(error)))) or "an operator"
            raise QcsError(
                f"the decoder cannot become TensorFlow Lite: {operators} has no builtin there; build it of layers that "
                f"have, or export the encoder alone, a model that ends at its SHQ layer"
            ) from None
    return content
