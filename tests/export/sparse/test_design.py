"""From a table to a bundle: what it reaches, what it costs in integers, and what the guard sees."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support.bundles import sparse_bundle

from qcskit.codec.interface import Codec
from qcskit.codec.matrices import dct_rows
from qcskit.codec.metrics import nmse_db
from qcskit.codec.sparse.bundle import SparseCodec
from qcskit.codec.sparse.search import aligned, search
from qcskit.export.sparse.design import split_words

PAPER = {"n": 20, "m": 10, "s": 2}


def written(path: Path, **keys: object) -> SparseCodec:
    codec = sparse_bundle(path, signal=PAPER, **{"windows": 1, "train_frames": 30_000, "test_frames": 20_000} | keys)
    assert isinstance(codec, SparseCodec)
    return codec


@pytest.fixture(scope="module")
def codec(tmp_path_factory: pytest.TempPathFactory) -> SparseCodec:
    return written(tmp_path_factory.mktemp("design") / "b", bits=20)


def test_rate_one_reaches_what_the_page_says(codec: SparseCodec, tmp_path: Path) -> None:
    """Test sets of 20,000 vectors differ by 0.5 dB: the page's figures are the benchmark's."""
    assert codec.bundle.manifest.nmse.deployed_db == pytest.approx(-31.5, abs=0.6)
    assert codec.rate_bits == 1.0
    assert written(tmp_path / "b", bits=24).bundle.manifest.nmse.deployed_db == pytest.approx(-36.7, abs=0.8)


def test_integers_lose_little(codec: SparseCodec) -> None:
    """Against all pairs in floating point, on measurements that no ADC touched, with the same cells."""
    x, y = codec.draw(5000, 8)
    phi = dct_rows(10, 20)
    first, second = np.triu_indices(20, 1)
    g = (phi.T @ phi)[first, second]
    c = y @ phi
    t = (c[:, second] - g * c[:, first]) / np.sqrt(1 - g**2)
    best = (c[:, first] ** 2 + t**2).argmax(axis=1)
    lanes = np.arange(len(y))
    a_j = t[lanes, best] / np.sqrt(1 - g[best] ** 2)
    values = np.stack([c[lanes, first[best]] - g[best] * a_j, a_j], axis=1)
    tables, points = codec.tables, np.concatenate([-codec.host["points"][::-1], codec.host["points"]])
    unit = 2.0 ** (16 - tables.phi_bits - tables.align) * codec.bundle.manifest.adc.units_per_count
    x_float = np.zeros_like(x)
    edges = np.concatenate([-tables.thresholds[::-1].astype(int), [0], tables.thresholds])
    cells = np.searchsorted(edges, values / unit, side="right")
    np.put_along_axis(x_float, tables.supports[best], points[cells], axis=1)
    packets = codec.encode(y)
    plain = ~codec.guarded(packets)
    assert nmse_db(x[plain], codec.decode(packets)[plain]) - nmse_db(x[plain], x_float[plain]) < 0.2


def marked(codec: Codec, x: np.ndarray, rng: np.random.Generator) -> float:
    """Return the share of flagged vectors among sources x (vectors, N)."""
    y = x @ dct_rows(10, 20).T + 0.01 * rng.standard_normal((len(x), 10))
    marks = codec.guarded(codec.encode(y))
    assert marks is not None
    return float(marks.mean())


def test_the_guard_sees_what_is_off_the_design(codec: SparseCodec) -> None:
    rng = np.random.default_rng(6)
    x = codec.draw(4000, 7)[0]
    more = x.copy()
    more[np.arange(4000), rng.integers(0, 20, 4000)] += rng.standard_normal(4000)
    assert marked(codec, x, rng) < 0.006
    assert marked(codec, more, rng) > 0.5
    assert marked(codec, 20 * x, rng) > 0.5  # saturated


def test_words_go_where_they_save_most(codec: SparseCodec) -> None:
    """Of all splits that fit, the least of what the cells lose and what flagged vectors do."""
    fine, coarse = split_words(codec.tables, 0.002)
    lost = {(a, b): a**-2.0 + 0.002 * b**-2.0 for b in range(2, 74, 2) for a in range(2, 75, 2)
            if 190 * (a**2 + b**2) <= 2**20}  # fmt: skip
    assert (fine, coarse) == min(lost, key=lambda pair: lost[pair])
    assert split_words(codec.tables, 0.0)[0] == 74
    assert codec.tables.words <= 2**20


def test_vectors_that_fill_no_packet_are_left_out(tmp_path: Path) -> None:
    made = sparse_bundle(tmp_path / "b", windows=3, test_frames=500)
    assert made.bundle.manifest.nmse.frames == 498
    assert (made.packed_bytes_max, made.inputs) == (5, 18)


def test_a_flag_takes_few_words_of_the_plane(tmp_path: Path) -> None:
    """Points for flagged vectors: at most a tenth of their power is lost with 1.5 or 3 % of the words; cells took 5."""
    codec = written(tmp_path / "b", bits=16, code="plane", train_frames=5000)
    assert codec.tables.flagged_words < 0.03 * 2**16
    x, y = codec.draw(20_000, 990_021)
    found = search(codec.tables, aligned(codec.tables, codec.counts(y)))
    coarse = codec.decode(codec.packets_of(replace(found, over=np.ones(len(x), np.bool_))))
    assert nmse_db(x, coarse) < -9.6
