"""Encoders of given widths and levels: the exporter on random float weights, no training.

Instruction counts and speed depend on the widths and levels; weights only have to keep the accumulators alive.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from qcskit.codec.learned.chain import DenseChain
from qcskit.codec.sensor import AdcConfig, sensed
from qcskit.codec.signal import SignalConfig
from qcskit.export.learned.encoder import Encoder, build_encoder
from qcskit.export.learned.flatbuffer import encoder_flatbuffer
from qcskit.export.learned.quantize import FloatEncoder, Ranges

REFERENCE_WIDTHS = ((10, 50, 10), (40, 200, 40), (80, 400, 80))
"""The three reference encoders."""


@dataclass(frozen=True)
class Reference:
    """One encoder in both forms, and its float thresholds."""

    name: str
    encoder: Encoder
    thresholds: tuple[float, ...]

    @property
    def tables(self) -> DenseChain:
        """Its integers."""
        return self.encoder.tables

    @property
    def flatbuffer(self) -> bytes:
        """What TFLite Micro runs."""
        return encoder_flatbuffer(self.encoder.layers, self.name)


def reference(widths: tuple[int, ...], levels: int, *, seed: int = 1, profile: str = "tflm") -> Reference:
    """Return an encoder of these widths with random float weights and evenly loaded thresholds."""
    rng = np.random.default_rng(seed)
    pairs = list(pairwise(widths))
    network = FloatEncoder(
        tuple((rng.normal(size=(b, a)) * 2 / np.sqrt(a)).astype(np.float32) for a, b in pairs),
        tuple((rng.normal(size=b) * 0.3).astype(np.float32) for _, b in pairs),
        np.tanh(np.linspace(-1.2, 1.2, levels + 1)[1:-1]),
    )
    source = SignalConfig(n=2 * widths[0], m=widths[0], s=min(2, widths[0]))
    encoder = build_encoder(network, Ranges((2.0,), 3.0, 2.0), *sensed(source, AdcConfig(), 2.0), profile)
    return Reference("-".join(map(str, widths)), encoder, tuple(network.thresholds.tolist()))
