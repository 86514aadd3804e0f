"""The codec contract: what every bundle offers, whatever its family. Everyone else asks this and nothing more.

The unit is a packet: `inputs` ADC counts in, 1 … `packed_bytes_max` bytes out, `windows` source vectors back. A packet
decodes alone; an encode is a pure function of its counts.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qcskit.codec.bundle import Bundle
from qcskit.codec.errors import CheckFailedError, QcsError
from qcskit.codec.sensor import Sensor, grid_of
from qcskit.codec.text import same_text

Counts = NDArray[np.int16]
Array = NDArray[np.float64]
Raw = bytes
"""One packet."""


@dataclass(frozen=True, eq=False)
class Packets:
    """Packets of any length: bytes uint8 (total,); packet i is bytes[offsets[i] : offsets[i + 1]], offsets int64.

    >>> packets = Packets.of([b"ab", b"c"])
    >>> len(packets), packets.lengths.tolist(), packets[1], packets.select([1, 0]).bytes.tobytes()
    (2, [2, 1], b'c', b'cab')
    """

    bytes: NDArray[np.uint8]
    offsets: NDArray[np.int64]

    @classmethod
    def of(cls, packets: Sequence[Raw]) -> "Packets":
        """Return packets from one byte string each."""
        ends = np.cumsum([0, *(len(packet) for packet in packets)], dtype=np.int64)
        return cls(np.frombuffer(b"".join(packets), np.uint8), ends)

    @classmethod
    def rows(cls, rows: NDArray[np.uint8], lengths: ArrayLike | None = None) -> "Packets":
        """Return packets from the rows of an array (packets, room), of which the first `lengths` bytes count."""
        if lengths is None:
            return cls(rows.reshape(-1), np.arange(len(rows) + 1, dtype=np.int64) * rows.shape[1])
        count = np.asarray(lengths, np.int64)
        ends = np.concatenate([np.zeros(1, np.int64), np.cumsum(count)])
        return cls(rows[np.arange(rows.shape[1]) < count[:, None]], ends)

    @classmethod
    def join(cls, parts: Sequence["Packets"]) -> "Packets":
        """Return all packets of all parts, in order."""
        lengths = np.concatenate([np.zeros(0, np.int64), *(part.lengths for part in parts)])
        joined = np.concatenate([np.zeros(0, np.uint8), *(part.bytes for part in parts)])
        return cls(joined, np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)]))

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Bytes of each packet."""
        return np.diff(self.offsets)

    def __repr__(self) -> str:
        if not len(self):
            return "<0 packets>"
        least, most = int(self.lengths.min()), int(self.lengths.max())
        size = f"{most}" if least == most else f"{least} to {most}"
        return f"<{len(self)} packets of {size} bytes, {len(self.bytes)} bytes in all>"

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, number: int) -> Raw:
        place = range(len(self))[number]
        return self.bytes[self.offsets[place] : self.offsets[place + 1]].tobytes()

    def __iter__(self) -> Iterator[Raw]:
        return (self[number] for number in range(len(self)))

    def select(self, chosen: NDArray[np.intp] | NDArray[np.bool_] | Sequence[int] | slice) -> "Packets":
        """Return some packets, by number or by slice."""
        if isinstance(chosen, slice) and chosen.step in (None, 1):
            start, stop, _ = chosen.indices(len(self))
            edges = self.offsets[start : max(start, stop) + 1]
            return Packets(self.bytes[edges[0] : edges[-1]], edges - edges[0])
        numbers: NDArray[np.intp] = np.arange(len(self))[chosen]
        rows = self.table(int(self.lengths.max(initial=0)))
        return Packets.rows(rows[numbers], self.lengths[numbers])

    def table(self, room: int) -> NDArray[np.uint8]:
        """Return rows (packets, room), zeros behind each packet. Raises QcsError if one is longer."""
        lengths = self.lengths
        if lengths.max(initial=0) > room:
            number = int(lengths.argmax())
            raise QcsError(f"packet {number} has {int(lengths[number])} bytes, at most {room} are possible")
        if (lengths == room).all():
            return self.bytes.reshape(len(self), room)
        rows = np.zeros((len(self), room), np.uint8)
        rows[np.arange(room) < lengths[:, None]] = self.bytes
        return rows

    def differ(self, other: "Packets") -> NDArray[np.bool_]:
        """Return, per packet, whether it is another one in `other` (of as many packets)."""
        room = int(max(self.lengths.max(initial=0), other.lengths.max(initial=0)))
        unequal: NDArray[np.bool_] = (self.table(room) != other.table(room)).any(axis=1)
        return unequal | (self.lengths != other.lengths)


