"""Random and damaged packets into the decoders of transform codecs: windows or a flag, how fast, what slips through.

    python benchmarks/hostile_packets.py [--quick] [--json FILE] [--packets 1000000]

Every shape of tables in tests/support/transform.py in turn. A quarter of the packets are random bytes of random length,
a quarter are cut or lengthened, a quarter have a burst of at most 8 wrong bits, a quarter a byte replaced. What is
accepted must be what an encoder gives: it is encoded again and compared. --quick: 50,000 packets.
"""

import sys
import time

import numpy as np
from numpy.typing import NDArray
from rich.progress import Progress
from rows import Row, arguments, report
from support.transform import SHAPES, counts_of, transform_tables

from qcskit.codec.interface import Packets
from qcskit.codec.transform import packet
from qcskit.codec.transform.tables import Tables

KINDS = ("random", "cut", "burst", "byte")
_BATCH = 4000


def burst(rng: np.random.Generator, good: bytes) -> bytes:
    """Return a packet with up to 8 neighbouring bits changed."""
    bits = np.unpackbits(np.frombuffer(good, np.uint8))
    start = int(rng.integers(0, len(bits)))
    pattern = np.unpackbits(rng.integers(1, 256, 1, np.uint8))[: len(bits) - start]
    bits[start : start + 8] ^= pattern
    return np.packbits(bits).tobytes()


def damaged(rng: np.random.Generator, kind: str, good: bytes, longest: int) -> bytes:
    """Return one packet of a kind, made of a good one."""
    if kind == "random":
        return rng.integers(0, 256, rng.integers(0, longest + 1), np.uint8).tobytes()
    if kind == "cut":
        return good[: rng.integers(0, len(good))] if rng.random() < 0.5 else (good + b"\1\0\xff")[:longest]
    if kind == "burst":
        return burst(rng, good)
    changed = bytearray(good)
    changed[rng.integers(0, len(good))] = int(rng.integers(0, 256))
    return bytes(changed)


def batch(rng: np.random.Generator, tables: Tables, kind: str, count: int) -> tuple[Packets, NDArray[np.bool_]]:
    """Return packets of a kind, and which of them differ from the good ones they were made of."""
    good = packet.encode(tables, counts_of(tables, count, int(rng.integers(1 << 30))))
    made = [damaged(rng, kind, one, tables.packed_bytes_max) for one in good]
    return Packets.of(made), np.array([a != b for a, b in zip(made, good, strict=True)])


def rows_of(name: str, count: int, bar: Progress) -> list[Row]:
    """Try one shape of tables."""
    tables, rng = transform_tables(**SHAPES[name]), np.random.default_rng(17)
    task = bar.add_task(name, total=count)
    seconds, accepted, changed, wrong = 0.0, dict.fromkeys(KINDS, 0), dict.fromkeys(KINDS, 0), 0
    each = -(-count // len(KINDS))
    for kind, start in ((kind, start) for kind in KINDS for start in range(0, each, _BATCH)):
        packets, differs = batch(rng, tables, kind, min(_BATCH, each - start))
        begin = time.perf_counter()
        found = packet.decode(tables, packets)
        seconds += time.perf_counter() - begin
        accepted[kind] += int((found.good & differs).sum())
        changed[kind] += int(differs.sum())
        fine = found.good & ~found.raw
        wrong += int((np.abs(found.index[fine]) > 32767).sum())
        for quality in np.unique(found.quality[fine]):
            own = fine & (found.quality == quality)
            again = packet.encode_indices(tables, found.index[own], int(quality) if tables.max_bytes else None)
            wrong += int(again.differ(packets.select(own)).sum())
        bar.advance(task, len(packets))
    share = {kind: accepted[kind] / max(changed[kind], 1) for kind in KINDS}
    note = ", ".join(f"{kind} {value:.3%}" for kind, value in share.items())
    rows = [
        Row(name, "accepted although no encoder gives it", wrong, "packets", None, 0, wrong == 0),
        Row(name, "damage that is another valid packet", 100 * sum(accepted.values()) / sum(changed.values()), "%",
            note=note),
        Row(name, "decoder", len(KINDS) * each / seconds, "packets/s",
            note=f"{tables.windows} windows of {tables.samples} each"),
    ]  # fmt: skip
    if tables.crc:
        rows.append(Row(name, "bursts of at most 8 bits missed by the CRC", accepted["burst"], "packets", None, 0,
                        accepted["burst"] == 0))  # fmt: skip
    return rows


def main() -> int:
    """Try all shapes and report."""
    options = arguments("damaged packets of transform codecs", packets=1_000_000)
    count = -(-(50_000 if options.quick else options.packets) // len(SHAPES))
    rows: list[Row] = []
    with Progress(transient=True) as bar:
        for name in SHAPES:
            rows += rows_of(name, count, bar)
    return report("hostile_packets", "damaged packets of transform codecs", rows, options.json)


if __name__ == "__main__":
    sys.exit(main())
