"""Draft → bundle → codec: what is measured and stored is what every reader gets."""

from dataclasses import replace

import numpy as np
import pytest
from support import toy
from support.bundles import coded_bundle, learned_bundle, random_encoder, sampled_bundle

from qcskit.codec import seeds
from qcskit.codec.bundle import NmseFacts, read_bundle
from qcskit.codec.codecs import load_codec, open_codec
from qcskit.codec.errors import QcsError
from qcskit.codec.files import sha256
from qcskit.codec.interface import Packets
from qcskit.codec.metrics import nmse_db
from qcskit.codec.sensor import AdcConfig, source_arrays
from qcskit.codec.signal import SignalConfig
from qcskit.export.learned.run import encoder_draft
from qcskit.export.writer import golden_vectors, measured, write_bundle


@pytest.fixture
def draft():
    made, thresholds = random_encoder(np.random.default_rng(1), (10, 20, 10), 8)
    source = source_arrays(SignalConfig(), made.signal, 0)
    return replace(encoder_draft("m", made, thresholds, np.linspace(-1, 1, 8)), source=source)


def test_a_draft_reads_back(draft, tmp_path) -> None:
    manifest = write_bundle(tmp_path / "b", replace(draft, nmse=NmseFacts(frames=5, float_db=-3.0)), 7, seed=2)
    bundle = read_bundle(tmp_path / "b")
    assert bundle.manifest == manifest
    assert manifest.nmse == NmseFacts(frames=5, float_db=-3.0)
    assert {"qcskit", "numpy", "tflite-micro"} <= manifest.tools.keys()
    assert all(sha256((tmp_path / "b" / name).read_bytes()) == digest for name, digest in manifest.files.items())
    on_disk = {str(file.relative_to(tmp_path / "b")) for file in (tmp_path / "b").rglob("*") if file.is_file()}
    assert on_disk == {"manifest.json", *manifest.files}
    before, after = draft.codec(), load_codec(bundle)
    counts = after.bundle.vectors["counts"]
    assert not before.encode_counts(counts).differ(after.encode_counts(counts)).any()
    assert after.checked_c_files() == before.c_files()
    assert len(counts) == 7
    assert np.array_equal(bundle.vectors["x"], after.draw(7, 2 + seeds.GOLDEN)[0])


def test_two_writes_are_equal_byte_for_byte(draft, tmp_path) -> None:
    for place in ("a", "b"):
        write_bundle(tmp_path / place, draft, 7)
    files = {place: {f.name: f.read_bytes() for f in (tmp_path / place).rglob("*") if f.is_file()} for place in "ab"}
    assert files["a"] == files["b"]


def test_a_draft_that_contradicts_itself_is_not_written(draft, tmp_path) -> None:
    for change in ({"model_id": "0" * 16}, {"packed_bytes_max": 9}, {"inputs": 3}, {"windows": 2}):
        with pytest.raises(QcsError, match=r"tables\.npz"):
            write_bundle(tmp_path / "b", replace(draft, **change), 7)
    assert not (tmp_path / "b").exists()


def test_golden_vectors_of_every_kind_of_codec(tmp_path) -> None:
    int8, exact = learned_bundle(tmp_path / "int8"), coded_bundle(tmp_path / "coded")
    assert set(golden_vectors(int8, 3, 0)) == {
        "x", "y", "counts", "packed", "packed_offsets", "input", "input_packed", "input_packed_offsets",
    }  # fmt: skip
    assert set(golden_vectors(exact, 3, 0)) == {"x", "y", "counts", "packed", "packed_offsets", "x_hat"}
    with toy.registered():
        vectors = golden_vectors(toy.toy_bundle(tmp_path / "toy"), 40, 0)
    lengths = Packets(vectors["packed"], vectors["packed_offsets"]).lengths
    assert len(set(lengths.tolist())) > 1
    assert (len(vectors["x"]), len(vectors["x_hat"]), len(vectors["counts"])) == (80, 80, 40)


def test_measured_is_the_nmse_of_what_the_device_sends(bundle_path, tmp_path) -> None:
    codec = open_codec(bundle_path)
    x, y = codec.draw(2000, 5)
    found = measured(codec, x, y, -1.0)
    assert (found.frames, found.float_db) == (2000, -1.0)
    assert found.deployed_db == nmse_db(x, codec.decode(codec.encode_counts(codec.counts(y))))
    assert found.deployed_db == pytest.approx(codec.bundle.manifest.nmse.deployed_db, abs=0.5)
    assert measured(learned_bundle(tmp_path / "b"), x, y).deployed_db is None


def test_measured_is_in_units_and_counts_what_is_clipped(tmp_path) -> None:
    """Of a recording: about the training mean, in its unit; x and y are given on the codec's own scale."""
    adc = AdcConfig(bits=10, offset_counts=-480, units_per_count=25.0, unit="mV")
    codec = sampled_bundle(tmp_path / "b", adc=adc, recording_in="units")
    signal = codec.bundle.manifest.signal
    x_units, _ = codec.draw(300, 5)
    x_units[:30, 2] += 40_000.0  # beyond the 10 bits: one input of a tenth of the frames
    x = (x_units - signal.offset) / signal.scale
    found = measured(codec, x, x)
    assert found.clipped == (0, 0, 0.1, 0, 0, 0, 0, 0)
    x_hat = codec.decode(codec.encode(x_units))
    assert found.deployed_db == pytest.approx(nmse_db(x_units - signal.offset, x_hat - signal.offset))
    assert found.fidelity.nmse_db == found.deployed_db
    assert found.fidelity.largest_error == pytest.approx(np.abs(x_units - x_hat).max())
    assert found.fidelity.largest_error > 10_000
    assert found.fidelity.distinct == len(np.unique(x_units, axis=0))
