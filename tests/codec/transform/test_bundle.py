"""What only a transform codec does with its bundle: rebuilding, raw packets, edges, contradictions that are refused."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.bundles import bounded_bundle, transform_bundle

from qcskit.codec import codecs
from qcskit.codec.errors import QcsError
from qcskit.codec.interface import Packets
from qcskit.codec.sensor import grid_of
from qcskit.codec.transform.bundle import TransformCodec, model_id
from qcskit.codec.transform.forward import accumulate
from qcskit.codec.transform.packet import raw_rows


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> TransformCodec:
    return opened(transform_bundle, tmp_path_factory.mktemp("plain"))


@pytest.fixture(scope="module")
def bounded(tmp_path_factory: pytest.TempPathFactory) -> TransformCodec:
    return opened(bounded_bundle, tmp_path_factory.mktemp("bounded"))


def opened(write: Callable[[Path], Any], folder: Path) -> TransformCodec:
    codec = write(folder / "b")
    assert isinstance(codec, TransformCodec)
    return codec


@pytest.mark.parametrize("decimate", [1, 2])
def test_a_raw_packet_gives_the_counts_back_exactly(decimate: int, tmp_path: Path) -> None:
    fine = opened(lambda path: transform_bundle(path, bits_per_sample=5, decimate=decimate), tmp_path)
    noise = np.random.default_rng(1).integers(-32768, 32768, (50, fine.inputs)).astype(np.int16)
    packets = fine.encode_counts(noise)
    explained = [fine.explain(packet) for packet in packets]
    assert all(numbers[0] == -1 for numbers in explained)
    kept = noise.reshape(50, fine.windows, -1)[..., ::decimate].reshape(50, -1)
    assert [list(numbers[1:]) for numbers in explained] == kept.tolist()
    if decimate == 1:
        np.testing.assert_array_equal(np.rint(fine.decode(packets)).reshape(50, -1), noise)
    else:  # every second sample is a guess, the others follow the decoder's smooth windows
        walk = (np.linspace(-20_000, 20_000, fine.inputs) + np.linspace(0, 3, 9)[:, None]).astype(np.int16)
        raw = Packets.rows(raw_rows(fine.tables, walk))
        x_hat = fine.decode(raw).reshape(walk.shape)
        assert np.abs(x_hat - walk).max() < 2000


def test_a_window_is_rebuilt_from_its_coefficients_alone(plain: TransformCodec) -> None:
    """By hand: index and centroid, times the decoder, about the centre."""
    x, y = plain.draw(30, 1)
    packets = plain.encode(y)
    signal = plain.bundle.manifest.signal
    grid = grid_of(signal, plain.bundle.manifest.adc)
    for number, packet in enumerate(packets):
        index = np.array(plain.explain(packet)[1:]).reshape(plain.windows, -1)
        for window, row in enumerate(index):
            steps = [
                0.0 if i == 0 else np.sign(i) * (abs(i) + plain.rebuild.centroids[k, min(abs(i), 3) - 1])
                for k, i in enumerate(row.tolist())
            ]
            own = plain.rebuild.decoder @ np.array(steps) + (plain.tables.centre - grid.centre) * grid.step
            found = plain.estimate(Packets.of([packet]))[window]
            np.testing.assert_allclose(found, own, atol=1e-9)
            truth = (
                x[number * plain.windows + window] - plain.bundle.manifest.signal.offset
            ) / plain.bundle.manifest.signal.scale
            assert np.abs(found - truth).max() < 0.5


def test_a_coarser_quality_gives_a_worse_window_about_the_same_place(bounded: TransformCodec) -> None:
    """Loud windows go at a coarser step; ends alone are the centre."""
    adc, rng = bounded.bundle.manifest.adc, np.random.default_rng(2)
    shape = rng.standard_normal((1, bounded.inputs)).cumsum(axis=1)
    counts = np.stack([bounded.tables.centre + shape[0] * loud for loud in (1, 20, 100, 400, 3000)])
    counts = np.clip(np.rint(counts), adc.low, adc.high).astype(np.int16)
    packets = bounded.encode_counts(counts)
    qualities = [bounded.explain(packet)[0] for packet in packets]
    assert qualities == sorted(qualities)
    assert len(set(qualities)) >= 3
    x_hat = bounded.decode(packets).reshape(len(counts), -1)
    for row, wanted, quality in zip(x_hat, counts, qualities, strict=True):
        error, energy = np.mean((row - wanted) ** 2), np.var(wanted) + 1
        assert error < energy if quality < 7 else np.ptp(row) == 0
    assert packets.lengths.max() <= 7


def test_edges_lie_beside_thresholds(plain: TransformCodec) -> None:
    """In most windows one coefficient is within a few per cent of a step of where its index changes."""
    counts = plain.edges(300, np.random.default_rng(4)).astype(np.int64)
    tables = plain.tables
    scaled = (np.abs(accumulate(tables, counts)) >> tables.accumulator_shift) * tables.multiplier + tables.rounding
    distance = np.abs((scaled / 2**tables.index_shift + 0.5) % 1 - 0.5)
    assert np.median(distance.min(axis=1)) < 0.02
    random = plain.edges(300, np.random.default_rng(5))
    assert not np.array_equal(counts, random)
    adc = plain.bundle.manifest.adc
    assert {adc.low, adc.high} <= set(counts.ravel().tolist())
    windows, whole = counts.reshape(-1, plain.width), adc.high - adc.low  # of every loudness, about the centre
    spread = np.ptp(windows, axis=1) / whole
    assert np.quantile(spread, 0.25) < 0.01 < 0.05 < np.quantile(spread, 0.9)
    assert np.median(spread) < 0.1
    assert np.median(np.abs(windows.mean(axis=1) - tables.centre)) < 0.01 * whole


def test_damaged_packets_are_named(plain: TransformCodec, bounded: TransformCodec) -> None:
    good = bounded.encode_counts(bounded.bundle.vectors["counts"][:5])
    damaged = Packets.of([*list(good)[:3], bytes([good[3][0] ^ 1]) + good[3][1:], good[4]])
    with pytest.raises(QcsError, match=r"^packet 3 is damaged: no encoder of this model gives it$"):
        bounded.decode(damaged)
    with pytest.raises(QcsError, match=r"^packet 1 is empty"):
        plain.decode(Packets.of([plain.encode_counts(plain.bundle.vectors["counts"][:1])[0], b""]))
    with pytest.raises(QcsError, match="packet 0 has"):
        plain.decode(Packets.of([bytes(plain.packed_bytes_max + 1)]))


def reread(codec: TransformCodec, lossy: dict[str, Any] | None = None, **changed: Any) -> TransformCodec:
    """Open the bundle with other numbers in its manifest, its id made anew: what a forger would write."""
    manifest = codec.bundle.manifest
    facts = codec.facts.model_copy(update={"lossy": codec.facts.lossy.model_copy(update=lossy or {})})
    manifest = manifest.model_copy(update={"codec": facts, **changed})
    adc = manifest.adc
    grid = grid_of(manifest.signal, adc)
    ident = model_id(facts, manifest.windows, manifest.signal.n, (adc.bits, adc.low), grid, codec.bundle.arrays)
    manifest = manifest.model_copy(update={"model_id": ident})
    found = codecs.load_codec(replace(codec.bundle, manifest=manifest))
    assert isinstance(found, TransformCodec)
    return found


@pytest.mark.parametrize(
    ("lossy", "changed", "message"),
    [
        ({"rows": 1}, {}, "rows is 1"),
        ({"stride": 2}, {}, "tables.npz does not go with manifest.json"),
        ({"max_bytes": 6000}, {}, "the raw counts fit, so there is nothing to control"),
        ({"max_bytes": 1, "crc": True}, {}, "2 windows do not fit, not even empty ones"),
        ({"crc": True}, {}, r"manifest.json: packed_bytes_max is \d+, tables.npz gives"),
        ({}, {"windows": 1}, "manifest.json: inputs is 24, signal.n of manifest.json, times windows, gives 12"),
        ({}, {"packed_bytes_max": 9}, "manifest.json: packed_bytes_max is 9, tables.npz gives"),
    ],
)  # fmt: skip
def test_numbers_that_contradict_each_other_are_refused(
    plain: TransformCodec, lossy: dict[str, Any], changed: dict[str, Any], message: str
) -> None:
    with pytest.raises(QcsError, match=message):
        reread(plain, lossy, **changed)
    assert reread(plain).name == plain.name


def test_tables_of_another_model_are_refused(plain: TransformCodec) -> None:
    bundle = plain.bundle
    other = bundle.manifest.model_copy(update={"model_id": "0" * 16})
    with pytest.raises(QcsError, match=f"tables.npz is of model {bundle.manifest.model_id}, manifest.json of 0000"):
        codecs.load_codec(replace(bundle, manifest=other))
