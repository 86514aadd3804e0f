"""The code range: packets have the bytes that were asked for, and gain what words of one length cannot."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support.bundles import range_bundle

from qcskit.codec.metrics import nmse_db
from qcskit.codec.sparse.bundle import SparseCodec
from qcskit.codec.sparse.search import aligned, search
from qcskit.export.sparse.range_design import Sample, ideal_bits, lost, with_step, with_symbols

PAPER = {"n": 20, "m": 10, "s": 2}


def written(path: Path, **keys: object) -> SparseCodec:
    codec = range_bundle(path, signal=PAPER, **{"train_frames": 30_000, "test_frames": 20_000} | keys)
    assert isinstance(codec, SparseCodec)
    return codec


@pytest.fixture(scope="module")
def codec(tmp_path_factory: pytest.TempPathFactory) -> SparseCodec:
    return written(tmp_path_factory.mktemp("design") / "b", bits=20)


def test_rate_one_reaches_what_the_page_says_in_whole_bytes(codec: SparseCodec) -> None:
    x, y = codec.draw(20_000 // codec.windows, 990_021)
    packets = codec.encode(y)
    assert 8 * packets.lengths.mean() / (codec.windows * 20) == pytest.approx(1.0, abs=0.005)
    assert codec.rate_bits == pytest.approx(1.0, abs=0.005)
    assert nmse_db(x, codec.decode(packets)) == pytest.approx(-33.9, abs=0.5)
    marks = codec.guarded(packets)
    assert marks is not None
    assert 0 < marks.mean() < 0.006


def test_few_bits_go_to_the_larger_coefficients(tmp_path: Path) -> None:
    """At 10 bits a support and a sign each are all that words have: −10.0 dB with points in the plane."""
    codec = written(tmp_path / "b", bits=10, guard=False)
    x, y = codec.draw(10_000 // codec.windows, 990_021)
    packets = codec.encode(y)
    assert 8 * packets.lengths.mean() / (codec.windows * 20) == pytest.approx(0.5, abs=0.01)
    assert nmse_db(x, codec.decode(packets)) < -12.0


def test_the_step_is_the_finest_and_small_indices_are_worth_their_places(codec: SparseCodec) -> None:
    """At the same ideal length no other `least` of the design loses clearly less."""
    tables, (x, y) = codec.tables, codec.draw(20_000 // codec.windows, 4)
    found = search(tables, aligned(tables, codec.counts(y)))
    sample = Sample(found, np.take_along_axis(x @ np.linalg.inv(codec.host["decoder"]).T,
                                              tables.supports[found.support], axis=1))  # fmt: skip
    step = float(np.log2(2.0**tables.index_shift / tables.multiplier))
    bits = ideal_bits(tables, found)
    assert bits == pytest.approx(20 - 0.25, abs=0.2)  # what ends of packets and the guard leave
    own = lost(tables, sample)
    for least in (0.5, 1.4):
        octaves = step + np.arange(-40, 41) / 200
        octave = min(octaves, key=lambda at: abs(ideal_bits(with_step(tables, at, least), found) - bits))
        assert own < 1.01 * lost(with_step(tables, octave, least), sample)
    finer = with_step(tables, step - 0.2, tables.least / 2**step)
    assert ideal_bits(finer, found) > bits + 0.2
    assert lost(finer, sample) < own


def test_tables_follow_the_symbols(codec: SparseCodec) -> None:
    tables, rng = codec.tables, np.random.default_rng(1)
    found = search(tables, aligned(tables, codec.counts(codec.draw(1000, 5)[1])))
    quiet = replace(found, values=np.rint(found.values * rng.choice([1e-3, 1], len(found.values))[:, None]).astype(int))
    first, second, *_ = np.diff(with_symbols(tables, quiet).symbols, axis=1, prepend=0)
    none = (tables.indices(quiet.values, False) == 0).all(axis=1).mean()
    assert first[0] / 4096 == pytest.approx(none, abs=0.01)
    assert second[0] / 4096 == pytest.approx(0.06, abs=0.04)
