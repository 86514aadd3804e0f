"""The recording as the device would see it: counts, packets of windows, and training windows."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from qcskit.codec.errors import QcsError
from qcskit.codec.json_file import why_invalid
from qcskit.codec.recordings import Part
from qcskit.codec.sensor import Adc, AdcConfig, SignalFacts, sensed
from qcskit.codec.signal import SignalConfig, read_source, recorded_series
from qcskit.codec.transform.tables import Ints

LEAST_SAMPLES, MOST_SAMPLES = 8, 512
_ROOM = 2.0
"""Full scale of a chosen converter, in largest magnitudes of the training part."""
_TRAINING_WINDOWS, _LEAST_WINDOWS, _TRAINING_ENTRIES = 20_000, 8_000, 1 << 22
"""Windows that tables are trained on: more say nothing new, and long ones overlap the more."""


@dataclass(frozen=True)
class Source:
    """A recording through its ADC; windows of `signal.n` samples."""

    config: SignalConfig
    signal: SignalFacts
    adc: Adc

    @classmethod
    def of(cls, config: SignalConfig, adc: AdcConfig) -> "Source":
        """Return the source. Raises QcsError if it is no recording, or is sampled otherwise."""
        plain = _plain(config)
        samples = read_source(plain).part(plain.n, "train", plain.recording_hop)[0]
        # Where the converter is left to be chosen, later parts may reach further than the first.
        return cls(plain, *sensed(plain, adc, _ROOM * float(np.abs(samples).max())))

    def series(self, part: Part) -> tuple[NDArray[np.float64], int]:
        """Return the samples of one part on the codec's own scale, and how many lie from one window to the next."""
        samples, _, hop = recorded_series(self.config, part)
        return samples, hop

    def counts(self, x: NDArray[Any]) -> Ints:
        """Return the ADC counts of x on the codec's own scale, any shape."""
        return self.adc.counts(self.signal.y_units(x)).astype(np.int64)

    @cached_property
    def training(self) -> Ints:
        """Counts of the training part (segments, samples): one segment, or windows that were cut already."""
        ready = read_source(self.config).series.ndim == 2
        return self.counts(self.series("train")[0]).reshape(-1, self.config.n) if ready else self._training[None]

    @cached_property
    def _training(self) -> Ints:
        return self.counts(self.series("train")[0])

    @cached_property
    def centre(self) -> int:
        """The count next to the training mean."""
        return round(int(self._training.sum()) / self._training.size)

    def training_windows(self) -> Ints:
        """Return counts (windows, N) of the training part, evenly spread."""
        n, hop = self.config.n, self.series("train")[1]
        return _spread(self._training, n, hop, max(_LEAST_WINDOWS, min(_TRAINING_WINDOWS, _TRAINING_ENTRIES // n)))

    def packets(self, part: Part, windows: int, most: int | None = None) -> NDArray[np.float64]:
        """Return samples (packets, windows · N) on the codec's own scale.

        most: so many packets of the whole part, evenly spread; None: one behind the other. Raises QcsError if the part
        is shorter than a packet.
        """
        samples, hop = self.series(part)
        width = windows * self.config.n
        if len(samples) < width:
            raise QcsError(f"recording: the {part} part has {len(samples)} samples, a packet of {windows} windows "
                           f"needs {width}: record more or lower transform.windows")  # fmt: skip
        return _spread(samples, width, width if most is None else hop, most or len(samples))


def _spread(samples: NDArray[Any], width: int, hop: int, most: int) -> NDArray[Any]:
    """Return up to `most` of the windows (windows, width) of samples, evenly spread, each once."""
    windows = np.lib.stride_tricks.sliding_window_view(samples, width)[::hop]
    places = np.linspace(0, len(windows) - 1, min(most, len(windows)))
    return windows[np.rint(places).astype(np.int64)]


def _plain(config: SignalConfig) -> SignalConfig:
    """Return the configuration with matrix = 'identity', which a transform codec stands for."""
    if config.source != "recorded":
        raise QcsError("[signal] source: a transform codec is designed from a recording; set signal.recording = FILE "
                       "and signal.source = 'recorded'")  # fmt: skip
    given = {key: getattr(config, key) for key in config.model_fields_set}
    if given.setdefault("matrix", "identity") != "identity":
        raise QcsError(f"[signal] matrix = '{config.matrix}': a transform codec samples x itself; leave matrix out")
    if config.noise_variance and given.keys() & {"noise_variance", "snr_db"}:
        raise QcsError("[signal] noise: a transform codec takes the recording as it is; leave noise_variance and "
                       "snr_db out")  # fmt: skip
    if config.n % 2 or not LEAST_SAMPLES <= config.n <= MOST_SAMPLES:
        raise QcsError(f"[signal] n = {config.n}: a transform codec has windows of an even number of samples, "
                       f"{LEAST_SAMPLES} … {MOST_SAMPLES}")  # fmt: skip
    try:
        return SignalConfig.model_validate({key: value for key, value in given.items() if key != "noise_variance"})
    except ValidationError as error:
        raise QcsError(f"[signal] {why_invalid(error)}") from None
