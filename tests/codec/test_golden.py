"""Golden vectors that are missing, misshapen or impossible are one line that names the array."""

from dataclasses import replace

import numpy as np
import pytest
from support.bundles import BUNDLES

from qcskit.codec.arrays import npz_bytes
from qcskit.codec.codecs import load_codec
from qcskit.codec.errors import QcsError
from qcskit.codec.golden import check_offsets


@pytest.fixture(scope="module", params=["int8", "coded", "classical"])
def codec(request, tmp_path_factory):
    return BUNDLES[request.param](tmp_path_factory.mktemp("golden") / "b")


def refused(codec, message: str, **changes) -> None:
    """Other arrays, None: left out; opening the bundle must say so in one line."""
    vectors = {name: array for name, array in {**codec.bundle.vectors, **changes}.items() if array is not None}
    content = {**codec.bundle.content, "vectors.npz": npz_bytes(vectors)}
    with pytest.raises(QcsError, match=rf"vectors\.npz: {message}.*; run 'qcskit (export|design)' again$") as caught:
        load_codec(replace(codec.bundle, content=content))
    assert "\n" not in str(caught.value)


def test_the_vectors_of_a_bundle_are_right(codec) -> None:
    load_codec(replace(codec.bundle))


def test_every_array_that_is_missing_or_of_another_kind_is_named(codec) -> None:
    for name, array in codec.bundle.vectors.items():
        # Without x_hat there is no decoder, without input no network: both stand there exactly if they must.
        refused(codec, f"(there is no array )?'{name}'|there is no array 'input'", **{name: None})
        refused(codec, f"array '{'counts' if name == 'counts' else name}'", **{name: array[None]})
        refused(codec, "array '", **{name: array[:-1]})
        refused(codec, f"array '{name}' is ", **{name: array.astype(np.float16)})
        refused(codec, "array '", **{name: array[:0]})
        refused(codec, "array '", **{name: np.array(7, array.dtype)})
    for none in (codec.bundle.vectors["counts"][:0], np.array(7, np.int16)):
        refused(codec, "array 'counts' holds no packet", counts=none)


def test_an_array_that_nobody_knows_is_refused(codec) -> None:
    refused(codec, "array 'more' is unknown; known: counts", more=np.zeros(3))


def test_network_inputs_stand_there_exactly_if_there_is_a_network(codec) -> None:
    """Of another bundle, or left out: every array in itself is right."""
    names = ("input", "input_packed", "input_packed_offsets")
    if codec.takes_inputs:
        changes = dict.fromkeys(names)
    else:
        own = codec.bundle.vectors
        arrays = (np.zeros(own["counts"].shape, np.int8), own["packed"], own["packed_offsets"])
        changes = dict(zip(names, arrays, strict=True))
    refused(codec, "'input' stands there exactly if network inputs can be given", **changes)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_numbers_that_are_none(codec, bad: float) -> None:
    for name in ("x", "y", *(("x_hat",) if codec.decodes and not codec.exact else ())):
        array = codec.bundle.vectors[name].copy()
        if array.dtype.kind == "f":
            array[1, 2] = bad
            refused(codec, f"array '{name}' holds NaN or infinity", **{name: array})


def test_offsets_and_lengths_must_be_possible(codec) -> None:
    offsets, packed = codec.bundle.vectors["packed_offsets"], codec.bundle.vectors["packed"]
    for place, by in ((0, 1), (-1, -1), (-1, 1), (1, 1000), (1, -1000)):
        wrong = offsets.copy()
        wrong[place] += by
        refused(codec, "array 'packed_offsets' must rise from 0 to the number of packed bytes", packed_offsets=wrong)
    shifted = offsets.copy()
    shifted[1] += 1
    refused(codec, "array 'packed_offsets' holds packets of", packed_offsets=shifted)
    refused(codec, "array 'packed_offsets' must rise", packed=packed[:-1])


def test_counts_are_those_of_the_measurements(codec) -> None:
    counts = codec.bundle.vectors["counts"].copy()
    counts[3, 0] ^= 1
    refused(codec, "the adc of manifest.json does not make its 'counts' of its 'y'", counts=counts)


def test_a_decoder_that_makes_something_else_is_noticed_before_it_is_used(codec) -> None:
    if not codec.decodes:
        return
    x_hat = codec.bundle.vectors["x_hat"].copy()
    x_hat[5, 1] += 0.1
    vectors = npz_bytes({**codec.bundle.vectors, "x_hat": x_hat})
    other = load_codec(replace(codec.bundle, content={**codec.bundle.content, "vectors.npz": vectors}))
    with pytest.raises(QcsError, match=r"its decoder does not make the x_hat of vectors\.npz"):
        other.decode(other.encode_counts(other.bundle.vectors["counts"]))


@pytest.mark.parametrize("offsets", [[], [0], [1, 3], [0, 2], [0, 2, 2, 3], [0, 3, 2, 3], [-1, 3]])
def test_offsets_rise_from_0_to_the_end(offsets: list[int]) -> None:
    with pytest.raises(QcsError, match="array 'o' must rise from 0 to the number of packed bytes, 3"):
        check_offsets("o", np.array(offsets, np.int64), 3)


def test_offsets_of_any_integer_type_are_taken() -> None:
    for dtype in (np.uint8, np.uint64, np.int16):
        assert check_offsets("o", np.array([0, 1, 3], dtype), 3).tolist() == [0, 1, 3]
    with pytest.raises(QcsError, match="must rise"):
        check_offsets("o", np.array([0, 2**64 - 1, 3], np.uint64), 3)
