"""An integer encoder in both forms: what the flatbuffer states, and the integer tables."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qcskit.codec.learned.bundle import ARITHMETICS, Grid
from qcskit.codec.learned.chain import DenseChain, front_end_for
from qcskit.codec.sensor import Adc, SignalFacts, grid_of
from qcskit.export.learned.flatbuffer import DenseOp
from qcskit.export.learned.fold import Profile, int8_tables, int16_tables
from qcskit.export.learned.quantize import FloatEncoder, Ranges, on_the_grid, quantize_layers


@dataclass(frozen=True)
class Encoder:
    """An encoder behind an ADC.

    network: in floating point, for inputs that all cover the largest range. layers: of the flatbuffer. tables: its
    integers. input_ranges: ± units of y.
    """

    network: FloatEncoder
    layers: tuple[DenseOp, ...]
    tables: DenseChain
    profile: Profile
    signal: SignalFacts
    adc: Adc
    input_ranges: tuple[float, ...]

    @property
    def arithmetic(self) -> str:
        """Key of `qcskit.codec.learned.bundle.ARITHMETICS`."""
        return arithmetic_of(self.profile)

    @property
    def input_grid(self) -> Grid | None:
        """Grid of the int8 network input; None for int16."""
        first = self.layers[0]
        return None if first.bits == 16 else Grid(scale=float(first.input_scale), zero_point=first.input_zero_point)

    def index(self, y: NDArray[np.float64]) -> NDArray[np.uint8]:
        """Return indices (frames, K) of y (frames, M) on the codec's own scale, through the ADC."""
        inputs = self.tables.network_input(self.adc.counts(self.signal.y_units(y)))
        return ARITHMETICS[self.arithmetic].encode_index(self.tables, inputs)


def arithmetic_of(profile: Profile) -> str:
    """Return the arithmetic of a profile."""
    return "int16" if profile == "tflm16" else "int8"


def build_encoder(
    encoder: FloatEncoder, ranges: Ranges, signal: SignalFacts, adc: Adc, profile: Profile = "tflm"
) -> Encoder:
    """Return the integer encoder on these ranges, behind this ADC."""
    grid, arithmetic = grid_of(signal, adc), arithmetic_of(profile)
    units = tuple(float(np.float32(own)) * signal.y_grid[1] for own in ranges.inputs)
    steps = [own / ARITHMETICS[arithmetic].steps for own in units]
    front_end = front_end_for(steps, adc.units_per_count, grid.centre_counts)
    # Counts are centred on a whole count: what that leaves goes into the first layer's biases.
    shifted = on_the_grid(encoder, ranges, (grid.centre_counts - grid.centre) * grid.step)
    layers = quantize_layers(shifted, ranges, 16 if arithmetic == "int16" else 8)
    tables: DenseChain
    if arithmetic == "int16":
        tables = int16_tables(layers, encoder.thresholds, front_end)
    else:
        tables = int8_tables(layers, encoder.thresholds, front_end, profile)
    return Encoder(shifted, layers, tables, profile, signal, adc, units)
