"""From a `[transform]` table and a recording to a bundle. Needs no TensorFlow."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qcskit.codec.bundle import Manifest, NmseFacts
from qcskit.codec.config import Table
from qcskit.codec.errors import CheckFailedError, QcsError
from qcskit.codec.metrics import decibels
from qcskit.codec.sensor import UNKNOWN_ADC, AdcConfig, grid_of, source_arrays
from qcskit.codec.signal import SignalConfig
from qcskit.codec.transform.bundle import Facts, LossyFacts, Rebuild, TransformCodec, model_id
from qcskit.codec.transform.config import TransformConfig
from qcskit.codec.transform.packet import decode, encode
from qcskit.codec.transform.tables import MOST_QUALITY, Tables
from qcskit.export.config import ExportConfig
from qcskit.export.transform.basis import Rows
from qcskit.export.transform.candidates import candidates as candidates
from qcskit.export.transform.decoder import centroids, estimator
from qcskit.export.transform.lossless_design import design_lossless
from qcskit.export.transform.search import Search
from qcskit.export.transform.source import Source
from qcskit.export.transform.step import ROUNDING
from qcskit.export.writer import Draft, measured, write_bundle

METHODS = ("transform",)
"""Names of this family's codecs."""
TABLES: dict[str, type[Table]] = {"transform": TransformConfig, "signal": SignalConfig, "adc": AdcConfig}
"""Configuration that a design reads."""
_MOST_INPUTS = 32_000
"""Of a packet: then raw counts of 16 bits stay below 65,536 bytes."""


def chosen(method: str) -> dict[str, dict[str, Any]]:
    """Return the keys, by table, that choose one of METHODS."""
    return {}


def design(out: Path, tables: dict[str, Any], export: ExportConfig) -> Manifest:
    """Write the bundle of this codec to `out` in one rename and return its manifest.

    tables: configurations by the names of TABLES. Of `[export]` it uses name (default "transform"), golden_frames and
    test_windows. Raises QcsError if the configuration cannot work.
    """
    config: TransformConfig = tables["transform"]
    source = Source.of(tables["signal"], tables.get("adc", UNKNOWN_ADC))
    if config.windows * source.config.n > _MOST_INPUTS:
        raise QcsError(f"[transform] windows = {config.windows}: a packet holds at most {_MOST_INPUTS} samples, that "
                       f"is {_MOST_INPUTS // source.config.n} windows of n = {source.config.n}")  # fmt: skip
    if config.mode == "lossless":
        return design_lossless(out, config, source, export)
    fitted = fit(config, source)
    draft = drafted(fitted, export)
    codec = draft.codec()
    assert isinstance(codec, TransformCodec)
    y = fitted.source.packets("test", config.windows, -(-config.test_frames // config.windows))
    x = y.reshape(-1, codec.width)
    lost = x - float_estimate(fitted, codec.rebuild, y)
    facts = measured(codec, x, y, decibels(float((lost**2).sum()), float((x**2).sum())))
    check_loss(facts, export)
    sent = 8 * float(codec.encode(draft.signal.y_units(y)).lengths.mean()) / codec.inputs
    return write_bundle(out, replace(draft, nmse=facts, rate_bits=sent), export.golden_frames, config.seed)


def check_loss(facts: NmseFacts, export: ExportConfig) -> None:
    """Raise CheckFailedError if what the device sends loses more than `export.max_loss_db` against floating point."""
    if export.allow_loss or facts.float_db is None or facts.deployed_db is None:
        return
    loss = facts.deployed_db - facts.float_db
    if loss > export.max_loss_db:
        clipped = float(np.mean(facts.clipped))
        raise CheckFailedError(
            f"the device loses {loss:.2f} dB against floating point, export.max_loss_db = {export.max_loss_db:g} is "
            f"allowed: {clipped:.2%} of the counts of the test part are clipped; give [adc] more room (bits, "
            "offset_counts, units_per_count), or go on with --set export.allow_loss=true"
        )


@dataclass(frozen=True)
class Fitted:
    """The tables of a recording; `arrays` holds what the decoder needs too. rows: as many as are sent."""

    config: TransformConfig
    source: Source
    rows: Rows
    tables: Tables
    arrays: dict[str, NDArray[Any]]


def fit(config: TransformConfig, source: Source) -> Fitted:
    """Return tables fitted to the training part, with the step that the validation part asks for."""
    if (source.config.n // config.decimate) % 2:
        raise QcsError(f"[transform] decimate = 2 leaves {source.config.n // 2} samples of a window, and their number "
                       "must be even: choose an n that 4 divides")  # fmt: skip
    search = Search(config, source)
    candidate = search.chosen()
    tables, index = candidate.tables, candidate.index
    grid = grid_of(source.signal, source.adc)
    offsets = centroids(index, candidate.acc, candidate.step.size)
    coefficients = Rebuild(offsets, np.empty(0), grid).coefficients(index[:, None], np.zeros(len(index), np.int64))
    sample = tables.step / 2**tables.fraction_bits
    prior = np.repeat(tables.matrix.T * sample, tables.stride, axis=0)
    decoder = estimator(coefficients[:, 0], search.windows - tables.centre, prior) * grid.step
    arrays = {**tables.arrays, "centroids": offsets, "decoder": decoder}
    return Fitted(config, source, search.rows.first(tables.rows), tables, arrays)


def float_estimate(fitted: Fitted, rebuild: Rebuild, y: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return x_hat (packets · W, N) of y (packets, W · N), both on the codec's own scale, in floating point alone.

    Rows, quantizer and samples are real numbers; step, decoder and the quality of each packet are the device's.
    """
    tables, grid = fitted.tables, rebuild.grid
    kept = y.reshape(len(y), tables.windows, -1)[:, :, :: tables.stride] / grid.step + grid.centre - tables.centre
    quality = np.zeros(len(y), np.int64)
    if tables.max_bytes:
        quality = decode(tables, encode(tables, fitted.source.counts(y))).quality
    scaled = kept @ fitted.rows.real.T / tables.step / np.exp2(quality)[:, None, None]
    index = (np.sign(scaled) * np.floor(np.abs(scaled) + ROUNDING)).astype(np.int64)
    index[quality == MOST_QUALITY] = 0
    coefficients = rebuild.coefficients(index, quality)
    return rebuild.windows(coefficients.reshape(-1, tables.rows), tables.centre)


def drafted(fitted: Fitted, export: ExportConfig) -> Draft:
    """Return the draft of a fitted codec, nothing measured yet."""
    config, tables, source = fitted.config, fitted.tables, fitted.source
    numbers = {name: getattr(tables, name) for name in LossyFacts.model_fields}
    asked = None if config.max_bytes else config.bits_per_sample
    facts = Facts(basis=config.basis, coder=config.coder, bits_per_sample=asked, lossy=LossyFacts(**numbers))
    adc, n = source.adc, source.config.n
    grid = grid_of(source.signal, adc)
    name = model_id(facts, tables.windows, n, (adc.bits, adc.low), grid, fitted.arrays)
    return Draft(
        export.name or "transform", name, facts, source.signal, adc, tables.inputs, tables.packed_bytes_max, 1.0,
        fitted.arrays, windows=tables.windows,
        source=source_arrays(source.config, source.signal, export.test_windows),
    )  # fmt: skip
