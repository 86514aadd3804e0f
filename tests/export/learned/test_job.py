"""One export's frames and network: scales, what integers are judged by, ranges and moments of what layers see."""

from dataclasses import replace
from typing import Any, cast

import numpy as np
import pytest

from qcskit.codec.metrics import nmse_db
from qcskit.codec.sensor import UNKNOWN_ADC
from qcskit.export.config import ExportConfig
from qcskit.export.learned import job as module
from qcskit.export.learned.job import Frames, Job, Pairs, Scales, pair_facts, sampled_facts
from qcskit.export.learned.parts import Layer, ModelParts

RNG = np.random.default_rng(2)
LAYERS = (
    Layer(RNG.normal(size=(5, 3)), RNG.normal(size=5), "relu"),
    Layer(RNG.normal(size=(4, 5)), RNG.normal(size=4), "tanh"),
)
Y, X = RNG.normal(size=(50, 3)), RNG.normal(size=(50, 4))
THRESHOLDS, LEVELS = np.array([-0.4, 0.1, 0.5]), np.array([-0.7, -0.2, 0.3, 0.8])


def doubled(values: np.ndarray) -> np.ndarray:
    """A decoder."""
    assert values.dtype == np.float32
    return 2 * values


JOB = Job("it", "it", 0, ModelParts(LAYERS, THRESHOLDS, LEVELS, doubled), cast(Any, None), Frames(X, Y),
          ExportConfig(), UNKNOWN_ADC, lambda *told: None)  # fmt: skip
HIDDEN = np.maximum(Y @ LAYERS[0].weights.T + LAYERS[0].bias, 0)
OUTPUTS = np.tanh(HIDDEN @ LAYERS[1].weights.T + LAYERS[1].bias)


def test_own_values_are_units_less_the_offset_by_the_scale() -> None:
    scales = Scales(100.0, 5.0, -2.0, 0.5)
    own = scales.own(Pairs(np.array([[110.0]]), np.array([[-1.0]])))
    assert own.x is not None
    assert (own.x.item(), own.y.item(), scales.y) == (2.0, 2.0, (-2.0, 0.5))


def test_facts_say_where_frames_come_from() -> None:
    pairs, sampled = pair_facts(3, 7, Scales(1.0, 2.0, 3.0, 4.0)), sampled_facts(6, 9.0, 8.0)
    told = ("n", "m", "s", "noise_variance", "source", "matrix", "offset", "scale", "y_offset", "y_scale")
    assert [pairs.model_dump().get(key) for key in told] == [3, 7, 3, 0.0, "pairs", "none", 1.0, 2.0, 3.0, 4.0]
    assert [sampled.model_dump().get(key) for key in told] == [
        6,
        6,
        6,
        0.0,
        "recorded",
        "identity",
        9.0,
        8.0,
        None,
        None,
    ]
    assert pair_facts(7, 3, Scales(0.0, 1.0, 0.0, 1.0)).s == 3


def test_the_float_encoder_counts_the_thresholds_below() -> None:
    np.testing.assert_allclose(JOB.outputs(Y), OUTPUTS)
    index = JOB.float_index(Y)
    assert index.dtype == np.uint8
    np.testing.assert_array_equal(index, (OUTPUTS[..., None] > THRESHOLDS).sum(axis=-1))
    on_one = replace(JOB, parts=replace(JOB.parts, thresholds=np.sort(OUTPUTS[0])))
    assert sorted(on_one.float_index(Y[:1])[0].tolist()) == [0, 1, 2, 3], "a threshold itself is below it"


def test_the_network_knows_what_its_layers_see() -> None:
    network = JOB.network()
    assert network.peaks == pytest.approx((HIDDEN.max(), np.abs(OUTPUTS).max()))
    for seen, moment in zip((Y, HIDDEN), network.moments, strict=True):
        ones = np.hstack([seen, np.ones((50, 1))])
        np.testing.assert_allclose(moment, np.mean([np.outer(row, row) for row in ones], axis=0))
    assert network.activations == ("relu", "tanh")
    assert {part.dtype for part in (*network.weights, *network.biases)} == {np.dtype(np.float32)}


@pytest.mark.parametrize("batch", [1, 7, 49, 50, 51])
def test_levels_are_decoded_in_batches(monkeypatch: pytest.MonkeyPatch, batch: int) -> None:
    monkeypatch.setattr(module, "_BATCH", batch)
    q = LEVELS[JOB.float_index(Y)]
    found = JOB.decode(q)
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, 2 * q, rtol=1e-6)


def test_integers_are_judged_by_x_by_each_entry_s_spread_or_else_by_the_outputs() -> None:
    index, spread = JOB.float_index(Y), np.array([1.0, 10.0, 0.1, 2.0])
    q = LEVELS[index]
    assert JOB.index_db(index, JOB.calibration) == pytest.approx(nmse_db(X, 2 * q), abs=1e-4)
    by_spread = replace(JOB, spread=spread).index_db(index, JOB.calibration)
    assert by_spread == pytest.approx(nmse_db(X / spread, 2 * q / spread), abs=1e-4)
    bare = replace(JOB, parts=replace(JOB.parts, decoder=None))
    for job, frames in ((JOB, Frames(None, Y)), (bare, JOB.calibration)):
        assert job.index_db(index, frames) == pytest.approx(nmse_db(OUTPUTS, q))
