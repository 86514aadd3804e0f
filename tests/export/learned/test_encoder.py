"""Behind any ADC and with any ranges, the integer encoder is the float network on what the counts stand for."""

from dataclasses import replace

import numpy as np
import pytest
from support.float_encoders import random_encoder

from qcskit.codec.sensor import Adc, SignalFacts, grid_of
from qcskit.export.learned.encoder import build_encoder
from qcskit.export.learned.quantize import FloatEncoder, Ranges

M = 6
APART = (0.3, 20.0, 2.0, 5.0, 0.9, 8.0)
"""What six inputs cover that are far from alike."""

SENSORS = {
    "samples, between two counts": (  # the offset lies half a count from the next
        SignalFacts(n=M, m=M, s=1, noise_variance=0, matrix="identity", offset=1000.25, scale=12.5),
        Adc(bits=16, offset_counts=-700, units_per_count=0.5),
    ),
    "measurements, an unsigned ADC": (
        SignalFacts(n=2 * M, m=M, s=1, noise_variance=0, matrix="dct", offset=3e5, scale=0.01),
        Adc(bits=14, signed=False, offset_counts=8192, units_per_count=5e-5),
    ),
}


def network(sizes: tuple[float, ...]) -> FloatEncoder:
    """Return a network to which inputs of these sizes weigh alike."""
    made = random_encoder(np.random.default_rng(1), (M, 20, 5), 8)
    return replace(made, weights=(made.weights[0] / np.float32(sizes) * 2, *made.weights[1:]))


def exact_index(encoder: FloatEncoder, y: np.ndarray) -> np.ndarray:
    """Return indices (frames, K) of the float network."""
    for w, b in zip(encoder.weights, encoder.biases, strict=True):
        y = np.tanh(y @ w.T + b)
    return (y[..., None] > encoder.thresholds).sum(axis=-1)


@pytest.mark.parametrize("inputs", [(20.0,), APART], ids=["one range", "a range per input"])
@pytest.mark.parametrize("sensor", SENSORS)
def test_indices_are_those_of_the_float_network_on_what_the_counts_stand_for(sensor, inputs) -> None:
    (signal, adc), encoder = SENSORS[sensor], network(inputs)
    made = build_encoder(encoder, Ranges(inputs), signal, adc, "tflm16")
    y = np.random.default_rng(2).normal(size=(2000, M)) * np.array(inputs) / 3
    counts, grid = adc.counts(signal.y_units(y)), grid_of(signal, adc)
    expected = exact_index(encoder, (counts - grid.centre) * grid.step)
    wrong = float((made.index(y) != expected).mean())
    # 8-bit weights move a few indices; a count that is half a step beside, or a range mixed up, moves a quarter.
    assert wrong < 0.06
    assert made.tables.front_end.offset == grid.centre_counts
    assert len(made.tables.front_end.rows()) == len(inputs)
    assert made.input_ranges == pytest.approx(np.array(inputs) * signal.scale)


def test_an_input_covers_its_own_range_and_no_more() -> None:
    signal, adc = SENSORS["measurements, an unsigned ADC"]
    tables = build_encoder(network(APART), Ranges(APART), signal, adc).tables
    for share, expected in ((1.0, 127), (-1.0, -127), (0.5, 63.5), (1.5, 127), (-1.5, -128)):
        counts = adc.counts(signal.y_units(share * np.array(APART)[None]))
        fits = np.abs(share * np.array(APART)) < 0.99 * 8192 * 5e-5 / 0.01  # what the ADC itself reaches
        assert np.abs(tables.network_input(counts)[0] - expected)[fits].max() <= 1.5, share
