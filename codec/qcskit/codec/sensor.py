"""What the device sees: table `[adc]`, and the way between the sensor's units, ADC counts and a codec's own scale.

The device sees the samples x themselves, some of them, or measurements y = Φ x of an analog front end, always as int16
ADC counts. A codec works on x about the offset of its training part, in units of that part's standard deviation.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import ConfigDict, Field, FiniteFloat, ValidationError, model_serializer, model_validator

from qcskit.codec.config import Table
from qcskit.codec.errors import QcsError
from qcskit.codec.signal import DIRECT, SignalConfig, draw_frames, measurement_matrix, read_source, test_windows

Array = NDArray[np.float64]
UNIT = r"^[\w %/°µΩ·²³^()+-]*$"
"""What a unit's name may hold: it goes into C text."""
SYNTHETIC_BITS, RECORDED_BITS = 12, 16
"""Resolution of an ADC that nobody described."""
MOST_OFFSET = 2**31 - 1
"""Of the count at 0 units: a barometer never reads 0 Pa."""


class AdcConfig(Table):
    """Table `[adc]`: the converter in front of the encoder. What is left out is chosen, and said."""

    bits: int | None = Field(default=None, ge=8, le=16, description="resolution; 16 for recordings, else 12")
    signed: bool = Field(default=True, description="counts -2^(bits-1) ... or 0 ... 2^bits - 1")
    offset_counts: int = Field(
        default=0,
        ge=-MOST_OFFSET,
        le=MOST_OFFSET,
        description="ADC reading at 0 units; beyond its ends if it never reads 0",
    )
    units_per_count: float | None = Field(
        default=None,
        gt=0,
        allow_inf_nan=False,
        description="what one count is, in your unit; chosen for synthetic sources",
    )
    unit: str = Field(default="", max_length=16, pattern=UNIT, description="name of the unit, such as mV; only printed")

    @model_validator(mode="after")
    def _counts_fit_int16(self) -> Self:
        if not self.signed and self.bits == 16:
            raise ValueError("an unsigned ADC of 16 bits leaves the int16 that a count is: subtract 32768 in the "
                             "firmware and set signed = true")  # fmt: skip
        return self


UNKNOWN_ADC = AdcConfig.model_validate({})
"""A converter of which nothing was said."""


class Adc(Table):
    """What one ADC count means: value in units = (count − offset_counts) · units_per_count."""

    bits: Annotated[int, Field(ge=8, le=16)] = 16
    signed: bool = True
    offset_counts: Annotated[int, Field(ge=-MOST_OFFSET, le=MOST_OFFSET)] = 0
    units_per_count: Annotated[FiniteFloat, Field(gt=0)]
    unit: Annotated[str, Field(max_length=16, pattern=UNIT)] = ""

    @property
    def low(self) -> int:
        """Least count."""
        return -(2 ** (self.bits - 1)) if self.signed else 0

    @property
    def high(self) -> int:
        """Largest count."""
        return self.low + 2**self.bits - 1

    def counts(self, values: ArrayLike) -> NDArray[np.int16]:
        """Return the counts that an ideal converter gives for values in units, any shape; saturates.

        Raises QcsError that names the place if one is not finite.
        """
        values = np.asarray(values, np.float64)
        if not np.isfinite(values).all():
            raise QcsError(f"measurement frame {np.argwhere(~np.isfinite(values))[0, 0]} holds NaN or infinity")
        with np.errstate(over="ignore"):  # infinity saturates as well
            steps = np.rint(values / self.units_per_count) + self.offset_counts
        return steps.clip(self.low, self.high).astype(np.int16)

    def values(self, counts: ArrayLike) -> Array:
        """Return the values in units that counts stand for, any shape."""
        return (np.asarray(counts, np.float64) - self.offset_counts) * self.units_per_count

    def describe(self) -> str:
        """Return it in words."""
        unit = self.unit or "unit"
        sign = "signed" if self.signed else "unsigned"
        return (
            f"{self.bits} bits {sign}, {self.low} … {self.high}, one count {self.units_per_count:.6g} {unit}, "
            f"0 {unit} at {self.offset_counts}"
        )


