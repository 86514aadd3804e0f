"""What comes through a bad line: vectors lost, wrong, answered twice.

    python benchmarks/faults.py [--quick] [--json FILE] [--vectors N] [--slow-vectors N]

The real firmware (board `native`) behind a simulated line that loses, flips or doubles 1, 5 and 20 % of all bytes, each
byte for itself, both ways, from the first HELLO on, and restarts the board after every 300 requests it has served.
At 20 % one request in 135 and one reply in 60 arrives whole: 20 minutes for 100,000 vectors; `--slow-vectors` for
fewer there. Every byte of every answer is compared with the reference; a second answer to a vector ends
the run. Overall expectation of undetected damage: bad frames · 2^-32.
"""

import sys
import time
from dataclasses import replace

from link import BUNDLE
from rows import Row, arguments, report
from support.line import Faults, LinkSimulator

from qcskit import firmware
from qcskit.codec.codecs import open_codec
from qcskit.codec.interface import Codec
from qcskit.hil import Device
from qcskit.hil.journal import Recorder
from qcskit.hil.vectors import VectorSet

RESET_EVERY = 300
RX_BYTES = {0.01: 4096, 0.05: 4096, 0.20: 32_768}
"""Receive buffer of the board, and with it the window, for each share: many attempts need many on the way."""
GIVE_UP_S = 120.0


def measure(codec: Codec, share: float, count: int, resets: bool) -> list[Row]:
    """Return the rows of one line: lost, wrong, twice, rate."""
    board_facts = replace(firmware.find_board("native"), rx_bytes=RX_BYTES[share])
    elf = firmware.build(board_facts, firmware.c_directory(codec.checked_c_files()), codec.name)
    vectors = VectorSet(codec, count, 1, "inputs")
    inputs = vectors.values()
    recorder = Recorder(count, codec.packed_bytes_max)  # refuses a second answer
    simulator = LinkSimulator(
        lambda: firmware.start(board_facts, elf), faults=Faults.each(share, RESET_EVERY if resets else 0), seed=1
    )
    with simulator, Device.open(simulator.url, codec, give_up_s=GIVE_UP_S) as board:
        start = time.monotonic()
        twice = 0
        for answer in board.stream(inputs, [(0, count)]):
            twice += int(recorder.answered[answer.start : answer.stop].sum())
            recorder.take(answer)
        seconds = time.monotonic() - start
        counts, damaged = board.exchange.counts, board.exchange.parser.text_stretches
    wrong = int(recorder.packets().differ(vectors.expected(inputs)).sum())
    lost = int((~recorder.answered).sum())
    case = f"{share:.0%} of bytes" + (f", {simulator.resets} resets" if resets else "")
    note = f"{counts.frames_sent:,} requests, {damaged:,} damaged replies"
    return [
        Row(case, "vectors", count, "", note=note),
        Row(case, "lost", lost, "vectors", target=0, meets=lost == 0),
        Row(case, "wrong", wrong, "vectors", target=0, meets=wrong == 0),
        Row(case, "twice", twice, "vectors", target=0, meets=twice == 0),
        Row(case, "rate", count / seconds, "vectors/s", note=f"{seconds:.0f} s"),
    ]


def main() -> int:
    """Run all lines and print the table."""
    options = arguments(__doc__.split("\n")[0], vectors=100_000, slow_vectors=100_000)
    count, slow = (5_000, 300) if options.quick else (options.vectors, options.slow_vectors)
    codec = open_codec(BUNDLE)
    rows: list[Row] = []
    for share, vectors in ((0.01, count), (0.05, count), (0.20, slow)):
        for resets in (False, True) if share < 0.2 else (True,):
            rows += measure(codec, share, vectors, resets)
            done = "; ".join(f"{row.metric} {row.value:g}" for row in rows[-5:])
            print(f"{rows[-1].case}: {done}", file=sys.stderr, flush=True)
    return report("faults", "Fault injection on the serial line", rows, options.json)


if __name__ == "__main__":
    sys.exit(main())
