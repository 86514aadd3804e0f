"""Words: each stands for one thing, what no encoder gives is noticed, and a vector decodes to the nearest point."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support.bundles import plane_bundle, sparse_bundle

from qcskit.codec.errors import QcsError
from qcskit.codec.interface import Packets
from qcskit.codec.sparse.bundle import SparseCodec
from qcskit.codec.sparse.search import Found
from qcskit.codec.sparse.words import pack, read_words, unpack, words_of

WRITERS = {
    "lloyd": sparse_bundle,
    "plane": plane_bundle,
    "single": lambda path: sparse_bundle(path, bits=9, signal={"n": 8, "m": 6, "s": 1}),
    "unguarded": lambda path: sparse_bundle(path, guard=False),
}


@pytest.fixture(scope="module", params=WRITERS)
def codec(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> SparseCodec:
    made = WRITERS[request.param](tmp_path_factory.mktemp("words") / "b")
    assert isinstance(made, SparseCodec)
    return made


def test_every_word_stands_for_something_of_its_own(codec: SparseCodec) -> None:
    tables = codec.tables
    words = np.arange(tables.words)
    read = read_words(tables, words)
    seen = np.column_stack([read.flagged, read.alone, read.support, read.cells])
    assert len(np.unique(seen, axis=0)) == tables.words
    coarse = len(tables.supports) * tables.coarse_levels**tables.sparsity
    if tables.code == "plane":
        coarse = 4 * len(tables.coarse_plane) * len(tables.supports) + 2 * len(tables.coarse_axis) * tables.entries
        assert read.alone[read.flagged].any()
    assert read.flagged.sum() == (coarse if tables.limit else 0)
    assert ((read.support >= 0) & (read.support < np.where(read.alone, tables.entries, len(tables.supports)))).all()


def test_all_words_survive_their_packets_and_others_are_refused(codec: SparseCodec) -> None:
    tables = codec.tables
    words = np.resize(np.arange(tables.words), -(-tables.words // tables.windows) * tables.windows)
    packets = pack(tables, words)
    found, good = unpack(tables, packets)
    assert good.all()
    assert np.array_equal(found, words)
    beyond = pack(tables, np.full(tables.windows, tables.words)) if tables.words < 2**tables.bits else packets[:1] * 0
    spare = packets[:1].copy()
    spare[0, -1] |= 0x80 if tables.windows * tables.bits % 8 else 0
    for wrong in (beyond, spare) if tables.words < 2**tables.bits else ():
        assert not unpack(tables, wrong)[1].any()
        with pytest.raises(QcsError, match="packet 0 is damaged: no encoder"):
            codec.decode(Packets.rows(wrong))


def test_what_is_encoded_is_rebuilt_near(codec: SparseCodec) -> None:
    """Coefficients in, their points out: within a cell, at the right place, with the right sign."""
    tables, rng = codec.tables, np.random.default_rng(3)
    support = rng.integers(0, len(tables.supports), 400)
    step = 2.0 ** (16 - tables.phi_bits - tables.align) * codec.bundle.manifest.adc.units_per_count
    values = np.rint(rng.normal(0, 1, (400, tables.sparsity)) / step).astype(np.int64)
    over = np.arange(400) % 5 == 0 if tables.limit else np.zeros(400, np.bool_)
    words = words_of(tables, Found(support, values, over))
    found = codec.decode(Packets.rows(pack(tables, words)))
    psi_norms = codec.host["decoder"]
    c = np.zeros((400, tables.entries))
    np.put_along_axis(c, tables.supports[support], values * step, axis=1)
    error = ((found - c @ psi_norms.T) ** 2).sum(axis=1) / tables.sparsity
    assert error[~over].mean() < {"lloyd": 0.02, "plane": 0.1}[tables.code]
    assert error[~over].mean() < error[over].mean() < 0.5 if tables.limit else not over.any()
    marks = codec.guarded(Packets.rows(pack(tables, words)))
    assert marks is None if not tables.limit else np.array_equal(marks, over)


def test_plane_takes_the_nearest_of_all_points(tmp_path: Path) -> None:
    """Against every word that there is."""
    codec = plane_bundle(tmp_path / "b")
    assert isinstance(codec, SparseCodec)
    tables = replace(codec.tables, limit=0)
    values = np.random.default_rng(5).normal(0, 3000, (60, 2)).astype(np.int64)
    values[0], values[1] = (2**20, -40000), (0, 0)
    number = 4
    word = words_of(tables, Found(np.full(60, number), values, np.zeros(60, np.bool_)))
    every = read_words(tables, np.arange(tables.plain_words))
    mine = np.flatnonzero(~every.alone & (every.support == number))
    point, signs = np.divmod(every.cells[mine, 0], 4)
    points = tables.plane[point] * (1 - 2 * np.stack([signs >> 1, signs & 1], axis=1))
    lone = [np.flatnonzero(every.alone & (every.support == place)) for place in tables.supports[number]]
    alone = [np.zeros((len(words), 2)) for words in lone]
    for place, words in enumerate(lone):
        point, sign = np.divmod(every.cells[words, 0], 2)
        alone[place][:, place] = tables.axis[point] * (1 - 2 * sign)
    points = np.concatenate([points, *alone]).astype(np.float64)
    names = np.concatenate([mine, *lone])
    distance = ((values.clip(-32767, 32767)[:, None] - points) ** 2).sum(axis=2)
    place = {int(name): column for column, name in enumerate(names)}
    reached = distance[np.arange(60), [place[int(one)] for one in word]]
    assert np.array_equal(reached, distance.min(axis=1))
