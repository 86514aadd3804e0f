"""From a recording to a bundle: what it says of itself, how good it is, and that every machine designs the same."""

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from qcskit.codec.bundle import Manifest, NmseFacts
from qcskit.codec.codecs import open_codec
from qcskit.codec.errors import CheckFailedError, QcsError
from qcskit.codec.metrics import nmse_db
from qcskit.codec.sensor import AdcConfig
from qcskit.codec.signal import SignalConfig
from qcskit.codec.transform.bundle import TransformCodec
from qcskit.codec.transform.config import TransformConfig
from qcskit.export.config import ExportConfig
from qcskit.export.transform.design import METHODS, TABLES, check_loss, chosen, design, drafted, fit, float_estimate
from qcskit.export.transform.source import Source

CORRELATION = 0.95
EXPORT = ExportConfig(golden_frames=8, test_windows=20)


def autoregressive(samples: int = 12_000) -> np.ndarray:
    """Return counts of a Gaussian AR(1) of standard deviation 1,000 about 300, int16."""
    noise = np.random.default_rng(9).standard_normal(samples) * 1000 * np.sqrt(1 - CORRELATION**2)
    values = np.zeros(samples)
    for place in range(1, samples):
        values[place] = CORRELATION * values[place - 1] + noise[place]
    return np.rint(300 + values).astype(np.int16)


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("recording") / "r.npy"
    np.save(path, autoregressive())
    return path


def made(recording: Path, out: Path, n: int = 16, **keys: Any) -> Manifest:
    signal = SignalConfig(source="recorded", recording=str(recording), n=n)
    adc = AdcConfig(bits=14, units_per_count=0.5, unit="mV", offset_counts=7)
    signal = signal.model_copy(update={"recording_in": "counts"})
    tables = {"transform": TransformConfig(**keys), "signal": signal, "adc": adc}
    return design(out, tables, EXPORT)


def water_filling_db(n: int, bits: float) -> float:
    """Return the least NMSE of windows of n samples of the AR(1) at so many bits per sample, in dB.

    T. Berger, Rate Distortion Theory, section 4.5: errors of the components are equal, or all that a component has.
    """
    place = np.arange(n)
    values = np.linalg.eigvalsh(CORRELATION ** np.abs(place[:, None] - place))
    low, high = 0.0, float(values.max())
    for _ in range(60):
        level = (low + high) / 2
        rate = np.maximum(0.5 * np.log2(values / level), 0).mean()
        low, high = (low, level) if rate < bits else (level, high)
    return float(10 * np.log10(np.minimum(values, level).mean()))


@pytest.mark.parametrize(("basis", "bits"), [("klt", 2.5), ("dct", 2.5), ("klt", 1.0)])
def test_the_bundle_comes_near_the_rate_distortion_function(
    recording: Path, tmp_path: Path, basis: str, bits: float
) -> None:
    manifest = made(recording, tmp_path / "b", basis=basis, bits_per_sample=bits)
    nmse = manifest.nmse
    assert nmse.deployed_db is not None
    assert nmse.float_db is not None
    # A scalar quantizer needs up to a quarter of a bit more; end positions, whole bytes and the dead zone take 0.2.
    assert water_filling_db(16, manifest.rate_bits) < nmse.deployed_db
    assert nmse.deployed_db < water_filling_db(16, manifest.rate_bits - 0.45)
    assert nmse.deployed_db == pytest.approx(nmse.float_db, abs=0.1)
    assert manifest.rate_bits == pytest.approx(bits, abs=0.15)


