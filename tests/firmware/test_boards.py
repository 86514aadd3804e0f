"""The registry of boards: built-in ones, a user's own, and what is said of a wrong entry."""

import re
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from support.raw_line import Line
from support.tables import c_dir, random_tables

from qcskit import firmware
from qcskit.firmware import PROOFS, FirmwareError, board_problems, boards, build, find_board, one_per_processor, start
from qcskit.firmware.boards import _read
from qcskit.firmware.cores import CORES, Core
from qcskit.firmware.flashing import COPY, PACKAGES

MINE = (
    "[mine]\nsummary = 'my desk'\ncore = 'host'\ncompiler = 'gcc'\npackage = 'gcc'\nflags = ['-O1']\n"
    "ports = ['native']\nlink = 'pty'\nemulator = ['{elf}']\n"
)


@pytest.mark.parametrize(
    ("name", "tools"),
    [
        ("native", ["gcc"]),
        ("cortex-m4", ["arm-none-eabi-gcc", "qemu-system-arm"]),
        ("uno", ["avr-gcc", "gcc", "simavr/sim_avr.h", "libelf.h"]),
        ("pico", ["arm-none-eabi-gcc", "python rp2040py"]),
    ],
)
def test_what_a_board_needs_is_all_that_it_is_built_and_run_with(
    name: str, tools: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    module = import_module("qcskit.firmware.boards")  # the package has a function of that name
    assert [tool for tool, _ in find_board(name).tools] == tools
    for lacking in tools:
        monkeypatch.setattr(module, "where_is", lambda tool, lacking=lacking: "" if tool == lacking else "x")
        assert [tool for tool, _ in find_board(name).missing] == [lacking]
        assert not find_board(name).ready


def test_an_unknown_board_suggests_the_nearest() -> None:
    with pytest.raises(FirmwareError, match="did you mean 'cortex-m4'"):
        find_board("cortexm4")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[b]\nsummary = 'x'\n", "lacks core, ports, link"),
        ("[b]\nsummary = 'x'\ncore = 'z80'\nports = []\nlink = 'pty'\n", "needs compiler and package, or one of"),
        ("[b]\nsumary = 'x'\n", "unknown key 'sumary'"),
        ("[b]\nflags = 'x'\n", "wrong type"),
        ("b = 1\n", "must be a table"),
        ("[b\n", "Expected ']'"),
        ("[b]\nsummary = 'x'\ncore = 'Cortex-M4'\nports = []\nlink = 'serial'\nflash = ['a']\n", "a list of commands"),
        ("[b]\nsummary = 'x'\ncore = 'Cortex-M4'\nports = []\nlink = 'usb'\n", "link = 'usb', must be"),
        ("[b]\nsummary = 'x'\ncore = 'Cortex-M4'\nports = []\nlink = 'pty'\ntried = 'no'\n", "tried = 'no', must be"),
    ],
)
def test_a_wrong_entry_is_named_and_takes_no_other_board_along(
    text: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    built_in, own = boards(), tmp_path / "boards.toml"
    own.write_text(text)
    monkeypatch.setenv("QCSKIT_BOARDS", str(own))
    assert boards() == built_in
    (problem,) = board_problems()
    assert message in problem
    assert "boards.toml" in problem
    with pytest.raises(FirmwareError, match=re.escape(message)):
        find_board("b")


def test_a_wrong_entry_leaves_the_right_ones_beside_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = tmp_path / "boards.toml"
    own.write_text(f"{MINE}[wrong]\nsummary = 1\n")
    monkeypatch.setenv("QCSKIT_BOARDS", str(own))
    assert find_board("mine").summary == "my desk"
    assert len(board_problems()) == 1


def test_the_boards_that_come_along_are_right() -> None:
    assert _read(Path(firmware.__file__).with_name("boards.toml"))[1] == {}
    for board in boards().values():
        assert board.proof in PROOFS
        assert board.ready == (bool(board.emulator) and not board.missing)
        for command in board.flash:
            assert command[0] in {*PACKAGES, COPY}
            assert {"{uf2}"}.isdisjoint(command) or board.uf2_family


@pytest.mark.parametrize(("old", "new"), [("cortex-m0", "microbit"), ("avr", "mega"), ("avr-328p", "uno")])
def test_a_board_is_found_by_its_old_name(old: str, new: str) -> None:
    assert find_board(old) is find_board(new)
    assert old not in boards()


def test_of_each_processor_there_is_one_board() -> None:
    names = {board.name for board in one_per_processor(boards().values())}
    assert names >= {"native", "cortex-m3", "cortex-m4", "rv32", "microbit", "mega", "uno"}
    assert not names & {"netduino2", "netduinoplus2", "nucleo-f446re", "nrf52840-dk", "hifive1"}


def test_a_board_without_an_emulator_builds_but_does_not_start(tmp_path: Path) -> None:
    board = find_board("nucleo-g071rb")
    assert (board.proof, board.ready) == ("", False)
    with pytest.raises(FirmwareError, match="has no emulator; give its serial port"):
        start(board, tmp_path / "any.elf")


def test_a_file_of_boards_that_is_named_and_not_there_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QCSKIT_BOARDS", str(tmp_path / "mine.toml"))
    for ask in (boards, board_problems):
        with pytest.raises(FirmwareError, match=r"^QCSKIT_BOARDS names '.*mine\.toml', which does not exist$"):
            ask()


def test_a_user_adds_a_board(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = tmp_path / "boards.toml"
    own.write_text(MINE)
    monkeypatch.setenv("QCSKIT_BOARDS", str(own))
    model = c_dir("demo", random_tables(np.random.default_rng(7), [10, 50, 10], 8))
    with start("mine", build("mine", model, "demo")) as emulator:
        assert Line(emulator.url).info()["rx_bytes"] == 512


@pytest.mark.parametrize("core", CORES.values(), ids=list(CORES))
def test_tables_that_a_kernel_check_takes_fit_its_board_and_are_no_small_ones(core: Core) -> None:
    """With room for the code. QEMU's rv32 has memory alone."""
    board = find_board(core.board)
    memory = board.flash_bytes or board.ram_bytes
    assert memory / 8 < core.table_bytes <= memory - (32 << 10)
