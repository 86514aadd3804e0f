"""The design of lossless codecs: an exact fit, the fewest weights that do, from the training part alone."""

import itertools
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from support.bundles import drifting_counts

from qcskit.codec import codecs
from qcskit.codec.bundle import Manifest
from qcskit.codec.errors import QcsError
from qcskit.codec.sensor import UNKNOWN_ADC, AdcConfig
from qcskit.codec.signal import SignalConfig
from qcskit.codec.transform.config import TransformConfig
from qcskit.export.config import ExportConfig
from qcskit.export.transform import design
from qcskit.export.transform.lossless_design import differences_covariance, fit, predictors
from qcskit.export.transform.source import Source


def coloured(slopes: tuple[float, ...], samples: int = 6000, loud: float = 40.0, seed: int = 1) -> NDArray[np.int64]:
    """Return counts (samples,) whose differences are an autoregressive process of these coefficients."""
    rng = np.random.default_rng(seed)
    differences = np.zeros(samples + len(slopes))
    noise = loud * rng.standard_normal(samples)
    for place in range(samples):
        recent = differences[place : place + len(slopes)][::-1]
        differences[place + len(slopes)] = noise[place] + np.dot(slopes, recent)
    return np.rint(np.cumsum(differences)).astype(np.int64)


def recording(folder: Path, counts: NDArray[np.integer], n: int = 16) -> SignalConfig:
    file = folder / "counts.npy"
    np.save(file, counts.astype(np.int16))
    return SignalConfig(source="recorded", recording=str(file), n=n, m=n, s=1, matrix="identity")


def made(folder: Path, counts: NDArray[np.integer], n: int = 16, **keys: object) -> Manifest:
    config = TransformConfig.model_validate({"mode": "lossless", "windows": 2, "test_frames": 100, **keys})
    tables = {"transform": config, "signal": recording(folder, counts, n), "adc": UNKNOWN_ADC}
    return design.design(folder / "bundle", tables, ExportConfig(golden_frames=4, test_windows=8))


def test_the_covariance_is_exact_at_full_scale() -> None:
    """Against plain integers: alternating ends, slopes without roughness, noise; segments of no whole stretches."""
    rng, order, size = np.random.default_rng(1), 3, 41
    series = np.stack([np.where(np.arange(size) % 2, 32767, -32768), np.arange(size) * 1500 - 30000,
                       rng.integers(-32768, 32768, size)])  # fmt: skip
    expected = [[0] * (order + 1) for _ in range(order + 1)]
    stretches = 0
    for counts in series.tolist():
        d = [0, *(b - a for a, b in itertools.pairwise(counts))]
        rough = [0, *(abs(b - a) for a, b in itertools.pairwise(d))]
        for start in range(0, size, 16):
            stretches += 1
            own = range(start, min(start + 16, size))
            weight = (sum(rough[i] for i in own) + 16) ** 2
            for j, k in itertools.product(range(order + 1), repeat=2):
                products = (d[i - j] * d[i - k] for i in own if i >= max(j, k))
                expected[j][k] += sum(products) * 2**16 // weight
    ridge = 4 * stretches + expected[0][0] // 2**24
    for j in range(order + 1):
        expected[j][j] += ridge
    assert differences_covariance(series, order) == expected


@pytest.mark.parametrize("slopes", [(0.8,), (0.9, -0.5), (1.2, -0.6, 0.3, -0.4)])
def test_the_weights_are_those_of_the_process(slopes: tuple[float, ...]) -> None:
    found = list(predictors(coloured(slopes)[None]))
    assert [len(weights) for weights in found] == list(range(1, 9))
    assert all(weights.sum() == 4096 for weights in found)
    fitted = np.cumsum(found[len(slopes)][:-1].astype(int)) - 4096  # back to the differences
    np.testing.assert_allclose(fitted / 4096, slopes, atol=0.12)
    beyond = np.cumsum(found[-1][:-1].astype(int))[len(slopes) :] - 4096
    np.testing.assert_allclose(beyond / 4096, 0, atol=0.12)


