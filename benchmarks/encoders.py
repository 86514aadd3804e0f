"""Encoders for benchmarks: the exporter on random weights of a trained network's size; no training needed.

Instruction counts and speed depend on the widths and levels; weights only have to keep the accumulators alive.
"""

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from qcskit.codec import wide
from qcskit.codec.integer import EncoderTables, FrontEnd
from qcskit.codec.wide import WideTables
from qcskit.export import c_text, wide_text
from qcskit.export.flatbuffer import Int8Dense, encoder_flatbuffer
from qcskit.export.int8 import FloatEncoder, Ranges, front_end_for, integer_tables, quantize_layers
from qcskit.export.wide import quantize_layers as quantize_wide
from qcskit.export.wide import wide_tables
from qcskit.firmware_sim.fuzz import ModelSpec

REFERENCE_WIDTHS = ((10, 50, 10), (40, 200, 40), (80, 400, 80))
"""The three reference encoders."""


@dataclass(frozen=True)
class Reference:
    """One encoder in both forms, and its float thresholds. tables: EncoderTables or WideTables."""

    name: str
    tables: Any
    flatbuffer: bytes
    thresholds: tuple[float, ...]


def float_encoder(widths: tuple[int, ...], levels: int, seed: int) -> FloatEncoder:
    """Return random float weights and evenly loaded thresholds."""
    rng = np.random.default_rng(seed)
    pairs = list(pairwise(widths))
    return FloatEncoder(
        tuple((rng.normal(size=(b, a)) * 2 / np.sqrt(a)).astype(np.float32) for a, b in pairs),
        tuple((rng.normal(size=b) * 0.3).astype(np.float32) for _, b in pairs),
        np.tanh(np.linspace(-1.2, 1.2, levels + 1)[1:-1]),
    )


def reference(widths: tuple[int, ...], levels: int, seed: int = 1) -> Reference:
    """Return an encoder of these widths with random float weights and evenly loaded thresholds."""
    encoder = float_encoder(widths, levels, seed)
    layers = quantize_layers(encoder, Ranges(2.0, 3.0, 2.0))
    front_end = front_end_for(float(layers[0].input_scale), 2.0 / 2048, 0)
    tables = integer_tables(layers, encoder.thresholds, front_end)
    name = "-".join(map(str, widths))
    return Reference(name, tables, encoder_flatbuffer(layers, name), tuple(encoder.thresholds.tolist()))


def build(spec: ModelSpec) -> tuple[EncoderTables, bytes]:
    """Return tables and flatbuffer of a random model as the exporter makes them: `qcskit.firmware_sim.fuzz.Build`."""
    layers, scale = [], np.float32(spec.input_scale)
    for layer in spec.layers:
        pre_scale = np.float32(layer.pre_scale)
        layers.append(Int8Dense(layer.weights, layer.weight_scale, layer.bias, scale, 0, pre_scale))
        scale = np.float32(1 / 128)
    front_end: FrontEnd = spec.front_end
    return integer_tables(tuple(layers), np.array(spec.thresholds), front_end), encoder_flatbuffer(layers, "random")


def build_wide(spec: ModelSpec) -> tuple[WideTables, bytes]:
    """Return tables and flatbuffer of the same random weights with 16-bit activations; input steps are 1/64."""
    layers: list[Int8Dense] = []
    scale = np.float32(spec.input_scale / 64)
    for number, layer in enumerate(spec.layers):
        unit = (scale / np.float32(1 / 128 if number else spec.input_scale)).astype(np.float64)
        bias = np.rint(layer.bias / unit).clip(-(2**30), 2**30).astype(np.int32)
        pre = np.float32(wide.PRE_SCALE)
        layers.append(Int8Dense(layer.weights, layer.weight_scale, bias, scale, 0, pre, bits=16))
        scale = np.float32(wide.OUTPUT_SCALE)
    tables = wide_tables(tuple(layers), np.array(spec.thresholds), spec.front_end.offset, 16)
    return tables, encoder_flatbuffer(layers, "random")


def wide_reference(widths: tuple[int, ...], levels: int, seed: int = 1) -> Reference:
    """Return `reference` with 16-bit activations."""
    narrow = float_encoder(widths, levels, seed)
    layers = quantize_wide(narrow, 2.0)
    tables = wide_tables(layers, narrow.thresholds, 0, 12)
    name = "-".join(map(str, widths))
    return Reference(name, tables, encoder_flatbuffer(layers, name), tuple(narrow.thresholds.tolist()))


def write_text(place: Path, name: str, tables: EncoderTables | WideTables) -> None:
    """Write a model's C text: `qcskit.firmware_sim.cores.WriteText`."""
    if isinstance(tables, WideTables):
        header, source = wide_text.wide_header(name, tables), wide_text.wide_source(name, tables)
    else:
        header, source = c_text.model_header(name, tables), c_text.model_source(name, tables)
    (place / f"qcs_model_{name}.h").write_text(header, encoding="ascii")
    (place / f"qcs_model_{name}.c").write_text(source, encoding="ascii")
