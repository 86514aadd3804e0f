"""Make the `.tflite` files beside it with TensorFlow's converter: small int8 encoders as users bring them.

Run from the repository root: python tests/data/tflite/make_tflite.py. Made with TensorFlow 2.19; another version may
write other bytes, which is no fault.

per_tensor.tflite    7-9-6, RELU, LOGISTIC; weights with one scale per layer; dynamic batch, int8 ends
float_ends.tflite    7-9-6-5, RELU, TANH, LOGISTIC; batch 1, QUANTIZE and DEQUANTIZE at the ends
uint8_ends.tflite    7-6, RELU6 without bias, and the same in uint8
reshaped.tflite      frames of 7 × 1: SHAPE, STRIDED_SLICE, PACK, RESHAPE; RELU_N1_TO_1, then a linear layer
batch_4.tflite       7-6-5, TANH, RELU; a batch of four frames
int16.tflite         16-bit activations, which a bundle cannot be made of
scaled.tflite        SUB and MUL in front of the first layer, which it cannot either
"""

import os
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf

HERE = Path(__file__).parent
INT8 = tf.lite.OpsSet.TFLITE_BUILTINS_INT8
INT16 = tf.lite.OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8


def frames() -> np.ndarray:
    """Return what the networks see, far from symmetric (400, 7)."""
    return np.random.default_rng(0).normal(2, 1, (400, 7)).astype(np.float32)


def dense(units: int, activation: Any = None, **keys: Any) -> Any:
    """Return a layer with random biases."""
    return keras.layers.Dense(units, activation, bias_initializer="random_normal", **keys)


def model(*layers: Any, shape: tuple[int, ...] = (7,), batch: int | None = None) -> Any:
    """Return a Keras model of these layers."""
    return keras.Sequential([keras.Input(shape, batch_size=batch), *layers])


def converted(net: Any, ends: Any = tf.int8, per_tensor: bool = False, operators: Any = INT8) -> bytes:
    """Return the flatbuffer of a model."""
    batch, *shape = net.input_shape
    rows = frames().reshape(-1, batch or 1, *shape)
    converter = tf.lite.TFLiteConverter.from_keras_model(net)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([row] for row in rows)
    converter.target_spec.supported_ops = [operators]
    converter.inference_input_type = converter.inference_output_type = ends
    converter._experimental_disable_per_channel_quantization_for_dense_layers = per_tensor
    return converter.convert()


def made() -> dict[str, bytes]:
    """Return every file."""
    keras.utils.set_random_seed(1)
    clipped = keras.ops.hard_tanh
    return {
        "per_tensor": converted(model(dense(9, "relu"), dense(6, "sigmoid")), per_tensor=True),
        "float_ends": converted(model(dense(9, "relu"), dense(6, "tanh"), dense(5, "sigmoid"), batch=1), tf.float32),
        "uint8_ends": converted(model(dense(6, "relu6", use_bias=False)), tf.uint8),
        "reshaped": converted(model(keras.layers.Flatten(), dense(6, clipped), dense(5), shape=(7, 1))),
        "batch_4": converted(model(dense(6, "tanh"), dense(5, "relu"), batch=4)),
        "int16": converted(model(dense(5, "tanh")), tf.int16, operators=INT16),
        "scaled": converted(model(keras.layers.Normalization(mean=2.0, variance=9.0), dense(5, "tanh"))),
    }


def main() -> None:
    """Write every file."""
    for name, content in made().items():
        (HERE / f"{name}.tflite").write_bytes(content)


if __name__ == "__main__":
    main()
