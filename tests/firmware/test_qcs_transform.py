"""The transform codec in C against its definition in Python's integers, over models of every size and option."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from support.need import need_board, need_tool
from support.transform import SHAPES, counts_of, transform_tables

from qcskit.codec.errors import QcsError
from qcskit.codec.transform.c_text import c_files, largest, longest_c_files
from qcskit.codec.transform.definition import packet_of
from qcskit.codec.transform.forward import quantize
from qcskit.codec.transform.tables import Tables
from qcskit.firmware import CORES, HostCodec, build, build_host_library, c_directory, count, start
from qcskit.firmware.errors import DoesNotFitError
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
    "fast_long": {"basis": "fast", "n": 512, "rows": 300, "windows": 2, "bits": 16, "low": -32768, "step": 50.0},
    "fast_fine": {"basis": "fast", "n": 64, "rows": 64, "windows": 1, "step": 1.0},
    "fast_few": {"basis": "fast", "n": 256, "rows": 9, "windows": 1},
    "rice_long": {"n": 128, "rows": 128, "windows": 1, "coder": "rice", "stride": 2, "max_bytes": 60},
}
CASES = SHAPES | MORE
LOUD = ("whole", "half", "eight", "odd", "klt_long", "longest", "rice_long", "fast_few")


def loudest(tables: Tables) -> Tables:
    """Return tables whose weights are as large as int32 allows, and the quantizer for them."""
    times = (2**31 - 1) // 32768 // (1 + int(np.abs(tables.matrix).sum(axis=1).max()))
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


def test_quiet_windows_are_lifted_as_far_as_the_page_says(library: Path, models: dict[str, Tables]) -> None:
    """On both sides of every power of 2; a bit less would round otherwise in one of some hundred coefficients."""
    tables, rng = models["fast_fine"], np.random.default_rng(6)
    peak = np.repeat([-129, -128, 5, 127, 128], 80)
    x = rng.integers(-4, 5, (len(peak), tables.inputs))
    x[:, 9] = peak
    counts = (x + tables.centre).astype(np.int16)
    rows, lengths = HostCodec(library, "qcs_fast_fine_codec").encode(counts)
    assert (rows[:, 0] != 0xFF).mean() > 0.9  # not sent raw
    check(tables, rows, lengths, counts)


def test_every_sum_about_a_boundary_falls_on_its_side(library: Path, models: dict[str, Tables]) -> None:
    """All small sums of both signs in both coefficients, and those about every index where a symbol begins."""
    small = np.stack(np.meshgrid(np.arange(-60, 61), np.arange(-60, 61)), axis=-1).reshape(-1, 2)
    first = np.array([1 << t | half << t - 1 for t in range(1, 11) for half in (0, 1)])
    sums = (16 * np.concatenate([first, 191 + first])[:, None] + np.arange(-8, 9)).ravel()
    x = np.concatenate([small, np.stack([sums // 2, sums - sums // 2], axis=1), np.stack([-sums, 0 * sums], axis=1)])
    counts = (x + models["unit"].centre).astype(np.int16)
    check(models["unit"], *HostCodec(library, "qcs_unit_codec").encode(counts), counts)


@pytest.mark.parametrize("model", ["loud_whole", "fast_control"])
@pytest.mark.parametrize("board", ["cortex-m0", "cortex-m4", "rv32", "avr"])
def test_the_kernels_of_a_core_give_the_same(board: str, model: str, models: dict[str, Tables]) -> None:
    """Extremes of every sign, which reach the ends of int32, in blocks of 16 … 1 samples; a network."""
    entry, tables = need_board(board), models[model]
    counts = straining(tables, 6)
    elf = build(entry, c_directory(files_of("demo", tables)), "demo")
    with start(entry, elf) as emulator:
        answers = encode_packets(emulator.url, counts)
    check(tables, answers.rows, answers.lengths, counts)


def test_what_no_device_holds_is_refused() -> None:
    files_of("demo", transform_tables(n=128, rows=128, windows=126, max_bytes=900))
    with pytest.raises(QcsError, match=r"^transform: 127 windows that are computed first take 65,536 bytes of scratch"):
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


def counted(board: str, files: dict[str, str], counts: NDArray[np.int16]) -> int:
    return int(count(need_board(board), c_directory(files), "demo", counts).instructions.max())


@pytest.mark.parametrize("name", ["control", "rice_control", "narrow", "fast_control"])
def test_no_counts_take_longer_than_the_model_that_takes_longest(name: str, models: dict[str, Tables]) -> None:
    """Packets that try most qualities, those that are sent raw and fine ones among them."""
    tables = models[name]
    files = longest_c_files("demo", "0123456789abcdef", tables, 4)
    assert files is not None
    counts = straining(tables, 20)[::6]
    taken = counted("cortex-m4", files_of("demo", tables), counts)
    bound = counted("cortex-m4", files, counts[:2])
    # All coefficients at once are more than any counts have; half of what is stated comes from real packets.
    assert 0.25 * bound < taken <= bound


def test_the_longest_model_codes_the_largest_indices() -> None:
    tables = transform_tables(step=3.0)
    for index in (191, 3000, 32767):
        most = largest(tables, index)
        assert quantize(tables, np.array([most, most + 1])).tolist() == [index, index + 1]
    coarse = transform_tables(step=1000.0)
    assert quantize(coarse, np.array(largest(coarse, 32767))) < 32767
    assert largest(replace(coarse, accumulator_shift=20), 32767) == 2**31 - 1
    # A device has no room for the packet.
    assert longest_c_files("demo", "0123456789abcdef", transform_tables(n=128, rows=128, windows=128), 4) is None


def test_what_a_small_board_cannot_hold_says_so() -> None:
    board = need_board("avr-328p")
    with pytest.raises(DoesNotFitError, match=r"cannot hold this model: needs more than its 2,048 bytes of RAM"):
        build(board, c_directory(files_of("demo", transform_tables(n=32, rows=32, windows=16, max_bytes=90))), "demo")


def test_a_model_has_one_coder(models: dict[str, Tables]) -> None:
    assert code_bytes(models["rice"]) <= 1600
