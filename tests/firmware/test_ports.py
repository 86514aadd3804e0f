"""The ports of real boards: registers against the manuals, one image for chip and emulator, no byte lost."""

import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support.need import need_board
from support.raw_line import Line, frame
from support.registers import started
from support.tables import c_dir, packed_of, random_tables

from qcskit.firmware import Board, boards, build, count, find_board, sources, start
from qcskit.firmware.build import _board_flags
from qcskit.firmware.host import WARNINGS
from qcskit.firmware.image import parts_of
from qcskit.firmware.symbols import functions

TABLES = random_tables(np.random.default_rng(7), [10, 50, 10], 8)
X = np.random.default_rng(8).integers(-128, 128, (150, 10), np.int8)
MODEL = c_dir("demo", TABLES)
REAL = [board.name for board in boards().values() if "uart" in board.ports and board.name != "rv32"]
ALL = 0xFFFFFFFF

F4_USART1 = {
    0x40023830: (1 << 1, 1 << 1),  # RCC_AHB1ENR: GPIOB
    0x40023844: (1 << 4, 1 << 4),  # RCC_APB2ENR: USART1
    0x40011008: (ALL, 139),  # BRR: 16 MHz / 115,200 = 138.9
    0x4001100C: (ALL, 0x202C),  # CR1: UE, RXNEIE, TE, RE
    0x40020420: (0xFF << 24, 0x77 << 24),  # GPIOB_AFRL: pins 6 and 7 to AF7
    0x4002040C: (0xF << 12, 0x4 << 12),  # PUPDR: pull-up on pin 7
    0x40020400: (0xF << 12, 0xA << 12),  # MODER: alternate function
}
NRF = {
    0x40000000: (ALL, 1),  # TASKS_HFCLKSTART
    0x40002524: (ALL, 0x01D7E000),  # 115,200
    0x40002500: (ALL, 4),
    0x40002304: (ALL, 4),  # RXDRDY
    0x40002008: (ALL, 1),
    0x40002000: (ALL, 1),
}
REGISTERS = {
    "netduinoplus2": F4_USART1,
    "netduino2": F4_USART1,
    "stm32vldiscovery": {
        0x40021018: (1 << 2 | 1 << 14, 1 << 2 | 1 << 14),  # RCC_APB2ENR: GPIOA, USART1
        0x40013808: (ALL, 69),  # 8 MHz / 115,200 = 69.4
        0x4001380C: (ALL, 0x202C),
        0x40010810: (ALL, 1 << 10),  # BSRR: the pull of pin 10 goes up
        0x40010804: (0xFF0, 0x8B0),  # CRH: pin 9 alternate push-pull, pin 10 input with pull
    },
    "nucleo-f446re": {
        0x40023830: (1, 1),
        0x40023840: (1 << 17, 1 << 17),  # RCC_APB1ENR: USART2
        0x40004408: (ALL, 139),
        0x4000440C: (ALL, 0x202C),
        0x40020020: (0xFF << 8, 0x77 << 8),
        0x4002000C: (0xF << 4, 0x4 << 4),
        0x40020000: (0xF << 4, 0xA << 4),
    },
    "nucleo-g071rb": {
        0x40021034: (1, 1),  # RCC_IOPENR
        0x4002103C: (1 << 17, 1 << 17),  # RCC_APBENR1: USART2
        0x4000440C: (ALL, 139),
        0x40004400: (ALL, 0x2D),  # CR1: UE, RE, TE, RXNEIE
        0x50000020: (0xFF << 8, 0x11 << 8),  # AFRL: pins 2 and 3 to AF1
        0x5000000C: (0xF << 4, 0x4 << 4),
        0x50000000: (0xF << 4, 0xA << 4),
    },
    "microbit": NRF | {0x50000508: (ALL, 1 << 24), 0x50000760: (ALL, 3), 0x50000764: (ALL, 0xC),
                       0x4000250C: (ALL, 24), 0x40002514: (ALL, 25)},
    "nrf52840-dk": NRF | {0x50000508: (ALL, 1 << 6), 0x50000718: (ALL, 3), 0x50000720: (ALL, 0xC),
                          0x4000250C: (ALL, 6), 0x40002514: (ALL, 8)},
    "pico": {
        0x4002400C: (ALL, 47),
        0x40024000: (ALL, 0xFABAA0),  # XOSC
        0x40008030: (ALL, 2),  # CLK_REF: crystal
        0x40008048: (ALL, 0x880),  # CLK_PERI: enabled, crystal
        0x4000F000: (ALL, 1 << 5 | 1 << 8 | 1 << 22),  # RESETS, cleared
        0x40014004: (ALL, 2),
        0x4001400C: (ALL, 2),
        0x40034024: (ALL, 6),  # 12 MHz / 16 / 115,200 = 6.510 = 6 + 33/64
        0x40034028: (ALL, 33),
        0x4003402C: (ALL, 0x70),
        0x40034034: (ALL, 0),
        0x40034038: (ALL, 0x50),
        0x40034030: (ALL, 0x301),
    },
    "hifive1": {
        0x10008004: (ALL, 1 << 30),
        0x1000800C: (ALL, 1 << 8),
        0x10008008: (ALL, 7 << 16),
        0x1001203C: (3 << 16, 0),  # IOF 0 of pins 16 and 17
        0x10012038: (3 << 16, 3 << 16),
        0x10013018: (ALL, 138),  # 16 MHz / 139 = 115,108
        0x10013008: (ALL, 1),
        0x1001300C: (ALL, 1),
        0x10013010: (ALL, 2),
        0: (ALL, 3),  # PLIC: UART0 is source 3
    },
}  # fmt: skip
"""Address → (bits that the start sets, their value), from the manuals that the ports name."""
READ_ONLY = {"pico": {0x40024004, 0x4000C008}}
INTERRUPT = {"netduinoplus2": 37, "netduino2": 37, "stm32vldiscovery": 37, "nucleo-f446re": 38, "nucleo-g071rb": 28,
             "microbit": 2, "nrf52840-dk": 2, "pico": 20}  # fmt: skip
