"""`qcskit flash`: the board's answer decides, not the tool's exit code."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from support.bundles import learned_bundle
from typer.testing import CliRunner

from qcskit import firmware
from qcskit.cli import build_app
from qcskit.cli import flash as verb
from qcskit.cli.flash import flashed, write_firmware
from qcskit.codec.errors import CheckFailedError, QcsError
from qcskit.codec.interface import Codec
from qcskit.firmware import Emulator, build, c_directory, find_board, start
from qcskit.hil.config import HilConfig


@pytest.fixture(scope="module")
def codec(tmp_path_factory: pytest.TempPathFactory) -> Codec:
    return learned_bundle(tmp_path_factory.mktemp("b") / "b")


@pytest.fixture(scope="module")
def device(codec: Codec) -> Iterator[Emulator]:
    """A "real" board that runs the codec already: a process behind a terminal."""
    elf = build("native", c_directory(codec.checked_c_files()), codec.name)
    with start("native", elf) as emulator:
        yield emulator


def tool(monkeypatch: pytest.MonkeyPatch, *command: str) -> None:
    """Let the board `native` be written by a command."""
    board = replace(find_board("native"), flash=(command,))
    monkeypatch.setattr(firmware, "find_board", lambda name: board)


@pytest.mark.parametrize(("command", "code"), [("true", 0), ("false", 1)])
def test_a_board_that_answers_as_the_model_is_written(
    command: str, code: int, codec: Codec, device: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool(monkeypatch, command)
    done = write_firmware(codec, "native", device.url)
    assert (done["port"], done["exit_code"], done["tool"]) == (device.url, code, command)
    assert done["model_id"] == codec.bundle.manifest.model_id
    assert done["image_sha256"] == firmware.image_digest(device.elf.read_bytes())


def test_a_tool_that_says_all_is_well_is_not_believed(
    device: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = learned_bundle(tmp_path / "other", seed=5)
    tool(monkeypatch, "echo", "all is well")
    monkeypatch.setattr(verb, "ANSWER_S", 0.1)
    with pytest.raises(CheckFailedError, match=r"model.*echo ended with 0 and said: all is well"):
        write_firmware(other, "native", device.url)


def test_without_a_port_the_one_that_answers_is_found(
    codec: Codec, device: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from qcskit.hil import ports

    find_ports = ports.find_ports
    monkeypatch.setattr(ports, "find_ports", lambda probe, baud: find_ports(probe, baud, (device.url,)))
    tool(monkeypatch, "true")
    assert write_firmware(codec, "native")["port"] == device.url
    monkeypatch.setattr(verb, "ANSWER_S", 0.1)
    with pytest.raises(CheckFailedError, match="no serial port answers as model"):
        write_firmware(learned_bundle(tmp_path / "other", seed=5), "native")


def test_hil_writes_the_board_first_and_takes_its_rate(codec: Codec, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[Any] = []
    monkeypatch.setattr(verb, "write_firmware", lambda *arguments: written.append(arguments))
    options = flashed(codec, "uno", HilConfig(port=["/dev/ttyA", "/dev/ttyB"]))
    assert written == [(codec, "uno", "/dev/ttyA"), (codec, "uno", "/dev/ttyB")]
    assert options.baud == 250_000
    assert flashed(codec, "uno", HilConfig(port=["/dev/ttyA"], baud=9600)).baud == 9600
    with pytest.raises(QcsError, match="'emu:uno' is emulated"):
        flashed(codec, "uno", HilConfig(port=["emu:uno"]))


@pytest.mark.parametrize("code", [0, 1])
def test_who_answers_is_told_and_what_the_tool_said_of_itself(
    code: int, codec: Codec, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = {"port": "/dev/ttyX", "model_id": "00aa", "tool": "avrdude", "image_sha256": "bb", "exit_code": code}
    monkeypatch.setattr(verb, "write_firmware", lambda *asked: done)
    words = ["flash", str(codec.bundle.path)]
    refused = CliRunner().invoke(build_app(), words).exception
    assert str(refused) == "which board? Give --board, see 'qcskit boards'"
    told = CliRunner().invoke(build_app(), [*words, "-b", "uno"]).stdout
    assert "/dev/ttyX answers as model 00aa; written by avrdude\nimage SHA-256 bb" in told
    assert ("attention: avrdude ended with 1" in " ".join(told.split())) == bool(code)
    assert json.loads(CliRunner().invoke(build_app(), [*words, "-b", "uno", "--json"]).stdout) == done
    assert CliRunner().invoke(build_app(), [*words, "-b", "uno", "-q"]).stdout == ""


def test_a_board_is_asked_until_its_time_is_over(codec: Codec, monkeypatch: pytest.MonkeyPatch) -> None:
    """At its own rate; with a port there, without one on every port. The last words of the tool are told."""
    asked: list[Any] = []
    now = [100.0]

    def later(seconds: float) -> None:
        now[0] += 4.0

    monkeypatch.setattr(verb, "time", SimpleNamespace(monotonic=lambda: now[0], sleep=later))
    written = SimpleNamespace(printed="one\ntwo", tool="avrdude", exit_code=3)

    def silent(port: str, codec: Codec, **how: Any) -> None:
        asked.append((port, codec.name, how))
        raise QcsError("no answer")

    monkeypatch.setattr("qcskit.hil.device.Device.open", silent)
    with pytest.raises(CheckFailedError, match=r"^no answer \(avrdude ended with 3 and said: two\)$"):
        verb._answering(codec, "/dev/x", 9600, written)  # type: ignore[arg-type]
    assert asked == [("/dev/x", codec.name, {"baud": 9600, "give_up_s": 10.0})] * 4
    asked.clear()
    info = SimpleNamespace(model_id="other")
    ports = [SimpleNamespace(info=None, device="/dev/a"), SimpleNamespace(info=info, device="/dev/b")]
    monkeypatch.setattr("qcskit.hil.ports.find_ports", lambda *how: asked.append(how) or ports)
    model, written.printed = codec.bundle.manifest.model_id, ""
    told = rf"^no serial port answers as model {model}; give --port \(avrdude ended with 3 and said: nothing\)$"
    with pytest.raises(CheckFailedError, match=told):
        verb._answering(codec, "", 9600, written)  # type: ignore[arg-type]
    assert asked == [(True, 9600)] * 4
    info.model_id = model
    assert verb._answering(codec, "", 9600, written) == "/dev/b"  # type: ignore[arg-type]
