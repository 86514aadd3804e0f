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
