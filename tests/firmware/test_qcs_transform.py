"""The transform codec in C against its definition in Python's integers, over models of every size and option."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from support.need import need_board, need_tool
from support.transform import SHAPES, counts_of, transform_tables

from qcskit.codec.errors import QcsError
from qcskit.codec.transform.c_text import c_files
from qcskit.codec.transform.definition import packet_of
from qcskit.codec.transform.tables import Tables
from qcskit.firmware import CORES, HostCodec, build, build_host_library, c_directory, start
from qcskit.firmware.footprint import footprint
from qcskit.firmware.protocol.wire import encode_packets

MORE = {
    "eight": {"n": 8, "rows": 8, "windows": 8, "bits": 10, "low": 0, "centre": -500, "step": 4.0},
    "eight_above": {"n": 8, "rows": 8, "windows": 8, "bits": 10, "low": 0, "centre": 500, "step": 4.0},
    "whole": {"n": 32, "rows": 32, "windows": 4, "bits": 16, "low": -32768, "step": 60.0},
    "long": {"n": 128, "rows": 100, "windows": 1, "bits": 16, "low": -32768, "step": 50.0},
    "half": {"n": 32, "rows": 16, "basis": "klt", "windows": 4},
    "two": {"n": 2, "rows": 2, "windows": 1, "bits": 16, "low": -32768, "centre": -90, "step": 2.0},
    "longest": {"n": 512, "rows": 512, "windows": 1, "max_bytes": 90},
    "klt_long": {"n": 128, "rows": 61, "basis": "klt", "windows": 2, "stride": 2, "step": 5.0},
    "rice_long": {"n": 128, "rows": 128, "windows": 1, "coder": "rice", "stride": 2, "max_bytes": 60},
}
CASES = SHAPES | MORE
LOUD = ("whole", "half", "eight", "odd", "klt_long", "longest", "rice_long")


def loudest(tables: Tables) -> Tables:
    """Return tables whose weights are as large as int32 allows, and the quantizer for them."""
    times = (2**31 - 1) // 32768 // int(np.abs(tables.matrix).sum(axis=1).max())
    times = min(times, 32767 // int(np.abs(tables.weights).max()))
    louder = replace(tables, weights=(tables.weights * times).astype(np.int16))
    louder.check()
    return louder


def straining(tables: Tables, packets: int = 40) -> NDArray[np.int16]:
    """Return counts (any, inputs): one value, alternating, what drives each row furthest, every loudness."""
    same = np.repeat(np.array([-32768, -1, 0, tables.centre, 32767])[:, None], tables.inputs, axis=1)
    turns = np.where(np.arange(tables.inputs) % 2, 32767, -32768)[None]
    rows = np.tile(np.repeat(np.sign(tables.matrix), tables.stride, axis=1), (1, tables.windows))
    rows = rows[np.unique(np.linspace(0, tables.rows - 1, min(40, 8192 // tables.samples)).astype(int))]
    driven = np.concatenate([np.where(rows > 0, 32767, -32768), np.where(rows > 0, -32768, 32767)])
    return np.concatenate([same, turns, -1 - turns, driven, counts_of(tables, packets)]).astype(np.int16)


def files_of(name: str, tables: Tables) -> dict[str, str]:
    return c_files(name, "0123456789abcdef", tables, "made up.", 4)


@pytest.fixture(scope="module")
def models() -> dict[str, Tables]:
    made = {name: transform_tables(**arguments) for name, arguments in CASES.items()}
    # Sums are x0 - x1 and x0 + x1 themselves, a step is 16 of them.
    unit = replace(made["two"], weights=np.ones(2, np.int16), accumulator_shift=0, multiplier=1024, index_shift=14,
                   rounding=5898)  # fmt: skip
    return made | {"unit": unit} | {f"loud_{name}": loudest(made[name]) for name in LOUD}


@pytest.fixture(scope="module")
def library(models: dict[str, Tables]) -> Path:
    files = {file: text for name, tables in models.items() for file, text in files_of(name, tables).items()}
    return build_host_library(c_directory(files), extra_flags=("-fsanitize=undefined", "-fno-sanitize-recover=all"))


def check(tables: Tables, rows: NDArray[np.uint8], lengths: NDArray[np.int64], counts: NDArray[np.int16]) -> None:
    for row, length, source in zip(rows, lengths, counts.tolist(), strict=True):
        assert row[:length].tobytes().hex() == packet_of(tables, source).hex(), source


@pytest.mark.parametrize("name", [*CASES, *(f"loud_{name}" for name in LOUD)])
def test_every_packet_is_that_of_the_definition(name: str, library: Path, models: dict[str, Tables]) -> None:
    counts = straining(models[name])
    check(models[name], *HostCodec(library, f"qcs_{name}_codec").encode(counts), counts)


def test_every_sum_about_a_boundary_falls_on_its_side(library: Path, models: dict[str, Tables]) -> None:
    """All small sums of both signs in both coefficients, and those about every index where a symbol begins."""
    small = np.stack(np.meshgrid(np.arange(-60, 61), np.arange(-60, 61)), axis=-1).reshape(-1, 2)
    first = np.array([1 << t | half << t - 1 for t in range(1, 11) for half in (0, 1)])
    sums = (16 * np.concatenate([first, 191 + first])[:, None] + np.arange(-8, 9)).ravel()
    x = np.concatenate([small, np.stack([sums // 2, sums - sums // 2], axis=1), np.stack([-sums, 0 * sums], axis=1)])
    counts = (x + models["unit"].centre).astype(np.int16)
    check(models["unit"], *HostCodec(library, "qcs_unit_codec").encode(counts), counts)


@pytest.mark.parametrize("board", ["cortex-m0", "cortex-m4", "rv32", "avr"])
def test_the_kernels_of_a_core_give_the_same(board: str, models: dict[str, Tables]) -> None:
    """Extremes of every sign, which reach the ends of int32, in blocks of 16 … 1 samples."""
    entry, tables = need_board(board), models["loud_whole"]
    counts = straining(tables, 6)
    elf = build(entry, c_directory(files_of("demo", tables)), "demo")
    with start(entry, elf) as emulator:
        answers = encode_packets(emulator.url, counts)
    check(tables, answers.rows, answers.lengths, counts)


def test_what_no_device_holds_is_refused() -> None:
    files_of("demo", transform_tables(n=128, rows=128, windows=126, max_bytes=900))
    with pytest.raises(QcsError, match=r"^transform: 127 windows with max_bytes take 65,536 bytes of scratch"):
        files_of("demo", transform_tables(n=128, rows=128, windows=127, max_bytes=900))


def code_bytes(tables: Tables) -> int:
    core = CORES["Cortex-M4"]
    need_tool(core.compiler, core.package)
    cost = footprint(core, c_directory(files_of("demo", tables)), "demo")
    assert cost.ram_bytes == 0
    return cost.code_bytes


def test_what_a_model_does_not_ask_for_takes_no_flash(models: dict[str, Tables]) -> None:
    plain = code_bytes(models["plain"])
    assert plain + 60 <= code_bytes(replace(models["plain"], crc=True)) <= 1800
    # Raw packets are left out; they take more than all the sums beforehand.
    assert code_bytes(replace(models["plain"], max_bytes=9)) < plain


def test_a_model_has_one_coder(models: dict[str, Tables]) -> None:
    assert code_bytes(models["rice"]) <= 1600
