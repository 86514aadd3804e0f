"""Every activation in every arithmetic profile: NumPy, C and an oracle that does not know the tables."""

import numpy as np
import pytest
from support.bundles import learned_bundle

from qcskit.codec.learned.tflm import NativeOracle
from qcskit.firmware_sim import SimulateConfig, simulate


@pytest.mark.parametrize("activation", ["tanh", "hard_tanh", "relu", "relu6"])
@pytest.mark.parametrize(
    ("profile", "oracle"), [("tflm", "tflm"), ("native", "tflm hidden + float64"), ("tflm16", "tflm")]
)
def test_all_implementations_agree(tmp_path, activation, profile, oracle) -> None:
    codec = learned_bundle(tmp_path / "b", widths=(9, 33, 17, 6), levels=12, seed=4, activation=activation,
                           profile=profile)  # fmt: skip
    verdict = simulate(codec.bundle, SimulateConfig(vectors=4000, oracle_vectors=1500, processes=1))
    assert verdict.passed
    tallies = {tally.name: tally for tally in verdict.implementations}
    assert tallies[oracle].role == "oracle"
    assert tallies[oracle].vectors >= 1500
    assert all(tally.mismatches == 0 for tally in verdict.implementations if tally.role != "reported")
    assert ("litert" in tallies) == (profile == "tflm")


def test_a_native_threshold_that_is_off_by_one_is_noticed(tmp_path) -> None:
    codec = learned_bundle(tmp_path / "b", widths=(6, 12, 4), levels=16, activation="hard_tanh", profile="native")
    oracle = NativeOracle(codec.bundle.read("encoder.tflite"), codec.facts.thresholds)
    x = np.random.default_rng(0).integers(-60, 60, (4000, 6)).astype(np.int8)
    tables = codec.tables
    np.testing.assert_array_equal(oracle.index(x), tables.encode_index(x))
    tables.thresholds[2, 7] += 1
    acc = tables.accumulator(x)[:, 2]
    differs = (oracle.index(x) != tables.encode_index(x)).any(axis=1)
    np.testing.assert_array_equal(differs, acc == tables.thresholds[2, 7] - 1)


def test_an_encoder_of_one_layer_needs_no_runtime(tmp_path) -> None:
    codec = learned_bundle(tmp_path / "b", widths=(7, 5), levels=8, seed=2, profile="native")
    x = np.random.default_rng(1).integers(-128, 128, (2000, 7)).astype(np.int8)
    oracle = NativeOracle(codec.bundle.read("encoder.tflite"), codec.facts.thresholds)
    np.testing.assert_array_equal(oracle.index(x), codec.tables.encode_index(x))
