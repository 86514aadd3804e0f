"""Images for programmers, against the toolchain's objcopy and the Pico emulator's own reader of UF2."""

import subprocess
from pathlib import Path

import numpy as np
import pytest
from support.need import need_board, need_tool
from support.tables import c_dir, random_tables

from qcskit.firmware import FirmwareError, build, find_board
from qcskit.firmware.image import Part, parts_of, to_bin, to_hex, to_uf2, write_image

MODEL = c_dir("demo", random_tables(np.random.default_rng(7), [10, 50, 10], 8))


@pytest.mark.parametrize("name", ["netduinoplus2", "hifive1", "uno"])
def test_hex_and_binary_are_those_of_objcopy(name: str, tmp_path: Path) -> None:
    board = need_board(name)
    tool = board.compiler.removesuffix("gcc") + "objcopy"
    need_tool(tool, f"binutils-{board.package}")
    elf = build(board, MODEL, "demo")
    for kind, target in ((".bin", "binary"), (".hex", "ihex")):
        ours, theirs = tmp_path / f"ours{kind}", tmp_path / f"theirs{kind}"
        write_image(board, elf, ours)
        subprocess.run([tool, "-O", target, "--gap-fill", "0xff", str(elf), str(theirs)], check=True)
        if kind == ".hex":  # objcopy may cut records elsewhere: back to bytes, by objcopy
            for path in (ours, theirs):
                subprocess.run([tool, "-I", "ihex", "-O", "binary", "--gap-fill", "0xff", str(path)], check=True)
        assert ours.read_bytes() == theirs.read_bytes()


def test_uf2_is_read_by_another_program(tmp_path: Path) -> None:
    board, path = need_board("pico"), tmp_path / "image.uf2"
    from rp2040py import RP2040
    from rp2040py.device.load_flash import load_uf2

    elf = build(board, MODEL, "demo")
    write_image(board, elf, path)
    chip = RP2040()
    load_uf2(str(path), chip)
    content = to_bin(parts_of(elf))
    assert bytes(chip.flash[: len(content)]) == content
    assert len(path.read_bytes()) == 512 * -(-len(content) // 256)


def test_parts_that_share_a_page_meet_in_one_block() -> None:
    parts = (Part(0x10000000, b"a" * 300), Part(0x10000130, b"b" * 8))
    blocks = to_uf2(parts, 0xE48BFF56)
    assert len(blocks) == 2 * 512
    assert {blocks[at : at + 4] for at in (28, 512 + 28)} == {bytes.fromhex("56ff8be4")}  # RP2040
    assert blocks[512 + 32 :][:64] == b"a" * 44 + b"\xff" * 4 + b"b" * 8 + b"\xff" * 8
    assert to_bin(parts) == b"a" * 300 + b"\xff" * 4 + b"b" * 8
    assert to_hex((Part(0x1FFF8, b"x" * 16),)).splitlines()[2] == ":02000004000" + "2F8"


def test_what_a_board_does_not_take_is_refused(tmp_path: Path) -> None:
    elf = tmp_path / "x.elf"
    for path, words in ((tmp_path / "x.uf2", "takes no UF2 files"), (tmp_path / "x.img", "ends in .elf, .hex")):
        with pytest.raises(FirmwareError, match=words):
            write_image(find_board("uno"), elf, path)
        assert not path.exists()
    with pytest.raises(FirmwareError, match=r"too many for \.bin"):
        to_bin((Part(0, b"a"), Part(0x08000000, b"b")))
