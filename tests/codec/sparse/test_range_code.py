"""Packets of any length: what is sent comes back, nothing is longer than promised, damage is one line."""

from dataclasses import replace

import numpy as np
import pytest
from support.bundles import range_bundle

from qcskit.codec.errors import QcsError
from qcskit.codec.interface import Packets
from qcskit.codec.sparse import range_code
from qcskit.codec.sparse.bundle import SparseCodec
from qcskit.codec.sparse.search import Found
from qcskit.codec.sparse.tables import Tables
from qcskit.codec.sparse.words import Read

WRITERS = {
    "guarded": range_bundle,
    "unguarded": lambda path: range_bundle(path, guard=False, bits=9),
    "single": lambda path: range_bundle(path, bits=8, windows=17, signal={"n": 8, "m": 6, "s": 1}),
    "fine": lambda path: range_bundle(path, bits=24),
}


@pytest.fixture(scope="module", params=WRITERS)
def codec(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> SparseCodec:
    made = WRITERS[request.param](tmp_path_factory.mktemp("range") / "b")
    assert isinstance(made, SparseCodec)
    return made


def found_of(tables: Tables, packets: int, seed: int = 1) -> Found:
    """Return vectors of every loudness, some of them exactly 0, some flagged."""
    rng, count = np.random.default_rng(seed), packets * tables.windows
    values = rng.standard_normal((count, tables.sparsity)) * 10.0 ** rng.uniform(0, 5.3, (count, 1))
    values[rng.random(values.shape) < 0.1] = 0
    flagged = (rng.random(count) < 0.3) & bool(tables.limit)
    return Found(rng.integers(0, len(tables.supports), count), np.rint(values).astype(np.int64), flagged)


def coefficients(tables: Tables, read: Read) -> np.ndarray:
    """Return the index of every entry (vectors, N)."""
    placed = np.zeros((len(read.cells), tables.entries), np.int64)
    both = np.flatnonzero(~read.alone)
    placed[both[:, None], tables.supports[read.support[both]]] = read.cells[both]
    placed[read.alone, read.support[read.alone]] = read.cells[read.alone, 0]
    return placed


@pytest.mark.parametrize(("multiplier", "shift"), [(1024, 11), (2047, 11), (1500, 14), (1025, 19)])
def test_boundaries_are_the_least_magnitudes_of_an_index(codec: SparseCodec, multiplier: int, shift: int) -> None:
    """Of every index up to 8, of each power of two above, and of all that int16 reaches, its last value too."""
    tables = replace(codec.tables, multiplier=multiplier, index_shift=shift, least=1)
    magnitudes, wanted = np.arange(1 << 15), [1]
    for coarse in (False, True):
        begins = dict(zip(*np.unique(tables.indices(magnitudes, coarse), return_index=True), strict=True))
        wanted += [begins[index] for index in (*range(1, 9), *(1 << np.arange(4, 15))) if index in begins]
    assert range_code.boundaries(tables).tolist() == wanted


def test_what_is_sent_comes_back_at_its_places(codec: SparseCodec) -> None:
    tables = codec.tables
    found = found_of(tables, 60)
    wanted = np.zeros((len(found.values), tables.entries), np.int64)
    np.put_along_axis(wanted, tables.supports[found.support], tables.indices(found.values, found.over[:, None]), axis=1)
    packets = codec.packets_of(found)
    read, good = range_code.decode(tables, packets)
    assert good.all()
    assert np.array_equal(coefficients(tables, read), wanted)
    assert np.array_equal(read.flagged, found.over)
    assert {0, tables.sparsity} <= set((wanted != 0).sum(axis=1))
    marks = codec.guarded(packets)
    assert marks is None if not tables.limit else np.array_equal(marks, found.over)
    # Rebuilt near, as means of the training frames are: within a step, whose width flagged vectors have four times.
    step = 2.0**tables.index_shift / tables.multiplier
    unit = 2.0 ** (16 - tables.phi_bits - tables.align) * codec.bundle.manifest.adc.units_per_count
    small = np.abs(found.values).max(axis=1) < 100 * step
    x = codec.estimate(packets)[small] @ np.linalg.inv(codec.host["decoder"]).T / unit
    sent = np.zeros_like(wanted, np.float64)
    np.put_along_axis(sent, tables.supports[found.support], found.values, axis=1)
    width = np.where(found.over, 4 * step, step)[small, None]
    near = np.abs(x - sent[small]) <= width
    assert near[sent[small] != 0].mean() > 0.85
    assert near[wanted[small] == 0].all()


def test_no_packet_is_longer_than_promised_and_the_longest_nearly_is(codec: SparseCodec) -> None:
    """Packets of one vector again and again, of every magnitude that ends a symbol; also where all but 0 are rare."""
    assert codec.packets_of(found_of(codec.tables, 200)).lengths.min() > 0
    rare = np.tile(np.arange(4081, 4097, dtype=np.uint16), (len(codec.tables.symbols), 1))
    fine = replace(codec.tables, symbols=rare, multiplier=1025, index_shift=11, least=1)
    for windows, tables in ((16, codec.tables), (64, codec.tables), (16, fine), (64, fine)):
        own = replace(tables, windows=windows)
        found = Found(*(np.repeat(part, windows, axis=0) for part in every_symbol(own)))
        lengths = range_code.encode(own, range_code.read_of(own, found)).lengths
        assert lengths.min() > 0  # each has room
        assert 0.98 * own.packed_bytes - 1 <= lengths.max() <= own.packed_bytes


def every_symbol(tables: Tables) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return support, values and flag of vectors with every symbol, of one coefficient and of both, flagged and not."""
    sizes = np.array([0, *(2**t - 1 for t in range(1, 16)), *(3 * 2**t - 1 for t in range(14))])
    values = (sizes[:, None] << tables.index_shift) // tables.multiplier * np.ones(tables.sparsity, np.int64)
    if tables.sparsity == 2:
        values = np.concatenate([values, values * [1, 0]])
    over = np.repeat([False, True] if tables.limit else [False], len(values))
    return np.zeros(len(over), np.int64), np.resize(values, (len(over), tables.sparsity)), over


def test_any_counts_are_what_the_definition_sends(codec: SparseCodec) -> None:
    rng = np.random.default_rng(4)
    counts = np.concatenate([codec.edges(30, rng), codec.counts(codec.draw(10, 2)[1]),
                             rng.integers(-32768, 32768, (10, codec.inputs)),
                             np.resize([-32768, 32767], (1, codec.inputs))]).astype(np.int16)  # fmt: skip
    packets = codec.encode_counts(counts)
    assert not packets.differ(codec.definition(counts)).any()
    assert codec.decode(packets).shape == (len(counts) * codec.windows, codec.width)


def test_a_lone_coefficient_is_sent_once_however_it_was_found(codec: SparseCodec) -> None:
    """Of two pairs with a common entry, whose other coefficient has the index 0, the packets are the same."""
    tables = codec.tables
    if tables.sparsity == 1:
        return
    place = 3
    own = np.flatnonzero((tables.supports == place).any(axis=1))
    values = np.where(tables.supports[own] == place, -9000, 1 - tables.least)
    repeated = [Found(np.full(codec.windows, number), np.tile(value, (codec.windows, 1)), np.zeros(codec.windows, bool))
                for number, value in zip(own, values, strict=True)]  # fmt: skip
    assert len({codec.packets_of(found)[0] for found in repeated}) == 1
    assert codec.explain(codec.packets_of(repeated[0])[0])[1:3] == (place, place)


def test_damage_is_refused_in_one_line_or_is_another_packet(codec: SparseCodec) -> None:
    rng, most = np.random.default_rng(5), codec.packed_bytes_max
    wrong = [bytes(rng.integers(0, 256, rng.integers(1, most + 1), np.uint8)) for _ in range(300)]
    for packet in codec.encode(codec.draw(100, 3)[1]):
        flipped = bytearray(packet)
        flipped[rng.integers(len(packet))] ^= 1 << rng.integers(8)
        wrong += [bytes(flipped), packet[:-1] or b"\1", packet + b"\0"]
    packets = Packets.of(wrong)
    read, good = range_code.decode(codec.tables, packets)
    assert 0.2 < good.mean() < 0.8
    assert not packets.differ(range_code.encode(codec.tables, read))[good].any()
    bad = int((~good).argmax())
    with pytest.raises(QcsError, match=f"^packet {bad} is damaged: no encoder of this model gives it$"):
        codec.decode(packets)
    for packet, message in ((b"", "packet 0 is empty"), (bytes(most + 1), f"packet 0 has {most + 1} bytes, at most")):
        with pytest.raises(QcsError, match=message):
            codec.decode(Packets.of([packet]))


def test_an_index_that_no_coefficient_has_is_damage(codec: SparseCodec) -> None:
    tables = codec.tables
    most = int(tables.indices(np.array([32767]), False)[0])
    for index, ok in ((most, True), (most + 1, most == 32767)):
        cells = np.zeros((codec.windows, tables.sparsity), np.int64)
        cells[0] = min(index, 32767)
        none = np.zeros(codec.windows, np.bool_)
        packets = range_code.encode(tables, Read(np.zeros(codec.windows, np.int64), cells, none, none))
        assert range_code.decode(tables, packets)[1].tolist() == [ok]
