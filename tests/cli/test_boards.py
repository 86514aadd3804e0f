"""What `qcskit boards` and `qcskit doctor` say of boards: where they were run, and of a file that is wrong."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from qcskit.cli import build_app

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
    assert json.loads(runner.invoke(app, ["doctor", "--json"]).output)["board_problems"] == [problem]
