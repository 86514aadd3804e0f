"""From a `[classical]` table to a bundle: thresholds in ADC counts, fitted decoder. Needs no TensorFlow."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qcskit.codec import seeds
from qcskit.codec.bundle import Manifest
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
from qcskit.codec.sensor import UNKNOWN_ADC, AdcConfig, grid_of, sensed, source_arrays
from qcskit.codec.signal import SignalConfig, draw_frames, test_frames
from qcskit.export.classical.candidates import candidates as candidates
from qcskit.export.config import ExportConfig
from qcskit.export.writer import Draft, measured, write_bundle

METHODS = NAMES
"""Names of this family's codecs."""
TABLES: dict[str, type[Table]] = {"classical": ClassicalConfig, "signal": SignalConfig, "adc": AdcConfig}
"""Configuration that a design reads."""


def chosen(method: str) -> dict[str, dict[str, Any]]:
    """Return the keys, by table, that choose one of METHODS."""
    return {"classical": {"codec": method}}


def design(out: Path, tables: dict[str, Any], export: ExportConfig) -> Manifest:
    """Write the bundle of this codec to `out` in one rename and return its manifest.

    tables: configurations by the names of TABLES. Of `[export]` it uses name (default: the codec's), golden_frames and
    test_windows. Raises QcsError if no device can encode for the codec, or the configuration cannot work.
    """
    signal: SignalConfig = tables["signal"]
    config: ClassicalConfig = tables["classical"]
    refusal = device_refusal(config.codec)
    if refusal:
        raise QcsError(f"{config.codec} cannot be exported: {refusal}; compare it with 'qcskit sweep --variant "
                       f"{config.codec}'")  # fmt: skip
    name = export.name or config.codec.replace("1-bit", "one_bit").replace("-", "_")
    fitted = fit(name, config.resolved(signal), signal, tables.get("adc", UNKNOWN_ADC), export)
    x, y = test_frames(signal, config.test_frames, config.seed + seeds.TEST)
    nmse = measured(fitted.draft.codec(), x, y, nmse_db(x, fitted.exact.decode(fitted.exact.encode(y))))
    return write_bundle(out, replace(fitted.draft, nmse=nmse), export.golden_frames, config.seed)


@dataclass(frozen=True)
class Fitted:
    """A draft of the codec on counts, and the same codec on unquantized measurements."""

    draft: Draft
    exact: Method


def fit(name: str, config: ClassicalConfig, signal: SignalConfig, adc: AdcConfig, export: ExportConfig) -> Fitted:
    """Return the fitted codec of a resolved configuration.

    The full scale of an ADC that is left to be chosen is the largest |y| among the training frames.
    """
    y = draw_frames(signal, config.train_frames, config.seed, part="train")[1]
    # Quantizers may reach further than y; in a recording's 16 bits the room for it costs nothing.
    reach = float(np.abs(y).max()) * (2.0 if signal.source == "recorded" else 1.0)
    facts_of_signal, converter = sensed(signal, adc, reach)
    grid = grid_of(facts_of_signal, converter)
    options: dict[str, Any] = {"train_frames": config.train_frames, "seed": config.seed}
    if config.uses_mu:
        options["mu"] = config.mu
    made = make(config.codec, signal, config.levels, count=grid.step, **options)
    assert isinstance(made, ScalarCodec)
    arrays: dict[str, NDArray[Any]] = {
        "thresholds": count_cells(made.thresholds, grid).thresholds,
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
    draft = Draft(
        name, model_id(facts, arrays, grid), facts, facts_of_signal, converter, signal.m, packing.packed_bytes,
        packing.packed_bits / signal.n, arrays, source=source_arrays(signal, facts_of_signal, export.test_windows),
    )  # fmt: skip
    return Fitted(draft, make(config.codec, signal, config.levels, **options))
