"""A bundle of a learned codec: integer tables for the device, its flatbuffer as oracle, a decoder network.

encoder.tflite          EncNet in int8 or int16, what TFLite Micro runs
decoder.tflite          float32 decoder, indices → x_hat
tables.npz              the integer tables of `int8.py` or `int16.py`
vectors.npz             int8 has `input` and `input_packed` too: network inputs, and the packets that answer them
c/qcs_tflm_…            the flatbuffer as a C array and its glue, for firmware on TFLite Micro
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from types import ModuleType
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from qcskit.codec import codecs
from qcskit.codec.arrays import check_names
from qcskit.codec.bundle import Bundle, CodecFacts
from qcskit.codec.config import Table
from qcskit.codec.errors import MissingLibraryError, QcsError
from qcskit.codec.indexed import Index, IndexCodec
from qcskit.codec.interface import Array, Counts, Oracle, Packets
from qcskit.codec.learned import agree, c_int8, c_int16, int8_fast, int16, tflm
from qcskit.codec.learned.apart import Apart
from qcskit.codec.learned.chain import DenseChain, front_end_for
from qcskit.codec.learned.edges import POOL_FACTOR, on_edges
from qcskit.codec.learned.int8 import Int8Tables
from qcskit.codec.learned.int16 import Int16Tables
from qcskit.codec.learned.litert import LiteRt
from qcskit.codec.optional import need
from qcskit.codec.sensor import grid_of
from qcskit.codec.text import c_files

_BATCH = 4096
_KEPT = 4
"""Models that stay in their processes, so that a bundle opened again starts none."""

PROFILES = {
    "tflm": "int8, what TFLite Micro computes",
    "native": "int8, thresholds on the last accumulators",
    "tflm16": "int16 activations, what TFLite Micro computes",
}
"""Arithmetic and where the thresholds act, in the order of what they cost the device."""


@dataclass(frozen=True)
class Arithmetic:
    """An arithmetic of activations: tables, the fast NumPy encoder, the C text, the oracle's dtype."""

    tables: type[DenseChain]
    encode_index: Callable[[Any, Any], Index]
    c_text: ModuleType
    dtype: type[np.integer[Any]]
    steps: int
    """Steps of the network input's grid from 0 to the end of its range."""


ARITHMETICS = {
    "int8": Arithmetic(Int8Tables, int8_fast.encode_index, c_int8, np.int8, 127),
    "int16": Arithmetic(Int16Tables, int16.encode_index, c_int16, np.int16, 2**15),
}


class Grid(Table):
    """An affine int8 grid: real = scale · (q − zero_point)."""

    scale: float = Field(gt=0, allow_inf_nan=False)
    zero_point: int


class Facts(CodecFacts):
    """The learned codec of a bundle. input_grid: of the int8 network input; None for int16.

    activation: of its first layer. input_ranges: what half of the input grid covers, in units of y; one for all inputs,
    or one for each. With a zero point of 0 the network input covers ± that about its centre.
    loss_db: NMSE that each profile tried costs against the trained float; skipped_db: of
    those that were given up before the decoder was fine-tuned to them.
    """

    kind: Literal["learned"] = "learned"
    arithmetic: Literal["int8", "int16"]
    profile: Literal["tflm", "native", "tflm16"]
    activation: str
    outputs: int
    levels: int
    widths: list[int]
    packed_bits: int
    input_grid: Grid | None = None
    input_ranges: tuple[float, ...]
    thresholds: list[float]
    quantizer_levels: list[float]
    arena_bytes: int | None = None
    loss_db: dict[str, float] = Field(default_factory=dict)
    skipped_db: dict[str, float] = Field(default_factory=dict)
    training: dict[str, float | int | str | None] = Field(default_factory=dict)
    history: dict[str, list[float]] = Field(default_factory=dict)


@lru_cache(maxsize=_KEPT)
def _litert(model: bytes, reference: bool = False) -> LiteRt:
    return LiteRt(model, reference=reference)


@lru_cache(maxsize=_KEPT)
def _tflm(model: bytes, dtype: str) -> Apart:
    need(tflm.RUNTIME, "simulate", tflm.PURPOSE)
    return Apart("TFLite Micro", model, "tflm", dtype=dtype)