"""Of the UART, from the manuals."""


@pytest.mark.parametrize("name", REAL)
def test_the_start_sets_the_registers_of_the_manual_and_no_other_bits(name: str, tmp_path: Path) -> None:
    """An emulator would not see a pin that is not selected, a clock that does not run, or a wrong divider."""
    for fill in (0, ALL):
        found = started(find_board(name), fill, tmp_path)
        assert set(found) - READ_ONLY.get(name, set()) == set(REGISTERS[name])
        wanted = {at: value | (fill & ~bits) for at, (bits, value) in REGISTERS[name].items()}
        assert {at: hex(found[at]) for at in wanted} == {at: hex(value) for at, value in wanted.items()}


@pytest.mark.parametrize("name", INTERRUPT)
def test_the_vector_table_leads_to_the_interrupt_of_the_uart(name: str) -> None:
    board = need_board(replace(find_board(name), emulator=()))
    elf = build(find_board(name), MODEL, "demo")
    address = {symbol.name: symbol.address for symbol in functions(elf)}
    table = parts_of(elf)[0].content[256 if name == "pico" else 0 :]
    words = [int.from_bytes(table[4 * i : 4 * i + 4], "little") for i in (1, 3, 16 + INTERRUPT[name])]
    assert words == [address[symbol] | 1 for symbol in ("qcs_reset", "qcs_fault", "qcs_port_interrupt")]
    assert board.proof in ("chip", "core", "")


def test_the_second_stage_of_the_pico_bears_its_checksum() -> None:
    """CRC-32 as RP2040's boot ROM reckons it: 0x04C11DB7, from all ones, not reflected, nothing inverted."""
    need_board(replace(find_board("pico"), emulator=()))
    stage = parts_of(build(find_board("pico"), MODEL, "demo"))[0].content[:256]
    crc = ALL
    for byte in stage[:252]:
        crc ^= byte << 24
        for _ in range(8):
            crc = (crc << 1 ^ (0x04C11DB7 if crc >> 31 else 0)) & ALL
    assert int.from_bytes(stage[252:], "little") == crc


@pytest.mark.parametrize("name", ["netduinoplus2", "hifive1"])
def test_ticks_are_the_instructions_that_are_counted_from_outside(name: str) -> None:
    need_board(name)
    counts = count(name, MODEL, "demo", X[:20])
    over = counts.answers.ticks.astype(int) - counts.instructions
    assert 0 <= over.min() <= over.max() <= over.min() + 2
    assert over.max() < 100
    with start(name, build(name, MODEL, "demo")) as emulator:
        assert Line(emulator.url).info()["tick_source"] == 2  # instructions, not cycles


@pytest.mark.parametrize("name", ["netduinoplus2", "microbit"])
def test_an_emulator_that_does_not_count_has_no_ticks(name: str) -> None:
    """The image is the one that reports instructions elsewhere."""
    board = need_board(name)
    at = board.emulator.index("-icount")
    with start(replace(board, emulator=board.emulator[:at]), build(board, MODEL, "demo")) as emulator:
        info = Line(emulator.url).info()
        assert (info["tick_source"], info["tick_hz"]) == (0, 0)


def test_bytes_that_arrive_during_an_encode_are_not_lost() -> None:
    """The Pico's emulator delivers a byte every 87 µs of its own time and drops what finds the FIFO of 32 full."""
    board = need_board("pico")
    with start(board, build(board, MODEL, "demo")) as emulator:
        line = Line(emulator.url)
        line.info()
        parts = [X[at : at + 50] for at in range(0, 150, 50)]
        line.send(b"".join(frame(2, seq, bytes([1, 50]) + part.tobytes()) for seq, part in enumerate(parts)))
        answers = [line.receive() for _ in parts]
        packets, at = b"", 1
        for _kind, _seq, payload in answers:
            for at in range(1, len(payload), 6 + 4):
                packets += payload[at + 6 : at + 6 + int.from_bytes(payload[at + 4 : at + 6], "little")]
        assert [answer[:2] for answer in answers] == [(0x82, 0), (0x82, 1), (0x82, 2)]
        assert packets == packed_of(TABLES, X).tobytes()
        assert line.ask(4)[2][4:12] == bytes(8)  # no frame was broken, no byte overran


@pytest.mark.parametrize("optimise", ["-O0", "-O3"])
def test_every_port_compiles_without_a_warning(optimise: str, tmp_path: Path) -> None:
    known = [board for board in boards().values() if board.freestanding or "avr" in board.ports]
    for board in {(board.ports, *_without_values(board)): board for board in known}.values():
        _compile(board, optimise, tmp_path)


def _without_values(board: Board) -> list[str]:
    """Return the definitions that choose parts of a port: QCS_STM32F1 and such."""
    return [flag for flag in board.flags if flag.startswith("-DQCS_") and "=" not in flag]


def _compile(board: Board, optimise: str, folder: Path) -> None:
    need_board(replace(board, emulator=()))
    root = sources()
    places = [root / "include", root / "app", *(root / "ports" / port for port in board.ports)]
    files = [str(path) for place in places[2:] for path in sorted(place.glob("*.c"))]
    command = [board.compiler, "-std=c11", *WARNINGS, "-ffreestanding", *_board_flags(board, root), optimise, "-c",
               *(f"-I{place}" for place in places), *files]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder, check=False)
    assert (done.returncode, done.stderr) == (0, ""), board.name
