"""A full-integer int8 `.tflite` of TensorFlow's converter, and thresholds → a bundle that encodes.

The integers are those of the file, not one is chosen here. What the network takes and gives is in its own units.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from qcskit.codec import codecs
from qcskit.codec.arrays import MOST_BYTES
from qcskit.codec.errors import QcsError
from qcskit.codec.files import check_replaceable
from qcskit.codec.interface import Codec
from qcskit.codec.json_file import read_bounded
from qcskit.codec.learned.agree import Dense
from qcskit.codec.learned.apart import Apart
from qcskit.codec.learned.bundle import ARITHMETICS
from qcskit.codec.learned.chain import front_end_for
from qcskit.codec.learned.converted import read_converted
from qcskit.codec.sensor import UNKNOWN_ADC, AdcConfig, grid_of
from qcskit.export.config import ExportConfig
from qcskit.export.learned.encoder import Encoder
from qcskit.export.learned.flatbuffer import DenseOp
from qcskit.export.learned.fold import Profile, int8_tables
from qcskit.export.learned.job import Array, Pairs, Progress, Scales
from qcskit.export.learned.own import SEED, OwnSource, holds_counts, model_name, rows_of
from qcskit.export.learned.quantize import FloatEncoder
from qcskit.export.learned.run import encoder_draft
from qcskit.export.writer import Draft, measured, write_bundle

_MOST_LEVELS = 256
_AS_IT_IS = Scales(0.0, 1.0, 0.0, 1.0)


def export_tflite(
    model: str | Path | bytes,
    calibration: ArrayLike | None = None,
    *,
    out: str | Path,
    thresholds: ArrayLike | None = None,
    levels: int | None = None,
    name: str = "",
    config: ExportConfig | None = None,
    adc: AdcConfig = UNKNOWN_ADC,
    progress: Progress = lambda stage, done, total: None,
) -> Codec:
    """Write the bundle of a full-integer int8 `.tflite` encoder, and return its codec. It has no decoder.

    model: the file, or its bytes. calibration: y (frames, M) as the network takes them, in its units, or a series that
    is cut into such: they become the bundle's windows, and say what the ADC has to convert; whole numbers within int16
    are its counts. thresholds: I − 1 numbers in units of the network's output, ascending; or levels: I cells of equal
    width over what the output can be. adc: the converter. config: its profile may be native, else it is tflm.

    Raises QcsError in one line that names the operator, tensor or number that cannot be exported, and what would do.

    >>> from qcskit.codec import open_codec
    >>> from qcskit.export import export_tflite
    >>> x, y = open_codec("bundle").draw(500, seed=1)
    >>> export_tflite("bundle/encoder.tflite", y, out="converted", levels=8)
    <learned codec 'encoder' ...: 10 counts to 4 bytes to 10 entries, 3 bits per entry, NMSE not measured>
    """
    out, where = Path(out), "the .tflite" if isinstance(model, bytes) else f"model '{model}'"
    check_replaceable(out)
    config = (config or ExportConfig.model_validate({})).model_copy(update={"name": name} if name else {})
    name = config.name or model_name("encoder" if isinstance(model, bytes) else Path(model).stem)
    content = model if isinstance(model, bytes) else read_bounded(Path(model), "model", MOST_BYTES)
    try:
        draft = tflite_draft(name, content, calibration, thresholds, levels, config, adc)
    except QcsError as error:
        raise QcsError(f"{where}: {error}") from None
    progress("write", 0, 1)
    write_bundle(out, draft, config.golden_frames, SEED)
    progress("write", 1, 1)
    return codecs.open_codec(out)


def tflite_draft(
    name: str,
    content: bytes,
    calibration: ArrayLike | None,
    thresholds: ArrayLike | None,
    levels: int | None,
    config: ExportConfig,
    adc: AdcConfig,
) -> Draft:
    """Return the draft of a file's encoder; arguments as `export_tflite` takes them."""
    converted = read_converted(content)
    if converted.alone:
        Apart("TFLite Micro", content, "tflm", dtype=np.dtype(np.int8).str)  # there a crash is an error in words
    layers = tuple(_dense_op(layer) for layer in converted.layers)
    edges, values = quantizer(layers[-1], thresholds, levels)
    if calibration is None:
        raise QcsError("give y as the network takes it, rows (frames, M): calibration")
    y = rows_of(calibration, "calibration: y", layers[0].weights.shape[1])
    source = OwnSource(True, holds_counts(y), y.shape[1], _AS_IT_IS, Pairs(y, y), None, y)
    encoder = encoder_of(layers, edges, source, config.profile, adc)
    draft = encoder_draft(name, encoder, edges, values, content if converted.alone else b"")
    draft = replace(draft, source=source.arrays(encoder.signal, config.test_windows))
    return replace(draft, nmse=measured(draft.codec(), None, y[: config.test_frames]))


