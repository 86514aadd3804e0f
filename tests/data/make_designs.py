"""Make `tests/data/designs.json`: what small designs of every family come to, so that none changes unseen.

Per design: the manifest's facts, every array of tables.npz, and digests of what stands beside them. A design may become
better: then run this, read what changed, and say it in CHANGELOG.md. Needs the extra 'simulate'. Run from the
repository root: python tests/data/make_designs.py
"""

import json
import random
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from support.bundles import random_encoder  # noqa: E402

from qcskit.codec.bundle import Bundle, read_bundle  # noqa: E402
from qcskit.codec.classical.config import ClassicalConfig  # noqa: E402
from qcskit.codec.coded.scheme import CodedConfig  # noqa: E402
from qcskit.codec.sensor import AdcConfig, sensed, source_arrays  # noqa: E402
from qcskit.codec.signal import SignalConfig  # noqa: E402
from qcskit.codec.sparse.config import SparseConfig  # noqa: E402
from qcskit.codec.transform.config import TransformConfig  # noqa: E402
from qcskit.export.classical import design as classical  # noqa: E402
from qcskit.export.coded import design as coded  # noqa: E402
from qcskit.export.compare import RATES, proposed  # noqa: E402
from qcskit.export.config import ExportConfig  # noqa: E402
from qcskit.export.learned.encoder import Encoder, build_encoder  # noqa: E402
from qcskit.export.learned.quantize import FloatEncoder, Ranges  # noqa: E402
from qcskit.export.learned.run import encoder_draft, input_ranges  # noqa: E402
from qcskit.export.learned.tflite_model import export_tflite  # noqa: E402
from qcskit.export.sparse import design as sparse  # noqa: E402
from qcskit.export.transform import design as transform  # noqa: E402
from qcskit.export.writer import write_bundle  # noqa: E402

Write = Callable[[Path], object]
MOST_LISTED = 50
PROPOSALS = "proposals"
BY_REALS = (
    "sq_omp",
    "sq_units",
    "usq_omp",
    "sq_l1",
    "usq_mmse",
    "one_bit",
    "lloyd",
    "lloyd_bare",
    "lloyd_one",
    "plane",
    "range",
)
"""Designs whose model id tells the last bits of real numbers, which depend on the machine."""
EXPORT = {"golden_frames": 2, "test_windows": 3}


def walk(samples: int, seed: int) -> np.ndarray:
    """Return what a 16-bit sensor counts: a smooth walk about 9,000 (samples,), alike with every NumPy."""
    source, value, slope, found = random.Random(seed), 0.0, 0.0, []
    for _ in range(samples):
        slope = 0.8 * slope + source.gauss(0, 12)
        value = 0.98 * value + slope
        found.append(round(9_000 + value + source.gauss(0, 3)))
    return np.array(found, np.int16)


def recorded(values: np.ndarray, make: Callable[[str], Mapping[str, Any]], room: Any) -> Write:
    """Return what designs from a recording. make: its file → tables."""

    def write(path: Path) -> None:
        with TemporaryDirectory() as folder:
            np.save(file := Path(folder) / "counts.npy", values)
            room.design(path, dict(make(str(file))), ExportConfig(name=path.name, **EXPORT))

    return write


def windows(n: int, values: np.ndarray | None = None, adc: Mapping[str, Any] | None = None, **keys: Any) -> Write:
    """Return what designs a transform codec."""
    signal = {"n": n, "source": "recorded"} | ({"recording_in": "units"} if adc else {})
    return recorded(walk(1500, 1) if values is None else values, lambda file: {
        "transform": TransformConfig(**keys), "signal": SignalConfig(recording=file, **signal),
        **({"adc": AdcConfig(**adc)} if adc else {}),
    }, transform)  # fmt: skip


def sampled(**signal: Any) -> Write:
    """Return what designs a classical codec of a recording."""
    config = ClassicalConfig(codec="ce-sq-omp", levels=16, train_frames=1000, test_frames=100)
    return recorded(walk(1500, 2), lambda file: {
        "classical": config, "signal": SignalConfig(source="recorded", recording=file, **signal),
    }, classical)  # fmt: skip


def method(codec: str, levels: int) -> Write:
    """Return what designs a classical codec of the paper's source."""
    tables = {"classical": ClassicalConfig(codec=codec, levels=levels, train_frames=1000, test_frames=200),
              "signal": SignalConfig(n=12, m=8)}  # fmt: skip
    return lambda path: classical.design(path, tables, ExportConfig(name=path.name, **EXPORT))


