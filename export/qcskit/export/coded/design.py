"""From a `[coded]` table to a bundle: frozen set, sawtooth integers, measured recovery. Needs no TensorFlow."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qcskit.codec import seeds
from qcskit.codec.bundle import Manifest, NmseFacts
from qcskit.codec.coded.bundle import CodedCodec, Facts, bundle_sawtooth, model_id
from qcskit.codec.coded.sawtooth import noise_sigma
from qcskit.codec.coded.scheme import CodedConfig, CodedScheme
from qcskit.codec.config import Table
from qcskit.codec.sensor import UNKNOWN_ADC, Adc, AdcConfig, SignalFacts
from qcskit.export.config import ExportConfig
from qcskit.export.writer import Draft, write_bundle

METHODS = ("coded",)
"""Names of this family's codecs."""
TABLES: dict[str, type[Table]] = {"coded": CodedConfig, "adc": AdcConfig}
"""Configuration that a design reads."""
_BLOCK = 4096


def chosen(method: str) -> dict[str, dict[str, Any]]:
    """Return the keys, by table, that choose one of METHODS."""
    return {}


def design(out: Path, tables: dict[str, Any], export: ExportConfig) -> Manifest:
    """Write the bundle of this scheme to `out` in one rename and return its manifest.

    Of `[export]` it uses name (default "coded"), golden_frames and test_frames, of `[adc]` offset_counts. Needs numba,
    for the measured recovery. Raises QcsError if the configuration cannot work.
    """
    draft = drafted(tables["coded"], tables.get("adc", UNKNOWN_ADC), export)
    codec = draft.codec()
    assert isinstance(codec, CodedCodec)
    facts, nmse = measured(codec, export.test_frames)
    return write_bundle(out, replace(draft, facts=facts, nmse=nmse), export.golden_frames)


def drafted(config: CodedConfig, adc: AdcConfig, export: ExportConfig) -> Draft:
    """Return the draft of a scheme, nothing measured yet."""
    scheme = CodedScheme(config)
    sawtooth = bundle_sawtooth(config, adc.offset_counts)
    arrays: dict[str, NDArray[Any]] = {
        "info": scheme.info,
        "sawtooth": np.array([config.p, sawtooth.step, sawtooth.offset], np.int64),
        "thresholds": sawtooth.thresholds(),
    }
    facts = Facts(
        **config.model_dump(exclude={"r", "gamma", "design_snr_db", "snr_db"}), r=scheme.dictionary.gf.r,
        gamma=scheme.gamma, design_snr_db=scheme.design_snr_db, packed_bits=scheme.packing.packed_bits,
        snr_db=scheme.snr_db,
    )  # fmt: skip
    variance = noise_sigma(scheme.snr_db, 1.0, config.p) ** 2
    signal = SignalFacts(n=config.n, m=config.m, s=config.k, matrix="coded", noise_variance=variance)
    converter = Adc(units_per_count=config.p / 2**config.period_bits, offset_counts=adc.offset_counts)
    return Draft(
        export.name or "coded", model_id(scheme, sawtooth), facts, signal, converter, config.m,
        scheme.packing.packed_bytes, scheme.rate_bits, arrays,
    )  # fmt: skip


def measured(codec: CodedCodec, frames: int) -> tuple[Facts, NmseFacts]:
    """Return the recovery over `frames` fresh vectors at the test SNR, through the ADC and the integers.

    NMSE counts a flagged vector as an estimate of zero; it is None where every vector is recovered.
    """
    perfect = flagged = 0
    energy = error = 0.0
    for start in range(0, frames, _BLOCK):
        x, y = codec.draw(min(_BLOCK, frames - start), [seeds.TEST, start])
        result = codec.scheme.decode_symbols(codec.index(codec.counts(y)))
        perfect += int(((result.x == x).all(axis=1) & result.ok).sum())
        flagged += int((~result.ok).sum())
        energy += float(np.sum(x.astype(np.float64) ** 2))
        error += float(np.sum((x.astype(np.float64) - result.x) ** 2))
    shares = {"frames": frames, "perfect_recovery": perfect / frames, "flagged": flagged / frames}
    db = 10.0 * float(np.log10(error / energy)) if error > 0 else None
    return codec.facts.model_copy(update=shares), NmseFacts(frames=frames, deployed_db=db)
