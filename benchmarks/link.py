"""Goodput of the serial protocol on a line of limited rate, with and without adapter latency.

    python benchmarks/link.py [--quick] [--json FILE] [--seconds N]

The real firmware (board `native`), the real host code; between them a token bucket at the line's rate, both ways, and
16 ms on everything the board sends, as USB serial adapters add per turnaround. M = 10 int8 values in, 4 bytes, a
4-byte tick and a 2-byte length out. Goodput: time that the request bytes (payload and framing) need on the line / time
taken. Beside it, computed: MLPerf Tiny's ASCII protocol (31 hexadecimal bytes per command, each command acknowledged by
`m-ready`) on the same line.
"""

import sys
import time
from pathlib import Path

from rows import Row, arguments, report
from support.line import Line, LinkSimulator, native_firmware

from qcskit import firmware
from qcskit.codec.codecs import open_codec
from qcskit.codec.interface import Codec
from qcskit.firmware.protocol.framing import encode_frame
from qcskit.firmware.protocol.messages import Type, encode_payload
from qcskit.hil import Device
from qcskit.hil.vectors import VectorSet

BUNDLE = Path(__file__).parents[1] / "tests" / "data" / "bundle"
LATENCY_S = 0.016
TARGETS = {0.0: 0.95, LATENCY_S: 0.90}


def ascii_vectors_per_s(baud: int, latency_s: float, inputs: int, packed: int) -> float:
    """Return what MLPerf Tiny's protocol reaches: `db load`, `db <hex>`, `infer`, each with its answer."""
    commands = ["db load 00%"]
    commands += [f"db {'00' * min(31, inputs - start)}%" for start in range(0, inputs, 31)] + ["infer 1 0%"]
    answers = ["m-ready\r\n"] * len(commands) + [f"m-results-[{'00' * packed}]\r\n"]
    characters = sum(map(len, commands)) + sum(map(len, answers))
    return 1.0 / (characters * 10 / baud + len(commands) * latency_s)


def measure(codec: Codec, elf: Path, line: Line, seconds: float) -> tuple[float, float, int]:
    """Return goodput, vectors/s and retries of about `seconds` of streaming; every byte is checked."""
    count = int(seconds * line.baud / 10 / (codec.inputs + 0.2))
    vectors = VectorSet(codec, count, 1, "inputs")
    inputs = vectors.values()
    expected = vectors.expected(inputs)
    simulator = LinkSimulator(lambda: firmware.start("native", elf), line)
    with simulator, Device.open(simulator.url, codec) as board:
        batch = board.models[1].batch
        start = time.monotonic()
        packets = board.encode(inputs).packets
        taken = time.monotonic() - start
        if packets.differ(expected).any():
            raise SystemExit("a byte differs from the reference")
        # Each request once: retries are no goodput.
        parts = (inputs[a : a + batch] for a in range(0, count, batch))
        needed = sum(len(encode_frame(Type.ENCODE, seq & 0xFFFF, encode_payload(x))) for seq, x in enumerate(parts))
        return needed * 10 / line.baud / taken, count / taken, board.exchange.counts.retries


def main() -> int:
    """Run all lines and print the table."""
    options = arguments(__doc__.split("\n")[0], seconds=20)
    seconds = 4 if options.quick else options.seconds
    codec = open_codec(BUNDLE)
    elf = native_firmware(codec)
    rows = []
    for baud in (115_200, 921_600):
        for latency_s, target in TARGETS.items():
            case = f"{baud:,} baud" + (f", +{latency_s * 1000:g} ms" if latency_s else "")
            goodput, rate, retries = measure(codec, elf, Line(baud, latency_s), seconds)
            ascii_rate = ascii_vectors_per_s(baud, latency_s, codec.inputs, codec.packed_bytes_max)
            note = "reference: MLPerf Tiny ASCII, computed"
            meets = goodput >= target
            rows.append(Row(case, "goodput", goodput, "of the line", None, target, meets, f"{retries} retries"))
            rows.append(Row(case, "rate", rate, "vectors/s", ascii_rate, note=note))
    return report("link", "Serial protocol on a limited line", rows, options.json)


if __name__ == "__main__":
    sys.exit(main())
