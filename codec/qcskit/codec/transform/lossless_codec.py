"""The lossless codec of a bundle: exact counts back, or a refusal. Section 7 of docs/transform.md.

tables.npz: `weights` int16 (P), the linear predictor.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from qcskit.codec import codecs
from qcskit.codec.bundle import Bundle
from qcskit.codec.errors import QcsError
from qcskit.codec.files import tables_id
from qcskit.codec.flags import check_good, check_lengths, definition
from qcskit.codec.interface import Array, Codec, Counts, Oracle, Packets, Raw
from qcskit.codec.sensor import CountGrid, grid_of
from qcskit.codec.transform import lossless
from qcskit.codec.transform.lossless import Lossless, LosslessFacts, LosslessTables, rebuilt, take_lossless
from qcskit.codec.transform.lossless_definition import packet_of
from qcskit.codec.transform.lossless_text import c_files

TABLES_VERSION = 1
"""Version of the integers' meaning; the model id depends on it."""


def model_id(tables: LosslessTables, windows: int, grid: CountGrid) -> str:
    """Return the id of all that device and decoder must agree on, as 16 hex digits."""
    numbers = sorted((name, value) for name, value in vars(tables).items() if name != "weights")
    word = f"qcs-lossless-{TABLES_VERSION}:{windows}:{grid.step!r}:{grid.centre!r}:{numbers}"
    return tables_id(word, {"weights": tables.weights})


class LosslessCodec(Codec):
    """A bundle's lossless codec."""

    fixed_size = False

    def __init__(self, bundle: Bundle, tables: LosslessTables) -> None:
        super().__init__(bundle)
        self.tables = tables

    def encode_counts(self, counts: NDArray[np.integer[Any]] | bytes) -> Packets:
        """Return the packets of ADC counts (packets, inputs)."""
        return lossless.encode(self.tables, self.checked(counts))

    def decode(self, packets: Packets | bytes) -> Array:
        """Return x (packets · W, N) in units: exactly what the counts stand for. Raises QcsError on damaged packets."""
        adc = self.bundle.manifest.adc
        return adc.values(np.rint(super().decode(packets) / adc.units_per_count) + adc.offset_counts)

    def estimate(self, packets: Packets) -> Array:
        """Return x (packets · W, N) on the codec's own scale, up to the rounding of doubles."""
        grid = grid_of(self.bundle.manifest.signal, self.bundle.manifest.adc)
        return ((self._decoded(packets).counts.astype(np.float64) - grid.centre) * grid.step).reshape(-1, self.width)

    def _decoded(self, packets: Packets) -> Lossless:
        check_lengths(packets, self.packed_bytes_max)
        found = lossless.decode(self.tables, packets)
        check_good(found.good)
        return found

    def oracles(self) -> tuple[Oracle, ...]:
        """Return the definition, packet by packet."""
        return definition(packet_of, self.tables)

    def edges(self, packets: int, rng: np.random.Generator) -> Counts:
        """Return counts whose residuals lie beside escapes and whole multiples of 2^p; some full scale or noise."""
        adc, size = self.bundle.manifest.adc, (packets, self.inputs)

        def beside(parameter: NDArray[np.int64]) -> NDArray[np.int64]:
            ones = rng.choice([0, 0, 0, 1, 1, 2, 12], packets)
            return np.clip((ones << parameter) + rng.integers(-2, 3, packets), 0, 65535)

        counts = np.clip(rebuilt(self.tables, rng.integers(0, 3, packets), beside), adc.low, adc.high)
        loudness = (adc.high - adc.low) ** rng.uniform(0.5, 1, (packets, 1))
        noise = np.clip(np.rint(self.centre + loudness * (rng.random(size) - 0.5)), adc.low, adc.high)
        ends = np.where(rng.random(size) < 0.5, adc.low, adc.high)
        turns = np.where((np.arange(size[1]) + rng.integers(0, 2, (packets, 1))) % 2, adc.low, adc.high)
        kind = rng.random((packets, 1))
        chosen = np.select([kind < 0.6, kind < 0.85, kind < 0.95], [counts, noise, ends], turns)
        return chosen.astype(np.int16)

    def explain(self, packet: Raw) -> tuple[int, ...]:
        """Return the number of the predictor, 3 for raw, and the counts of a packet."""
        found = self._decoded(Packets.of([packet]))
        return (int(found.number[0]), *found.counts[0].tolist())

    def c_files(self) -> dict[str, str]:
        """Return the C text that the tables make."""
        number = codecs.find_family(self.kind).number
        about = f"Lossless: {self._predictor_words()}, {self.inputs} counts per packet."
        name, model = self.name, self.bundle.manifest.model_id
        return c_files(name, model, self.tables, self.windows, about, number, self.sensor_macros())

    def describe(self) -> dict[str, str]:
        """Return predictor, coder and packets in words."""
        crc = ", CRC-8" if self.tables.crc else ""
        return {
            "predictor": self._predictor_words(),
            "coder": "Rice codes whose parameter follows the residuals before",
            "packet": f"{self.windows} windows per packet, falls back to raw counts{crc}",
            "rate": f"{self.rate_bits:.4g} bits per sample in whole bytes, measured",
        }

    def _predictor_words(self) -> str:
        return f"first or second difference or {self.tables.weights.size} weights, the best of a packet"

    def cost(self) -> dict[str, int]:
        """Return bytes and multiplications of one encode that are the same on every core, the latter at most."""
        weights, predictions = self.tables.weights, self.inputs // 2 + self.inputs - 1
        return {**super().cost(), "table_bytes": weights.nbytes, "multiplications": predictions * weights.size}


def read_lossless(bundle: Bundle, facts: LosslessFacts) -> LosslessCodec:
    """Return the codec of a lossless bundle. Raises QcsError if its tables are not those that its id names."""
    manifest = bundle.manifest
    inputs, adc = manifest.windows * manifest.signal.n, manifest.adc
    bundle.check_equal("inputs", manifest.inputs, inputs, "signal.n of manifest.json, times windows,")
    try:
        tables = take_lossless(facts, inputs, (adc.bits, adc.low), bundle.arrays)
    except QcsError as error:
        raise bundle.fail(f"tables.npz does not go with manifest.json: {error}") from None
    found = model_id(tables, manifest.windows, grid_of(manifest.signal, adc))
    if found != manifest.model_id:
        raise bundle.fail(f"tables.npz is of model {found}, manifest.json of {manifest.model_id}")
    bundle.check_equal("packed_bytes_max", manifest.packed_bytes_max, tables.packed_bytes_max)
    return LosslessCodec(bundle, tables)
