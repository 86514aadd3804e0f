"""Small bundles of every family, written by the exporter's own functions: no training, no TensorFlow."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from qcskit.codec import codecs
from qcskit.codec.classical.config import ClassicalConfig
from qcskit.codec.coded.scheme import CodedConfig
from qcskit.codec.interface import Codec
from qcskit.codec.learned.activations import ACTIVATIONS
from qcskit.codec.sensor import UNKNOWN_ADC, AdcConfig, converter_for, sensed, source_arrays
from qcskit.codec.signal import SignalConfig, draw_frames
from qcskit.codec.sparse.config import SparseConfig
from qcskit.codec.transform.config import TransformConfig
from qcskit.export.classical import design as classical
from qcskit.export.coded import design as coded
from qcskit.export.config import ExportConfig
from qcskit.export.learned.encoder import Encoder, build_encoder
from qcskit.export.learned.job import Scales, pair_facts
from qcskit.export.learned.quantize import FloatEncoder, Ranges
from qcskit.export.learned.run import encoder_draft, input_ranges
from qcskit.export.sparse import design as sparse
from qcskit.export.transform import design as transform
from qcskit.export.writer import measured, write_bundle

GOLDEN = 32


def random_encoder(
    rng: np.random.Generator, widths: tuple[int, ...], levels: int, profile: str = "tflm", activation: str = "tanh",
    adc_offset_counts: int = 3, source: SignalConfig | None = None,
) -> tuple[Encoder, np.ndarray]:  # fmt: skip
    """Return an encoder of random float weights, and its float thresholds (levels − 1).

    source: what it sees; default: sparse vectors, twice as long as it has inputs.
    """
    pairs = list(pairwise(widths))
    network = FloatEncoder(
        tuple((rng.normal(size=(b, a)) * 2 / np.sqrt(a)).astype(np.float32) for a, b in pairs),
        tuple((rng.normal(size=b) * 0.3).astype(np.float32) for _, b in pairs),
        np.sort(rng.uniform(-0.95, 0.95, levels - 1)),
        (activation,) * (len(pairs) - 1) + (activation if ACTIVATIONS[activation].bounded else "hard_tanh",),
        tuple(rng.uniform(1, 6, len(pairs))),
    )
    ranges = Ranges((2.0,), 3.0 if activation == "tanh" else 1.0, 2.0)
    m = widths[0]
    source = source or SignalConfig(n=2 * m, m=m, s=min(2, m))
    if source.source == "recorded":  # what is seen of the recording, as an export has it
        ranges = replace(ranges, inputs=input_ranges(draw_frames(source, 500, 0, part="train")[1], 0.99))
    adc = AdcConfig(bits=None if source.source == "recorded" else 12, offset_counts=adc_offset_counts)
    return build_encoder(network, ranges, *sensed(source, adc, ranges.input), profile), network.thresholds


def learned_bundle(
    path: Path, *, widths: tuple[int, ...] = (10, 20, 10), levels: int = 8, seed: int = 1, name: str = "random",
    profile: str = "tflm", activation: str = "tanh",
) -> Codec:  # fmt: skip
    """Write a bundle of a random learned encoder without a decoder, and open it."""
    made, thresholds = random_encoder(np.random.default_rng(seed), widths, levels, profile, activation)
    m = widths[0]
    source = source_arrays(SignalConfig(n=2 * m, m=m, s=min(2, m)), made.signal, 0)
    draft = encoder_draft(name, made, thresholds, np.linspace(-1, 1, levels))
    write_bundle(path, replace(draft, source=source), GOLDEN, seed)
    return codecs.open_codec(path)


def drifting_counts(samples: int = 1200) -> np.ndarray:
    """Return what a 16-bit sensor counts: a random walk with a slow cycle about 12,000, int16 (samples,)."""
    steps, time = np.random.default_rng(16).normal(0, 20, samples), np.arange(samples)
    return np.rint(12_000 + steps.cumsum() + 400 * np.sin(time / 60)).astype(np.int16)


@contextmanager
def recorded(**keys: Any) -> Iterator[SignalConfig]:
    """Yield a source of drifting counts whose file is gone afterwards: what a bundle needs must travel in it."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "counts.npy"
        np.save(file, drifting_counts())
        yield SignalConfig(source="recorded", recording=str(file), **keys)


def recorded_bundle(path: Path, *, name: str = "recorded", profile: str = "tflm", windows: int = 40,
                    n: int = 12, m: int = 6, **signal: Any) -> Codec:  # fmt: skip
    """Write a bundle of a random learned encoder that sees a recording, and open it; the recording is gone."""
    with recorded(n=n, m=m, **signal) as config:
        rng, widths, levels = np.random.default_rng(4), (m, 9, 5), 6
        made, thresholds = random_encoder(rng, widths, levels, profile, adc_offset_counts=0, source=config)
        source = source_arrays(config, made.signal, windows)
        draft = replace(encoder_draft(name, made, thresholds, np.linspace(-1, 1, levels)), source=source)
        x, y = draw_frames(config, 200, 3)
        write_bundle(path, replace(draft, nmse=measured(draft.codec(), x, y)), GOLDEN)
    return codecs.open_codec(path)


def identity_bundle(path: Path) -> Codec:
    """Write a bundle whose device samples x itself in 16 bits, M = N, and open it."""
    return recorded_bundle(path, name="identity", profile="tflm16", n=7, m=7, matrix="identity")


