"""Bundles of random encoders, written by the exporter's own functions; no training, no TensorFlow (not a test)."""

import json
from itertools import pairwise
from pathlib import Path

import numpy as np

from qcskit.codec import integer
from qcskit.codec.bundle import (
    Adc,
    Grid,
    Manifest,
    NmseFacts,
    SignalFacts,
    npz_bytes,
    sha256,
    write_directory,
)
from qcskit.export import c_text
from qcskit.export.flatbuffer import encoder_flatbuffer
from qcskit.export.int8 import FloatEncoder, Ranges, front_end_for, integer_tables, quantize_layers

ADC_SCALE = 2.0 / 2048


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
    layers = quantize_layers(encoder, Ranges(2.0, 3.0 if activation == "tanh" else 1.0, 2.0))
    scale = float(layers[0].input_scale)
    tables = integer_tables(layers, encoder.thresholds, front_end_for(scale, ADC_SCALE, 3), profile)
    x = rng.integers(-128, 128, (32, widths[0]), np.int8)
    counts = rng.integers(-2048, 2048, (32, widths[0])).astype(np.int16)
    index = integer.encode_index(tables, x)
    packing = tables.packing
    files = {
        "encoder.tflite": encoder_flatbuffer(layers, name),
        "tables.npz": npz_bytes(dict(integer.to_arrays(tables))),
        f"c/qcs_model_{name}.h": c_text.model_header(name, tables).encode(),
        f"c/qcs_model_{name}.c": c_text.model_source(name, tables).encode(),
        "vectors.npz": npz_bytes({
            "input": x, "index": index, "packed": packing.pack(index), "counts": counts,
            "counts_input": integer.quantize_counts(tables.front_end, counts),
        }),
    }  # fmt: skip
    m = widths[0]
    manifest = Manifest(
        name=name, model_id=tables.model_id, inputs=m, outputs=tables.outputs, levels=levels, widths=list(widths),
        packed_bytes=packing.packed_bytes, packed_bits=packing.packed_bits, rate_bits=packing.packed_bits / (2 * m),
        signal=SignalFacts(n=2 * m, m=m, s=min(2, m), noise_variance=1e-4, matrix="dct"),
        input_grid=Grid(scale=scale, zero_point=0), adc=Adc(scale=ADC_SCALE, offset_counts=3),
        profile=profile, activation=activation, thresholds=encoder.thresholds.tolist(), quantizer_levels=[0.0] * levels,
        nmse=NmseFacts(frames=0), training={}, tools={}, files={k: sha256(v) for k, v in files.items()},
    )  # fmt: skip
    files["manifest.json"] = json.dumps(manifest.model_dump()).encode()
    write_directory(path, files)