class LearnedCodec(IndexCodec):
    """A bundle's learned codec. tables: its integers. activations: of its layers, by Keras's names."""

    def __init__(self, bundle: Bundle, facts: Facts, tables: DenseChain, activations: Sequence[str]) -> None:
        super().__init__(bundle, tables.packing, tables.inputs)
        self.facts, self.tables, self.activations = facts, tables, activations
        self.arithmetic = ARITHMETICS[facts.arithmetic]
        self.takes_inputs = facts.arithmetic == "int8"
        self.decodes = bundle.has("decoder.tflite")
        self.c_beside = (f"c/qcs_tflm_{self.name}.h", "c/qcs_tflm_encoder.cc")

    @cached_property
    def _decoder(self) -> LiteRt:
        if not self.decodes:
            raise QcsError(f"bundle '{self.bundle.path}' encodes only: it holds no decoder")
        try:
            return _litert(self.bundle.read("decoder.tflite"))
        except QcsError as error:
            raise self.bundle.fail(f"decoder.tflite: {error}") from None

    def index(self, counts: Counts) -> Index:
        """Return the indices (packets, K) of counts (packets, M)."""
        return self.input_index(self.tables.network_input(counts))

    def input_index(self, x: NDArray[Any]) -> Index:
        """Return the indices (packets, K) of network inputs (packets, M)."""
        return self.arithmetic.encode_index(self.tables, x)

    def network_input(self, counts: Counts) -> NDArray[np.int8]:
        """Return the int8 network inputs of ADC counts, any shape."""
        return self.tables.network_input(counts) if self.takes_inputs else super().network_input(counts)

    def encode_inputs(self, inputs: NDArray[np.int8]) -> Packets:
        """Return the packets of int8 network inputs (packets, M)."""
        return self.pack(self.input_index(inputs)) if self.takes_inputs else super().encode_inputs(inputs)

    def decode_index(self, index: Index) -> Array:
        """Return x_hat (packets, N) of indices (packets, K)."""
        if not len(index):
            return np.empty((0, self.width))
        # Equal batches let the interpreter keep its allocation; the last one is filled up and cut.
        size = min(_BATCH, len(index))
        parts = []
        for start in range(0, len(index), size):
            part = index[start : start + size]
            padded = np.concatenate([part, np.zeros((size - len(part), index.shape[1]), np.uint8)])
            parts.append(self._decoder.run(padded)[: len(part)].astype(np.float64))
        x_hat = np.concatenate(parts)
        if not np.isfinite(x_hat).all():
            raise self.bundle.fail("decoder.tflite gives NaN or infinity")
        return x_hat

    def limits(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the least and the largest count (inputs,) that neither ADC nor network input clips."""
        every = np.arange(-32768, 32768)
        grid = self.tables.front_end.grid(np.repeat(every[:, None].astype(np.int16), self.inputs, axis=1))
        info = np.iinfo(self.arithmetic.dtype)
        inside = (grid >= info.min) & (grid <= info.max)
        low, high = super().limits()
        return np.maximum(low, every[inside.argmax(axis=0)]), np.minimum(high, every[-1 - inside[::-1].argmax(axis=0)])

    def oracles(self) -> tuple[Oracle, ...]:
        """Return TFLite Micro (of a native codec: its hidden layers, then float64), and LiteRT where it has a say."""
        try:
            return self._oracles(self.bundle.read("encoder.tflite"), self.facts.thresholds)
        except MissingLibraryError:
            raise
        except QcsError as error:
            raise self.bundle.fail(f"encoder.tflite: {error}") from None

    def _oracles(self, flatbuffer: bytes, thresholds: list[float]) -> tuple[Oracle, ...]:
        def runtime(content: bytes) -> Apart:
            return _tflm(content, np.dtype(self.arithmetic.dtype).str)

        if self.facts.profile == "native":
            native = tflm.NativeOracle(flatbuffer, thresholds, runtime)
            return (self._oracle("tflm hidden + float64", "oracle", native.index),)
        micro = runtime(flatbuffer)
        if (micro.inputs, micro.outputs) != (self.tables.inputs, self.tables.outputs):
            raise QcsError(f"it has {micro.inputs} inputs and {micro.outputs} outputs, tables.npz {self.tables.inputs} "
                           f"and {self.tables.outputs}")  # fmt: skip

        def by(run: Callable[[NDArray[Any]], NDArray[Any]], grid: tuple[float, int]) -> Callable[[NDArray[Any]], Index]:
            return lambda x: tflm.index(run(x), grid, thresholds)

        found = [self._oracle("tflm", "oracle", by(micro.run, micro.output_grid))]
        if self.takes_inputs:
            lite = _litert(flatbuffer, reference=True)
            found.append(self._oracle("litert", "reported", by(lite.run, lite.output_grid)))
        return tuple(found)

    def _oracle(self, name: str, role: Literal["oracle", "reported"], of: Callable[[Any], Index]) -> Oracle:
        def encode(values: NDArray[Any]) -> Packets:
            return self.pack(of(values if values.dtype == np.int8 else self.tables.network_input(values)))

        return Oracle(name, role, encode)

    def edges(self, packets: int, rng: np.random.Generator) -> Counts:
        """Return counts of which a last accumulator lies on a threshold or one below, or close to it; all as often."""
        # Counts that the whole input grid covers, about its middle.
        half = np.array(self.facts.input_ranges) / self.bundle.manifest.adc.units_per_count
        front = self.tables.front_end
        middle = front.offset - half * (front.zero_point / self.arithmetic.steps)
        reach = np.minimum(half + 1.0, 32768.0) * 0.5 ** rng.integers(0, 9, (packets * POOL_FACTOR, 1))
        pool = np.floor(rng.uniform(-1.0, 1.0, (len(reach), self.inputs)) * reach + middle)
        counts = pool.clip(-32768, 32767).astype(np.int16)
        step = max(1, round(float(np.median(half)) / self.arithmetic.steps))
        return on_edges(lambda some: self.tables.accumulator(self.tables.network_input(some)),
                        self.tables.thresholds, counts, step, rng)  # fmt: skip

    def c_files(self) -> dict[str, str]:
        """Return the C text that the tables make."""
        return c_files(
            self.arithmetic.c_text.c_model(self.name, self.tables, codecs.find_family(self.kind).number),
            self.sensor_macros(),
        )

    def describe(self) -> dict[str, str]:
        """Return dimensions, arithmetic and training in words."""
        facts, widths = self.facts, "-".join(map(str, self.tables.widths))
        rows = {
            "encoder": f"EncNet {widths}, {activation_words(self.activations)}, {facts.levels} levels per output",
            "arithmetic": f"{facts.arithmetic}, profile {facts.profile}: {PROFILES[facts.profile]}",
            **({"profiles tried": self._losses()} if facts.loss_db else {}),
            "input covers": self._covered(),
            **self.size_rows(),
            "multiply-accumulates": f"{self.tables.macs:,} per vector",
            "tables": f"{self.tables.table_bytes:,} bytes of flash in plain form",
            "TFLite Micro arena": f"{facts.arena_bytes:,} bytes, 64-bit host" if facts.arena_bytes else "not measured",
        }
        trained = ", ".join(f"{key} {value}" for key, value in facts.training.items() if key != "nmse_hard_db")
        return rows | ({"trained": trained} if trained else {})

    def _losses(self) -> str:
        tried = ", ".join(f"{profile} {loss:+.2f} dB" for profile, loss in self.facts.loss_db.items())
        skipped = "".join(f"; {name} given up at {loss:+.2f} dB" for name, loss in self.facts.skipped_db.items())
        cost = "; 16 bits take about four times the instructions of 8" if self.facts.profile == "tflm16" else ""
        judged = "" if self.bundle.manifest.nmse.deployed_db is not None else ", by the encoder's outputs"
        return f"{tried} against the trained float{judged}{skipped}{cost}"

    def _covered(self) -> str:
        ranges, zero, steps = self.facts.input_ranges, self.tables.front_end.zero_point, self.arithmetic.steps
        named = f" {unit}" if (unit := self.bundle.manifest.adc.unit) else ""
        if not zero:
            own = f"{min(ranges):.4g} … {max(ranges):.4g}, input by input" if len(ranges) > 1 else f"{ranges[0]:.4g}"
            return f"± {own}{named} about ADC count {self.tables.front_end.offset}"
        low, high = (max(ranges) * (end - zero) / steps for end in (-steps - 1, steps))
        widest = ", the widest input" if len(ranges) > 1 else ""
        return f"{low:.4g} … {high:.4g}{named}{widest} from ADC count {self.tables.front_end.offset}"

    def curves(self) -> dict[str, dict[str, list[float]]]:
        """Return NMSE over the training, and the quantizer; empty for an encoder that was not trained."""
        history, facts = self.facts.history, self.facts
        if not history.get("step"):
            return {}
        rise = history["steepness"]
        shown = sorted({float(round(rise[place])) for place in (0, len(rise) // 3, -1)})
        quantizer = {"thresholds": facts.thresholds, "levels": facts.quantizer_levels, "steepness": shown}
        return {"training": {key: history[key] for key in ("step", "soft_db", "hard_db")}, "quantizer": quantizer}

    def cost(self) -> dict[str, int]:
        """Return multiply-accumulates and bytes; scratch differs from core to core."""
        return {"macs": self.tables.macs, "table_bytes": self.tables.table_bytes, **super().cost()}


def activation_words(names: Sequence[str]) -> str:
    """Return the activations of layers in words.

    >>> activation_words(["tanh", "tanh"]), activation_words(["relu", "relu", "sigmoid"])
    ('tanh', 'relu-relu-sigmoid')
    """
    return names[0] if len(set(names)) == 1 else "-".join(names)


def read(bundle: Bundle) -> LearnedCodec:
    """Return the codec of a learned bundle. Raises QcsError if two of its files contradict each other."""
    facts, manifest = bundle.manifest.codec, bundle.manifest
    assert isinstance(facts, Facts)
    try:
        tables = ARITHMETICS[facts.arithmetic].tables.from_arrays(bundle.arrays)
        check_names(bundle.arrays, tables.to_arrays())
    except QcsError as error:
        raise bundle.fail(f"tables.npz: {error}") from None
    if tables.model_id != manifest.model_id:
        raise bundle.fail(f"tables.npz is of model {tables.model_id}, manifest.json of {manifest.model_id}")
    for key, stated, found in (
        ("codec.outputs", facts.outputs, tables.outputs), ("codec.levels", facts.levels, tables.levels),
        ("codec.widths", tuple(facts.widths), tables.widths),
        ("number of codec.thresholds", len(facts.thresholds), tables.levels - 1),
        ("number of codec.quantizer_levels", len(facts.quantizer_levels), tables.levels),
        ("signal.m", manifest.signal.m, tables.inputs),
    ):  # fmt: skip
        bundle.check_equal(key, stated, found)
    if sorted(facts.thresholds) != facts.thresholds:
        raise bundle.fail("manifest.json: codec.thresholds are not in ascending order")
    _check_history(bundle, facts)
    _check_arithmetic(bundle, facts, tables)
    layers = _check_encoder(bundle, facts, tables)
    codec = LearnedCodec(bundle, facts, tables, [layer.activation.name for layer in layers])
    bundle.check_equal("codec.packed_bits", facts.packed_bits, codec.packing.packed_bits)
    _check_decoder(codec)
    return codec


def _check_history(bundle: Bundle, facts: Facts) -> None:
    lengths = {key: len(values) for key, values in facts.history.items()}
    if lengths and not (
        lengths.keys() >= {"step", "soft_db", "hard_db", "steepness"} and len(set(lengths.values())) == 1
    ):
        found = ", ".join(f"{key[:20]} {length}" for key, length in list(lengths.items())[:8])
        raise bundle.fail(f"manifest.json: codec.history needs equally long step, soft_db, hard_db, steepness; {found}")


def _check_arithmetic(bundle: Bundle, facts: Facts, tables: DenseChain) -> None:
    signal, adc = bundle.manifest.signal, bundle.manifest.adc
    if (facts.input_grid is None, facts.profile == "tflm16") != (facts.arithmetic == "int16",) * 2:
        raise bundle.fail(f"manifest.json: {facts.arithmetic} does not go with profile {facts.profile}")
    steps, ranges, zero_point = ARITHMETICS[facts.arithmetic].steps, facts.input_ranges, 0
    if facts.input_grid is not None:
        zero_point = facts.input_grid.zero_point
    if len(ranges) not in (1, tables.inputs):
        raise bundle.fail(f"manifest.json: codec.input_ranges holds {len(ranges)}, expected 1 or {tables.inputs}")
    try:
        front_end = front_end_for(
            [own / steps for own in ranges], adc.units_per_count, grid_of(signal, adc).centre_counts, zero_point
        )
    except QcsError as error:
        raise bundle.fail(f"manifest.json: {error}") from None
    if tables.front_end != front_end:
        raise bundle.fail("adc, signal, codec.input_grid and codec.input_ranges of manifest.json do not give the front "
                          "end of tables.npz")  # fmt: skip
    if facts.input_grid is not None and not math.isclose(
        facts.input_grid.scale, max(ranges) / signal.y_grid[1] / steps, rel_tol=1e-6
    ):
        raise bundle.fail("manifest.json: codec.input_ranges and codec.input_grid contradict each other")


def _check_encoder(bundle: Bundle, facts: Facts, tables: DenseChain) -> tuple[agree.Dense, ...]:
    """Return the layers of encoder.tflite."""
    try:
        layers = agree.check_tables(bundle.read("encoder.tflite"), tables)
        agree.check_thresholds(layers[-1], tables, facts.thresholds, facts.profile == "native")
    except QcsError as error:
        raise bundle.fail(f"encoder.tflite: {error}") from None
    first, grid = layers[0].source, facts.input_grid
    found: tuple[float, int] = (first.scales[0], first.zero_points[0])
    stated = found if grid is None else (grid.scale, grid.zero_point)
    bundle.check_equal("codec.input_grid", stated, found, "encoder.tflite")
    bundle.check_equal("codec.activation", facts.activation, layers[0].activation.name, "encoder.tflite")
    return layers


def _check_decoder(codec: LearnedCodec) -> None:
    bundle = codec.bundle
    if not codec.decodes:
        return
    try:
        content, levels = bundle.read("decoder.tflite"), codec.facts.quantizer_levels
        agree.check_decoder(content, codec.tables.outputs, codec.width, levels)
    except QcsError as error:
        raise bundle.fail(f"decoder.tflite: {error}") from None
