"""Bundles of random models for link tests: real tables, real C, no training. Not a test itself."""

import sys
from pathlib import Path

import numpy as np

from qcskit.codec import integer
from qcskit.codec.bundle import (
    Adc,
    Bundle,
    Grid,
    Manifest,
    NmseFacts,
    SignalFacts,
    npz_bytes,
    read_bundle,
    sha256,
    write_directory,
)
from qcskit.codec.signal import SignalConfig, draw_frames

sys.path.insert(0, str(Path(__file__).parent.parent / "firmware"))
from model_text import write_model
from random_models import random_tables


def make_bundle(path: Path, *, seed: int = 1, widths: tuple[int, ...] = (10, 20, 10), levels: int = 8) -> Bundle:
    """Write a bundle of a random model (no decoder) and open it."""
    tables = random_tables(np.random.default_rng(seed), list(widths), levels)
    m = widths[0]
    signal = SignalConfig(n=2 * m, m=m, s=2)
    x, y = draw_frames(signal, 64, seed)
    scratch = path.with_name(f"{path.name}-c")
    write_model(scratch, "test", tables)
    grid, adc = Grid(scale=0.006, zero_point=0), Adc(scale=0.001, offset_counts=tables.front_end.offset)
    inputs = (np.rint(y / grid.scale)).clip(-128, 127).astype(np.int8)
    counts = (np.rint(y / adc.scale) + adc.offset_counts).clip(-32768, 32767).astype(np.int16)
    vectors = {"x": x, "y": y, "input": inputs, "counts": counts, "packed": integer.encode_packed(tables, inputs)}
    files = {f"c/{file.name}": file.read_bytes() for file in scratch.iterdir()}
    files |= {"tables.npz": npz_bytes(integer.to_arrays(tables)), "vectors.npz": npz_bytes(vectors)}
    manifest = Manifest(
        name="test", model_id=tables.model_id, inputs=m, outputs=widths[-1], levels=levels, widths=list(widths),
        packed_bytes=tables.packing.packed_bytes, packed_bits=tables.packing.packed_bits,
        rate_bits=tables.packing.packed_bits / (2 * m),
        signal=SignalFacts(n=2 * m, m=m, s=2, noise_variance=signal.noise_variance, matrix="dct"),
        input_grid=grid, adc=adc, thresholds=[0.0] * (levels - 1), quantizer_levels=[0.0] * levels,
        nmse=NmseFacts(frames=1), training={}, tools={}, files={name: sha256(data) for name, data in files.items()},
    )  # fmt: skip
    write_directory(path, files | {"manifest.json": manifest.model_dump_json(indent=1).encode()})
    return read_bundle(path)