def sampled_bundle(path: Path, *, windows: int = 40, adc: AdcConfig = UNKNOWN_ADC, **signal: Any) -> Codec:
    """Write the bundle of a classical method that sees all samples of a recording and decodes, and open it."""
    keys = {"n": 8, "s": 2, "basis": "dct", "matrix": "identity"} | signal
    with recorded(**keys) as config:
        tables = {"classical": ClassicalConfig(codec="ce-usq-omp", levels=32, train_frames=1000, test_frames=200)}
        export = ExportConfig(name="sampled", golden_frames=GOLDEN, test_windows=windows)
        classical.design(path, tables | {"signal": config, "adc": adc}, export)
    return codecs.open_codec(path)


def coded_bundle(path: Path, *, name: str = "coded", offset: int = 0, **settings: object) -> Codec:
    """Write the bundle of a small coded scheme, and open it."""
    config = CodedConfig(**{"n": 60, "k": 2, "m": 32, "guard": False, "period_bits": 9} | settings)
    export = ExportConfig(name=name, golden_frames=GOLDEN, test_frames=200)
    coded.design(path, {"coded": config, "adc": AdcConfig(offset_counts=offset)}, export)
    return codecs.open_codec(path)


def classical_bundle(path: Path, *, method: str = "ce-usq-omp", name: str = "", levels: int = 8) -> Codec:
    """Write the bundle of a classical method at the signal of the paper, and open it."""
    config = ClassicalConfig(codec=method, levels=levels, train_frames=2000, test_frames=500)
    export = ExportConfig(name=name, golden_frames=GOLDEN)
    classical.design(path, {"classical": config, "signal": SignalConfig()}, export)
    return codecs.open_codec(path)


def transform_bundle(path: Path, *, name: str = "transform", n: int = 12, **keys: Any) -> Codec:
    """Write the bundle of a transform codec designed from drifting counts, and open it; the recording is gone."""
    with recorded(n=n) as config:
        tables = {"transform": TransformConfig(**({"windows": 2} | keys)), "signal": config}
        transform.design(path, tables, ExportConfig(name=name, golden_frames=GOLDEN, test_windows=40))
    return codecs.open_codec(path)


def sparse_bundle(path: Path, *, name: str = "sparse", adc: AdcConfig = UNKNOWN_ADC, signal: Any = None,
                  **keys: Any) -> Codec:  # fmt: skip
    """Write the bundle of a sparse codec, two vectors of 13 bits per packet unless told otherwise, and open it."""
    config = SparseConfig(**({"bits": 13, "windows": 2, "train_frames": 2000, "test_frames": 500} | keys))
    tables = {"sparse": config, "signal": SignalConfig(**(signal or {"n": 8, "m": 6})), "adc": adc}
    sparse.design(path, tables, ExportConfig(name=name, golden_frames=GOLDEN, test_windows=40))
    return codecs.open_codec(path)


def plane_bundle(path: Path) -> Codec:
    """Write the bundle of a sparse codec that is another one in all that can be chosen, odd in all sizes."""
    signal = {"n": 7, "m": 5, "matrix": "gaussian", "basis": "dct"}
    adc = AdcConfig(bits=10, signed=False)
    return sparse_bundle(path, name="plane", bits=12, windows=5, code="plane", signal=signal, adc=adc)


def range_bundle(path: Path, **keys: Any) -> Codec:
    """Write the bundle of a sparse codec whose packets have any length, and open it."""
    return sparse_bundle(path, **{"name": "sparse_range", "bits": 12, "windows": 16, "code": "range"} | keys)


def bounded_bundle(path: Path) -> Codec:
    """Write the bundle of a transform codec with everything that is optional, and open it."""
    return transform_bundle(path, name="bounded", n=8, basis="dct", decimate=2, max_bytes=5, crc=True)


def lossless_bundle(path: Path) -> Codec:
    """Write the bundle of a lossless codec, and open it."""
    return transform_bundle(path, name="lossless", n=8, mode="lossless", crc=True)


def pairs_bundle(path: Path, *, pairs: int = 40, x_known: bool = True) -> Codec:
    """Write a bundle as a model of one's own gives it, x of 9 entries and y of 6 in units of their own, and open it."""
    rng, widths, levels = np.random.default_rng(6), (6, 9, 5), 6
    x, scales = rng.normal(100, 5, (pairs, 9)), Scales(100.0, 5.0, 0.03, 0.002)
    network = FloatEncoder(
        tuple((rng.normal(size=(b, a)) * 2 / np.sqrt(a)).astype(np.float32) for a, b in pairwise(widths)),
        tuple((rng.normal(size=b) * 0.3).astype(np.float32) for b in widths[1:]),
        np.sort(rng.uniform(-0.9, 0.9, levels - 1)), ("sigmoid", "linear"), (1.0, 3.0),
    )  # fmt: skip
    signal = pair_facts(9, widths[0], scales)
    adc = converter_for(signal, AdcConfig(unit="V"), False, 3.0, recorded=False)
    made = build_encoder(network, Ranges((3.0,), 3.0, 2.0), signal, adc, "tflm")
    draft = encoder_draft("pairs", made, network.thresholds, np.linspace(-1, 1, levels))
    source = {"phi": np.empty((0, 9)), "windows": x if x_known else x[:0],
              "measured": 0.03 + 0.002 * (x[:, :6] - 100) / 5}  # fmt: skip
    write_bundle(path, replace(draft, source=source), GOLDEN)
    return codecs.open_codec(path)


BUNDLES = {
    "int8": learned_bundle,
    "native": lambda path: learned_bundle(path, profile="native", name="native"),
    "int16": lambda path: learned_bundle(path, profile="tflm16", name="int16"),
    "coded": coded_bundle,
    "classical": classical_bundle,
    "recorded": recorded_bundle,
    "identity": identity_bundle,
    "transform": transform_bundle,
    "sparse": sparse_bundle,
    "sparse_range": range_bundle,
}
"""One small bundle of each kind, arithmetic and way to see a signal: name → writer(path)."""