class SignalFacts(Table):
    """The source that a codec was made for; further keys of `[signal]` ride along.

    offset, scale: x in units = offset + scale · x on the codec's own scale; from the training part alone.
    y_offset, y_scale: the same of y, where it is not known how y comes of x.
    """

    model_config = ConfigDict(frozen=True, extra="allow")

    n: int
    m: int
    s: int
    noise_variance: float
    matrix: str
    offset: FiniteFloat = 0.0
    scale: Annotated[FiniteFloat, Field(gt=0)] = 1.0
    y_offset: FiniteFloat | None = None
    y_scale: Annotated[FiniteFloat, Field(gt=0)] | None = None

    @model_serializer(mode="wrap")
    def _without_what_is_not_known(self, serialize: Any) -> dict[str, Any]:
        """Leave out y_offset and y_scale where they say nothing: manifests that have none stay as they are."""
        return {
            key: value
            for key, value in serialize(self).items()
            if key not in ("y_offset", "y_scale") or value is not None
        }

    @property
    def y_grid(self) -> tuple[float, float]:
        """(offset, scale) of y: y in units = offset + scale · y on the codec's own scale."""
        if self.y_offset is not None and self.y_scale is not None:
            return self.y_offset, self.y_scale
        return (self.offset if self.direct else 0.0), self.scale

    @property
    def direct(self) -> bool:
        """Whether the device samples x itself, all of it or some."""
        return self.matrix in DIRECT

    def y_units(self, y: ArrayLike) -> Array:
        """Return y, on the codec's own scale, in units."""
        offset, scale = self.y_grid
        return offset + scale * np.asarray(y, np.float64)


@dataclass(frozen=True)
class CountGrid:
    """Counts on a codec's own scale: y = (count − centre) · step."""

    step: float
    centre: float

    @property
    def centre_counts(self) -> int:
        """The count next to y = 0."""
        return int(np.rint(self.centre))


@dataclass(frozen=True)
class Sensor:
    """The way from x to counts and back.

    phi: (M, N); (0, N) where nobody knows how y comes of x. windows: test windows of x in units (windows, N); may be
    none. measured: where Φ is not known, the y in units (windows, M) of each, or y alone.
    """

    signal: SignalFacts
    adc: Adc
    phi: Array
    windows: Array
    measured: Array | None = None

    @property
    def grid(self) -> CountGrid:
        """What counts are on the codec's own scale."""
        return grid_of(self.signal, self.adc)

    def sense(self, x: ArrayLike) -> Array:
        """Return what the device sees of x in units (frames, N), in units (frames, M): samples, or Φ (x − offset)."""
        if not len(self.phi):
            raise QcsError(f"nobody said how y comes of x: give rows of what the device sees, {self.signal.m} numbers "
                           f"each")  # fmt: skip
        values = np.asarray(x, np.float64)
        return (values if self.signal.direct else values - self.signal.offset) @ self.phi.T

    def draw(self, config: SignalConfig, frames: int, seed: int | Sequence[int]) -> tuple[Array, Array]:
        """Return x (frames, N) and y (frames, M) in units: test windows of a recording, else of the source model.

        Of a recording whose windows the bundle does not hold: white noise about its offset, of its scale.
        """
        if self.measured is not None:
            return self._draw_pairs(self.measured, frames, np.random.default_rng(seed))
        if config.source != "recorded":
            return draw_frames(config, frames, seed, phi=self.phi)
        rng, signal = np.random.default_rng(seed), self.signal
        if len(self.windows):
            x = self.windows[rng.integers(0, len(self.windows), frames)]
        else:
            x = signal.offset + signal.scale * rng.standard_normal((frames, config.n))
        y, noise = self.sense(x), signal.scale * np.sqrt(signal.noise_variance)
        return x, y + noise * rng.standard_normal(y.shape) if noise else y

    def _draw_pairs(self, measured: Array, frames: int, rng: np.random.Generator) -> tuple[Array, Array]:
        """Return some of the pairs; x of zeros where it is not known, y white about its offset where that is not."""
        if not len(measured):
            return np.zeros((frames, self.signal.n)), self.signal.y_units(rng.standard_normal((frames, self.signal.m)))
        chosen = rng.integers(0, len(measured), frames)
        x = self.windows[chosen] if len(self.windows) else np.zeros((frames, self.signal.n))
        return x, measured[chosen]


