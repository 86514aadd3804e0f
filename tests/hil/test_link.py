"""Ports that are not there, or that another program has open."""

import contextlib
import os
import socket
import struct
import subprocess
import sys
import tty
from functools import partial
from inspect import signature
from pathlib import Path
from types import SimpleNamespace

import pytest

from qcskit.cli.ports import ports
from qcskit.firmware.boards import Board
from qcskit.hil import Device
from qcskit.hil.config import HilConfig
from qcskit.hil.errors import LinkError, LinkLostError, SilentError
from qcskit.hil.link import Link, Transcript, holders
from qcskit.hil.plugin import _OPTIONS
from qcskit.hil.ports import find_ports


def test_every_way_to_a_port_begins_at_the_rate_of_the_boards() -> None:
    rates = {signature(way).parameters["baud"].default for way in (Link, Device.open, find_ports, ports)}
    assert rates | {HilConfig().baud, int(_OPTIONS["baud"][1])} == {Board.baud} == {115_200}


def test_a_port_that_does_not_exist() -> None:
    with pytest.raises(LinkError, match="'/dev/ttyNONE': it does not exist"):
        Device.open("/dev/ttyNONE")


def test_nothing_listens_there() -> None:
    with pytest.raises(LinkError, match="nothing listens"):
        Device.open("socket://127.0.0.1:1")


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs Linux to tell who has a port open")
def test_a_port_that_another_program_has_open_says_which() -> None:
    board, host = os.openpty()
    port = os.ttyname(host)
    code = f"import serial; port = serial.Serial('{port}', exclusive=True); print('open', flush=True); input()"
    other = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with other:
        assert other.stdin is not None
        assert other.stdout is not None
        assert other.stdout.readline() == "open\n"
        us = r"( and this program \(process \d+\))?"  # by process number, which starts again from below
        told = rf"^cannot open port '{port}': .*'python[^']*' \(process {other.pid}\){us} has it open; end that first"
        with pytest.raises(LinkError, match=told):
            Link(port)
        assert [holder for holder in holders(port, but_us=True) if str(other.pid) in holder]
        assert f"this program (process {os.getpid()})" in holders(port)
        other.stdin.close()
    assert holders(port, but_us=True) == []
    with contextlib.closing(Link(port)), pytest.raises(LinkError, match=r"this program \(process \d+\) has it open"):
        Link(port)
    os.close(board)
    os.close(host)


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs Linux to tell who has a port open")
def test_a_silent_port_that_another_program_reads_too_says_which() -> None:
    """A modem manager, a terminal: neither locks the port."""
    board, host = os.openpty()
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=host) as other:
        told = rf"no answer within 0\.1 s.*; 'cat' \(process {other.pid}\) has the port open too and may take its bytes"
        with pytest.raises(SilentError, match=told):
            Device.open(os.ttyname(host), timeout_s=0.05, give_up_s=0.1)
        other.communicate()
    os.close(board)
    os.close(host)


@pytest.mark.skipif(os.name != "posix", reason="needs a pseudo terminal")
def test_a_rate_that_the_port_cannot_run_at_leaves_the_old_one() -> None:
    board, host = os.openpty()
    link = Link(os.ttyname(host), 9600)
    link.set_baud(19_200)
    with pytest.raises(LinkError, match=f"^port '{link.name}' cannot run at -1 baud"):
        link.set_baud(-1)
    link.close()
    with pytest.raises(LinkError, match="cannot run at 9600 baud"):
        link.set_baud(9600)
    assert link.baud == 19_200
    os.close(board)
    os.close(host)


@pytest.mark.skipif(os.name != "posix", reason="needs a pseudo terminal")
def test_a_link_counts_the_bytes_of_either_direction() -> None:
    board, host = os.openpty()
    with contextlib.closing(Link(os.ttyname(host))) as link:
        for count in (3, 4):
            link.write(b"x" * count)
            os.write(board, b"y" * (2 * count))
            assert link.read(5.0)
        assert (link.bytes_sent, link.bytes_received) == (7, 14)
    os.close(board)
    os.close(host)


def test_a_port_that_nobody_can_wait_at_is_read_all_the_same() -> None:
    """As on Windows: there is no file number."""
    with contextlib.closing(Link("loop://")) as link:
        assert link.read(0.0) == b""
        link.write(b"abc")
        assert link.read(5.0) == b"abc"
        assert (link.bytes_sent, link.bytes_received) == (3, 3)


@pytest.mark.skipif(os.name != "posix", reason="needs a pseudo terminal")
def test_a_port_that_takes_no_bytes_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qcskit.hil.link._WRITE_TIMEOUT_S", 0.05)
    board, host = os.openpty()
    tty.setraw(host)
    with contextlib.closing(Link(os.ttyname(host))) as link:
        with pytest.raises(SilentError, match=f"^port '{link.name}' takes no bytes: the board or its flow control"):
            link.write(bytes(1 << 20))
        assert link.bytes_sent == 0
    os.close(board)
    os.close(host)


@pytest.mark.parametrize("way", ["read", "write"])
def test_a_port_that_is_gone_is_told_whoever_asks(way: str) -> None:
    """A socket whose other end hangs up without a farewell."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        link = Link(f"socket://127.0.0.1:{server.getsockname()[1]}")
        peer, _ = server.accept()
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    peer.close()
    call = partial(link.read, 5.0) if way == "read" else partial(link.write, b"xyz")
    with contextlib.closing(link), pytest.raises(LinkLostError, match=rf"^port '{link.name}' vanished \(.+\)$"):
        call()
    assert (link.bytes_sent, link.bytes_received) == (0, 0)


def test_a_port_that_does_not_come_back_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """By a clock that only waiting moves."""
    server = socket.create_server(("127.0.0.1", 0))
    link = Link(f"socket://127.0.0.1:{server.getsockname()[1]}")
    server.close()
    clock = SimpleNamespace(now_s=0.0)

    def sleep(seconds: float) -> None:
        clock.now_s += seconds
        assert clock.now_s < 10, "it waits for ever"

    monkeypatch.setattr("qcskit.hil.link.time", SimpleNamespace(monotonic=lambda: clock.now_s, sleep=sleep))
    with pytest.raises(LinkLostError, match=r"^port '.*' vanished and did not come back within 2 s$"):
        link.wait_back(2.0)
    assert clock.now_s == pytest.approx(2.0, abs=0.2)


def test_a_transcript_is_a_line_an_event_whatever_the_board_says() -> None:
    transcript = Transcript()
    transcript.add("#", "log", "\x1b[2J\nnext \u202e")
    assert str(transcript).endswith("# log \\x1b[2J next \\u202e")
    assert len(str(transcript).splitlines()) == 1
    transcript.clear()
    transcript.add("<", "INFO")
    assert str(transcript).endswith("< INFO")
    assert len(str(transcript).splitlines()) == 1


@pytest.mark.skipif(os.name != "posix", reason="needs a pseudo terminal")
def test_a_spy_logs_to_a_new_file_and_empties_none(tmp_path: Path) -> None:
    log = tmp_path / "line.txt"
    board, host = os.openpty()
    link = Link(f"spy://{os.ttyname(host)}?file={log}")
    link.write(b"hi")
    link.wait_back(0)
    link.close()
    assert log.exists()
    log.write_text("kept")
    with pytest.raises(LinkError, match=r"would empty the file '.*line\.txt'; name a new one"):
        Link(f"spy://{os.ttyname(host)}?all&file={log}")
    assert log.read_text() == "kept"
    os.close(board)
    os.close(host)