def test_quiet_stretches_weigh_as_much_as_loud_ones() -> None:
    """Half of the time another process, a hundred times louder: the plain covariance would know that one alone."""
    quiet, loud = coloured((0.8,), 8000, 20.0), coloured((-0.8,), 8000, 2000.0, seed=2)
    together = list(predictors(np.stack([quiet, loud])))[1]
    alone = [list(predictors(one[None]))[1] for one in (quiet, loud)]
    slope = [weights[0] / 4096 - 1 for weights in (together, *alone)]
    assert slope[2] < -0.6 < 0.6 < slope[1]
    assert slope[0] > 0.25  # the quiet one has the smaller second differences: its stretches say more


def test_what_never_changes_still_has_a_predictor() -> None:
    for series in (np.full((1, 500), 7), np.arange(500)[None], np.where(np.arange(500) % 2, 32767, -32768)[None]):
        found = list(predictors(series))
        assert len(found[0]) == 1
        assert all(np.abs(weights.astype(int)).sum() < 65536 for weights in found)


def test_weights_that_int32_does_not_hold_are_left_out() -> None:
    """Some full-scale tones, which long predictors foresee with large weights of both signs."""
    tones = np.sin(2 * np.pi * np.outer((0.05, 0.1, 0.15, 0.2), np.arange(20_000)) + np.arange(4)[:, None])
    found = list(predictors(np.rint(8000 * tones.sum(axis=0)).astype(np.int64)[None]))
    assert len(found) == 7
    assert max(np.abs(weights.astype(int)).sum() for weights in found) < 65536


def test_the_fewest_weights_that_are_good_enough(tmp_path: Path) -> None:
    for slopes, weights in (((), 1), ((0.9, -0.5), 3)):
        counts = coloured(slopes, 1500, 10.0)
        source = Source.of(recording(tmp_path, np.clip(counts, -32768, 32767)), UNKNOWN_ADC)
        config = TransformConfig(mode="lossless", windows=4)
        assert fit(config, source).weights.size == weights


def test_only_the_training_part_is_seen(tmp_path: Path) -> None:
    counts = drifting_counts(3000)
    first = made(tmp_path, counts)
    changed = counts.copy()
    changed[2110:] = counts[2110:][::-1]
    assert made(tmp_path, changed).model_id == first.model_id
    changed[:50] += 20
    assert made(tmp_path, changed).model_id != first.model_id


def test_a_bundle_holds_what_was_asked_for(tmp_path: Path) -> None:
    manifest = made(tmp_path, drifting_counts(3000), windows=3, crc=True)
    codec = codecs.open_codec(tmp_path / "bundle")
    assert (manifest.name, manifest.windows, manifest.inputs) == ("lossless", 3, 48)
    assert codec.tables.crc  # type: ignore[attr-defined]
    sent = codec.encode_counts(drifting_counts(3000)[2550 : 2550 + 48 * 9].reshape(9, 48))
    assert manifest.rate_bits == pytest.approx(8 * sent.lengths.mean() / 48, rel=0.05)
    # Gaussian steps of 20 counts: log2(20 √(2πe)) bits of entropy, and what Rice codes and short packets cost.
    entropy = np.log2(20 * np.sqrt(2 * np.pi * np.e))
    assert entropy < manifest.rate_bits < entropy + 0.9
    assert codec.describe()["rate"].startswith(f"{manifest.rate_bits:.4g} bits per sample")


def test_a_recording_shorter_than_a_packet_is_refused(tmp_path: Path) -> None:
    with pytest.raises(QcsError, match=r"packet of 60 windows needs 960"):
        made(tmp_path, drifting_counts(1200), windows=60)


def test_an_adc_of_other_counts_changes_what_is_raw(tmp_path: Path) -> None:
    counts = np.clip(drifting_counts(3000) - 11000, 0, 4095)
    tables = {"transform": TransformConfig(mode="lossless", windows=2, test_frames=100),
              "signal": recording(tmp_path, counts), "adc": AdcConfig(bits=12, signed=False)}  # fmt: skip
    manifest = design.design(tmp_path / "bundle", tables, ExportConfig(golden_frames=4))
    assert manifest.packed_bytes_max == 1 + 12 * 32 // 8
