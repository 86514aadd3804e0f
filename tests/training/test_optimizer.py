"""Update rules and step sizes against their definitions."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from qcskit.training.optimizer import apply, cosine_rate, make_slot, orthogonalize, sqrt_rate


def test_step_sizes() -> None:
    t = np.arange(0, 5000, 7)
    got = [float(sqrt_rate(0.01, 2e-4, tf.constant(int(i)))) for i in t]
    np.testing.assert_allclose(got, np.maximum(2e-4, 0.01 / np.sqrt(1 + t)), rtol=1e-5)
    assert float(cosine_rate(0.02, 1e-5, 0.0)) == pytest.approx(0.02)
    assert float(cosine_rate(0.02, 1e-5, 1.0)) == pytest.approx(1e-5)


def test_adam_is_kerass() -> None:
    rng = np.random.default_rng(0)
    ours, theirs = (keras.Variable(np.ones((3, 2), np.float32)) for _ in range(2))
    slot, reference = make_slot(ours, rule="adam"), keras.optimizers.Adam(0.05, epsilon=1e-8)
    for step in range(20):
        gradient = tf.constant(rng.standard_normal((3, 2)), tf.float32)
        apply(slot, gradient, tf.constant(0.05), tf.constant(9.0), tf.constant(step))
        reference.apply([gradient], [theirs])
    np.testing.assert_allclose(ours.numpy(), theirs.numpy(), rtol=1e-4)


@pytest.mark.parametrize("shape", [(6, 6), (4, 9), (9, 4)])
def test_orthogonalize_pulls_singular_values_together(shape) -> None:
    matrix = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    singular = np.linalg.svd(orthogonalize(tf.constant(matrix)).numpy(), compute_uv=False)
    assert singular.min() > 0.5
    assert singular.max() < 1.3
