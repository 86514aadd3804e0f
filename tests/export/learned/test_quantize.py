"""Weights that no integer can hold are refused; symmetric grids keep what they cover."""

import numpy as np
import pytest
from support.float_encoders import random_encoder

from qcskit.codec.errors import QcsError
from qcskit.export.learned.quantize import Ranges, quantize_layers, quantize_weights


def test_nan_weights_are_refused() -> None:
    encoder = random_encoder(np.random.default_rng(0), (4, 3), 4)
    encoder.weights[0][1, 2] = np.nan
    with pytest.raises(QcsError, match="layer 0 holds NaN"):
        quantize_layers(encoder, Ranges(2.0, 3.0, 2.0))


def test_weights_are_off_by_half_a_step_at_most() -> None:
    w = np.random.default_rng(1).normal(size=(5, 9)).astype(np.float32)
    w[2] = 0
    weights, scale, bias = quantize_weights(0, w, np.ones(5, np.float32), np.float32(0.01))
    assert np.abs(weights.astype(int)).max() == 127
    assert (np.abs(weights * scale[:, None] - w) <= 0.5001 * scale[:, None]).all()
    np.testing.assert_array_equal(bias, np.rint(1 / (np.float64(np.float32(0.01)) * scale)))


def test_weights_and_biases_beyond_their_grid_saturate_and_keep_their_sign() -> None:
    """Scales of denormal weights are coarse: the quotient exceeds 127."""
    peak = np.float32(150 * 2.0**-149)
    w = np.array([[peak, -peak, 0]], np.float32)
    weights, scale, _ = quantize_weights(0, w, np.zeros(1, np.float32), np.float32(1))
    assert abs(float(peak) / float(scale[0])) > 127.5
    assert weights.tolist() == [[127, -127, 0]]
    for bias in (3e38, -3e38):
        found = quantize_weights(0, np.ones((1, 1), np.float32), np.array([bias], np.float32), np.float32(0.01))[2]
        assert found.tolist() == [(2**31 - 1) * (1 if bias > 0 else -1)]