def scheme(**keys: Any) -> Write:
    """Return what designs a coded scheme."""
    tables = {"coded": CodedConfig(**({"k": 2, "m": 32, "period_bits": 9} | keys)), "adc": AdcConfig(offset_counts=5)}
    return lambda path: coded.design(path, tables, ExportConfig(name=path.name, test_frames=100, golden_frames=2))


def searched(signal: Mapping[str, Any], **keys: Any) -> Write:
    """Return what designs a sparse codec."""
    tables = {"sparse": SparseConfig(train_frames=1500, test_frames=300, **keys), "signal": SignalConfig(**signal)}
    return lambda path: sparse.design(path, tables, ExportConfig(name=path.name, **EXPORT))


def encoder(profile: str, activation: str = "tanh", *, seen: bool = False) -> Write:
    """Return what writes the bundle of a random encoder. seen: by the moments and ranges of what its inputs are."""

    def write(path: Path) -> None:
        rng = np.random.default_rng(3)
        if seen:
            made, thresholds = judged(rng, profile)
        else:
            made, thresholds = random_encoder(rng, (6, 7, 5), 5, profile, activation)
        draft = encoder_draft(path.name, made, thresholds, np.linspace(-1, 1, 5))
        source = source_arrays(SignalConfig(n=12, m=6, s=2), made.signal, 0)
        write_bundle(path, replace(draft, source=source), 2)

    return write


def judged(rng: np.random.Generator, profile: Any) -> tuple[Encoder, np.ndarray]:
    """Return an encoder whose inputs differ in size and go together, and its thresholds."""
    widths, y = ((6, 7), (7, 5)), rng.normal(size=(300, 6)) @ rng.normal(size=(6, 6)) * [1, 2, 3, 1, 0.2, 1]
    weights = tuple((rng.normal(size=(b, a)) / 3).astype(np.float32) for a, b in widths)
    biases = tuple((rng.normal(size=b) * 0.3).astype(np.float32) for _, b in widths)
    hidden = np.maximum(y @ weights[0].T + biases[0], 0)
    ones = np.ones((len(y), 1))
    moments = tuple((v.T @ v) / len(v) for v in (np.hstack([y, ones]), np.hstack([hidden, ones])))
    network = FloatEncoder(weights, biases, np.array([-0.5, -0.1, 0.2, 0.6]), ("relu", "tanh"),
                           (float(hidden.max()), 1.0), moments)  # fmt: skip
    ranges = Ranges(input_ranges(y, 0.99), 2.5, 2.0, 0.8)
    facts_of_signal, adc = sensed(SignalConfig(n=12, m=6, s=2), AdcConfig(bits=10, offset_counts=-7), ranges.input)
    return build_encoder(network, ranges, facts_of_signal, adc, profile), network.thresholds


def converted(**keys: Any) -> Write:
    """Return what exports the flatbuffer of the small golden encoder as one of a converter."""
    y = np.random.default_rng(4).normal(0, 0.8, (40, 8))
    model = HERE / "golden" / "int8" / "encoder.tflite"
    return lambda path: export_tflite(model, y, out=path, name=path.name, config=ExportConfig(**EXPORT), **keys)


