"""Random encoders through every implementation; one that fails is shrunk to a minimal failing model and vector."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from support.memory_model import MemoryCodec
from support.tables import corner_vectors, edge_vectors, index_of, uniform_vectors

from qcskit.codec.errors import QcsError
from qcskit.codec.learned import int8_fast, tflm
from qcskit.codec.learned.activations import ACTIVATIONS
from qcskit.codec.learned.chain import FrontEnd
from qcskit.codec.learned.int8 import Int8Tables
from qcskit.codec.learned.int16 import OUTPUT_SCALE, PRE_SCALE, Int16Tables
from qcskit.export.learned.flatbuffer import DenseOp, encoder_flatbuffer
from qcskit.export.learned.fold import int8_tables, int16_tables


@dataclass(frozen=True)
class LayerSpec:
    """FULLY_CONNECTED and activation: int8 weights (outputs, inputs), their scales, one each or one for all, int32
    bias, grid of pre-activations.
    """

    weights: NDArray[np.int8]
    weight_scale: NDArray[np.float32]
    bias: NDArray[np.int32]
    pre_scale: float
    pre_zero_point: int = 0
    activation: str = "tanh"


@dataclass(frozen=True)
class ModelSpec:
    """A random encoder as the flatbuffer states it: input grid (zero point: the front end's), layers, thresholds, ADC
    front end.
    """

    input_scale: float
    layers: tuple[LayerSpec, ...]
    thresholds: tuple[float, ...]
    front_end: FrontEnd

    @property
    def widths(self) -> tuple[int, ...]:
        """Layer widths from M to K."""
        return (self.layers[0].weights.shape[1], *(layer.weights.shape[0] for layer in self.layers))

    def describe(self) -> str:
        """Return the widths and levels, for messages."""
        return f"{'-'.join(map(str, self.widths))}, {len(self.thresholds) + 1} levels"


Build = Callable[[ModelSpec], tuple[Int8Tables, bytes]]
"""Makes the integer tables and the flatbuffer of a spec."""


def build(spec: ModelSpec) -> tuple[Int8Tables, bytes]:
    """Return tables and flatbuffer of a random model as the exporter makes them."""
    layers: list[DenseOp] = []
    grid = (np.float32(spec.input_scale), spec.front_end.rows()[0][3])
    for layer in spec.layers:
        pre = (np.float32(layer.pre_scale), layer.pre_zero_point, ACTIVATIONS[layer.activation])
        layers.append(DenseOp(layer.weights, layer.weight_scale, layer.bias, *grid, *pre))
        grid = layers[-1].output_grid
    return int8_tables(layers, np.array(spec.thresholds), spec.front_end), encoder_flatbuffer(layers, "random")


def build_int16(spec: ModelSpec) -> tuple[Int16Tables, bytes]:
    """Return tables and flatbuffer of the same random weights with tanh in int16; input steps are 1/64.

    Counts reach the ends of its input grid as they do in int8.
    """
    layers: list[DenseOp] = []
    scale = np.float32(spec.input_scale / 64)
    for number, layer in enumerate(spec.layers):
        unit = (scale / np.float32(1 / 128 if number else spec.input_scale)).astype(np.float64)
        bias = np.rint(layer.bias / unit).clip(-(2**30), 2**30).astype(np.int32)
        layers.append(DenseOp(layer.weights, layer.weight_scale, bias, scale, 0, np.float32(PRE_SCALE), bits=16))
        scale = np.float32(OUTPUT_SCALE)
    front_end = FrontEnd.of([(offset, mantissa, shift + 8, 0) for offset, mantissa, shift, _ in spec.front_end.rows()])
    tables = int16_tables(layers, np.array(spec.thresholds), front_end)
    return tables, encoder_flatbuffer(layers, "random")


def random_spec(seed: int, *, depth: tuple[int, int] = (1, 5), widest: int = 256) -> ModelSpec:
    """Return an encoder of 1 … 5 layers (or `depth`), widths 1 … `widest`, 2 … 256 levels; all kinds of extremes."""
    rng = np.random.default_rng(seed)
    count = int(rng.integers(depth[0], depth[1] + 1))
    widths = [int(w) for w in np.exp(rng.uniform(0, np.log(widest + 1), count + 1))]
    levels = int(rng.choice([2, 3, 4, 5, 7, 8, 16, 64, 256, int(rng.integers(2, 257))]))
    scale = input_scale = float(np.float32(rng.uniform(0.5, 8) / 127))
    layers = []
    for inputs, outputs in pairwise(widths):
        weights = _random_weights(rng, outputs, inputs)
        weight_scale = (rng.uniform(0.3, 4, outputs) / np.sqrt(inputs) / 127).astype(np.float32)
        if rng.random() < 0.3:
            weight_scale = weight_scale[:1]  # shared
        bias = np.rint(rng.normal(size=outputs) * rng.choice([0, 0.1, 1, 5]) / (scale * weight_scale)).astype(np.int32)
        pre_scale = float(np.float32(rng.choice([1.5, 2, 3, 6, 20]) / 127))
        activation = str(rng.choice(list(ACTIVATIONS))) if rng.random() < 0.5 else "tanh"
        zero = int(rng.integers(-128, 128)) if rng.random() < 0.3 else 0
        layers.append(LayerSpec(weights, weight_scale, bias, pre_scale, zero, activation))
        scale = ACTIVATIONS[activation].output_grid[0] or pre_scale
    spread = rng.choice([0.02, 0.5, 1.0, 1.5])
    thresholds = np.sort(rng.uniform(-spread, spread, levels - 1))
    if rng.random() < 0.3:
        thresholds = np.rint(thresholds * 128) / 128  # on the output grid, some equal
    multiplier, shift = int(rng.integers(2**30, 2**31)), int(rng.integers(-14, 3))
    zero = int(rng.integers(-128, 128)) if rng.random() < 0.3 else 0
    front_end = FrontEnd(int(rng.integers(-2000, 2000)), multiplier, shift, zero)
    if rng.random() < 0.5:
        front_end = apart(front_end, widths[0], rng)
    return ModelSpec(input_scale, tuple(layers), tuple(thresholds.tolist()), front_end)


def apart(front_end: FrontEnd, inputs: int, rng: np.random.Generator) -> FrontEnd:
    """Return a front end per input: the same offset and zero point, other multipliers, shifts −14 … 5."""
    rows = zip(rng.integers(2**30, 2**31, inputs).tolist(), rng.integers(-14, 6, inputs).tolist(), strict=True)
    return FrontEnd.of([(front_end.offset, mantissa, shift, front_end.zero_point) for mantissa, shift in rows])


def _random_weights(rng: np.random.Generator, outputs: int, inputs: int) -> NDArray[np.int8]:
    kind = rng.integers(4)
    if kind == 0:
        return rng.integers(-127, 128, (outputs, inputs), np.int8)
    if kind == 1:
        return rng.choice(np.array([-127, 0, 127], np.int8), (outputs, inputs))
    weights = rng.normal(size=(outputs, inputs)) * (127 / 3)
    if kind == 2:
        weights *= rng.random((outputs, inputs)) < 0.3
    return np.rint(weights).clip(-127, 127).astype(np.int8)


@dataclass(frozen=True)
class Failure:
    """A model on which implementations differ: which one, on what input, and its indices against the reference's."""

    spec: ModelSpec
    implementation: str
    x: NDArray[np.int8]
    expected: list[int]
    got: list[int]

    def __str__(self) -> str:
        return (f"{self.implementation} differs on {self.spec.describe()}: input {self.x.tolist()} gives {self.got}, "
                f"reference {self.expected}")  # fmt: skip


def check_spec(
    spec: ModelSpec, library: Path, build: Build = build, *, frames: int = 300, seed: int = 0
) -> Failure | None:
    """Return the first disagreement of NumPy (definition, fast), C (plain, block, counts) and TFLM on random vectors.

    library: a host library from `build_host_library()`. Raises QcsError if `build` refuses the model.
    """
    tables, flatbuffer = build(spec)
    rng = np.random.default_rng(seed)
    x = np.concatenate([
        uniform_vectors(tables, frames // 2, rng), corner_vectors(tables, frames // 4, rng),
        edge_vectors(tables, frames - frames // 2 - frames // 4, rng),
    ])  # fmt: skip
    return compare(spec, tables, flatbuffer, library, x)


def compare(
    spec: ModelSpec, tables: Int8Tables, flatbuffer: bytes, library: Path, x: NDArray[np.int8]
) -> Failure | None:
    """Return the first disagreement on the int8 vectors x, or on counts derived from them."""
    host = MemoryCodec(library, tables)
    runtime = tflm.TflmRuntime(flatbuffer)
    counts = (x.astype(np.int32) * 257).astype(np.int16)
    expected, of_counts = index_of(tables, x), index_of(tables, counts)

    def unpacked(encode: Callable[[NDArray[Any]], Any], vectors: NDArray[Any]) -> NDArray[np.uint8]:
        return tables.packing.unpack(encode(vectors).rows)

    for name, got, reference in (
        ("numpy-fast", int8_fast.encode_index(tables, x), expected),
        ("c-host", unpacked(host.encode, x), expected),
        ("c-block", unpacked(host.encode_block, x), expected),
        ("c-host counts", unpacked(host.encode, counts), of_counts),
        ("tflm", tflm.index(runtime.run(x), runtime.output_grid, spec.thresholds), expected),
    ):
        wrong = np.flatnonzero((got != reference).any(axis=1))
        if len(wrong):
            frame = int(wrong[0])
            return Failure(spec, name, x[frame], reference[frame].tolist(), got[frame].tolist())
    return None


def shrink(failure: Failure, library: Path, build: Build = build) -> Failure:
    """Return a smaller model and vector that still fail, such that no single reduction fails any more.

    Tries, again and again: drop units, outputs, inputs or thresholds, or set a weight, a bias or an input to 0. A
    smaller model may fail on another vector: a few more are tried with it.
    """

    def still_fails(spec: ModelSpec, x: NDArray[np.int8]) -> Failure | None:
        try:
            tables, flatbuffer = build(spec)
        except QcsError:
            return None
        vectors = x[None, :]
        if spec is not failure.spec:
            rng = np.random.default_rng(0)
            more = (uniform_vectors(tables, 100, rng), corner_vectors(tables, 100, rng))
            vectors = np.concatenate([vectors, *more])
        return compare(spec, tables, flatbuffer, library, vectors)

    smaller: Failure | None = failure
    while smaller is not None:
        failure = smaller
        trials = (still_fails(spec, x) for spec, x in _reductions(failure.spec, failure.x))
        smaller = next((trial for trial in trials if trial is not None), None)
    return failure


def _reductions(spec: ModelSpec, x: NDArray[np.int8]) -> Iterator[tuple[ModelSpec, NDArray[np.int8]]]:
    """Yield models one step smaller, largest steps first; each is strictly smaller, so shrinking ends."""
    for position in range(len(spec.widths)):
        width = spec.widths[position]
        for keep in _subsets(width):
            yield _keep_units(spec, position, keep), x[keep] if position == 0 else x
    for keep in _subsets(len(spec.thresholds)):
        yield replace(spec, thresholds=tuple(spec.thresholds[i] for i in keep)), x
    for number, layer in enumerate(spec.layers):
        for field in ("bias", "weights"):
            values = getattr(layer, field)
            for place in np.argwhere(values)[:64]:
                fewer = values.copy()
                fewer[tuple(place)] = 0
                yield _with_layer(spec, number, replace(layer, **{field: fewer})), x
    for place in np.flatnonzero(x):
        zeroed = x.copy()
        zeroed[place] = 0
        yield spec, zeroed


def _subsets(size: int) -> Iterator[NDArray[np.intp]]:
    """Yield index sets to keep: halves, then all but one; none for size 1."""
    everything = np.arange(size)
    if size > 3:
        yield everything[: size // 2]
        yield everything[size // 2 :]
    if 1 < size <= 32:
        for gone in range(size):
            yield np.delete(everything, gone)


def _keep_units(spec: ModelSpec, position: int, keep: NDArray[np.intp]) -> ModelSpec:
    """Return the model with only the units `keep` at layer boundary `position` (0: inputs, last: outputs)."""
    if position > 0:
        layer = spec.layers[position - 1]
        scales = np.broadcast_to(layer.weight_scale, layer.bias.shape)[keep]
        fewer = replace(layer, weights=layer.weights[keep], weight_scale=scales, bias=layer.bias[keep])
        spec = _with_layer(spec, position - 1, fewer)
    rows = spec.front_end.rows()
    if position == 0 and len(rows) > 1:
        spec = replace(spec, front_end=FrontEnd.of([rows[number] for number in keep]))
    if position < len(spec.layers):
        layer = spec.layers[position]
        spec = _with_layer(spec, position, replace(layer, weights=layer.weights[:, keep]))
    return spec


def _with_layer(spec: ModelSpec, number: int, layer: LayerSpec) -> ModelSpec:
    return replace(spec, layers=(*spec.layers[:number], layer, *spec.layers[number + 1 :]))
