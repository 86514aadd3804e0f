"""What `qcskit ports` shows of each port, and what it says where there is none."""

import json
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from qcskit.cli import build_app
from qcskit.hil.ports import PortFacts

ANSWERED = SimpleNamespace(firmware_version="1.2.3", protocol=4, model_id="aabbccdd")
PORTS = [
    PortFacts("/dev/ttyA", "a board", "2e8a", "000a", "E661", ANSWERED, "opening it restarts the board"),  # type: ignore[arg-type]
    PortFacts("/dev/ttyB", "a modem", note="no answer"),
    PortFacts("/dev/ttyC", "who knows"),
]


def shown(monkeypatch: pytest.MonkeyPatch, ports: list[PortFacts], *arguments: str) -> str:
    asked: list[object] = []
    monkeypatch.setattr("qcskit.hil.ports.find_ports", lambda *words: asked.extend(words) or ports)
    done = CliRunner().invoke(build_app(), ["ports", "-p", "x://y", *arguments], env={"COLUMNS": "300", "TERM": "dumb"})
    assert done.exit_code == 0, done.output
    assert asked == ["--no-probe" not in arguments, 115_200, ("x://y",)]
    return done.output


@pytest.mark.parametrize("probe", ["--probe", "--no-probe"])
def test_every_port_is_a_row_with_what_is_known_of_it(probe: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [line.split() for line in shown(monkeypatch, PORTS, probe).splitlines() if "/dev/" in line]
    words = [" ".join(word for word in row if word.strip("│┃|")) for row in rows]
    assert words[0] == "/dev/ttyA 2e8a:000a E661 a board 1.2.3, protocol 4 aabbccdd, opening it restarts the board"
    assert words[1] == "/dev/ttyB a modem no answer"
    assert words[2] == "/dev/ttyC who knows" + ("" if probe == "--probe" else " not asked")


def test_where_there_is_none_it_says_what_needs_none(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "no serial port is there; emulated boards need none: --port emu:native" in shown(monkeypatch, [])
    assert json.loads(shown(monkeypatch, [], "--json")) == {"ports": []}
