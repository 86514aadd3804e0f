"""Packets of transform codecs against the page in plain integers, and what a decoder makes of any bytes."""

import numpy as np
import pytest
from support.transform import SHAPES, counts_of, transform_tables

from qcskit.codec.interface import Packets
from qcskit.codec.range_coder import symbol_of
from qcskit.codec.transform import packet
from qcskit.codec.transform.coder import contexts_of, end_positions
from qcskit.codec.transform.definition import _steps, packet_of
from qcskit.codec.transform.forward import accumulate, quantize
from qcskit.codec.transform.tables import Tables

RAW = {"fast", "fine", "odd", "rice_fine", "long", "narrow", "narrow_rice"}
"""Shapes whose counts are sent raw at times."""


@pytest.fixture(params=SHAPES)
def shape(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def tables(shape: str) -> Tables:
    return transform_tables(**SHAPES[shape])


def indices(tables: Tables, counts: np.ndarray, quality: int = 0) -> np.ndarray:
    return quantize(tables, accumulate(tables, counts), quality).reshape(len(counts), tables.windows, -1)


def test_packets_are_the_definition_and_come_back(shape: str, tables: Tables) -> None:
    counts = counts_of(tables, 300)
    packets = packet.encode(tables, counts)
    defined = Packets.of([packet_of(tables, row) for row in counts.tolist()])
    assert not packets.differ(defined).any()
    assert 1 <= packets.lengths.min() <= packets.lengths.max() <= tables.packed_bytes_max
    found = packet.decode(tables, packets)
    assert found.good.all()
    kept = counts.reshape(*found.counts.shape[:2], -1)[..., :: tables.stride]
    assert np.array_equal(found.counts[found.raw], kept[found.raw])
    for quality in np.unique(found.quality):
        own = (found.quality == quality) & ~found.raw
        expected = indices(tables, counts[own], int(quality)) if quality < 7 else np.zeros_like(found.index[own])
        assert np.array_equal(found.index[own], expected)
    # Every way to the end of a packet was taken.
    assert (len(np.unique(found.quality)) >= 5) == bool(tables.max_bytes)
    assert 7 in found.quality or not tables.max_bytes
    assert found.raw.any() == (shape in RAW)


def test_counts_beyond_the_adc_in_a_raw_packet_are_taken_modulo_its_bits(shape: str, tables: Tables) -> None:
    """What no converter of so many bits gives: whole packets of counts one range too high or too low."""
    if shape not in RAW or tables.bits == 16:
        return
    counts = counts_of(tables, 300)
    beyond = np.clip(counts.astype(int) + (1 << tables.bits) * (-1) ** np.arange(len(counts))[:, None], -32768, 32767)
    packets = packet.encode(tables, beyond.astype(np.int16))
    assert not packets.differ(Packets.of([packet_of(tables, row) for row in beyond.tolist()])).any()
    found = packet.decode(tables, packets)
    assert found.good.all()
    assert found.raw.any()
    kept = beyond.reshape(*found.counts.shape[:2], -1)[..., :: tables.stride]
    within = tables.low + (kept - tables.low) % (1 << tables.bits)
    assert np.array_equal(found.counts[found.raw], within[found.raw])
    assert (within != kept)[found.raw].any()


def test_no_fewer_bytes_stand_for_the_same(tables: Tables) -> None:
    """The packet lies in the coder's interval, zeros behind it; no number of a byte less does."""
    if tables.coder != "range" or tables.crc:
        return
    good = packet.encode(tables, counts_of(tables, 200))
    found, shorter = packet.decode(tables, good), 0
    for one, index, quality, raw in zip(good, found.index.tolist(), found.quality.tolist(), found.raw, strict=True):
        if raw:
            continue
        low, width, bits = 0, 0xFF000000, 32
        for start, end, total in _steps(tables, index, quality):
            r = width >> total
            low, width = low + r * start, r * (end - start)
            while width < 1 << 24:
                low, width, bits = low << 8, width << 8, bits + 8
        behind, value = bits - 8 * len(one), int.from_bytes(one, "big")
        assert low <= value << behind < low + width if behind >= 0 else value == 0
        shorter += behind >= 32
        if len(one) > 1:
            assert not any(low <= (value >> 8) + more << behind + 8 < low + width for more in (0, 1))
    assert shorter > 2


def test_no_coefficient_is_cut_off(tables: Tables) -> None:
    """Whatever counts come: raw, ends alone, or every coefficient within a step of the quality."""
    counts = counts_of(tables, 400, seed=8)
    found = packet.decode(tables, packet.encode(tables, counts))
    sent = ~found.raw & (found.quality < 7)
    acc = accumulate(tables, counts).reshape(found.index.shape)[sent] / 2**tables.fraction_bits
    step = tables.step * 2.0 ** found.quality[sent, None, None]
    assert (np.abs(acc / step - found.index[sent]) < 0.75).all()
    assert sent.any()


def test_any_bytes_are_windows_or_flagged(tables: Tables) -> None:
    """What is accepted is what an encoder gives; a packet with another bit is refused or another packet."""
    rng = np.random.default_rng(3)
    good = packet.encode(tables, counts_of(tables, 400))
    longest = tables.packed_bytes_max
    random = [rng.integers(0, 256, rng.integers(0, longest + 1), np.uint8).tobytes() for _ in range(2000)]
    cut = [one[: rng.integers(0, len(one))] for one in good]
    longer = [one + bytes(rng.integers(0, 2, 1, np.uint8)) for one in good if len(one) < longest]
    flipped = []
    for one in good:
        place = rng.integers(0, 8 * len(one))
        changed = bytearray(one)
        changed[place // 8] ^= 1 << place % 8
        flipped.append(bytes(changed))
    for bytes_of in (random, cut, longer, flipped):
        packets = Packets.of(bytes_of)
        found = packet.decode(tables, packets)
        assert np.abs(found.index).max() <= 32767
        fine = ~found.raw & found.good
        for quality in np.unique(found.quality[fine]):
            own = fine & (found.quality == quality)
            again = packet.encode_indices(tables, found.index[own], int(quality) if tables.max_bytes else None)
            assert not again.differ(packets.select(own)).any()
        if tables.crc:
            assert found.good.mean() < 0.02
    if tables.crc:
        assert not packet.decode(tables, Packets.of(flipped)).good.any()


def test_a_crc_finds_every_burst_of_eight_bits() -> None:
    tables = transform_tables(crc=True)
    one = np.frombuffer(packet.encode(tables, counts_of(tables, 50))[7], np.uint8)
    bits = np.unpackbits(one)
    damaged = []
    for start in range(len(bits)):
        for burst in range(1, 256, 2):  # the first bit is always wrong
            changed = bits.copy()
            pattern = np.unpackbits(np.uint8(burst), bitorder="little")[: len(bits) - start]
            changed[start : start + 8] ^= pattern
            damaged.append(np.packbits(changed))
    assert not packet.decode(tables, Packets.rows(np.stack(damaged))).good.any()


def test_code_lengths_are_those_of_the_tables() -> None:
    """The coder wastes less than a byte and a half of what −log2 of the frequencies asks for."""
    tables = transform_tables(rows=16, windows=4, step=60.0)
    rng = np.random.default_rng(5)
    walk = np.cumsum(rng.normal(0, 60, (300, tables.inputs)), axis=1)
    index = indices(tables, np.rint(walk + tables.centre).clip(-2048, 2047))
    lengths = packet.encode_indices(tables, index, None).lengths
    symbols, ends = symbol_of(np.abs(index)), end_positions(tables, index)
    frequency = np.diff(tables.symbols.astype(int), axis=1, prepend=0)
    number = tables.contexts[tables.classes, contexts_of(symbols)]
    live = np.arange(16) < ends[..., None] * tables.group
    ideal = np.where(live, -np.log2(frequency[number, symbols] / 4096), 0).sum(axis=(1, 2))
    magnitude = np.abs(index)
    free = np.where(magnitude >= 192, 4 + np.floor(np.log2(np.maximum(magnitude - 191, 1))),
                    np.maximum(np.floor(np.log2(np.maximum(magnitude, 1))) - 1, 0))  # fmt: skip
    ideal += np.where(magnitude > 0, free + 1, 0).sum(axis=(1, 2))
    ideal += -np.log2(np.diff(tables.ends.astype(int), prepend=0)[ends] / 4096).sum(axis=1)
    fits = lengths > 0
    waste = 8 * lengths[fits] - ideal[fits]
    assert fits.sum() > 100
    # What is dropped at the end may save up to a few bytes, what is rounded up costs less than one and a half.
    assert waste.max() < 12
    assert 1 < waste.mean() < 6


def test_no_payload_of_the_range_coder_begins_like_a_raw_packet() -> None:
    tables = transform_tables(**SHAPES["fine"])
    counts = counts_of(tables, 2000)
    packets = packet.encode(tables, counts)
    found = packet.decode(tables, packets)
    first = packets.bytes[packets.offsets[:-1]]
    assert np.array_equal(first == 0xFF, found.raw)
    assert found.raw.any()