def quantizer(last: DenseOp, thresholds: ArrayLike | None, levels: int | None) -> tuple[Array, Array]:
    """Return thresholds (I−1) on the real output of the last layer, and the middles of their cells (I)."""
    low, high = output_range(last)
    if (thresholds is None) == (levels is None):
        raise QcsError("give either thresholds of its outputs, or levels, the number of equal cells")
    if levels is not None:
        if not 2 <= levels <= _MOST_LEVELS:
            raise QcsError(f"levels is {levels}, expected 2 … {_MOST_LEVELS}")
        edges = np.linspace(low, high, levels + 1)[1:-1]
    else:
        try:
            edges = np.asarray(thresholds, np.float64).ravel()
        except (TypeError, ValueError):
            raise QcsError("thresholds are no list of numbers") from None
        if not 1 <= len(edges) < _MOST_LEVELS or not np.isfinite(edges).all() or (np.diff(edges) <= 0).any():
            raise QcsError(f"thresholds are {len(edges)} numbers, expected 1 … {_MOST_LEVELS - 1}, finite, each larger "
                           "than the one before")  # fmt: skip
        if not ((low < edges) & (edges < high)).any():
            raise QcsError(f"thresholds {edges[0]:g} … {edges[-1]:g} tell nothing apart: the output lies in "
                           f"{low:.4g} … {high:.4g}; give them in its units, not in steps of its grid")  # fmt: skip
    ends = np.concatenate([[min(low, edges[0])], edges, [max(high, edges[-1])]])
    return edges, (ends[:-1] + ends[1:]) / 2.0


def output_range(last: DenseOp) -> tuple[float, float]:
    """Return between what the real output lies: the bounds of an activation that saturates, else those of its grid."""
    activation, (scale, zero_point) = last.activation, last.output_grid
    if activation.operator:
        return activation.low, activation.high
    low, high = ((end - zero_point) * float(scale) for end in (-128, 127))
    return max(low, activation.low), min(high, activation.high)


def encoder_of(
    layers: tuple[DenseOp, ...], thresholds: Array, source: OwnSource, profile: str, adc_config: AdcConfig
) -> Encoder:
    """Return the integer encoder behind an ADC; one left to be chosen converts all that the network input takes."""
    if profile == "tflm16":
        raise QcsError("export.profile = tflm16: a .tflite keeps the int8 that it was converted to; take tflm or "
                       "native, or export the Keras model")  # fmt: skip
    taken: Profile = "native" if profile == "native" else "tflm"
    scale, zero_point = float(layers[0].input_scale), layers[0].input_zero_point
    signal, adc = source.sensed(adc_config, scale * max(127 - zero_point, 128 + zero_point))
    steps = ARITHMETICS["int8"].steps
    ranges = (scale * steps,)
    front_end = front_end_for([ranges[0] / steps], adc.units_per_count, grid_of(signal, adc).centre_counts, zero_point)
    tables = int8_tables(layers, thresholds, front_end, taken)
    return Encoder(_in_floats(layers, thresholds), layers, tables, taken, signal, adc, ranges)


def _dense_op(layer: Dense) -> DenseOp:
    source, pre = layer.source, layer.pre
    return DenseOp(
        layer.weights, np.asarray(layer.weight_scales, np.float32), layer.raw_bias, np.float32(source.scales[0]),
        source.zero_points[0], np.float32(pre.scales[0]), pre.zero_points[0], layer.activation,
    )  # fmt: skip


def _in_floats(layers: tuple[DenseOp, ...], thresholds: Array) -> FloatEncoder:
    """Return what the integers of layers stand for."""
    return FloatEncoder(
        tuple((layer.weights * layer.weight_scale[:, None]).astype(np.float32) for layer in layers),
        tuple((layer.bias * layer.unit).astype(np.float32) for layer in layers),
        thresholds,
        tuple(layer.activation.name for layer in layers),
    )
