"""The vectors of a run: golden first, then fresh; the same wherever a stretch begins."""

from pathlib import Path

import numpy as np
import pytest
from support.bundles import sampled_bundle

from qcskit.codec import seeds
from qcskit.codec.errors import QcsError
from qcskit.codec.interface import Codec
from qcskit.codec.own_data import OwnData
from qcskit.codec.signal import draw_frames
from qcskit.hil.vectors import BLOCK, VectorSet


@pytest.mark.parametrize("kind", ["counts", "inputs"])
def test_any_stretch_is_that_of_the_whole(codec: Codec, kind: str) -> None:
    vectors = VectorSet(codec, BLOCK + 500, 3, kind)  # type: ignore[arg-type]
    values, x = vectors.part(0, vectors.count)
    assert len(values) == len(x) == vectors.count
    assert np.array_equal(vectors.values(), values)
    for start, stop in ((0, 5), (vectors.golden - 3, vectors.golden + 3), (BLOCK - 10, BLOCK + 300), (7, 7 + BLOCK)):
        some, sources = vectors.part(start, stop)
        assert np.array_equal(some, values[start:stop])
        assert np.array_equal(sources, x[start:stop])
    assert values.dtype == (np.int8 if kind == "inputs" else np.int16)


def test_fresh_vectors_are_drawn_with_an_integer_seed(codec: Codec) -> None:
    """Another library's word: the frames that the bundle's source gives at HIL + seed · HIL_RUN + block."""
    vectors = VectorSet(codec, BLOCK + 100, 2)
    for block in (0, 1, 0):
        x, y = draw_frames(codec.bundle.signal, BLOCK, seeds.HIL + 2 * seeds.HIL_RUN + block)
        start = vectors.golden + block * BLOCK
        values, sources = vectors.part(start, start + 5)
        assert np.array_equal(sources, x[:5])
        assert np.array_equal(values, codec.counts(y[:5]))


def test_golden_vectors_come_first(codec: Codec) -> None:
    golden = codec.bundle.vectors
    assert np.array_equal(VectorSet(codec, 20).part(0, 20)[0], golden["counts"][:20])
    assert np.array_equal(VectorSet(codec, 20, kind="inputs").part(0, 20)[0], golden["input"][:20])
    assert VectorSet(codec, 20).golden == 20
    assert VectorSet(codec, 2000).golden == len(golden["counts"])


def test_sources_are_one_row_per_window(toy_codec: Codec) -> None:
    vectors = VectorSet(toy_codec, 100)
    for start, stop in ((0, 3), (30, 40)):
        values, x = vectors.part(start, stop)
        assert values.shape == (stop - start, toy_codec.inputs)
        assert x.shape == (2 * (stop - start), toy_codec.width)
    assert np.array_equal(vectors.part(31, 33)[1], vectors.part(0, 100)[1][62:66])


def test_inputs_are_for_codecs_that_take_them(decoding_codec: Codec) -> None:
    with pytest.raises(QcsError, match="classical codec takes ADC counts, not network inputs"):
        VectorSet(decoding_codec, 10, kind="inputs")


def test_own_data_are_all_that_is_sent(toy_codec: Codec, codec: Codec) -> None:
    """In their order, with the sources of each packet, neither golden nor drawn ones; fewer if fewer are asked for."""
    rng = np.random.default_rng(0)
    counts = rng.integers(-999, 999, (30, toy_codec.inputs)).astype(np.int16)
    x = rng.standard_normal((60, toy_codec.width))
    vectors = VectorSet(toy_codec, 1000, data=OwnData(counts, x))
    assert vectors.count == 30
    assert np.array_equal(vectors.values(), counts)
    values, sources = vectors.part(7, 9)
    assert np.array_equal(values, counts[7:9])
    assert np.array_equal(sources, x[14:18])  # type: ignore[arg-type]
    assert VectorSet(toy_codec, 9, data=OwnData(counts, x)).count == 9
    seen = rng.integers(-999, 999, (5, codec.inputs)).astype(np.int16)
    inputs = VectorSet(codec, 5, kind="inputs", data=OwnData(seen, None))
    assert np.array_equal(inputs.values(), codec.network_input(seen))


def test_sources_are_known_or_none_is_given(tmp_path: Path, codec: Codec) -> None:
    """Noise stands in for a recording whose windows the bundle does not hold: there is nothing to compare with."""
    for windows in (0, 20):
        recorded = sampled_bundle(tmp_path / str(windows), windows=windows)
        vectors = VectorSet(recorded, 100)
        assert vectors.x_known == bool(windows)
        assert [(vectors.part(a, a + 2)[1] is not None) for a in (0, 60)] == [bool(windows)] * 2
        counts = vectors.part(60, 62)[0]
        own = VectorSet(recorded, 2, data=OwnData(counts, None))  # type: ignore[arg-type]
        assert not own.x_known
        assert own.part(0, 2)[1] is None
    assert VectorSet(codec, 5).x_known
