"""The gateway's side: packed bytes → x_hat, with the bundle's decoder.tflite and no TensorFlow."""

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from qcskit.codec import integer
from qcskit.codec.bundle import Bundle
from qcskit.codec.interface import Codec, CountsCodec
from qcskit.codec.litert import LiteRt
from qcskit.codec.packing import Packing

_BATCH = 4096


class BundleDecoder:
    """The decoder of a DeepQCS bundle, whatever its encoder's arithmetic."""

    def __init__(self, bundle: Bundle) -> None:
        self.bundle = bundle

    @cached_property
    def _decoder(self) -> LiteRt:
        return LiteRt(self.bundle.file("decoder.tflite").read_bytes())

    @property
    def name(self) -> str:
        """The model's name."""
        return self.bundle.manifest.name

    @property
    def rate_bits(self) -> float:
        """Bits sent per source entry."""
        return self.bundle.manifest.rate_bits

    @property
    def packing(self) -> Packing:
        """How indices become bytes."""
        return self.bundle.packing

    def decode(self, packed: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Return x_hat (frames, N) of packed bytes (frames, packed_bytes). Raises QcsError on a wrong shape."""
        return self.decode_index(self.bundle.packing.unpack(packed))

    def decode_index(self, index: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Return x_hat (frames, N) of indices (frames, K)."""
        if not len(index):
            return np.empty((0, self.bundle.manifest.signal.n))
        # Equal batches let the interpreter keep its allocation; the last one is filled up and cut.
        size = min(_BATCH, len(index))
        parts = []
        for start in range(0, len(index), size):
            part = index[start : start + size]
            padded = np.concatenate([part, np.zeros((size - len(part), index.shape[1]), np.uint8)])
            parts.append(self._decoder.run(padded)[: len(part)].astype(np.float64))
        return np.concatenate(parts)


class BundleCodec(BundleDecoder):
    """A DeepQCS bundle with an int8 encoder as a `Codec`: the encoder's NumPy reference and the float decoder."""

    def encode(self, y: NDArray[np.float64]) -> NDArray[np.uint8]:
        """Return packed bytes (frames, packed_bytes) of measurements y (frames, M)."""
        return integer.encode_packed(self.bundle.tables, self.bundle.quantize_input(y))


def load_codec(bundle: Bundle) -> Codec:
    """Return the codec of a bundle, whatever its kind."""
    if bundle.manifest.codec == "coded":
        from qcskit.codec.coded.bundle import read_coded

        return read_coded(bundle)
    if bundle.manifest.codec == "scalar":
        from qcskit.codec.classical.bundle import read_scalar

        return read_scalar(bundle)
    if bundle.counts_only:
        from qcskit.codec.wide import read_wide

        return read_wide(bundle)
    return BundleCodec(bundle)


def load_counts_codec(bundle: Bundle) -> CountsCodec | None:
    """Return the codec of a bundle whose device takes ADC counts only, None if it takes int8 network inputs."""
    codec = load_codec(bundle) if bundle.counts_only else None
    return codec  # type: ignore[return-value]
