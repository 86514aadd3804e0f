"""Tools that write a board: which one is taken, what it gets, what is said of one that is missing."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support.bootloaders import BootLoader, Stk500, StmBootLoader
from support.need import need_board, need_tool
from support.raw_line import Line
from support.tables import c_dir, packed_of, random_tables

from qcskit.firmware import Board, FirmwareError, build, find_board
from qcskit.firmware.flashing import COPY, choose_tool, find_volume, flash
from qcskit.firmware.image import parts_of, to_bin

TABLES = random_tables(np.random.default_rng(7), [10, 50, 10], 8)
X = np.random.default_rng(8).integers(-128, 128, (40, 10), np.int8)
MODEL = c_dir("demo", TABLES)


def written_and_run(board: Board, tool: str, loader: BootLoader) -> None:
    elf = build(board, MODEL, "demo")
    with loader:
        done = flash(board, elf, choose_tool(board, tool), loader.port)
        assert done.exit_code == 0, done.printed
        line = Line(loader.port)
        info = line.info()
        assert info["model_id"].hex() == TABLES.model_id
        packets, _ticks = line.encode(X, info)
        line.port.close()
    assert b"".join(packets) == packed_of(TABLES, X).tobytes()
    image = to_bin(parts_of(elf))
    assert bytes(loader.flash).rstrip(b"\xff") == image.rstrip(b"\xff")


def test_avrdude_writes_an_uno(tmp_path: Path) -> None:
    need_tool("avrdude", "avrdude")
    written_and_run(need_board("uno"), "avrdude", Stk500("uno", tmp_path))


def test_stm32flash_writes_a_discovery_board(tmp_path: Path) -> None:
    need_tool("stm32flash", "stm32flash")
    board = need_board("stm32vldiscovery")
    (command,) = (command for command in board.flash if command[0] == "stm32flash")
    # A pseudo-terminal has no parity.
    board = replace(board, flash=((command[0], "-m", "8n1", *command[1:]),))
    written_and_run(board, "stm32flash", StmBootLoader(board.name, tmp_path))


def test_a_missing_tool_is_named_with_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(FirmwareError, match=r"avrdude is not installed, run 'sudo apt-get install avrdude'"):
        choose_tool(find_board("uno"))
    with pytest.raises(FirmwareError, match=r"pip install pyocd.*volume 'MICROBIT'.*apt-get install openocd"):
        choose_tool(find_board("microbit"))
    with pytest.raises(FirmwareError, match=r"not written by 'esptool'; its tools: avrdude"):
        choose_tool(find_board("uno"), "esptool")
    with pytest.raises(FirmwareError, match="emulated only"):
        choose_tool(find_board("cortex-m4"))


def test_an_image_is_copied_to_a_volume(tmp_path: Path) -> None:
    board = need_board("pico")
    elf, volume = build(board, MODEL, "demo"), tmp_path / "RPI-RP2"
    volume.mkdir()
    done = flash(board, elf, choose_tool(board, "copy", volume), volume=volume)
    assert (done.tool, done.exit_code) == ("copy", 0)
    (file,) = volume.iterdir()
    assert file.suffix == ".uf2"
    assert file.read_bytes()[:4] == b"UF2\n"


def test_a_volume_is_found_by_its_label_and_told_if_it_is_not_there_or_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    board, image = find_board("pico"), tmp_path / "image"
    (tmp_path / "LABEL").mkdir()
    image.write_bytes(b"abc")
    monkeypatch.setenv("USER", str(tmp_path))  # an absolute path stands for itself below /media
    assert find_volume("LABEL") == tmp_path / "LABEL"
    assert find_volume("no volume has this name") is None
    assert flash(board, image, (COPY, "LABEL", str(image))).printed == f"copied to '{tmp_path / 'LABEL'}'"
    assert (tmp_path / "LABEL" / "image").read_bytes() == b"abc"
    with pytest.raises(FirmwareError, match=r"^the volume 'GONE' is not mounted; give --volume$"):
        flash(board, image, (COPY, "GONE", str(image)))
    done = flash(board, image, (COPY, "GONE", str(image)), volume=tmp_path / "no" / "folder")
    assert (done.exit_code, done.printed) == (1, f"'{tmp_path / 'no' / 'folder'}': No such file or directory")


def test_a_tool_that_does_not_end_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qcskit.firmware.flashing.MOST_S", 0.05)
    with pytest.raises(FirmwareError, match=r"^sleep did not end within 0\.05 s; is the board in its boot loader\?$"):
        flash(find_board("uno"), tmp_path / "x.elf", ("sleep", "60"))


def test_a_command_that_needs_a_port_asks_for_it(tmp_path: Path) -> None:
    with pytest.raises(FirmwareError, match="avrdude writes board 'uno' through its serial port: give --port"):
        flash(find_board("uno"), tmp_path / "x.elf", find_board("uno").flash[0])
