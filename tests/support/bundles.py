"""Small bundles of every family, written by the exporter's own functions: no training, no TensorFlow."""

from itertools import pairwise
from pathlib import Path

import numpy as np

from qcskit.codec import codecs
from qcskit.codec.bundle import SignalFacts
from qcskit.codec.classical.config import ClassicalConfig
from qcskit.codec.coded.scheme import CodedConfig
from qcskit.codec.interface import Codec
from qcskit.codec.learned.activations import BOUNDED
from qcskit.codec.signal import SignalConfig
from qcskit.export.classical import design as classical
from qcskit.export.coded import design as coded
from qcskit.export.config import ExportConfig
from qcskit.export.learned.encoder import Encoder, build_encoder
from qcskit.export.learned.quantize import FloatEncoder, Ranges
from qcskit.export.learned.run import encoder_draft
from qcskit.export.writer import write_bundle

GOLDEN = 32


def random_encoder(
    rng: np.random.Generator, widths: tuple[int, ...], levels: int, profile: str = "tflm", activation: str = "tanh",
    adc_offset_counts: int = 3,
) -> tuple[Encoder, np.ndarray]:  # fmt: skip
    """Return an encoder of random float weights, and its float thresholds (levels − 1)."""
    pairs = list(pairwise(widths))
    network = FloatEncoder(
        tuple((rng.normal(size=(b, a)) * 2 / np.sqrt(a)).astype(np.float32) for a, b in pairs),
        tuple((rng.normal(size=b) * 0.3).astype(np.float32) for _, b in pairs),
        np.sort(rng.uniform(-0.95, 0.95, levels - 1)),
        (activation,) * (len(pairs) - 1) + (activation if activation in BOUNDED else "hard_tanh",),
        tuple(rng.uniform(1, 6, len(pairs))),
    )
    ranges = Ranges(2.0, 3.0 if activation == "tanh" else 1.0, 2.0)
    config = ExportConfig(adc_bits=12, adc_offset_counts=adc_offset_counts)
    return build_encoder(network, ranges, config, profile), network.thresholds


def learned_bundle(
    path: Path, *, widths: tuple[int, ...] = (10, 20, 10), levels: int = 8, seed: int = 1, name: str = "random",
    profile: str = "tflm", activation: str = "tanh",
) -> Codec:  # fmt: skip
    """Write a bundle of a random learned encoder without a decoder, and open it."""
    made, thresholds = random_encoder(np.random.default_rng(seed), widths, levels, profile, activation)
    m = widths[0]
    signal = SignalFacts(n=2 * m, m=m, s=min(2, m), noise_variance=1e-4, matrix="dct")
    write_bundle(path, encoder_draft(name, made, thresholds, np.linspace(-1, 1, levels), signal), GOLDEN, seed)
    return codecs.open_codec(path)


def coded_bundle(path: Path, *, name: str = "coded", offset: int = 0, **settings: object) -> Codec:
    """Write the bundle of a small coded scheme, and open it."""
    config = CodedConfig(**{"n": 60, "k": 2, "m": 32, "guard": False, "period_bits": 9} | settings)
    export = ExportConfig(name=name, adc_offset_counts=offset, golden_frames=GOLDEN, test_frames=200)
    coded.design(path, {"coded": config}, export)
    return codecs.open_codec(path)


def classical_bundle(path: Path, *, method: str = "ce-usq-omp", name: str = "", levels: int = 8) -> Codec:
    """Write the bundle of a classical method at the signal of the paper, and open it."""
    config = ClassicalConfig(codec=method, levels=levels, train_frames=2000, test_frames=500)
    export = ExportConfig(name=name, golden_frames=GOLDEN)
    classical.design(path, {"classical": config, "signal": SignalConfig()}, export)
    return codecs.open_codec(path)


BUNDLES = {
    "int8": learned_bundle,
    "native": lambda path: learned_bundle(path, profile="native", name="native"),
    "int16": lambda path: learned_bundle(path, profile="tflm16", name="int16"),
    "coded": coded_bundle,
    "classical": classical_bundle,
}
"""One small bundle of each kind and arithmetic: name → writer(path)."""