PAPER = {"n": 8, "m": 6}
DESIGNS: dict[str, Write] = {
    "klt_range": windows(12, windows=2, bits_per_sample=1.5),
    "klt_rice": windows(16, windows=3, coder="rice", bits_per_sample=2.0, crc=True, rows=9, test_frames=100),
    "dct_bounded": windows(16, windows=2, basis="dct", decimate=2, max_bytes=6, crc=True),
    "dct_fast": windows(128, windows=1, basis="dct", bits_per_sample=1.0),
    "fine": windows(8, walk(1500, 8) // 4, windows=4, bits_per_sample=5.0),
    "rough": windows(12, windows=5, coder="rice", basis="dct", decimate=2, bits_per_sample=0.6),
    "full": windows(8, np.where(np.arange(1500) % 90 < 45, -32768, 32767).astype(np.int16), windows=2),
    "units": windows(8, walk(900, 5) * 0.25, {"bits": 13, "units_per_count": 0.5, "offset_counts": -4011, "unit": "mV"},
                     windows=2, bits_per_sample=2.5),
    "cut": windows(8, walk(1200, 6).reshape(-1, 8), windows=2, bits_per_sample=1.0),
    "lossless": windows(8, windows=2, mode="lossless", crc=True),
    "lossless_cut": windows(10, walk(1000, 7).reshape(-1, 10), windows=3, mode="lossless"),
    "lossless_quiet": windows(8, (np.arange(900) // 3 % 2).astype(np.int16), windows=2, mode="lossless"),
    "room": windows(8, walk(900, 9) * 1e-3, {"bits": 12}, windows=2),
    "sq_omp": sampled(n=8, s=2, basis="dct", matrix="identity"),
    "sq_units": sampled(n=8, s=2, basis="dct", matrix="identity", recording_in="units"),
    "usq_omp": method("ce-usq-omp", 10), "sq_l1": method("ce-sq-l1", 8), "usq_mmse": method("ce-usq-mmse", 7),
    "one_bit": method("1-bit-biht", 2),
    "coded_2": scheme(n=60, guard=False), "coded_3": scheme(n=40, p=3),
    "lloyd": searched(PAPER, bits=13, windows=3), "lloyd_bare": searched(PAPER, bits=12, windows=2, guard=False),
    "lloyd_one": searched(PAPER | {"s": 1}, bits=8, windows=1),
    "plane": searched(PAPER | {"matrix": "gaussian"}, bits=12, windows=2, code="plane"),
    "range": searched(PAPER | {"basis": "dct", "matrix": "gaussian"}, bits=12, windows=16, code="range"),
    "tflm": encoder("tflm"), "native": encoder("native", "sigmoid"), "tflm16": encoder("tflm16"),
    "relu": encoder("tflm", "relu6"), "hard_native": encoder("native", "hard_tanh"),
    "hard16": encoder("tflm16", "hard_tanh"),
    "seen": encoder("tflm", seen=True), "seen_native": encoder("native", seen=True),
    "seen16": encoder("tflm16", seen=True),
    "levels": converted(levels=6), "thresholds": converted(thresholds=[-0.5, 0.1]),
}  # fmt: skip


def record(write: Write, name: str) -> dict[str, Any]:
    """Return what a design comes to."""
    with TemporaryDirectory() as folder:
        write(path := Path(folder) / name)
        return facts(read_bundle(path), {"model_id"} if name in BY_REALS else set())


def facts(bundle: Bundle, left_out: set[str]) -> dict[str, Any]:
    """Return a bundle's manifest and arrays, digests of its other files but the C, as JSON holds them."""
    told = bundle.manifest.model_dump(mode="json", exclude={"checksum", "files", "tools", *left_out})
    npz = [name for name in sorted(bundle.manifest.files) if name.endswith(".npz")]
    arrays = {f"{name}: {key}": _listed(table) for name in npz for key, table in bundle.read_arrays(name).items()}
    beside = set(bundle.manifest.files) - {*npz, *(f"c/qcs_model_{bundle.manifest.name}.{ending}" for ending in "ch")}
    digests = {name: sha256(bundle.read(name)).hexdigest()[:16] for name in sorted(beside)}
    found: dict[str, Any] = json.loads(json.dumps({"manifest": told, "arrays": arrays, "digests": digests}))
    return found


def proposals() -> list[Any]:
    """Return what the families propose when codecs are compared, with and without a front end, as JSON holds it."""
    front = {"signal": {"n": 20, "m": 10, "s": 2, "matrix": "gaussian"}, "adc": {"bits": 10}}
    asked = (((8, 10, 16, 33, 512, 516), RATES, front), ((12, 14), (2.0, 9.0), {}), ((24,), (0.04,), front))
    return [[vars(one) | {"designs": [*one.designs.items()]} for one in proposed(*given)] for given in asked]


def _listed(table: np.ndarray) -> dict[str, Any]:
    """Return an array: of many numbers a few weighted sums."""
    values, kind = table.ravel(), table.dtype.kind
    if len(values) > MOST_LISTED:
        wide = values.astype(np.float64 if kind == "f" else np.int64)
        values = (np.arange(5)[:, None] * np.arange(len(values)) % 1009 + 1) @ wide
    short = [float(f"{value:.9g}") for value in values] if kind == "f" else values.tolist()
    return {"dtype": table.dtype.str, "shape": list(table.shape), "values": short}


def main() -> None:
    """Write all."""
    lines = [f"{json.dumps(PROPOSALS)}: {json.dumps(proposals())}"]
    lines += (f"{json.dumps(name)}: {json.dumps(record(write, name))}" for name, write in DESIGNS.items())
    (HERE / "designs.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main()
