"""Lossless packets against the page in plain integers, and what a decoder makes of any bytes."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from pydantic import ValidationError
from support.bundles import transform_bundle
from support.lossless import SHAPES, lossless_counts, lossless_tables

from qcskit.codec.arrays import npz_bytes
from qcskit.codec.codecs import load_codec
from qcskit.codec.errors import QcsError
from qcskit.codec.interface import Codec, Packets
from qcskit.codec.transform import lossless
from qcskit.codec.transform.bundle import Facts
from qcskit.codec.transform.lossless import LosslessFacts, LosslessTables, take_lossless
from qcskit.codec.transform.lossless_definition import packet_of

FACTS = {"centre": 0, "first": 3, "start": 80, "crc": False}


@pytest.fixture(params=SHAPES)
def tables(request: pytest.FixtureRequest) -> LosslessTables:
    return lossless_tables(**SHAPES[request.param])


def defined(tables: LosslessTables, counts: NDArray[np.int16]) -> Packets:
    return Packets.of([packet_of(tables, row) for row in counts.tolist()])


def test_packets_are_the_definition_and_counts_come_back(tables: LosslessTables) -> None:
    counts = lossless_counts(tables, 400)
    packets = lossless.encode(tables, counts)
    assert not packets.differ(defined(tables, counts)).any()
    found = lossless.decode(tables, packets)
    assert found.good.all()
    assert np.array_equal(found.counts, counts)
    raw_bytes = -(-tables.inputs * tables.bits // 8)
    assert packets.lengths.max() == tables.packed_bytes_max <= 1 + raw_bytes + tables.crc
    assert packets.lengths.min() <= 4 + tables.crc  # a sensor that stands still
    assert set(found.number.tolist()) == {0, 1, 2, 3}


def test_counts_that_no_converter_gives_come_back_unless_raw(tables: LosslessTables) -> None:
    rng = np.random.default_rng(4)
    near = rng.integers(-5, 6, (60, tables.inputs)) + rng.choice([-32000, 0, 32000], (60, 1))
    wild = rng.integers(-32768, 32768, (60, tables.inputs))
    ends = rng.choice([-32768, 32767], (60, tables.inputs))
    counts = np.concatenate([near, wild, ends]).astype(np.int16)
    packets = lossless.encode(tables, counts)
    assert not packets.differ(defined(tables, counts)).any()
    found = lossless.decode(tables, packets)
    assert found.good.all()
    raw = found.number == 3
    assert np.array_equal(found.counts[~raw], counts[~raw])
    assert np.array_equal((found.counts - counts) % (1 << tables.bits), np.zeros_like(counts))
    assert raw.any()
    assert not raw.all()


def test_every_way_through_the_code_is_taken() -> None:
    """Escapes, their neighbours, and every parameter: the counts above prove nothing about others."""
    ones, parameters = set(), set()
    for arguments in SHAPES.values():
        tables = lossless_tables(**arguments)
        _, u = lossless.choose(tables, lossless_counts(tables, 400))
        parameter = lossless.parameters(tables, u)
        ones |= set((u >> parameter).ravel().tolist())
        parameters |= set(parameter[:, 1:].ravel().tolist())
    assert set(range(13)) <= ones
    assert parameters == set(range(13))


def raw_of(tables: LosslessTables, counts: list[int]) -> bytes:
    bits = "11" + "".join(f"{count - tables.low:0{tables.bits}b}" for count in counts)
    return bytes(int(bits[place : place + 8].ljust(8, "0"), 2) for place in range(0, len(bits), 8)).rstrip(b"\0")


@pytest.mark.parametrize("shape", ["plain", "short", "whole", "one"])
def test_any_bytes_are_counts_or_refused(shape: str) -> None:
    """What is accepted is what the definition gives, or its counts as they are; nothing else is."""
    tables = lossless_tables(**SHAPES[shape])
    rng, longest = np.random.default_rng(3), tables.packed_bytes_max
    good = lossless.encode(tables, lossless_counts(tables, 90))
    flipped = [flip(one, int(rng.integers(0, 8 * len(one)))) for one in good]
    random = [rng.integers(0, 256, rng.integers(0, longest + 1), np.uint8).tobytes() for _ in range(200)]
    cut, longer = [one[:-1] for one in good], [one + b"\0" for one in good if len(one) < longest]
    packets = Packets.of([*flipped, *random, *cut, *longer])
    found = lossless.decode(tables, packets)
    raw = found.number == 3
    assert np.array_equal(found.good[~raw], ~packets.differ(defined(tables, found.counts.astype(np.int16)))[~raw])
    as_they_are = [packets[n] == raw_of(tables, found.counts[n].tolist()) for n in np.flatnonzero(raw)]
    assert found.good[raw].tolist() == as_they_are
    assert 0 < found.good.sum() < len(packets)
    with pytest.raises(QcsError, match=f"at most {longest} are possible"):
        lossless.decode(tables, Packets.of([bytes(longest + 1)]))


def flip(packet: bytes, place: int, bits: int = 1) -> bytes:
    """Return a packet with some bits from a place changed."""
    return (int.from_bytes(packet, "big") ^ bits << place).to_bytes(len(packet), "big")


def test_the_crc_finds_every_burst_of_eight_bits() -> None:
    tables = lossless_tables(**SHAPES["crc"])
    for one in lossless.encode(tables, lossless_counts(tables, 12)):
        damaged = [flip(one, place, bits) for bits in (1, 0x81, 0xFF, 0xB5) for place in range(8 * len(one) - 7)]
        assert not lossless.decode(tables, Packets.of(damaged)).good.any()
    assert not lossless.decode(tables, Packets.of([b"", b"\0", b"\xff"])).good.any()


def test_a_raw_packet_is_accepted_and_its_counts_lie_in_the_range() -> None:
    """Raw where shorter would do: no encoder of these counts, but those of counts beyond the range give it."""
    tables = lossless_tables(inputs=9, bits=8, low=-128)
    wild = np.array([[-20000, 20000, -128, 127, 5000, 1, -7000, 30000, 0]], np.int16)
    packets = lossless.encode(tables, wild)
    assert packets[0][0] >> 6 == 3
    found = lossless.decode(tables, packets)
    assert found.good.all()
    assert found.counts.min() >= -128
    assert found.counts.max() <= 127


def test_the_batch_does_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    tables = lossless_tables()
    counts = lossless_counts(tables, 50)
    whole = lossless.encode(tables, counts)
    monkeypatch.setattr(lossless, "_BATCH_COUNTS", 7 * tables.inputs)
    assert not whole.differ(lossless.encode(tables, counts)).any()
    assert np.array_equal(lossless.decode(tables, whole).counts, counts)


@pytest.mark.parametrize(
    ("weights", "told"),
    [
        (np.array([32767, -32768, 1], np.int16), "sum 65536"),
        (np.zeros(0, np.int16), "0 of sum 0"),
        (np.ones(9, np.int16), "9 of sum 9"),
        (np.ones(3, np.int32), "expected int16"),
    ],
)
def test_weights_that_could_overflow_are_refused(weights: NDArray[np.integer], told: str) -> None:
    with pytest.raises(QcsError, match=told):
        take_lossless(LosslessFacts(**FACTS), 9, (12, 0), {"weights": weights})


def test_the_furthest_weights_hold_full_scale() -> None:
    """Sum of |weight| 65,535, driven by the counts that match their signs: the definition has no word length."""
    for weights in ([32767, -32768], [-32768, 32767], [9000] * 7 + [2535], [-32768]):
        tables = lossless_tables(inputs=20, bits=16, low=-32768, weights=weights)
        signs = np.sign(np.resize(weights[::-1], tables.inputs))
        counts = np.stack([np.where(signs > 0, 32767, -32768), np.where(signs > 0, -32768, 32767)]).astype(np.int16)
        assert not lossless.encode(tables, counts).differ(defined(tables, counts)).any()


def test_a_mode_has_its_own_parts() -> None:
    own = {"mode": "lossless", "lossless": FACTS}
    assert Facts.model_validate(own).lossless == LosslessFacts(**FACTS)
    wrong = [own | {"basis": "klt"}, own | {"mode": "lossy"}, {"mode": "lossless"}, own | {"bits_per_sample": 1.0}, {}]
    for facts in wrong:
        with pytest.raises(ValidationError, match="its parts are not those of mode"):
            Facts.model_validate(facts)
    for changed in ({"first": 13}, {"start": 65_529}, {"centre": 32768}):
        with pytest.raises(ValidationError):
            LosslessFacts.model_validate(FACTS | changed)


@pytest.fixture(scope="module")
def codec(tmp_path_factory: pytest.TempPathFactory) -> Codec:
    return transform_bundle(tmp_path_factory.mktemp("lossless") / "bundle", mode="lossless", windows=4)


def test_a_bundle_gives_back_exactly_what_its_counts_stand_for(codec: Codec) -> None:
    adc = codec.bundle.manifest.adc
    counts = codec.edges(200, np.random.default_rng(1))
    x = codec.decode(codec.encode_counts(counts))
    assert np.array_equal(x, adc.values(counts.reshape(-1, codec.width)))
    assert np.array_equal(codec.counts(x).reshape(counts.shape), counts)


def test_a_bundle_says_that_nothing_was_lost(codec: Codec) -> None:
    nmse = codec.bundle.manifest.nmse
    assert (nmse.deployed_db, nmse.float_db) == (None, None)
    assert nmse.fidelity is not None
    assert nmse.fidelity.exact
    assert nmse.fidelity.prd_percent == 0


def test_edges_are_escapes_changes_and_full_scale(codec: Codec) -> None:
    adc, tables = codec.bundle.manifest.adc, codec.tables  # type: ignore[attr-defined]
    counts = codec.edges(300, np.random.default_rng(2))
    found = lossless.decode(tables, codec.encode_counts(counts))
    assert {0, 1, 3} <= set(found.number.tolist())
    turning = (abs(np.diff(counts.astype(int))) == adc.high - adc.low).all(axis=1)
    assert 0.02 < turning.mean() < 0.1
    assert set(counts[turning, 0].tolist()) == {adc.low, adc.high}
    _, u = lossless.choose(tables, counts)
    parameter = lossless.parameters(tables, u)
    for ones in (1, 2, 12):
        for off in (-1, 0):
            assert (u == (ones << parameter) + off).mean() > 0.005


def test_a_damaged_packet_is_named(codec: Codec) -> None:
    good = codec.encode_counts(codec.edges(3, np.random.default_rng(3)))
    for packets, told in (
        ([good[0], good[1] + b"\0", good[2]], "packet 1 is damaged"),
        ([good[0], good[1], b""], "packet 2 is empty"),
    ):
        with pytest.raises(QcsError, match=told):
            codec.decode(Packets.of(packets))
    with pytest.raises(QcsError, match="damaged"):
        codec.explain(good[0] + b"\0")


def test_the_id_covers_every_number(codec: Codec, tmp_path: Path) -> None:
    from qcskit.codec.transform.lossless_codec import model_id

    tables, grid = codec.tables, codec.sensor.grid  # type: ignore[attr-defined]
    changed = [replace(tables, **{name: getattr(tables, name) + 1}) for name in
               ("inputs", "bits", "low", "centre", "first", "start", "crc", "weights")]  # fmt: skip
    ids = [model_id(tables, 4, grid), model_id(tables, 2, grid), model_id(tables, 4, replace(grid, step=2.0)),
           model_id(tables, 4, replace(grid, centre=1.0)), *(model_id(one, 4, grid) for one in changed)]  # fmt: skip
    assert len(set(ids)) == len(ids)
    assert ids[0] == codec.bundle.manifest.model_id


def test_tables_of_other_numbers_are_refused(codec: Codec) -> None:
    content = {**codec.bundle.content, "tables.npz": npz_bytes({"weights": np.zeros((1, 1), np.float32)})}
    with pytest.raises(QcsError, match=r"tables\.npz does not go with manifest\.json: array 'weights' is float32"):
        load_codec(replace(codec.bundle, content=content))
