"""From a `[classical]` table to a bundle: thresholds in ADC counts, fitted decoder. Needs no TensorFlow."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qcskit.codec import seeds
from qcskit.codec.bundle import Adc, Manifest, SignalFacts
from qcskit.codec.classical import NAMES, make
from qcskit.codec.classical._source import basis, dictionary
from qcskit.codec.classical.bundle import Facts, count_cells, model_id
from qcskit.codec.classical.codecs import Method, ScalarCodec
from qcskit.codec.classical.config import ClassicalConfig, device_refusal
from qcskit.codec.classical.recovery import front_of
from qcskit.codec.config import Table
from qcskit.codec.errors import QcsError
from qcskit.codec.metrics import nmse_db
from qcskit.codec.packing import Packing
from qcskit.codec.signal import SignalConfig, draw_frames
from qcskit.export.config import ExportConfig
from qcskit.export.writer import Draft, measured, write_bundle

METHODS = NAMES
"""Names of this family's codecs."""
TABLES: dict[str, type[Table]] = {"classical": ClassicalConfig, "signal": SignalConfig}
"""Configuration that a design reads."""


def chosen(method: str) -> dict[str, dict[str, Any]]:
    """Return the keys, by table, that choose one of METHODS."""
    return {"classical": {"codec": method}}


def design(out: Path, tables: dict[str, Any], export: ExportConfig) -> Manifest:
    """Write the bundle of this codec to `out` in one rename and return its manifest.

    tables: configurations by the names of TABLES. Of `[export]` it uses name (default: the codec's), golden_frames,
    adc_bits and adc_offset_counts; the ADC's full scale is the largest |y| among the training frames. Raises QcsError
    if no device can encode for the codec, or the configuration cannot work.
    """
    signal: SignalConfig = tables["signal"]
    config: ClassicalConfig = tables["classical"]
    refusal = device_refusal(config.codec)
    if refusal:
        raise QcsError(f"{config.codec} cannot be exported: {refusal}; compare it with 'qcskit sweep --variant "
                       f"{config.codec}'")  # fmt: skip
    name = export.name or config.codec.replace("1-bit", "one_bit").replace("-", "_")
    fitted = fit(name, config.resolved(signal), signal, export)
    x, y = draw_frames(signal, config.test_frames, config.seed + seeds.TEST)
    nmse = measured(fitted.draft.codec(), x, y, nmse_db(x, fitted.exact.decode(fitted.exact.encode(y))))
    return write_bundle(out, replace(fitted.draft, nmse=nmse), export.golden_frames, config.seed)


@dataclass(frozen=True)
class Fitted:
    """A draft of the codec on counts, and the same codec on unquantized measurements."""

    draft: Draft
    exact: Method


def fit(name: str, config: ClassicalConfig, signal: SignalConfig, export: ExportConfig) -> Fitted:
    """Return the fitted codec of a resolved configuration, behind an ADC with export.adc_bits."""
    adc = ideal_adc(config, signal, export)
    options: dict[str, Any] = {"train_frames": config.train_frames, "seed": config.seed}
    if config.uses_mu:
        options["mu"] = config.mu
    made = make(config.codec, signal, config.levels, count=adc.scale, **options)
    assert isinstance(made, ScalarCodec)
    arrays: dict[str, NDArray[Any]] = {
        "thresholds": count_cells(made.thresholds, adc).thresholds,
        "points": front_of(made.quantizers).points,
        "dictionary": dictionary(signal),
    }
    psi = basis(signal)
    if psi is not None:
        arrays["basis"] = psi
    packing = Packing(signal.m, made.levels)
    facts = Facts(
        method=config.codec, levels=made.levels, packed_bits=packing.packed_bits, train_frames=config.train_frames,
        tuning={key: float(value) for key, value in made.tuning.items()}, seed=config.seed,
    )  # fmt: skip
    # The noise variance stands for the SNR: a reader needs no matrix file to know it.
    source = SignalFacts(**signal.model_copy(update={"snr_db": None}).model_dump())
    draft = Draft(
        name, model_id(facts, arrays, adc), facts, source, adc, signal.m, packing.packed_bytes,
        packing.packed_bits / signal.n, arrays,
    )  # fmt: skip
    return Fitted(draft, make(config.codec, signal, config.levels, **options))


def ideal_adc(config: ClassicalConfig, signal: SignalConfig, export: ExportConfig) -> Adc:
    """Return an ADC whose full scale is the largest |y| among the training frames."""
    y = draw_frames(signal, config.train_frames, config.seed, part="train")[1]
    scale = float(np.float32(np.abs(y).max() / 2 ** (export.adc_bits - 1)))
    return Adc(scale=scale, offset_counts=export.adc_offset_counts)
