"""The wide encoder: 16-bit activations, int8 weights. Its tables, and the NumPy reference that defines it.

Arithmetic is that of TensorFlow Lite Micro's reference kernels for int16 × int8 with 32-bit biases: FULLY_CONNECTED
accumulates int32 and requantizes as in int8 (`qcskit.codec.integer.requantize`); TANH interpolates a table of 256
entries. The network input is the ADC count less the offset, shifted to 16 bits: the device needs no other front end. As
in int8 the last layer is folded into int32 thresholds on its accumulator. `firmware/src/qcs_wide.c` holds the same.
"""

from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qcskit.codec.bundle import Bundle
from qcskit.codec.decoder import BundleDecoder
from qcskit.codec.errors import QcsError
from qcskit.codec.integer import DenseChain, matmul_exact, requantize, tables_id
from qcskit.codec.signal import SignalConfig, draw_frames

TABLES_VERSION = 1
"""Version of the tables' meaning; C text asserts it, the model id depends on it."""

INT16_MIN, INT16_MAX = -32768, 32767

PRE_SCALE = 2.0**-12
"""Grid in front of every tanh: ±8. TFLM's int16 TANH then needs no rounding of its own."""
OUTPUT_SCALE = 2.0**-15
"""Output grid of an int16 TANH, fixed by the TensorFlow Lite quantization specification."""

_CHUNK_FRAMES = 1024


@dataclass(frozen=True)
class WideDense:
    """One hidden layer: int16 in → int16 out.

    weights: int8 (outputs, inputs), |w| <= 127. bias, multiplier: int32 (outputs,), Q31 mantissa in [2^30, 2^31).
    shift: int8 (outputs,), left if positive. low, high: clamp of the pre-activation. activation: int16 (256,), tanh at
    multiples of 256 / (3 · 4096), rising, in 1/32768; or (0,): the clamped pre-activation is the output.
    """

    weights: NDArray[np.int8]
    bias: NDArray[np.int32]
    multiplier: NDArray[np.int32]
    shift: NDArray[np.int8]
    low: int
    high: int
    activation: NDArray[np.int16]


@dataclass(frozen=True)
class WideTables(DenseChain):
    """All integers of one wide encoder.

    offset: the ADC's count at y = 0. input_shift: 0 … 8, bits that an ADC lacks to 16. The rest as in `EncoderTables`.
    """

    hidden: tuple[WideDense, ...]
    weights: NDArray[np.int8]
    thresholds: NDArray[np.int32]
    offset: int
    input_shift: int

    def __post_init__(self) -> None:
        self.check_shapes()
        for number, layer in enumerate(self.hidden):
            if layer.activation.shape not in ((256,), (0,)):
                raise QcsError(f"encoder tables: activation of hidden layer {number} must have 256 entries or none")

    @cached_property
    def model_id(self) -> str:
        """First 8 bytes of SHA-256 over all tables, as 16 hex digits; a board and a bundle must agree on it."""
        return tables_id(f"qcs-wide-{TABLES_VERSION}", to_arrays(self))


def network_input(tables: WideTables, counts: NDArray[np.integer[Any]]) -> NDArray[np.int16]:
    """Return (count − offset) · 2^input_shift, saturated to int16; counts (frames, M).

    Raises QcsError on another shape or dtype.
    """
    if counts.ndim != 2 or counts.shape[1] != tables.inputs or counts.dtype != np.int16:
        raise QcsError(f"counts are {counts.dtype} of shape {counts.shape}, expected int16 (frames, {tables.inputs})")
    return ((counts.astype(np.int32) - tables.offset) << tables.input_shift).clip(INT16_MIN, INT16_MAX).astype(np.int16)


def tanh(table: NDArray[np.int16], pre: NDArray[np.integer[Any]]) -> NDArray[np.int64]:
    """Return TFLM's int16 TANH of pre-activations on the grid `PRE_SCALE`, any shape.

    Source: reference_integer_ops::Tanh for int16 (lite/kernels/internal/reference/integer_ops/tanh.h).
    """
    steps = 3 * np.abs(pre.astype(np.int64))
    place, rest = np.minimum(steps >> 8, 255), steps & 0xFF
    low = table[place].astype(np.int64)
    rise = table[np.minimum(place + 1, 255)] - low
    value = (low << 8) + np.where(place < 255, rest * rise, 0)
    return np.sign(pre) * ((value + 128) >> 8)


def dense(layer: WideDense, x: NDArray[np.int16]) -> NDArray[np.int16]:
    """Return the int16 output (frames, outputs) of one hidden layer for its int16 input x (frames, inputs)."""
    acc = matmul_exact(x, layer.weights) + layer.bias
    pre = requantize(acc, layer.multiplier, layer.shift).clip(layer.low, layer.high)
    return (tanh(layer.activation, pre) if layer.activation.size else pre).astype(np.int16)


def last_accumulator(tables: WideTables, x: NDArray[np.int16]) -> NDArray[np.int64]:
    """Return Σ w·x of the last layer (frames, K), without bias, for network inputs x (frames, M)."""
    for layer in tables.hidden:
        x = dense(layer, x)
    return matmul_exact(x, tables.weights)


