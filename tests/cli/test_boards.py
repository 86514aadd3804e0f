"""What `qcskit boards` and `qcskit doctor` say of boards: where they were run, and of a file that is wrong."""

import json
import platform
from importlib.metadata import version
from pathlib import Path

import pytest
from typer.testing import CliRunner

from qcskit.cli import build_app
from qcskit.cli.boards import _facts, _size
from qcskit.firmware import find_board, install_command
from qcskit.firmware.tools import Tool

TOOLS = [
    Tool("gcc", "gcc", "/usr/bin/gcc", "gcc 12.2", ("native",)),
    Tool("qemu-system-arm", "qemu-system-arm", "", "", ("microbit", "cortex-m4")),
    Tool("avr-gcc", "gcc-avr", "", "", ("uno",)),
]


@pytest.mark.parametrize("missing", [True, False])
def test_doctor_tells_every_tool_and_what_installs_those_that_are_missing(
    missing: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("qcskit.firmware.tool_report", lambda: TOOLS if missing else TOOLS[:1])
    monkeypatch.setattr("qcskit.firmware.board_problems", lambda: ["[mine] is wrong"] * missing)
    monkeypatch.setattr("qcskit.cli.doctor.absent_extras", lambda: ["train", "audio"] * missing)
    told = CliRunner().invoke(build_app(), ["doctor"], env={"COLUMNS": "200", "TERM": "dumb"}).output
    lines = [" ".join(line.split()) for line in told.splitlines()]
    assert f"Python {platform.python_version()}" in lines
    assert f"numpy {version('numpy')}" in lines
    assert "gcc gcc 12.2 native" in lines
    more = [
        "qemu-system-arm missing: package qemu-system-arm microbit, cortex-m4",
        "avr-gcc missing: package gcc-avr uno",
        "Extras that are not installed: train, audio. For all of them: pip install 'qcskit[train,audio]'",
        f"To install what is missing: {install_command('gcc-avr', 'qemu-system-arm')}",
        "boards: [mine] is wrong",
    ]
    assert [line for line in more if line in lines] == (more if missing else [])
    assert ("Nothing is missing." in lines) == (not missing)


OWN = "[mine]\nsummary = 'my desk'\ncore = 'Cortex-M4'\nports = []\nlink = 'serial'\n[wrong]\nsummary = 1\n"


def test_boards_tells_where_each_was_run_and_goes_on_past_a_wrong_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / "boards.toml"
    own.write_text(OWN)
    monkeypatch.setenv("QCSKIT_BOARDS", str(own))
    monkeypatch.setenv("COLUMNS", "200")
    runner, app = CliRunner(), build_app()
    found = json.loads(runner.invoke(app, ["boards", "--json"]).output)
    (problem,) = found["problems"]
    assert "[wrong] summary = 1 has the wrong type" in problem
    by_name = {board["name"]: board for board in found["boards"]}
    tried = {name: board["tried"] for name, board in by_name.items()}
    assert tried["pico"] == tried["netduino2"] == "run in an emulator of that chip"
    assert tried["nucleo-f446re"] == "run in an emulator of the same core"
    assert tried["nucleo-g071rb"] == tried["nrf52840-dk"] == tried["mine"] == "compiled, never run"
    assert by_name["uno"]["aliases"] == ["avr-328p"]
    assert not any(by_name[name]["ready"] for name in ("nucleo-g071rb", "mine"))
    table = runner.invoke(app, ["boards"]).output
    assert "wrong type" in table
    assert "my desk" in table
    for name, board in by_name.items():
        (row,) = [line for line in table.splitlines() if line.split()[:1] == [name]]
        if not board["missing"]:
            assert row.split()[-1] == ("runs" if board["ready"] else "builds")
    assert json.loads(runner.invoke(app, ["doctor", "--json"]).output)["board_problems"] == [problem]


def test_a_board_without_its_compiler_names_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qcskit.firmware.Board.missing", (("tool", "package-a"),))
    told = CliRunner().invoke(build_app(), ["boards"], env={"COLUMNS": "200", "TERM": "dumb"}).output
    assert "needs package-a" in told


@pytest.mark.parametrize(
    ("size", "told"),
    [(0, ""), (2048, "2 KB"), ((1 << 20) - 1, "1023 KB"), (1 << 20, "1 MB"), (2 << 20, "2 MB"), (1 << 24, "16 MB")],
)
def test_a_size_is_told_in_the_largest_unit_that_is_whole(size: int, told: str) -> None:
    assert _size(size) == told


@pytest.mark.parametrize("missing", [(), (("avr-gcc", "gcc-avr"), ("simavr", "simavr"))])
def test_json_tells_all_of_a_board(missing: tuple[tuple[str, str], ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qcskit.firmware.Board.missing", missing)
    monkeypatch.setattr("qcskit.firmware.Board.ready", not missing)
    assert _facts(find_board("uno")) == {
        "name": "uno",
        "aliases": ["avr-328p"],
        "core": "AVR",
        "summary": "Arduino Uno (ATmega328P)",
        "flash_bytes": 32_768,
        "ram_bytes": 2048,
        "baud": 250_000,
        "tried": "run in an emulator of that chip",
        "emulated": True,
        "ready": not missing,
        "builds": not missing,
        "missing": ["avr-gcc", "simavr"] if missing else [],
        "flash_tools": ["avrdude"],
    }
    assert _facts(find_board("nucleo-g071rb"))["emulated"] is False
