"""The registry of boards: built-in ones, a user's own, and what is said of a wrong entry."""

from pathlib import Path

import numpy as np
import pytest
from support.raw_line import Line
from support.tables import c_dir, random_tables

from qcskit.firmware import FirmwareError, boards, build, find_board, start


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
        ("[b\n", "boards.toml"),
    ],
)
def test_a_wrong_entry_is_named(text: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = tmp_path / "boards.toml"
    own.write_text(text)
    monkeypatch.setenv("QCSKIT_BOARDS", str(own))
    with pytest.raises(FirmwareError, match=message):
        boards()


def test_a_user_adds_a_board(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = tmp_path / "boards.toml"
    own.write_text(
        "[mine]\nsummary = 'my desk'\ncore = 'host'\ncompiler = 'gcc'\npackage = 'gcc'\nflags = ['-O1']\n"
        "ports = ['native']\nlink = 'pty'\nemulator = ['{elf}']\n"
    )
    monkeypatch.setenv("QCSKIT_BOARDS", str(own))
    model = c_dir("demo", random_tables(np.random.default_rng(7), [10, 50, 10], 8))
    with start("mine", build("mine", model, "demo")) as emulator:
        assert Line(emulator.url).info()["rx_bytes"] == 512
