"""Lines in the field: the real C agent behind what changes bytes. Each is told in one line that says what to do."""

import re
from collections.abc import Callable

import numpy as np
import pytest
from support.line import Faults, Line, LinkSimulator, Pretender, native_firmware

from qcskit import firmware
from qcskit.codec.interface import Codec
from qcskit.firmware.protocol.framing import Frame, encode_frame
from qcskit.hil import Device
from qcskit.hil.errors import LineError, SilentError
from qcskit.hil.exchange import Exchange
from qcskit.hil.line import check_line
from qcskit.hil.link import Link
from qcskit.hil.ports import find_ports

Change = Callable[[bytes], bytes]


def same(data: bytes) -> bytes:
    return data


def crlf(data: bytes) -> bytes:
    return data.replace(b"\n", b"\r\n")


def cr_to_lf(data: bytes) -> bytes:
    return data.replace(b"\r", b"\n")


def seven_bits(data: bytes) -> bytes:
    return bytes(byte & 0x7F for byte in data)


def telnet(data: bytes) -> bytes:
    return data.replace(b"\xff", b"\xff\xff")


def no_flow_bytes(data: bytes) -> bytes:
    return data.translate(None, b"\x11\x13")


class Stopping:
    """Software flow control of a board's driver: it takes both bytes, and sends nothing between XOFF and XON."""

    def __init__(self) -> None:
        self._stopped, self._held = False, b""

    def to_board(self, data: bytes) -> bytes:
        for byte in data:
            self._stopped = byte == 0x13 or (self._stopped and byte != 0x11)
        return no_flow_bytes(data)

    def to_host(self, data: bytes) -> bytes:
        data, self._held = self._held + data, b""
        if self._stopped:
            data, self._held = b"", data
        return data


def talk(codec: Codec, to_board: Change, to_host: Change, faults: Faults | None = None) -> Device:
    """Greet a board and stream vectors, so that every byte value is on the line both ways; return it, closed."""
    elf = native_firmware(codec)
    line = Line(to_board=to_board, to_host=to_host)
    with LinkSimulator(lambda: firmware.start("native", elf), line, faults, seed=1) as simulator:
        # The time-out of a reply allows for a window of 4096 bytes at the line's rate.
        options = {"baud": 921_600, "timeout_s": 0.1, "give_up_s": 0.5}
        with Device.open(simulator.url, codec, **options) as board:  # type: ignore[arg-type]
            board.encode(np.random.default_rng(1).integers(-2000, 2000, (400, codec.inputs), np.int16))
            return board


_SEVEN, _ENDS = "only 7 bits of a byte pass: ", "line ends are translated: "
_FLOW = "software flow control (XON/XOFF) swallows bytes: "


@pytest.mark.parametrize(
    ("to_board", "to_host", "told"),
    [
        pytest.param(same, crlf, _ENDS + "0x0a from the board arrives as 0x0d 0x0a; write to the UART", id="crlf"),
        pytest.param(crlf, crlf, _ENDS + "0x0a does not reach the board as it is; ", id="crlf both ways"),
        pytest.param(cr_to_lf, crlf, _ENDS + "0x0a from the board arrives as 0x0d 0x0a; ", id="stdio both ways"),
        pytest.param(cr_to_lf, same, _ENDS + "0x0d does not reach the board as it is; ", id="cr to lf"),
        pytest.param(same, seven_bits, _SEVEN + "0xa5 from the board arrives as 0x25; set 8 data bits", id="7 bits"),
        pytest.param(seven_bits, seven_bits, _SEVEN + "0xa5 does not reach the board as it is; ", id="7 bits both"),
        pytest.param(same, no_flow_bytes, _FLOW + "0x11 from the board does not arrive; switch it off", id="flow"),
        pytest.param(no_flow_bytes, same, _FLOW + "0x11 does not reach the board as it is; ", id="flow to board"),
        pytest.param(telnet, telnet, "0xff is an escape on this line: 0xff does not reach the board as", id="telnet"),
        pytest.param(same, telnet, "0xff is an escape on this line: 0xff from the board arrives as 0xff 0xff; ",
                     id="telnet to host"),
    ],
)  # fmt: skip
def test_a_line_that_changes_bytes_is_told(codec: Codec, to_board: Change, to_host: Change, told: str) -> None:
    with pytest.raises(LineError, match=rf"^port 'socket:[^']*': {re.escape(told)}[^\n]*$") as caught:
        talk(codec, to_board, to_host)
    assert caught.value.exit_code == 1


def test_a_line_that_xoff_has_stopped_is_started_again_and_told(codec: Codec) -> None:
    line = Stopping()
    with pytest.raises(LineError, match="0x11 does not reach the board as it is; switch it off"):
        talk(codec, line.to_board, line.to_host)


def test_a_line_that_is_merely_noisy_is_not_accused(codec: Codec) -> None:
    """Looked at again and again, at losses at which some of the requests come through."""
    elf = native_firmware(codec)
    for share in (0.005, 0.02):
        line = LinkSimulator(lambda: firmware.start("native", elf), None, Faults.each(share), seed=2)
        with line, Device.open(line.url, codec, baud=921_600, timeout_s=0.05) as board:
            for _ in range(4):
                board.exchange.line_checked = False
                check_line(board.exchange)


def test_a_clean_line_is_looked_at_once(codec: Codec) -> None:
    with Device.open("emu:native", codec) as board:
        sent = board.exchange.counts.frames_sent
        check_line(board.exchange)
        assert board.exchange.counts.frames_sent - sent == 12  # six values, two requests each
        check_line(board.exchange)
        assert board.exchange.counts.frames_sent - sent == 12
        assert board.stats().crc_errors == 1  # the XON before them


def test_a_board_that_answers_no_echo_is_not_accused() -> None:
    def answer(frame: Frame | None) -> bytes:
        return encode_frame(0xFF, frame.seq, bytes(5)) if frame and frame.type == 3 else b""

    check_line(Exchange(Link(Pretender(answer).url), 0.1, 0.2))


class Booting:
    """What opening the port (DTR) does: the board prints, and takes nothing before the fourth frame."""

    def __init__(self) -> None:
        self._zeros, self._text = 0, b"ets Jun  8 2016\r\nrst:0x1\0"

    def to_board(self, data: bytes) -> bytes:
        self._zeros += data.count(0)
        return data if self._zeros > 6 else b""

    def to_host(self, data: bytes) -> bytes:
        data, self._text = self._text + data, b""
        return data


def test_a_board_that_restarts_when_its_port_is_opened_is_waited_for_and_told(codec: Codec) -> None:
    elf, boot = native_firmware(codec), Booting()
    line = Line(to_board=boot.to_board, to_host=boot.to_host)
    with LinkSimulator(lambda: firmware.start("native", elf), line) as simulator:
        (facts,) = (port for port in find_ports(True, extra=(simulator.url,)) if port.device == simulator.url)
        assert facts.info is not None
        assert facts.note == "restarts when opened"
        # It is up by now: who opens the port again without restarting it is told nothing.
        with Device.open(simulator.url, codec) as board:
            assert board.restarted_s is None
            assert board.models[2].byte_loss == 0.0


def test_a_board_that_prints_when_opened_and_never_answers_may_be_starting_up() -> None:
    texts = [b"ets Jun  8 2016\0"]
    talker = Pretender(lambda _: texts.pop() if texts else b"")
    with pytest.raises(
        SilentError, match=r"talked when it was opened .*ets Jun.* restarts the board \(DTR\); give it more"
    ):
        Device.open(talker.url, timeout_s=0.1, give_up_s=0.5)
