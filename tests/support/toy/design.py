"""From a `[toy]` table to a bundle."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field
from support.toy.bundle import WINDOWS, Facts, model_id

from qcskit.codec import seeds
from qcskit.codec.bundle import Manifest
from qcskit.codec.config import Table
from qcskit.codec.sensor import Adc, AdcConfig, SignalFacts
from qcskit.export.config import ExportConfig
from qcskit.export.writer import Draft, measured, write_bundle


class ToyConfig(Table):
    """Table `[toy]`."""

    n: int = Field(8, ge=1, description="N, samples of a window")


METHODS = ("toy",)
TABLES: dict[str, type[Table]] = {"toy": ToyConfig, "adc": AdcConfig}


def chosen(method: str) -> dict[str, dict[str, Any]]:
    """Return the keys, by table, that choose one of METHODS."""
    return {}


def design(out: Path, tables: dict[str, Any], export: ExportConfig) -> Manifest:
    """Write the bundle to `out` in one rename and return its manifest."""
    n, offset = tables["toy"].n, tables["adc"].offset_counts
    inputs = WINDOWS * n
    arrays = {"toy": np.array([inputs, offset], np.int64)}
    signal = SignalFacts(n=n, m=n, s=n, noise_variance=0.0, matrix="identity")
    adc = Adc(units_per_count=2.0**-11, offset_counts=offset)
    draft = Draft(
        export.name or "toy", model_id(arrays), Facts(mean_bytes=0), signal, adc, inputs, 1 + 2 * inputs, 0, arrays,
        windows=WINDOWS, source={"phi": np.eye(n), "windows": np.empty((0, n))},
    )  # fmt: skip
    codec = draft.codec()
    x, y = codec.draw(export.test_frames, seeds.TEST)
    mean_bytes = float(codec.encode(y).lengths.mean())
    nmse = measured(codec, x, y)
    draft = replace(draft, facts=Facts(mean_bytes=mean_bytes), rate_bits=8 * mean_bytes / inputs, nmse=nmse)
    return write_bundle(out, draft, export.golden_frames)
