"""Every activation in every arithmetic profile: NumPy, C and an oracle that does not know the tables."""

import numpy as np
import pytest
from random_bundles import write_random_bundle

from qcskit.codec import integer
from qcskit.codec.bundle import read_bundle
from qcskit.firmware_sim.config import SimulateConfig
from qcskit.firmware_sim.native import NativeOracle
from qcskit.firmware_sim.run import simulate


@pytest.mark.parametrize("activation", ["tanh", "hard_tanh", "relu", "relu6"])
@pytest.mark.parametrize(
    ("profile", "oracle"), [("tflm", "tflm"), ("native", "tflm hidden + float64"), ("tflm16", "tflm")]
)
def test_all_implementations_agree(tmp_path, activation, profile, oracle) -> None:
    write_random_bundle(tmp_path / "b", (9, 33, 17, 6), 12, 4, activation=activation, profile=profile)
    verdict = simulate(read_bundle(tmp_path / "b"), SimulateConfig(vectors=4000, tflm_vectors=1500, processes=1))
    assert verdict.passed
    tallies = {tally.name: tally for tally in verdict.implementations}
    assert tallies[oracle].role == "oracle"
    assert tallies[oracle].vectors >= 1500
    assert all(tally.mismatches == 0 for tally in verdict.implementations if tally.role != "reported")
    assert ("litert" in tallies) == (profile == "tflm")


def test_a_native_threshold_that_is_off_by_one_is_noticed(tmp_path) -> None:
    write_random_bundle(tmp_path / "b", (6, 12, 4), 16, 1, activation="hard_tanh", profile="native")
    bundle = read_bundle(tmp_path / "b")
    oracle = NativeOracle(bundle.file("encoder.tflite").read_bytes(), bundle.manifest.thresholds)
    x = np.random.default_rng(0).integers(-60, 60, (4000, 6)).astype(np.int8)
    np.testing.assert_array_equal(oracle.index(x), integer.encode_index(bundle.tables, x))
    bundle.tables.thresholds[2, 7] += 1
    acc = integer.last_accumulator(bundle.tables, x)[:, 2]
    differs = (oracle.index(x) != integer.encode_index(bundle.tables, x)).any(axis=1)
    np.testing.assert_array_equal(differs, acc == bundle.tables.thresholds[2, 7] - 1)


def test_an_encoder_of_one_layer_needs_no_runtime(tmp_path) -> None:
    write_random_bundle(tmp_path / "b", (7, 5), 8, 2, profile="native")
    bundle = read_bundle(tmp_path / "b")
    x = np.random.default_rng(1).integers(-128, 128, (2000, 7)).astype(np.int8)
    oracle = NativeOracle(bundle.file("encoder.tflite").read_bytes(), bundle.manifest.thresholds)
    np.testing.assert_array_equal(oracle.index(x), integer.encode_index(bundle.tables, x))
