"""An integer encoder in both forms: what the flatbuffer states, and the integer tables."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qcskit.codec.bundle import Adc
from qcskit.codec.learned.bundle import ARITHMETICS, Grid
from qcskit.codec.learned.chain import DenseChain
from qcskit.codec.learned.int8 import front_end_for
from qcskit.export.config import ExportConfig
from qcskit.export.learned.flatbuffer import DenseOp
from qcskit.export.learned.fold import Profile, int8_tables, int16_tables
from qcskit.export.learned.quantize import FloatEncoder, Ranges, quantize_layers


@dataclass(frozen=True)
class Encoder:
    """An encoder. layers: of the flatbuffer. tables: its integers. adc: what a count means."""

    layers: tuple[DenseOp, ...]
    tables: DenseChain
    profile: Profile
    adc: Adc

    @property
    def arithmetic(self) -> str:
        """Key of `qcskit.codec.learned.bundle.ARITHMETICS`."""
        return "int16" if self.profile == "tflm16" else "int8"

    @property
    def input_grid(self) -> Grid | None:
        """Grid of the int8 network input; None for int16."""
        first = self.layers[0]
        return None if first.bits == 16 else Grid(scale=float(first.input_scale), zero_point=first.input_zero_point)

    def index(self, y: NDArray[np.float64]) -> NDArray[np.uint8]:
        """Return indices (frames, K) of measurements (frames, M), through the ADC."""
        inputs = self.tables.network_input(self.adc.counts(y))
        return ARITHMETICS[self.arithmetic].encode_index(self.tables, inputs)


def build_encoder(encoder: FloatEncoder, ranges: Ranges, config: ExportConfig, profile: Profile = "tflm") -> Encoder:
    """Return the integer encoder on these ranges; the ADC's full scale is the input range."""
    scale = float(np.float32(ranges.input / 2 ** (config.adc_bits - 1)))
    adc = Adc(scale=scale, offset_counts=config.adc_offset_counts)
    if profile == "tflm16":
        layers = quantize_layers(encoder, ranges, 16)
        tables: DenseChain = int16_tables(layers, encoder.thresholds, adc.offset_counts, config.adc_bits)
    else:
        layers = quantize_layers(encoder, ranges)
        front_end = front_end_for(float(layers[0].input_scale), scale, adc.offset_counts)
        tables = int8_tables(layers, encoder.thresholds, front_end, profile)
    return Encoder(layers, tables, profile, adc)
