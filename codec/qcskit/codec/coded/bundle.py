"""A bundle of the coded scheme: what it holds, and the codec and vectors that it gives back.

tables.npz: `info`, information positions of the polar code; `sawtooth`, (levels, step, offset); `thresholds`, the
counts at which the symbol changes within one period. All else of the codec follows from `coded` in manifest.json.
"""

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qcskit.codec.bundle import Bundle, CodedFacts
from qcskit.codec.coded.sawtooth import Sawtooth, integer_sawtooth, sawtooth
from qcskit.codec.coded.scheme import CodedConfig, CodedScheme
from qcskit.codec.errors import QcsError
from qcskit.codec.packing import Packing

TABLES_VERSION = 1
"""Version of the integers' meaning; C text asserts it, the model id depends on it."""


def model_id(scheme: CodedScheme, sawtooth: Sawtooth) -> str:
    """Return the first 8 bytes of SHA-256 over all that device and decoder must agree on, as 16 hex digits."""
    digest = hashlib.sha256(f"qcs-coded-{TABLES_VERSION}".encode())
    digest.update(f"{sawtooth.p}:{sawtooth.step}:{sawtooth.offset}".encode())
    digest.update(scheme.code.tobytes())
    return digest.hexdigest()[:16]


def config_of(facts: CodedFacts) -> CodedConfig:
    """Return the scheme's configuration as manifest.json states it."""
    return CodedConfig.model_validate(facts.model_dump(include=set(CodedConfig.model_fields)))


@dataclass(frozen=True)
class CodedCodec:
    """A bundle's codec: counts or measurements to packed bytes in integers, packed bytes to x. See `read_coded`."""

    name: str
    scheme: CodedScheme
    sawtooth: Sawtooth
    adc_scale: float
    adc_offset: int
    snr_db: float

    @property
    def rate_bits(self) -> float:
        """Bits sent per source entry."""
        return self.scheme.rate_bits

    @property
    def inputs(self) -> int:
        """m, measurements and symbols per vector."""
        return self.scheme.config.m

    @property
    def packing(self) -> Packing:
        """How symbols become bytes."""
        return self.scheme.packing

    def counts(self, y: NDArray[np.floating[Any]]) -> NDArray[np.int16]:
        """Return the ADC counts of measurements y (any shape), in units of the level spacing; saturates."""
        counts: NDArray[np.int16] = (
            (np.rint(np.asarray(y) / self.adc_scale) + self.adc_offset).clip(-32768, 32767).astype(np.int16)
        )
        return counts

    def encode_counts(self, counts: NDArray[np.integer[Any]]) -> NDArray[np.uint8]:
        """Return packed bytes (frames, packed_bytes) of ADC counts (frames, m): what the device computes.

        Raises QcsError on another width or counts outside int16.
        """
        m = self.scheme.config.m
        if counts.ndim != 2 or counts.shape[1] != m:
            raise QcsError(f"counts have shape {counts.shape}, expected (frames, {m})")
        return self.scheme.packing.pack(self.sawtooth.index(counts))

    def definition(self, counts: NDArray[np.int16]) -> NDArray[np.uint8]:
        """Return ⌊y / a + 1/2⌋ mod p of the measurements that counts stand for, in floating point (exact: a dyadic)."""
        y = (counts.astype(np.float64) - self.adc_offset) * self.adc_scale
        return sawtooth(y, 1.0, self.sawtooth.p)

    def encode(self, y: NDArray[np.float64]) -> NDArray[np.uint8]:
        """Return packed bytes (frames, packed_bytes) of measurements y (frames, m), through the ADC."""
        return self.encode_counts(self.counts(y))

    def decode(self, packed: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Return x (frames, n); every entry of a frame that is flagged as not recoverable is NaN."""
        return self.scheme.decode(packed)

    def draw(self, frames: int, seed: int | list[int]) -> tuple[NDArray[np.int16], NDArray[np.float64]]:
        """Return x (frames, n) and measurements y (frames, m) at the bundle's SNR, drawn with this seed."""
        rng = np.random.default_rng(seed)
        x = self.scheme.draw(frames, rng)
        return x, self.scheme.measure(x, self.snr_db, rng)


def read_coded(bundle: Bundle) -> CodedCodec:
    """Return the codec of a coded bundle.

    Raises QcsError if the bundle is of another codec, or if its tables do not make the code that its id names.
    """
    facts, manifest = bundle.manifest.coded, bundle.manifest
    if manifest.codec != "coded" or facts is None:
        raise QcsError(f"bundle '{bundle.path}' holds a {manifest.codec} codec, not a coded one")
    arrays = bundle.arrays
    again = "run 'qcskit export --coded' again"
    try:
        levels, step, offset = (int(value) for value in arrays["sawtooth"])
        scheme = CodedScheme(config_of(facts), info=arrays["info"])
    except (KeyError, ValueError) as error:
        raise QcsError(f"bundle '{bundle.path}': tables.npz is incomplete ({error}); {again}") from None
    sawtooth = Sawtooth(levels, step, offset)
    if model_id(scheme, sawtooth) != manifest.model_id:
        raise QcsError(f"bundle '{bundle.path}': tables.npz is of model {model_id(scheme, sawtooth)}, manifest.json of "
                       f"{manifest.model_id}; {again}")  # fmt: skip
    return CodedCodec(manifest.name, scheme, sawtooth, manifest.adc.scale, manifest.adc.offset_counts, facts.snr_db)


def bundle_sawtooth(config: CodedConfig, offset_counts: int) -> Sawtooth:
    """Return the integer quantizer of a configuration.

    Raises QcsError if a noise-free vector with k non-zeros could leave int16.
    """
    period = 2**config.period_bits
    largest = 1 if config.p == 2 else config.p // 2
    value = 1 if config.p == 2 else (config.p - 1 if config.values == "unsigned" else config.p // 2)
    reach = config.k * largest * value * period / config.p + abs(offset_counts)
    if reach > 32767:
        raise QcsError(f"[coded] period_bits = {config.period_bits}: measurements reach {reach:.0f} counts, beyond "
                       f"int16; lower period_bits")  # fmt: skip
    return integer_sawtooth(config.p, period, offset_counts)