def test_manifest_and_codec_say_the_same(recording: Path, tmp_path: Path) -> None:
    manifest = made(recording, tmp_path / "b", bits_per_sample=1.5, windows=3, rows=9, crc=True, test_frames=300)
    codec = open_codec(tmp_path / "b")
    assert (manifest.name, manifest.windows, manifest.inputs) == ("transform", 3, 48)
    assert manifest.nmse.frames == 300
    assert len(manifest.nmse.clipped) == 48
    assert manifest.adc.bits == 14
    facts = manifest.codec.model_dump()
    assert (facts["basis"], facts["coder"], facts["bits_per_sample"]) == ("klt", "range", 1.5)
    assert (facts["lossy"]["rows"], facts["lossy"]["crc"], facts["lossy"]["max_bytes"]) == (9, True, 0)
    assert facts["lossy"]["centre"] == np.rint(autoregressive()[:8400].mean())
    # What the test part takes and loses, read back from the bundle alone.
    test = autoregressive()[10_200:]
    starts = np.rint(np.linspace(0, len(test) - 48, 100)).astype(int)
    counts = np.stack([test[start : start + 48] for start in starts])
    packets = codec.encode_counts(counts)
    assert manifest.rate_bits == pytest.approx(8 * packets.lengths.sum() / counts.size)
    x, offset = manifest.adc.values(counts).reshape(-1, 16), manifest.signal.offset
    assert manifest.nmse.deployed_db == pytest.approx(nmse_db(x - offset, codec.decode(packets) - offset))


def test_samples_left_out_are_estimated_from_their_neighbours(recording: Path, tmp_path: Path) -> None:
    manifest = made(recording, tmp_path / "b", decimate=2, bits_per_sample=2.5)
    # Halfway between two samples the AR(1) is known up to this share of its variance (the MMSE of an interpolation).
    floor = (1 - CORRELATION**2) / (1 + CORRELATION**2) / 2
    assert manifest.nmse.deployed_db is not None
    assert 10 * np.log10(floor) < manifest.nmse.deployed_db < 10 * np.log10(floor) + 0.8


def test_rate_control_keeps_every_packet_short(recording: Path, tmp_path: Path) -> None:
    manifest = made(recording, tmp_path / "b", basis="dct", max_bytes=6, windows=2)
    codec = open_codec(tmp_path / "b")
    loud = np.random.default_rng(2).integers(-8192, 8192, (200, manifest.inputs)).astype(np.int16)
    packets = codec.encode_counts(np.concatenate([loud, codec.edges(200, np.random.default_rng(1))]))
    assert packets.lengths.max() <= 6 == manifest.packed_bytes_max
    assert np.isfinite(codec.decode(packets)).all()
    assert manifest.nmse.deployed_db == pytest.approx(manifest.nmse.float_db, abs=0.15)


def test_an_odd_number_of_kept_samples_is_refused(recording: Path, tmp_path: Path) -> None:
    with pytest.raises(QcsError, match="choose an n that 4 divides"):
        made(recording, tmp_path / "b", n=18, decimate=2)
    assert not (tmp_path / "b").exists()


def test_a_packet_beyond_what_a_manifest_says_is_refused(recording: Path, tmp_path: Path) -> None:
    with pytest.raises(QcsError, match="at most 32000 samples, that is 125 windows of n = 256"):
        made(recording, tmp_path / "b", n=256, windows=126)


def measured_facts(float_db: float | None, deployed_db: float | None) -> NmseFacts:
    return NmseFacts(frames=9, float_db=float_db, deployed_db=deployed_db, clipped=(0.1, 0.0, 0.05, 0.0))


def test_a_device_that_loses_more_than_is_allowed_is_refused_with_its_figures() -> None:
    with pytest.raises(CheckFailedError) as refused:
        check_loss(measured_facts(-20.0, -19.25), ExportConfig(max_loss_db=0.7))
    assert str(refused.value) == (
        "the device loses 0.75 dB against floating point, export.max_loss_db = 0.7 is allowed: 3.75% of the counts of "
        "the test part are clipped; give [adc] more room (bits, offset_counts, units_per_count), or go on with --set "
        "export.allow_loss=true"
    )
    check_loss(measured_facts(-20.0, -19.25), ExportConfig(max_loss_db=0.75))
    check_loss(measured_facts(-20.0, 0.0), ExportConfig(allow_loss=True))
    for unknown in (measured_facts(None, -1.0), measured_facts(-20.0, None)):
        check_loss(unknown, ExportConfig(max_loss_db=-99.0))


def test_its_tables_choose_the_method() -> None:
    assert chosen("transform") == {}
    assert METHODS == ("transform",)
    assert set(TABLES) == {"transform", "signal", "adc"}


