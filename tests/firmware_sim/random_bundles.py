"""Bundles of random encoders, written by the exporter's own functions; no training, no TensorFlow (not a test)."""

import json
from itertools import pairwise
from pathlib import Path

import numpy as np

from qcskit.codec import integer, wide
from qcskit.codec.bundle import (
    Adc,
    Manifest,
    NmseFacts,
    SignalFacts,
    npz_bytes,
    sha256,
    write_directory,
)
from qcskit.export.config import ExportConfig
from qcskit.export.encoder import build_encoder
from qcskit.export.int8 import FloatEncoder, Ranges
from qcskit.export.run import encoder_files


def write_random_bundle(path: Path, widths: tuple[int, ...], levels: int, seed: int, name: str = "random",
                        activation: str = "tanh", profile: str = "tflm") -> None:  # fmt: skip
    """Write a bundle whose encoder has these widths and random float weights and thresholds."""
    rng = np.random.default_rng(seed)
    pairs = list(pairwise(widths))
    encoder = FloatEncoder(
        tuple((rng.normal(size=(b, a)) * 2 / np.sqrt(a)).astype(np.float32) for a, b in pairs),
        tuple((rng.normal(size=b) * 0.3).astype(np.float32) for _, b in pairs),
        np.sort(rng.uniform(-0.95, 0.95, levels - 1)),
        (activation,) * (len(pairs) - 1) + ("tanh" if activation == "tanh" else "hard_tanh",),
        tuple(rng.uniform(1, 6, len(pairs))),
    )
    ranges = Ranges(2.0, 3.0 if activation == "tanh" else 1.0, 2.0)
    made = build_encoder(encoder, ranges, ExportConfig(adc_bits=12, adc_offset_counts=3), profile)
    counts = rng.integers(-2048, 2048, (32, widths[0])).astype(np.int16)
    if isinstance(made.tables, wide.WideTables):
        x = made.from_counts(counts)
        index = wide.encode_index(made.tables, x)
    else:
        x = rng.integers(-128, 128, (32, widths[0]), np.int8)
        index = integer.encode_index(made.tables, x)
    tables, kept = made.tables, {"input": x} if made.input_grid else {}
    packing = tables.packing
    files = {
        **encoder_files(name, made, encoder.thresholds),
        "vectors.npz": npz_bytes({
            "x": np.zeros((32, 2 * widths[0])), **kept, "index": index, "packed": packing.pack(index),
            "counts": counts, "counts_input": made.from_counts(counts),
        }),
    }  # fmt: skip
    m = widths[0]
    manifest = Manifest(
        name=name, model_id=tables.model_id, inputs=m, outputs=tables.outputs, levels=levels, widths=list(widths),
        packed_bytes=packing.packed_bytes, packed_bits=packing.packed_bits, rate_bits=packing.packed_bits / (2 * m),
        signal=SignalFacts(n=2 * m, m=m, s=min(2, m), noise_variance=1e-4, matrix="dct"),
        input_grid=made.input_grid, adc=Adc(scale=made.adc_scale, offset_counts=3),
        profile=profile, activation=activation, thresholds=encoder.thresholds.tolist(), quantizer_levels=[0.0] * levels,
        nmse=NmseFacts(frames=0), training={}, tools={}, files={k: sha256(v) for k, v in files.items()},
    )  # fmt: skip
    files["manifest.json"] = json.dumps(manifest.model_dump()).encode()
    write_directory(path, files)
