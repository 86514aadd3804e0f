"""Lossless packets in C against their definition in Python's integers, over models of every size and option."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from support.lossless import SHAPES, lossless_counts, lossless_tables
from support.need import need_board

from qcskit.codec.interface import Packets
from qcskit.codec.transform.lossless import LosslessTables, decode
from qcskit.codec.transform.lossless_definition import packet_of
from qcskit.codec.transform.lossless_text import c_files
from qcskit.firmware import HostCodec, build, build_host_library, c_directory, start
from qcskit.firmware.protocol.wire import encode_packets

MORE = {
    "furthest": {"inputs": 20, "bits": 16, "low": -32768, "weights": (32767, -32768)},
    "eight": {"inputs": 9, "bits": 16, "low": -32768, "weights": (9000, -9000, 9000, -9000, 9000, -9000, 9000, -2535)},
    "lowest": {"inputs": 8, "bits": 16, "low": -32768, "weights": (-32768,), "centre": -32768},
    "two": {"inputs": 2, "weights": (8000, -3904)},
    "single": {"inputs": 1},
}
CASES = SHAPES | MORE


def straining(tables: LosslessTables, packets: int = 120) -> NDArray[np.int16]:
    """Return counts (any, T) of every kind, within the ADC's range and far beyond."""
    rng, size = np.random.default_rng(6), (20, tables.inputs)
    signs = np.sign(np.resize(tables.weights[::-1], tables.inputs))
    driven = np.stack([np.where(signs > 0, 32767, -32768), np.where(signs > 0, -32768, 32767)])
    turns = np.where(np.arange(tables.inputs) % 2, 32767, -32768)[None]
    wild = [rng.integers(-32768, 32768, size), rng.choice([-32768, 32767], size), rng.integers(32700, 32768, size)]
    return np.concatenate([lossless_counts(tables, packets), driven, turns, *wild]).astype(np.int16)


def files_of(name: str, tables: LosslessTables) -> dict[str, str]:
    return c_files(name, "0123456789abcdef", tables, 1, "made up.", 4)


@pytest.fixture(scope="module")
def library() -> Path:
    made = [files_of(name, lossless_tables(**arguments)) for name, arguments in CASES.items()]
    files = {file: text for texts in made for file, text in texts.items()}
    return build_host_library(c_directory(files), extra_flags=("-fsanitize=undefined", "-fno-sanitize-recover=all"))


@pytest.mark.parametrize("name", CASES)
def test_every_packet_is_that_of_the_definition(name: str, library: Path) -> None:
    tables = lossless_tables(**CASES[name])
    counts = straining(tables)
    got = HostCodec(library, f"qcs_{name}_codec").encode(counts)
    for row, length, source in zip(got.rows, got.lengths, counts.tolist(), strict=True):
        assert row[:length].tobytes().hex() == packet_of(tables, source).hex()


@pytest.mark.parametrize("name", ["plain", "crc", "short"])
def test_nothing_is_written_behind_the_longest_packet(name: str, library: Path) -> None:
    """One packet per call: what does not fit fills all its room before it is sent raw."""
    codec = HostCodec(library, f"qcs_{name}_codec")
    for counts in straining(lossless_tables(**CASES[name])):
        codec.encode(counts[None])  # guards on either side


@pytest.mark.parametrize("board", ["cortex-m0", "cortex-m4", "avr"])
def test_a_board_sends_the_packets_of_the_definition(board: str) -> None:
    """With and without a count of leading zeros, and with 16-bit int."""
    entry = need_board(board)
    tables = lossless_tables(**SHAPES["crc"])
    counts = straining(tables, 40)
    elf = build(entry, c_directory(files_of("boards", tables)), "boards")
    with start(entry, elf) as emulator:
        got = encode_packets(emulator.url, counts)
    for row, length, source in zip(got.rows, got.lengths, counts.tolist(), strict=True):
        assert row[:length].tobytes().hex() == packet_of(tables, source).hex()
    packets = Packets.rows(got.rows, got.lengths)
    assert {0, 1, 2, 3} == set(decode(tables, packets).number.tolist())