DESIGNED = """
import hashlib
import sys
import numpy as np
from qcskit.codec.sensor import UNKNOWN_ADC
from qcskit.codec.signal import SignalConfig
from qcskit.codec.transform.config import TransformConfig
from qcskit.export.config import ExportConfig
from qcskit.export.transform.basis import klt_rows
from qcskit.export.transform.design import drafted, fit
from qcskit.export.transform.source import Source

source = Source.of(SignalConfig(source="recorded", recording=sys.argv[1], n=32), UNKNOWN_ADC)
print(drafted(fit(TransformConfig(bits_per_sample=1.0), source), ExportConfig()).model_id)
# So smooth that most eigenvectors depend on the last bits of whatever is computed.
rows = klt_rows(np.array([2.0 ** (-lag * lag / 64) for lag in range(32)]))
print(hashlib.sha256(np.rint(8192 * rows).tobytes()).hexdigest())
"""


def test_the_model_id_is_the_same_whatever_blas_does(recording: Path, source_env: dict[str, str]) -> None:
    # Other kernels and thread counts of OpenBLAS, and NumPy's own loops without their widest registers.
    settings = (
        {"OPENBLAS_CORETYPE": "Haswell", "OPENBLAS_NUM_THREADS": "2"},
        {"OPENBLAS_CORETYPE": "Prescott", "OPENBLAS_NUM_THREADS": "1", "NPY_DISABLE_CPU_FEATURES": "AVX2 FMA3 AVX512F"},
    )
    running = [
        subprocess.Popen([sys.executable, "-c", DESIGNED, recording], env={**source_env, **setting}, text=True,
                         stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        for setting in settings
    ]  # fmt: skip
    first, second = (process.communicate()[0].split() for process in running)
    assert [len(word) for word in first] == [16, 64]
    assert first == second


def test_a_converter_that_clips_stops_the_design(recording: Path, tmp_path: Path) -> None:
    signal = SignalConfig(source="recorded", recording=str(recording), n=16, recording_in="counts")
    tables = {"transform": TransformConfig(), "signal": signal, "adc": AdcConfig(bits=10, units_per_count=1.0)}
    with pytest.raises(
        CheckFailedError, match=r"loses \d+\.\d\d dB .* [1-9]\d\.\d\d% of the counts .* are clipped"
    ) as told:
        design(tmp_path / "b", tables, EXPORT)
    assert told.value.exit_code == 1
    assert not (tmp_path / "b").exists()
    assert design(tmp_path / "b", tables, EXPORT.model_copy(update={"allow_loss": True})).nmse.deployed_db is not None


def test_packets_without_room_for_anything_are_refused(recording: Path, tmp_path: Path) -> None:
    with pytest.raises(QcsError, match="max_bytes 1: 4 windows do not fit, not even empty ones"):
        made(recording, tmp_path / "b", max_bytes=1, crc=True)


@pytest.mark.parametrize(("max_bytes", "windows"), [(1, 4), (2, 16)])
def test_packets_with_room_for_next_to_nothing_never_grow(
    recording: Path, tmp_path: Path, max_bytes: int, windows: int
) -> None:
    made(recording, tmp_path / "b", max_bytes=max_bytes, windows=windows)
    codec = open_codec(tmp_path / "b")
    assert codec.encode_counts(codec.edges(200, np.random.default_rng(0))).lengths.max() <= max_bytes


def test_floating_point_knows_no_more_of_an_empty_packet_than_the_device(
    recording: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However loud it is, at the last quality there is no index: here every second packet is of it."""
    config = TransformConfig(basis="dct", max_bytes=8, windows=4)
    signal = SignalConfig(source="recorded", recording=str(recording), recording_in="counts", n=16)
    fitted = fit(config, Source.of(signal, AdcConfig(bits=14)))
    codec = drafted(fitted, EXPORT).codec()
    assert isinstance(codec, TransformCodec)
    y, quality = 400 * fitted.source.packets("test", 4, 50), np.tile([0, 7], 25)
    monkeypatch.setattr("qcskit.export.transform.design.decode", lambda *given: SimpleNamespace(quality=quality))
    found = float_estimate(fitted, codec.rebuild, y).reshape(50, 4, -1)
    empty = codec.rebuild.windows(np.zeros((1, fitted.tables.rows)), fitted.tables.centre)[0]
    np.testing.assert_allclose(found[1::2], np.broadcast_to(empty, found[1::2].shape))
    assert np.abs(found[::2] - empty).max(axis=2).min() > 1e-3
