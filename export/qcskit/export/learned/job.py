"""One export: the model in parts, the frames it is judged by, the settings. A run of the kit and a model of one's own
differ in nothing else.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from qcskit.codec.learned.activations import ACTIVATIONS
from qcskit.codec.metrics import nmse_db
from qcskit.codec.sensor import Adc, AdcConfig, SignalFacts
from qcskit.export.config import ExportConfig
from qcskit.export.learned.parts import ModelParts
from qcskit.export.learned.quantize import FloatEncoder

Array = NDArray[np.float64]
Index = NDArray[np.uint8]
Progress = Callable[[str, int, int], None]
"""progress(stage, done, total)"""
_BATCH = 8192


class Frames(NamedTuple):
    """Source vectors x (frames, N), None if they are not known, and what the device sees of them, y (frames, M).

    On the codec's own scale.
    """

    x: Array | None
    y: Array


class Pairs(NamedTuple):
    """Source vectors x (frames, N) and what the device sees of them, y (frames, M), in units."""

    x: Array
    y: Array


@dataclass(frozen=True)
class Scales:
    """The codec's own scale: value in units = offset + scale · own. Of x and of y, which may be the same."""

    x_offset: float
    x_scale: float
    y_offset: float
    y_scale: float

    @property
    def y(self) -> tuple[float, float]:
        """(offset, scale) of y."""
        return self.y_offset, self.y_scale

    def own(self, pairs: Pairs) -> Frames:
        """Return pairs on the codec's own scale."""
        return Frames((pairs.x - self.x_offset) / self.x_scale, self.own_y(pairs.y))

    def own_y(self, y: Array) -> Array:
        """Return y on the codec's own scale."""
        return (y - self.y_offset) / self.y_scale


def pair_facts(n: int, m: int, scales: Scales) -> SignalFacts:
    """Return the facts of pairs of which nobody knows how y comes of x."""
    return SignalFacts.model_validate({
        "n": n, "m": m, "s": min(n, m), "noise_variance": 0.0, "source": "pairs", "matrix": "none",
        "offset": scales.x_offset, "scale": scales.x_scale, "y_offset": scales.y_offset, "y_scale": scales.y_scale,
    })  # fmt: skip


def sampled_facts(n: int, offset: float, scale: float) -> SignalFacts:
    """Return the facts of windows that the device samples itself."""
    return SignalFacts.model_validate({
        "n": n, "m": n, "s": n, "noise_variance": 0.0, "source": "recorded", "matrix": "identity", "offset": offset,
        "scale": scale,
    })  # fmt: skip


class Source(Protocol):
    """Where the frames of a model come from."""

    def test(self, frames: int) -> Frames | None:
        """Return what the model is measured on, `frames` at most; None if there is nothing."""

    def sensed(self, adc: AdcConfig, reach: float) -> tuple[SignalFacts, Adc]:
        """Return the facts of the source, and of the converter; reach: largest |y| that it has to convert."""

    def arrays(self, signal: SignalFacts, windows: int) -> dict[str, NDArray[Any]]:
        """Return what of the source travels in the bundle, with up to `windows` test windows."""

    def finetune(self, decoder: Any, encode: Callable[[Array], Index], job: "Job") -> None:
        """Train the decoder in place on the integers' own indices, if there are frames for it."""


@dataclass(frozen=True)
class Job:
    """One export.

    where: what messages call the model. spread: of each entry of x, which its errors are divided by; None: all are
    alike. calibration: frames of its training part. float_db: NMSE of the float model
    where it is known, and on how many test frames. facts: further facts of the manifest's codec. tools: versions.
    """

    where: str
    name: str
    seed: int
    parts: ModelParts
    source: Source
    calibration: Frames
    config: ExportConfig
    adc: AdcConfig
    progress: Progress
    float_db: tuple[float, int] | None = None
    spread: Array | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    tools: Mapping[str, str] = field(default_factory=dict)

    def outputs(self, y: Array) -> Array:
        """Return the float encoder's outputs (frames, K)."""
        value = y
        for layer in self.parts.layers:
            value = ACTIVATIONS[layer.activation].apply(value @ layer.weights.T + layer.bias)
        return value

    def float_index(self, y: Array) -> Index:
        """Return the float encoder's indices (frames, K)."""
        return np.searchsorted(self.parts.thresholds, self.outputs(y), side="left").astype(np.uint8)

    def decode(self, q: Array) -> Array:
        """Return x_hat (frames, N) of levels q (frames, K)."""
        values = q.astype(np.float32)
        starts = range(0, len(values), _BATCH)
        parts = [np.asarray(self.parts.decoder(values[start : start + _BATCH])) for start in starts]
        return np.concatenate(parts).astype(np.float64)

    def judged_db(self, q: Array, frames: Frames) -> float:
        """Return the NMSE in dB of what comes of levels q (frames, K).

        Without a decoder or x to compare with: that of the encoder's outputs.
        """
        if frames.x is None or self.parts.decoder is None:
            return nmse_db(self.outputs(frames.y), q)
        spread = 1.0 if self.spread is None else self.spread
        return nmse_db(frames.x / spread, self.decode(q) / spread)

    def index_db(self, index: Index, frames: Frames) -> float:
        """Return `judged_db` of indices (frames, K)."""
        return self.judged_db(self.parts.levels[index], frames)

    def network(self) -> FloatEncoder:
        """Return the encoder as arrays; peaks and moments of its layers come from the calibration frames."""
        peaks, moments, value = [], [], self.calibration.y
        for layer in self.parts.layers:
            augmented = np.concatenate([value, np.ones((len(value), 1))], axis=1)
            moments.append(augmented.T @ augmented / len(value))
            value = ACTIVATIONS[layer.activation].apply(value @ layer.weights.T + layer.bias)
            peaks.append(float(np.abs(value).max()))
        layers = self.parts.layers
        return FloatEncoder(
            tuple(layer.weights.astype(np.float32) for layer in layers),
            tuple(layer.bias.astype(np.float32) for layer in layers),
            self.parts.thresholds,
            tuple(layer.activation for layer in layers),
            tuple(peaks),
            tuple(moments),
        )
