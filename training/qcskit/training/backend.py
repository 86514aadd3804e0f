"""The modules keras and tensorflow; importing this without them raises QcsError, which says how to get them."""

import os

from qcskit.codec.errors import QcsError
from qcskit.codec.optional import missing

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
try:
    import keras
    import tensorflow as tf
except ImportError:
    raise missing("tensorflow", "train", "training or export") from None
if keras.config.backend() != "tensorflow":
    raise QcsError(f"training and export need Keras on TensorFlow, not on {keras.config.backend()}; set "
                   "KERAS_BACKEND=tensorflow before Keras is imported")  # fmt: skip

__all__ = ["keras", "tf"]
