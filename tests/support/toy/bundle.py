"""A toy bundle: what it holds, and its codec.

A packet is one byte, then bits, least significant first. Byte 0 … 15: parameter k of a Rice code of the zigzag-mapped
first differences modulo 2^16 (the first one from the ADC's offset): u >> k ones, a zero, k bits. 16: raw little-endian
counts, where Rice would take more. 17: every difference is zero, nothing follows.

tables.npz: `toy` int64, (inputs, offset).
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from qcskit.codec import codecs
from qcskit.codec.bundle import Bundle, CodecFacts
from qcskit.codec.errors import QcsError
from qcskit.codec.files import tables_id
from qcskit.codec.interface import Array, Codec, Counts, Oracle, Packets, Raw
from qcskit.codec.text import CModel, c_files, c_struct, id_bytes

WINDOWS = 2
RAW, QUIET = 16, 17


class Facts(CodecFacts):
    """The toy codec of a bundle. mean_bytes: of the packets of its source."""

    kind: Literal["toy"] = "toy"
    mean_bytes: float


def model_id(arrays: Mapping[str, NDArray[Any]]) -> str:
    """Return the id of all that device and decoder must agree on, as 16 hex digits."""
    return tables_id("qcs-toy-1", arrays)


class ToyCodec(Codec):
    """A bundle's toy codec. offset: count that the first difference starts from."""

    fixed_size = False

    def __init__(self, bundle: Bundle, facts: Facts, offset: int) -> None:
        super().__init__(bundle)
        self.facts, self.offset = facts, offset

    def encode_counts(self, counts: NDArray[np.integer[Any]] | bytes) -> Packets:
        """Return the packets of ADC counts (packets, inputs)."""
        counts = self.checked(counts)
        u = zigzag(counts, self.offset).astype(np.int64)
        sizes = np.stack([(u >> k).sum(axis=1) + self.inputs * (1 + k) for k in range(16)], axis=1)
        k, bits = sizes.argmin(axis=1), sizes.min(axis=1)
        raw, quiet = bits > 16 * self.inputs, ~u.any(axis=1)
        rows = np.zeros((len(counts), self.packed_bytes_max), np.uint8)
        rows[:, 0] = np.select([quiet, raw], [QUIET, RAW], k)
        rows[raw, 1:] = counts[raw].astype("<i2").view(np.uint8)
        rice = ~raw & ~quiet
        rows[rice, 1:] = _rice(u[rice], k[rice, None], 16 * self.inputs)
        lengths = np.select([quiet, raw], [1, self.packed_bytes_max], 1 + (bits + 7) // 8)
        return Packets.rows(rows, lengths)

    def estimate(self, packets: Packets) -> Array:
        """Return x_hat (packets · 2, N)."""
        counts = np.array([self.explain(packet) for packet in packets], np.float64)
        return ((counts - self.offset) * self.bundle.manifest.adc.units_per_count).reshape(-1, self.width)

    def explain(self, packet: Raw) -> tuple[int, ...]:
        """Return the counts of a packet. Raises QcsError if no encoder gives it."""
        counts = _counts(packet, self.inputs, self.offset)
        if counts is None or _definition(counts, self.offset) != packet:
            raise QcsError(f"no encoder gives the {len(packet)} bytes {packet[:8].hex()}…")
        return tuple(counts)

    def oracles(self) -> tuple[Oracle, ...]:
        """Return the definition, bit by bit in Python."""

        def encode(counts: Counts) -> Packets:
            return Packets.of([_definition(row, self.offset) for row in counts.tolist()])

        return (Oracle("definition", "oracle", encode),)

    def edges(self, packets: int, rng: np.random.Generator) -> Counts:
        """Return counts whose differences are about a power of two: beside changes of k and the raw escape."""
        size = 1 << rng.integers(0, 17, (packets, 1))
        steps = size * rng.integers(-1, 2, (packets, self.inputs)) + rng.integers(-1, 2, (packets, self.inputs))
        return (self.offset + np.cumsum(steps, axis=1)).astype(np.int16)

    def draw(self, packets: int, seed: int | Sequence[int]) -> tuple[Array, Array]:
        """Return x (packets · 2, N), slow oscillations and one dead sensor in 16, and y = x (packets, 2 · N)."""
        rng = np.random.default_rng(seed)
        phase, time = rng.uniform(0, 7, (packets, 1)), np.arange(self.inputs)
        y = rng.uniform(0, 1, (packets, 1)) * np.sin(phase + time / 5) + rng.normal(0, 0.01, (packets, self.inputs))
        y[rng.random(packets) < 1 / 16] = 0
        return y.reshape(-1, self.width), y

    def c_files(self) -> dict[str, str]:
        """Return the C text: numbers of the model, and the encoder itself, which the kit's core does not have."""
        ident = self.bundle.manifest.model_id
        members = c_struct({"id": id_bytes(ident), "inputs": self.inputs, "offset": self.offset})
        own = {name: (Path(__file__).parent / name).read_text(encoding="utf-8") for name in ("qcs_toy.h", "qcs_toy.c")}
        return own | c_files(CModel(
            self.name, ident, f"first differences of {self.inputs} counts, Rice-coded.", "toy",
            codecs.find_family(self.kind).number, self.inputs, self.packed_bytes_max,
            f"static const qcs_toy_model_t model = {members};\n", windows=self.windows,
        ), self.sensor_macros())  # fmt: skip

    def describe(self) -> dict[str, str]:
        """Return the code in words."""
        return {"code": f"Rice, {self.facts.mean_bytes:.1f} bytes per packet, at most {self.packed_bytes_max}"}


def zigzag(counts: Counts, offset: int) -> NDArray[np.uint16]:
    """Return first differences (packets, inputs) modulo 2^16, as 0, −1, 1, −2, … → 0, 1, 2, 3, …"""
    steps = np.diff(counts.astype(np.int64), axis=1, prepend=offset).astype(np.int16)
    return ((steps.astype(np.int32) << 1) ^ (steps >> 15)).astype(np.uint16)


def _rice(u: NDArray[np.int64], k: NDArray[np.int64], most: int) -> NDArray[np.uint8]:
    """Return the code of u (packets, inputs) with parameters k (packets, 1) in rows of `most` bits."""
    ends = np.cumsum((u >> k) + 1 + k, axis=1)
    stops = ends - 1 - k
    starts = stops - (u >> k)
    change = np.zeros((len(u), most + 1), np.int16)
    rows = np.arange(len(u))[:, None]
    np.add.at(change, (rows, starts), 1)
    np.add.at(change, (rows, stops), -1)
    bits = np.cumsum(change, axis=1)[:, :most].astype(np.uint8)
    for place in range(15):
        row, column = np.nonzero(np.broadcast_to(place < k, u.shape))
        bits[row, stops[row, column] + 1 + place] = u[row, column] >> place & 1
    return np.packbits(bits, axis=1, bitorder="little")


def _definition(counts: list[int], offset: int) -> Raw:
    steps = [(b - a + 32768) % 65536 - 32768 for a, b in zip([offset, *counts], counts, strict=False)]
    if not any(steps):
        return bytes([QUIET])
    values = [2 * step if step >= 0 else -2 * step - 1 for step in steps]
    bits = [sum(value >> k for value in values) + (k + 1) * len(values) for k in range(16)]
    k = bits.index(min(bits))
    if bits[k] > 16 * len(counts):
        return bytes([RAW]) + b"".join(count.to_bytes(2, "little", signed=True) for count in counts)
    text = "".join("1" * (v >> k) + "0" + f"{v & ((1 << k) - 1):016b}"[::-1][:k] for v in values)  # in sending order
    return bytes([k]) + int(text[::-1], 2).to_bytes((bits[k] + 7) // 8, "little")


def _counts(packet: Raw, inputs: int, offset: int) -> list[int] | None:
    """Return the counts that a packet stands for, None if it has none."""
    if not packet or packet[0] > QUIET:
        return None
    k, body = packet[0], packet[1:]
    if k == QUIET:
        return [offset] * inputs
    if k == RAW:
        return np.frombuffer(body, "<i2").tolist() if len(body) == 2 * inputs else None
    text = f"{int.from_bytes(body, 'little'):0{8 * len(body)}b}"[::-1]
    counts, at, count = [], 0, offset
    for _ in range(inputs):
        stop = text.find("0", at)
        end = stop + 1 + k
        if stop < 0 or end > len(text):
            return None
        value = (stop - at << k) + int(text[stop + 1 : end][::-1] or "0", 2)
        count += value >> 1 if value % 2 == 0 else -(value + 1) // 2
        count = (count + 32768) % 65536 - 32768
        counts.append(count)
        at = end
    return counts


def read(bundle: Bundle) -> ToyCodec:
    """Return the codec of a toy bundle. Raises QcsError if its tables are not those that its id names."""
    facts, manifest = bundle.manifest.codec, bundle.manifest
    assert isinstance(facts, Facts)
    if model_id(bundle.arrays) != manifest.model_id:
        raise bundle.fail(f"tables.npz is of model {model_id(bundle.arrays)}, manifest.json of {manifest.model_id}")
    inputs, offset = (int(value) for value in bundle.arrays["toy"])
    stated = (manifest.inputs, manifest.windows, manifest.packed_bytes_max, manifest.adc.offset_counts)
    if stated != (inputs, WINDOWS, 1 + 2 * inputs, offset) or inputs != WINDOWS * manifest.signal.n:
        raise bundle.fail("tables.npz and manifest.json differ in sizes or offset")
    return ToyCodec(bundle, facts, offset)
