"""An integer encoder in both forms, what the flatbuffer states and the integer tables, whatever its arithmetic."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qcskit.codec import fast, integer, wide
from qcskit.codec.bundle import Grid
from qcskit.export import c_text, int8, wide_text
from qcskit.export import wide as export_wide
from qcskit.export.config import ExportConfig
from qcskit.export.cost import TableCost, table_cost, wide_cost
from qcskit.export.flatbuffer import Int8Dense


@dataclass(frozen=True)
class Int8Encoder:
    """An encoder with int8 activations."""

    layers: tuple[Int8Dense, ...]
    tables: integer.EncoderTables
    profile: int8.Profile
    adc_scale: float

    def quantize(self, y: NDArray[np.float64]) -> NDArray[np.int8]:
        """Return int8 inputs of measurements (frames, M)."""
        return np.rint(y / np.float64(self.layers[0].input_scale)).clip(-128, 127).astype(np.int8)

    def index(self, y: NDArray[np.float64]) -> NDArray[np.uint8]:
        """Return indices (frames, K) of measurements (frames, M)."""
        return fast.encode_index(self.tables, self.quantize(y))

    def from_counts(self, counts: NDArray[np.int16]) -> NDArray[np.int8]:
        """Return int8 inputs of ADC counts (frames, M)."""
        return integer.quantize_counts(self.tables.front_end, counts)

    def c_text(self, name: str) -> tuple[str, str]:
        """Return qcs_model_<name>.h and .c."""
        return c_text.model_header(name, self.tables), c_text.model_source(name, self.tables)

    @property
    def input_grid(self) -> Grid:
        """Grid of the int8 network input."""
        return Grid(scale=float(self.layers[0].input_scale), zero_point=self.layers[0].input_zero_point)

    @property
    def cost(self) -> TableCost:
        """What the tables need."""
        return table_cost(self.tables)


@dataclass(frozen=True)
class WideEncoder:
    """An encoder with 16-bit activations: its network input is the ADC count, less the offset, shifted."""

    layers: tuple[Int8Dense, ...]
    tables: wide.WideTables
    adc_scale: float
    profile: int8.Profile = "tflm16"
    input_grid: None = None

    def quantize(self, y: NDArray[np.float64]) -> NDArray[np.int16]:
        """Return int16 inputs of measurements (frames, M)."""
        counts = (np.rint(y / self.adc_scale) + self.tables.offset).clip(-32768, 32767).astype(np.int16)
        return self.from_counts(counts)

    def index(self, y: NDArray[np.float64]) -> NDArray[np.uint8]:
        """Return indices (frames, K) of measurements (frames, M)."""
        return wide.encode_index_fast(self.tables, self.quantize(y))

    def from_counts(self, counts: NDArray[np.int16]) -> NDArray[np.int16]:
        """Return int16 inputs of ADC counts (frames, M)."""
        return wide.network_input(self.tables, counts)

    def c_text(self, name: str) -> tuple[str, str]:
        """Return qcs_model_<name>.h and .c."""
        return wide_text.wide_header(name, self.tables), wide_text.wide_source(name, self.tables)

    @property
    def cost(self) -> TableCost:
        """What the tables need."""
        return wide_cost(self.tables)


Encoder = Int8Encoder | WideEncoder


def build_encoder(
    encoder: int8.FloatEncoder, ranges: int8.Ranges, config: ExportConfig, profile: int8.Profile = "tflm"
) -> Encoder:
    """Return the integer encoder on these ranges; the ADC's full scale is the input range."""
    adc_scale = float(np.float32(ranges.input / 2 ** (config.adc_bits - 1)))
    if profile == "tflm16":
        layers = export_wide.quantize_layers(encoder, ranges.input)
        tables = export_wide.wide_tables(layers, encoder.thresholds, config.adc_offset_counts, config.adc_bits)
        return WideEncoder(layers, tables, adc_scale)
    layers = int8.quantize_layers(encoder, ranges)
    front_end = int8.front_end_for(float(layers[0].input_scale), adc_scale, config.adc_offset_counts)
    folded = int8.integer_tables(layers, encoder.thresholds, front_end, profile)
    return Int8Encoder(layers, folded, profile, adc_scale)