Encode = Callable[[Any], Packets]
"""Counts int16, or network inputs, (packets, inputs) → packets."""


@dataclass(frozen=True)
class Oracle:
    """Another way to the packets, that knows nothing of the integer tables.

    role: "oracle", must agree with the integers; "reported", differences are counted and allowed.
    """

    name: str
    role: Literal["oracle", "reported"]
    encode: Encode


class Codec(ABC):
    """A bundle's codec, whatever its family; `open_codec` gives it.

    A packet is what one encode gives, of `inputs` ADC counts; it decodes alone, to `windows` source vectors of `width`
    entries. y is what is sensed, x what it is sensed of, both in the sensor's units.
    >>> from qcskit.codec import open_codec
    >>> codec = open_codec("bundle")
    >>> codec.inputs, codec.packed_bytes_max, codec.windows, codec.width, codec.rate_bits
    (10, 4, 1, 20, 1.5)
    >>> x, y = codec.draw(3, seed=1)
    >>> packets = codec.encode(y)
    >>> codec.decode(packets).shape
    (3, 20)
    """

    exact = False
    """Whether the decoder gives back x exactly, or a flag (NaN): recoveries are then counted."""
    takes_inputs = False
    """Whether a network input can be given directly: `network_input`, `encode_inputs`."""
    decodes = True
    """Whether the bundle holds a decoder."""
    fixed_size = True
    """Whether all packets have packed_bytes_max bytes."""
    c_beside: tuple[str, ...] = ()
    """Other C files of a bundle, for the user's own firmware: nothing here compiles them."""

    def __init__(self, bundle: Bundle) -> None:
        self.bundle, manifest = bundle, bundle.manifest
        self.name, self.kind = manifest.name, manifest.codec.kind
        self.inputs, self.windows, self.packed_bytes_max = manifest.inputs, manifest.windows, manifest.packed_bytes_max
        self.rate_bits = manifest.rate_bits
        """Bits sent per source entry."""
        self.width = manifest.signal.n
        """N, entries of a source vector."""

    def __repr__(self) -> str:
        manifest, most = self.bundle.manifest, "" if self.fixed_size else "at most "
        entries = f"{self.windows} x {self.width}" if self.windows > 1 else f"{self.width}"
        return (f"<{manifest.who}: {self.inputs} counts to {most}{self.packed_bytes_max} bytes to {entries} entries, "
                f"{self.rate_bits:.4g} bits per entry, {manifest.nmse.words}>")  # fmt: skip

    @property
    def sensor(self) -> Sensor:
        """The way from x to counts and back, in units."""
        return self.bundle.sensor

    def counts(self, y: ArrayLike) -> Counts:
        """Return the ADC counts of y in units, any shape; saturates. Raises QcsError if y is not finite."""
        return self.bundle.manifest.adc.counts(y)

    def sense(self, x: ArrayLike) -> Counts:
        """Return the counts (packets, inputs) that the device sees of x in units (packets · windows, N)."""
        return self.counts(self.sensor.sense(x).reshape(-1, self.inputs))

    @property
    def centre(self) -> int:
        """The count next to the middle of what the device sees."""
        return grid_of(self.bundle.manifest.signal, self.bundle.manifest.adc).centre_counts

    def limits(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the least and the largest count (inputs,) that the codec tells from the next one outside.

        Counts at the ADC's own ends are outside: what they stand for may lie beyond.
        """
        adc = self.bundle.manifest.adc
        return np.full(self.inputs, adc.low + 1), np.full(self.inputs, adc.high - 1)

    def clipped(self, counts: Counts) -> NDArray[np.bool_]:
        """Return which counts (packets, inputs) lie outside `limits`."""
        low, high = self._limits
        outside: NDArray[np.bool_] = (counts < low) | (counts > high)
        return outside

    @cached_property
    def _limits(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        return self.limits()

    def encode(self, y: ArrayLike) -> Packets:
        """Return the packets of measurements y (packets, inputs), through the ADC."""
        return self.encode_counts(self.counts(y))

    @abstractmethod
    def encode_counts(self, counts: NDArray[np.integer[Any]] | bytes) -> Packets:
        """Return the packets of ADC counts (packets, inputs): what the device computes. Raises QcsError on others.

        bytes: counts as int16, low byte first, one packet's behind the other's.
        """

    def decode(self, packets: Packets | bytes) -> Array:
        """Return x_hat (packets · windows, N) in units; rows of NaN where the decoder flags a packet.

        bytes: packets as `qcskit encode` writes them to a .bin. Raises QcsError if no encoder gives these bytes.
        """
        if isinstance(packets, bytes):
            from qcskit.codec.stream import split_packets

            packets = Packets.join(list(split_packets([packets], self.packed_bytes_max, self.fixed_size)))
        signal, estimate = self.bundle.manifest.signal, self.estimate(packets)
        return estimate if (signal.offset, signal.scale) == (0.0, 1.0) else signal.offset + signal.scale * estimate

    @abstractmethod
    def estimate(self, packets: Packets) -> Array:
        """Return what `decode` returns, on the codec's own scale."""

    def guarded(self, packets: Packets) -> NDArray[np.bool_] | None:
        """Return which source vectors (packets · windows,) the encoder marked as off its design; they decode, coarsely.

        None: the codec has no such mark.
        """
        return None

    @abstractmethod
    def oracles(self) -> tuple[Oracle, ...]:
        """Return every other way to the packets that this machine has; the first one is the definition."""

    @abstractmethod
    def edges(self, packets: int, rng: np.random.Generator) -> Counts:
        """Return counts (packets, inputs) on or beside decision boundaries, where an error of one flips a bit."""

    @abstractmethod
    def explain(self, packet: Raw) -> tuple[int, ...]:
        """Return the numbers that a packet stands for. Raises QcsError if no encoder gives it."""

    @abstractmethod
    def c_files(self) -> dict[str, str]:
        """Return the C text that the tables make: qcs_model_<name>.h and .c."""

    def longest(self) -> tuple[dict[str, str], Counts] | None:
        """Return C text, as `c_files`, of a model that takes on its counts at least as long as this one on any.

        What it answers means nothing. None: no such model is known.
        """
        return None

    def sensor_macros(self) -> str:
        """Return the lines of the C header that say what goes in and what a count is."""
        manifest, word = self.bundle.manifest, f"QCS_{self.name.upper()}"
        adc = manifest.adc
        facts = {
            "MODEL_ID": f'"{manifest.model_id}"', "WINDOW": f"{self.width} /* N, samples per window */",
            "WINDOWS": f"{self.windows} /* per packet */", "RATE_BITS": f"{self.rate_bits!r} /* sent per sample */",
            "ADC_BITS": adc.bits, "ADC_SIGNED": int(adc.signed),
            "ADC_OFFSET_COUNTS": f"({adc.offset_counts}) /* the ADC's reading at 0 */",
            "UNITS_PER_COUNT": f"{adc.units_per_count!r}", "UNIT": f'"{adc.unit}"',
        }  # fmt: skip
        return "".join(f"#define {word}_{name} {value}\n" for name, value in facts.items())

    def checked_c_files(self) -> dict[str, str]:
        """Return `c_files`: what may be compiled. Raises CheckFailedError if the bundle's own C is another one."""
        files, bundle = self.c_files(), self.bundle
        for name, text in files.items():
            if not same_text(bundle.read(f"c/{name}"), text):
                raise CheckFailedError(str(bundle.fail(f"c/{name} is not what tables.npz gives")))
        for name in bundle.manifest.files:
            if name.startswith("c/") and name.removeprefix("c/") not in files and name not in self.c_beside:
                raise CheckFailedError(str(bundle.fail(f"{name} is nothing that this codec has")))
        return files

    @abstractmethod
    def describe(self) -> dict[str, str]:
        """Return what a reader wants to know, label → text: for inspect, export and the report."""

    def curves(self) -> dict[str, dict[str, list[float]]]:
        """Return what a report can draw of how it was made; empty if nothing.

        "training": step, soft_db, hard_db, equally long. "quantizer": thresholds, levels, steepness of its soft form.
        """
        return {}

    def cost(self) -> dict[str, int]:
        """Return bytes and operations of one encode that are the same on every core."""
        return {"io_bytes": 2 * self.inputs + self.packed_bytes_max}

    def definition(self, counts: NDArray[np.integer[Any]]) -> Packets:
        """Return the packets that the codec's definition gives: what the integers must equal, computed another way."""
        return self._definition.encode(self.checked(counts))

    @cached_property
    def _definition(self) -> Oracle:
        return self.oracles()[0]

    def draw(self, packets: int, seed: int | Sequence[int]) -> tuple[NDArray[Any], Array]:
        """Return x (packets · windows, N) and y (packets, inputs) of the bundle's source, in units."""
        x, y = self.sensor.draw(self.bundle.signal, packets * self.windows, seed)
        return x, y.reshape(packets, self.inputs)

    @property
    def source_windows(self) -> int | None:
        """How many windows of a recording `draw` chooses from, 0 if the bundle holds none; None if it draws afresh."""
        source = self.bundle.manifest.signal.model_dump().get("source")
        return len(self.sensor.windows) if source in ("recorded", "pairs") else None

    def network_input(self, counts: Counts) -> NDArray[np.int8]:
        """Return the network inputs of ADC counts, any shape."""
        raise QcsError(f"a {self.kind} codec takes ADC counts, not network inputs")

    def encode_inputs(self, inputs: NDArray[np.int8]) -> Packets:
        """Return the packets of network inputs (packets, inputs)."""
        raise QcsError(f"a {self.kind} codec takes ADC counts, not network inputs")

    def encode_any(self, values: NDArray[Any]) -> Packets:
        """Return the packets of network inputs if `values` are int8, else of counts."""
        return self.encode_inputs(values) if values.dtype == np.int8 else self.encode_counts(values)

    def checked(self, counts: NDArray[np.integer[Any]] | bytes) -> Counts:
        """Return counts as int16. Raises QcsError if they are no integers in int16 of shape (packets, inputs)."""
        if isinstance(counts, bytes):
            if len(counts) % (2 * self.inputs):
                raise QcsError(f"{len(counts)} bytes of counts are no whole packets of {self.inputs} int16")
            counts = np.frombuffer(counts, "<i2").reshape(-1, self.inputs)
        counts = np.asarray(counts)
        if counts.ndim != 2 or counts.shape[1] != self.inputs or counts.dtype.kind not in "iu":
            wanted = f"expected int16 (packets, {self.inputs})"
            raise QcsError(f"counts are {counts.dtype} of shape {counts.shape}, {wanted}")
        if counts.size and (int(counts.min()) < -32768 or int(counts.max()) > 32767):
            worst = int(counts.flat[int(np.argmax(np.abs(counts.astype(np.float64))))])
            raise QcsError(f"a count is {worst}, outside int16 (-32768 … 32767)")
        return np.ascontiguousarray(counts, np.int16)
