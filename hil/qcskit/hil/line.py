"""What a line does to bytes: it translates line ends, swallows flow control, drops the eighth bit. Found with ECHO.

A request and its reply are made of bytes that every such line lets through, but for one value in the middle: what comes
back tells whether the value is changed, on which way, and into what. A second request without that value follows
each of them. Its reply ends the wait; on a line that is merely noisy it is lost as often as the first.
"""

import contextlib
import random
import re
import time
from collections.abc import Iterator
from typing import NamedTuple

from qcskit.firmware.protocol.framing import encode_frame
from qcskit.firmware.protocol.messages import Type
from qcskit.hil.errors import LineError, SilentError
from qcskit.hil.exchange import Exchange

_BEFORE, _AFTER = b"qcskit", b"lines"
"""Around the value: 12 bytes in all, so that the COBS code (21) of such a frame is harmless as well."""
_PLAIN_VALUE = b"-"
_XON = b"\x11\0"
_QUIET_S = 0.05
_ROUNDS = 8
"""As many equal fates are no accident: at any byte loss, noise alone gives eight in less than 4^-8 of all cases."""


class _Kind(NamedTuple):
    what: str
    cure: str


_SEVEN_BITS = _Kind(
    "only 7 bits of a byte pass",
    "set 8 data bits and no parity (8N1) in the firmware's UART and in every adapter between, "
    "`stty -F PORT cs8 -parenb -istrip`",
)
_LINE_ENDS = _Kind(
    "line ends are translated",
    "write to the UART itself or switch the translation off in the firmware's stdio layer or the port server, "
    "`stty -F PORT raw`",
)
_FLOW_CONTROL = _Kind(
    "software flow control (XON/XOFF) swallows bytes",
    "switch it off in the firmware's UART, the adapter or the port server, `stty -F PORT -ixon -ixoff`",
)
_ESCAPES = _Kind(
    "0xff is an escape on this line",
    "set the port server to raw mode, or name an rfc2217:// port if it speaks telnet; `stty -F PORT -parmrk`",
)
_SUSPECTS = {
    0xA5: _SEVEN_BITS, 0x0A: _LINE_ENDS, 0x0D: _LINE_ENDS, 0x11: _FLOW_CONTROL, 0x13: _FLOW_CONTROL, 0xFF: _ESCAPES,
}  # fmt: skip
"""In this order: a line of 7 bits changes 0xff too, and XOFF is sent only where XON has passed."""
_REPLY_BYTES = frozenset(range(1, 256)) - _SUSPECTS.keys() | {0xA5}
_REQUEST_BYTES = frozenset(byte for byte in _REPLY_BYTES if byte < 0x80)
"""A line of 7 bits changes every reply, whose type has the high bit, in a way that is known."""


@contextlib.contextmanager
def explained(exchange: Exchange) -> Iterator[None]:
    """Turn the silence of a board into a LineError if the line is why nothing valid comes."""
    try:
        yield
    except SilentError:
        check_line(exchange)
        raise


def check_line(exchange: Exchange) -> None:
    """Raise LineError, one line with the cure, if the line changes a byte value; else nothing. Looks once per exchange.

    No verdict on a line that loses one of these requests otherwise, or whose board does not answer ECHO.
    """
    if exchange.line_checked:
        return
    exchange.line_checked = True
    exchange.parser.flush()
    exchange.send(_XON, 0)  # if XOFF was among what was sent, the line is stopped
    deadline_s = time.monotonic() + exchange.round_trip.ceiling_s
    while exchange.link.read(_QUIET_S) and time.monotonic() < deadline_s:
        pass  # of what was asked before
    with contextlib.suppress(TimeoutError):
        for value, kind in _SUSPECTS.items():
            if told := _told(exchange, value):
                exchange.transcript.add("!", told)
                raise LineError(f"port '{exchange.link.name}': {kind.what}: {told}; {kind.cure}")


def _told(exchange: Exchange, value: int) -> str:
    """Return what becomes of a byte value, "" if it passes. Raises TimeoutError if the line loses other bytes too."""
    sent = bytes([value])
    fate = _fate(exchange, sent)
    if fate == sent or any(_fate(exchange, sent) != fate for _ in range(_ROUNDS - 1)):
        return ""
    if fate is None:
        return f"0x{value:02x} does not reach the board as it is"
    became = " ".join(f"0x{byte:02x}" for byte in fate)
    return f"0x{value:02x} from the board {f'arrives as {became}' if became else 'does not arrive'}"


def _fate(exchange: Exchange, value: bytes) -> bytes | None:
    """Return what a value is after its way to the board and back; None if nothing comes back.

    Raises TimeoutError if a request without the value is not answered either.
    """
    (request, _), (after, end) = _echo(exchange, value), _echo(exchange, _PLAIN_VALUE)
    exchange.send(request + after, 2)
    data, deadline_s = b"", time.monotonic() + exchange.round_trip.ceiling_s
    while (at := max(data.find(end), data.find(_seven_bits(end)))) < 0:
        if (left_s := deadline_s - time.monotonic()) <= 0:
            raise TimeoutError
        data += exchange.link.read(left_s)
    found = re.search(re.escape(_BEFORE) + b"(.*?)" + re.escape(_AFTER), data[:at], re.DOTALL)
    return found and found[1]


def _echo(exchange: Exchange, value: bytes) -> tuple[bytes, bytes]:
    """Return an ECHO around a value, and its reply without the zeros; nothing else in them is suspect."""
    payload = _BEFORE + value + _AFTER
    while True:
        seq = random.randrange(65536)
        request, reply = encode_frame(Type.ECHO, seq, payload), encode_frame(Type.ECHOED, seq, payload)[1:-1]
        plain = _REQUEST_BYTES.union(value).issuperset(request[1:-1]) and _REPLY_BYTES.union(value).issuperset(reply)
        if plain and seq not in exchange.in_flight:
            return request, reply


def _seven_bits(data: bytes) -> bytes:
    return bytes(byte & 0x7F for byte in data)
