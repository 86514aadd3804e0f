"""What training finds of Keras and TensorFlow."""

import runpy

import keras
import pytest

from qcskit.codec.errors import QcsError
from qcskit.training import backend


def test_keras_on_something_else_is_refused_with_the_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keras.config, "backend", lambda: "jax")
    told = "need Keras on TensorFlow, not on jax; set KERAS_BACKEND=tensorflow before Keras is imported$"
    with pytest.raises(QcsError, match=told):
        runpy.run_path(backend.__file__)
