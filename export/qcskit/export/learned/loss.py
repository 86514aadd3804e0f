"""Where integers lose: each rounding and each clip of an encoder switched off by itself, in floating point."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from qcskit.export.learned.encoder import Encoder

if TYPE_CHECKING:
    from qcskit.export.learned.job import Frames, Job

Array = NDArray[np.float64]

CAUSES = {
    "input clip": "y beyond the input range; set export.profile = tflm16, or where the ADC clips raise "
    "adc.units_per_count",
    "ADC step": "one ADC count is too coarse; raise adc.bits, or lower adc.units_per_count",
    "input grid": "the 8-bit input grid; set export.profile = tflm16",
    "hidden grid": "the 8-bit grid of hidden activations; set export.profile = tflm16",
    "output grid": "the 8-bit grid of the last activation; set export.profile = native or tflm16",
    "weights": "8-bit weights; train longer or wider",
}
"""What may cost, and what cures it."""
STEPS = "ADC step and input grid"
TOGETHER = {
    STEPS: "the steps of converter and network input, for inputs of very different scales; scale them alike in front "
    "of the converter"
}
"""What may cost only together."""


def explain_loss(job: "Job", encoder: Encoder, loss_db: float, frames: "Frames") -> str:
    """Return the message that integers lose too much: which part costs how much on frames, and what to set."""
    thresholds, levels = job.parts.thresholds, job.parts.levels

    def reached(off: str) -> float:
        return job.judged_db(levels[np.searchsorted(thresholds, outputs(encoder, frames.y, off), side="left")], frames)

    full = reached("")
    gains = {cause: full - reached(cause) for cause in CAUSES}
    if max(gains.values()) < 0.5 * loss_db:
        gains |= {cause: full - reached(cause) for cause in TOGETHER}
    worst = max(gains, key=lambda cause: gains[cause])
    shares = ", ".join(f"{cause} {gain:.2f}" for cause, gain in gains.items() if gain > 0.005) or "none alone"
    return (f"integers of profile {encoder.profile} lose {loss_db:.2f} dB of the trained NMSE, more than "
            f"export.max_loss_db = {job.config.max_loss_db:g}; dB back without each part: {shares}. Largest: "
            f"{(CAUSES | TOGETHER)[worst]}; or go on with --allow-loss")  # fmt: skip


def outputs(encoder: Encoder, y: Array, off: str = "") -> Array:
    """Return EncNet's outputs (frames, K) of y (frames, M), with every rounding and clip of the integers but `off`."""
    adc, signal, bits = encoder.adc, encoder.signal, encoder.layers[0].bits
    counts = signal.y_units(y) / adc.units_per_count
    steps_off = off == STEPS
    counts = counts if off == "ADC step" or steps_off else np.rint(counts)
    counts = counts if off == "input clip" else counts.clip(adc.low - adc.offset_counts, adc.high - adc.offset_counts)
    value = counts * adc.units_per_count - signal.y_units(0.0)
    reach, steps = np.array(encoder.input_ranges), 127.0 if bits == 8 else 2.0**15
    grid = value / reach * steps
    grid = grid if off == "input grid" or steps_off else np.rint(grid)
    grid = grid if off == "input clip" else grid.clip(-steps - 1, steps)
    # The first layer's weights are those of inputs that all cover the largest range.
    value = grid * float(encoder.layers[0].input_scale)
    for number, layer in enumerate(encoder.layers):
        last = number == len(encoder.layers) - 1
        kernel: Array = layer.weights.astype(np.float64) * layer.weight_scale[:, None].astype(np.float64)
        bias: Array = layer.bias.astype(np.float64) * (layer.weight_scale * layer.input_scale).astype(np.float64)
        if off == "weights":
            kernel, bias = (
                part[number].astype(np.float64) for part in (encoder.network.weights, encoder.network.biases)
            )
        value = value @ kernel.T + bias
        exact = off == ("output grid" if last else "hidden grid") or (last and encoder.profile == "native")
        low, high = -(1 << bits - 1), (1 << bits - 1) - 1
        if not exact and layer.activation.operator:
            zero = layer.pre_zero_point
            value = ((np.rint(value / float(layer.pre_scale)) + zero).clip(low, high) - zero) * float(layer.pre_scale)
        value = layer.activation.apply(value)
        if not exact:
            scale, zero = layer.output_grid
            value = ((np.rint(value / float(scale)) + zero).clip(low, high) - zero) * float(scale)
    return value
