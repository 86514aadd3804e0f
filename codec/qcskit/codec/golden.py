"""Golden vectors, vectors.npz: what a bundle's arrays must be, checked in one place before anyone uses them."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from qcskit.codec.arrays import Headers, check_array, check_finite, check_names
from qcskit.codec.errors import QcsError

if TYPE_CHECKING:
    from qcskit.codec.bundle import Manifest
    from qcskit.codec.interface import Codec

_ALWAYS = ("x", "y", "counts", "packed", "packed_offsets")
_INPUTS = ("input", "input_packed", "input_packed_offsets")


def check_headers(manifest: "Manifest", headers: Headers) -> None:
    """Raise QcsError that names an array which is missing, unknown or of another kind, by the headers alone."""
    check_names(headers, {*_ALWAYS, *_INPUTS, "x_hat"})
    for name in (*_ALWAYS, *(_INPUTS if set(_INPUTS) & headers.keys() else ())):
        if name not in headers:
            raise QcsError(f"there is no array '{name}'")
    packets = headers["counts"].shape[0] if headers["counts"].shape else 0
    if packets < 1:
        raise QcsError("array 'counts' holds no packet")
    frames, inputs = (packets * manifest.windows, manifest.signal.n), (packets, manifest.inputs)
    expected: dict[str, tuple[type[np.generic], tuple[int | None, ...]]] = {
        "x": (np.int16 if headers["x"].dtype == np.int16 else np.float64, frames), "y": (np.float64, inputs),
        "counts": (np.int16, inputs), "x_hat": (np.float32, frames), "input": (np.int8, inputs),
        "packed": (np.uint8, (None,)), "packed_offsets": (np.int64, (packets + 1,)),
        "input_packed": (np.uint8, (None,)), "input_packed_offsets": (np.int64, (packets + 1,)),
    }  # fmt: skip
    for name, header in headers.items():
        check_array(name, header, *expected[name])


def check_vectors(codec: "Codec") -> None:
    """Raise QcsError that names an array of golden vectors which cannot be this codec's.

    Which packets answer the counts is what `simulate` and `hil` find out.
    """
    vectors = codec.bundle.vectors
    if codec.bundle.has("signal.npz"):
        _ = codec.sensor
    try:
        if codec.decodes != ("x_hat" in vectors):
            raise QcsError("'x_hat' stands there exactly if the bundle holds a decoder")
        if codec.takes_inputs != ("input" in vectors):
            raise QcsError("'input' stands there exactly if network inputs can be given")
        if codec.decodes and not codec.exact:
            check_finite("x_hat", vectors["x_hat"])
        _check_packets(codec, vectors, "packed")
        if codec.takes_inputs:
            _check_packets(codec, vectors, "input_packed")
        if not np.array_equal(codec.counts(vectors["y"]), vectors["counts"]):
            raise QcsError("the adc of manifest.json does not make its 'counts' of its 'y'")
    except QcsError as error:
        raise codec.bundle.fail(f"vectors.npz: {error}") from None


def _check_packets(codec: "Codec", vectors: dict[str, NDArray[Any]], name: str) -> None:
    offsets = check_offsets(f"{name}_offsets", vectors[f"{name}_offsets"], len(vectors[name]))
    lengths, least = np.diff(offsets), codec.packed_bytes_max if codec.fixed_size else 1
    if lengths.min() < least or lengths.max() > codec.packed_bytes_max:
        raise QcsError(f"array '{name}_offsets' holds packets of {lengths.min()} … {lengths.max()} bytes, possible are "
                       f"{least} … {codec.packed_bytes_max}")  # fmt: skip


def check_offsets(name: str, offsets: NDArray[np.integer[Any]], total: int) -> NDArray[np.int64]:
    """Return offsets (packets + 1,) as int64. Raises QcsError unless they rise from 0 to `total` bytes."""
    rise = len(offsets) > 0 and offsets[0] == 0 and offsets[-1] == total and bool((offsets[1:] > offsets[:-1]).all())
    if not rise:
        raise QcsError(f"array '{name}' must rise from 0 to the number of packed bytes, {total:,}")
    return offsets.astype(np.int64)