def index_of(tables: WideTables, acc: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Return indices (frames, K): how many thresholds of an output are <= its accumulator, acc (frames, K)."""
    columns = [np.searchsorted(row, column, side="right") for row, column in zip(tables.thresholds, acc.T, strict=True)]
    return np.stack(columns, axis=1).astype(np.uint8)


def encode_index(tables: WideTables, x: NDArray[np.int16]) -> NDArray[np.uint8]:
    """Return indices (frames, K), each 0 … I−1, for network inputs x (frames, M): the definition, in int64."""
    return index_of(tables, last_accumulator(tables, x))


def encode_index_fast(tables: WideTables, x: NDArray[np.int16]) -> NDArray[np.uint8]:
    """Return what `encode_index` returns, several times faster: an activation is a table of all 65,536 inputs."""
    layers = [(layer, _every_output(tables, number)) for number, layer in enumerate(tables.hidden)]
    index = np.empty((len(x), tables.outputs), np.uint8)
    for start in range(0, len(x), _CHUNK_FRAMES):
        part = x[start : start + _CHUNK_FRAMES]
        for layer, outputs in layers:
            acc = matmul_exact(part, layer.weights)
            acc += layer.bias
            part = outputs[requantize(acc, layer.multiplier, layer.shift).clip(INT16_MIN, INT16_MAX) - INT16_MIN]
        index[start : start + _CHUNK_FRAMES] = index_of(tables, matmul_exact(part, tables.weights))
    return index


def _every_output(tables: WideTables, number: int) -> NDArray[np.int16]:
    """Return a layer's output for each of the 65,536 requantized sums; made once per tables object."""
    made: dict[int, NDArray[np.int16]] = tables.__dict__.setdefault("_outputs", {})
    if number not in made:
        layer = tables.hidden[number]
        pre = np.arange(INT16_MIN, INT16_MAX + 1).clip(layer.low, layer.high)
        made[number] = (tanh(layer.activation, pre) if layer.activation.size else pre).astype(np.int16)
    return made[number]


def to_arrays(tables: WideTables) -> dict[str, NDArray[np.integer[Any]]]:
    """Return every table by name, for `tables.npz` and the model id."""
    arrays: dict[str, NDArray[np.integer[Any]]] = {
        "weights": tables.weights, "thresholds": tables.thresholds,
        "front_end": np.array([tables.offset, tables.input_shift], np.int64),
    }  # fmt: skip
    for number, layer in enumerate(tables.hidden):
        arrays |= {f"hidden{number}_{f.name}": np.asarray(getattr(layer, f.name)) for f in fields(WideDense)}
    return arrays


def from_arrays(arrays: dict[str, NDArray[np.integer[Any]]]) -> WideTables:
    """Return the tables that `to_arrays` took apart. Raises QcsError if one is missing or misshapen."""
    try:
        hidden: list[WideDense] = []
        while f"hidden{len(hidden)}_weights" in arrays:
            part: dict[str, Any] = {f.name: arrays[f"hidden{len(hidden)}_{f.name}"] for f in fields(WideDense)}
            hidden.append(WideDense(**{**part, "low": int(part["low"]), "high": int(part["high"])}))
        weights, thresholds = arrays["weights"], arrays["thresholds"]
        offset, input_shift = (int(value) for value in arrays["front_end"])
        return WideTables(tuple(hidden), weights, thresholds, offset, input_shift)  # type: ignore[arg-type]
    except (KeyError, TypeError, ValueError) as error:
        raise QcsError(f"encoder tables are incomplete: {error}") from None


class WideBundleCodec(BundleDecoder):
    """A bundle of profile tflm16: counts or measurements to packed bytes in integers, and its decoder."""

    def __init__(self, bundle: Bundle, tables: WideTables) -> None:
        super().__init__(bundle)
        self.tables = tables

    @property
    def inputs(self) -> int:
        """M, counts per vector."""
        return self.tables.inputs

    def counts(self, y: NDArray[np.floating[Any]]) -> NDArray[np.int16]:
        """Return the ADC counts of measurements y (any shape); saturates. Raises QcsError if y is not finite."""
        return self.bundle.to_counts(y)

    def encode_counts(self, counts: NDArray[np.integer[Any]]) -> NDArray[np.uint8]:
        """Return packed bytes (frames, packed_bytes) of ADC counts (frames, M): what the device computes."""
        return self.packing.pack(encode_index_fast(self.tables, network_input(self.tables, counts)))

    def definition(self, counts: NDArray[np.int16]) -> NDArray[np.uint8]:
        """Return the indices (frames, K) of counts (frames, M), layer by layer in int64."""
        return encode_index(self.tables, network_input(self.tables, counts))

    def encode(self, y: NDArray[np.float64]) -> NDArray[np.uint8]:
        """Return packed bytes (frames, packed_bytes) of measurements y (frames, M), through the ADC."""
        return self.encode_counts(self.counts(y))

    def draw(self, frames: int, seed: int | list[int]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return x (frames, N) and measurements y (frames, M) of the bundle's source."""
        return draw_frames(SignalConfig.model_validate(self.bundle.manifest.signal.model_dump()), frames, seed)


def read_wide(bundle: Bundle) -> WideBundleCodec:
    """Return the codec of a bundle of profile tflm16. Raises QcsError if its tables are not those its id names."""
    try:
        tables = from_arrays(bundle.arrays)
    except QcsError as error:
        raise QcsError(f"bundle '{bundle.path}': tables.npz: {error}; run 'qcskit export' again") from None
    if tables.model_id != bundle.manifest.model_id:
        raise QcsError(f"bundle '{bundle.path}': tables.npz is of model {tables.model_id}, manifest.json of "
                       f"{bundle.manifest.model_id}; run 'qcskit export' again")  # fmt: skip
    manifest = bundle.manifest
    stated = (manifest.inputs, manifest.outputs, manifest.levels, manifest.packed_bytes, manifest.adc.offset_counts)
    found = (tables.inputs, tables.outputs, tables.levels, tables.packing.packed_bytes, tables.offset)
    if stated != found or manifest.profile != "tflm16":
        raise QcsError(f"bundle '{bundle.path}': manifest.json and tables.npz differ in inputs, outputs, levels, "
                       f"packed bytes, offset or profile: {stated}, {found}; run 'qcskit export' again")  # fmt: skip
    return WideBundleCodec(bundle, tables)