def grid_of(signal: SignalFacts, adc: Adc) -> CountGrid:
    """Return what counts are on the codec's own scale."""
    offset, scale = signal.y_grid
    return CountGrid(adc.units_per_count / scale, adc.offset_counts + offset / adc.units_per_count)


def sensed(config: SignalConfig, adc: AdcConfig, reach: float = 1.0) -> tuple[SignalFacts, Adc]:
    """Return the facts of a source and of the converter in front of the encoder.

    reach: largest |y| to be converted, on the codec's own scale, if the ADC's step is left to be chosen. Raises
    QcsError if it is ambiguous whether a recording holds counts or units.
    """
    offset, scale, counts = 0.0, 1.0, False
    if config.source == "recorded":
        recording = read_source(config)
        offset, scale = recording.offset, recording.scale
        counts = _holds_counts(config, adc, recording.integers)
        if counts and adc.units_per_count is not None:
            offset, scale = (offset - adc.offset_counts) * adc.units_per_count, scale * adc.units_per_count
    facts = config.model_copy(update={"snr_db": None}).model_dump(exclude={"recording", "recording_in"})
    signal = SignalFacts(**facts, offset=offset, scale=scale)
    return signal, converter_for(signal, adc, counts and config.matrix in DIRECT, reach, config.source == "recorded")


def _holds_counts(config: SignalConfig, adc: AdcConfig, integers: bool) -> bool:
    """Tell whether a recording holds ADC counts."""
    plain = adc.units_per_count in (None, 1.0) and adc.offset_counts == 0
    # The ADC behind an analog front end counts y: of x, whole numbers are units like others.
    integers = integers and config.matrix in DIRECT
    if config.recording_in != "auto" or plain or not integers:
        return config.recording_in == "counts" or (config.recording_in == "auto" and integers)
    raise QcsError(f"recording '{config.recording}' holds whole numbers and [adc] says what a count is: "
                   f"set signal.recording_in to counts or to units")  # fmt: skip


def converter_for(signal: SignalFacts, adc: AdcConfig, counts: bool, reach: float, recorded: bool) -> Adc:
    """Return the converter in front of the encoder: what is given, the rest chosen.

    counts: what the device sees was given in counts. reach: as in `sensed`. recorded: 16 bits unless others are given.
    """
    bits = adc.bits or (RECORDED_BITS if recorded else SYNTHETIC_BITS)
    given, offset = adc.units_per_count, adc.offset_counts
    if given is None and counts:
        given = 1.0
    if given is None:
        centre, scale = signal.y_grid
        given = float(np.float32(reach * scale / 2 ** (bits - 1)))
        if "offset_counts" not in adc.model_fields_set:
            # The middle of the range is where y is 0.
            middle = 0 if adc.signed else 2 ** (bits - 1)
            offset = middle - int(np.rint(centre / given))
    made = {"bits": bits, "signed": adc.signed, "offset_counts": offset, "units_per_count": given, "unit": adc.unit}
    try:
        converter = Adc.model_validate(made)
    except ValidationError as error:
        raise QcsError(
            f"[adc]: no converter of {bits} bits fits a signal of offset {signal.y_grid[0]:.6g} and scale "
            f"{signal.y_grid[1]:.6g} ({error.errors()[0]['msg']}); set adc.units_per_count"
        ) from None
    centre = grid_of(signal, converter).centre_counts
    if not converter.low <= centre <= converter.high:
        raise QcsError(f"[adc]: the middle of the signal is at count {centre}, outside {converter.low} … "
                       f"{converter.high}: change adc.bits, adc.signed or adc.offset_counts")  # fmt: skip
    return converter


def source_arrays(config: SignalConfig, signal: SignalFacts, windows: int) -> dict[str, NDArray[Any]]:
    """Return what of a source travels in a bundle: phi (M, N), and up to `windows` test windows in units."""
    phi = measurement_matrix(config)
    x = test_windows(config, windows) if config.source == "recorded" and windows else np.empty((0, config.n))
    return {"phi": phi, "windows": signal.offset + signal.scale * x}
