"""Which ports are there, and boards by name."""

import json
from pathlib import Path

import pytest
from support.hostile import odd_files

from qcskit.codec.errors import QcsError
from qcskit.codec.interface import Codec
from qcskit.hil.link import start_emulated
from qcskit.hil.ports import find_ports, read_bench


def test_a_port_says_what_answers(codec: Codec) -> None:
    with start_emulated("native", codec) as board:
        found = {facts.device: facts for facts in find_ports(True, extra=(board.url, "/dev/ttyNONE"))}
    answered = json.loads(json.dumps(found[board.url].as_dict()))["info"]
    assert answered["model_id"] == codec.bundle.manifest.model_id
    assert (answered["packed_bytes_max"], answered["windows"]) == (codec.packed_bytes_max, 1)
    assert "does not exist" in found["/dev/ttyNONE"].note


def test_ports_that_are_not_asked_are_named_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qcskit.hil.ports._probe", lambda *asked: pytest.fail("asked"))
    assert find_ports(False, extra=("/dev/ttyNONE",))[-1].as_dict()["info"] is None
    assert find_ports(False, extra=("/dev/ttyNONE",))[-1].device == "/dev/ttyNONE"


def test_a_bench_file_names_boards(tmp_path: Path) -> None:
    path = tmp_path / "bench.toml"
    path.write_text('[[board]]\nname = "left"\nport = "/dev/ttyX"\nbaud = 9600\n')
    target = read_bench(path)[0]
    assert (target.port, target.label, target.baud) == ("/dev/ttyX", "left", 9600)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('[[board]]\nname = "left"\nserial_number = "no such board"\n', "'left'.*is not plugged in"),
        ('[[board]]\nname = "left"\n', "needs serial_number or port"),
        ('[[board]]\nname = "left"\nprt = "x"\n', "did you mean 'port'"),
        ('[[board]]\nname = "a"\nport = "x"\n[[board]]\nname = "a"\nport = "y"\n', "same name"),
        ('[[bord]]\nname = "left"\n', "did you mean 'board'"),
        ("a = " + "[" * 100_000, "is not valid TOML"),
        ("a = ", "is not valid TOML"),
    ],
)
def test_a_wrong_bench_file_is_explained(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "bench.toml"
    path.write_text(text)
    with pytest.raises(QcsError, match=told):
        read_bench(path)


def test_what_is_no_bench_file_is_one_line_at_once(tmp_path: Path) -> None:
    for _, path in odd_files(tmp_path):
        with pytest.raises(QcsError, match=r"^bench '[^\n]*$"):
            read_bench(path)
