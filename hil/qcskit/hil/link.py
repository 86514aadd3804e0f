"""The byte stream to a board: anything pyserial opens by URL, or an emulated board that is built and started here."""

import contextlib
import os
import select
import socket
import time
from collections import deque
from pathlib import Path
from urllib.parse import parse_qs

import serial
from serial.tools import list_ports

from qcskit import firmware
from qcskit.codec.foreign import one_line
from qcskit.codec.interface import Codec
from qcskit.hil.errors import LinkError, LinkLostError, SilentError

try:
    from termios import error as _terminal_error
except ImportError:  # not a POSIX system
    _terminal_error = OSError  # type: ignore[misc,assignment]

EMULATED = "emu:"
_PORT_ERRORS = (serial.SerialException, OSError, TypeError, ValueError, _terminal_error)
"""What pyserial lets through when a port is not there, vanishes or cannot be set up."""
_WRITE_TIMEOUT_S = 5.0
_READ_BYTES = 65536


class Transcript:
    """The last events of a link, for the reader of a failing test: time in s, direction, what."""

    def __init__(self, events: int = 2000) -> None:
        self.events: deque[tuple[float, str, str, tuple[object, ...]]] = deque(maxlen=events)
        self._start = time.monotonic()

    def add(self, direction: str, what: str, *details: object) -> None:
        """Note one event; direction is `>` (to the board), `<` (from it), `#` (log text) or `!` (trouble)."""
        self.events.append((time.monotonic() - self._start, direction, what, details))

    def clear(self) -> None:
        """Forget all events; times count from now."""
        self.events.clear()
        self._start = time.monotonic()

    def __str__(self) -> str:
        return "\n".join(
            f"{when:10.4f} {way} {one_line(' '.join(map(str, (what, *more))))}" for when, way, what, more in self.events
        )


class Link:
    """An open port. `name` is what the user called it, `url` what pyserial opened.

    Raises LinkError if it cannot be opened; later, LinkLostError once it is gone.
    """

    def __init__(self, url: str, baud: int = 115_200, name: str | None = None) -> None:
        _check_log(url)
        self.url, self.name, self.baud = url, name or url, baud
        self.bytes_sent = self.bytes_received = 0
        self._port = _open(url, baud, self.name)
        try:
            self._port.fileno()
            self._selectable = True
        except (OSError, AttributeError, NotImplementedError):
            self._selectable = False
            self._port.timeout = None

    def read(self, timeout_s: float) -> bytes:
        """Return what has arrived, waiting up to timeout_s for the first byte; b"" if none came."""
        try:
            data = self._read_ready(timeout_s) if self._selectable else self._read_blocking(timeout_s)
        except _PORT_ERRORS as error:
            raise self._vanished(error) from None
        self.bytes_received += len(data)
        return data

    def _read_ready(self, timeout_s: float) -> bytes:
        ready, _, _ = select.select([self._port.fileno()], [], [], max(0.0, timeout_s))
        if not ready:
            return b""
        data = bytes(self._port.read(_READ_BYTES))
        # A peer that sends byte by byte under Nagle's rule (an emulator's socket) waits for each acknowledgement.
        _set_tcp(self._port, "TCP_QUICKACK")
        return data

    def _read_blocking(self, timeout_s: float) -> bytes:
        self._port.timeout = max(0.0, timeout_s)
        first = bytes(self._port.read(1))
        return first + bytes(self._port.read(self._port.in_waiting)) if first else b""

    def write(self, data: bytes) -> None:
        """Send all of `data`. Raises SilentError if the other end takes nothing for 5 s."""
        try:
            self._port.write(data)
        except serial.SerialTimeoutException:
            raise SilentError(f"port '{self.name}' takes no bytes: the board or its flow control hangs") from None
        except _PORT_ERRORS as error:
            raise self._vanished(error) from None
        self.bytes_sent += len(data)

    def _vanished(self, error: Exception) -> LinkLostError:
        return LinkLostError(f"port '{self.name}' vanished ({_reason(error)})")

    def set_baud(self, baud: int) -> None:
        """Change the host's line rate; the caller has agreed it with the board."""
        try:
            self._port.flush()
            self._port.baudrate = baud
        except _PORT_ERRORS as error:
            raise LinkError(f"port '{self.name}' cannot run at {baud} baud ({_reason(error)})") from None
        self.baud = baud

    def wait_back(self, patience_s: float) -> None:
        """Open a vanished port again, trying for patience_s. Raises LinkLostError if it does not come back."""
        self.close()
        deadline = time.monotonic() + patience_s
        while True:
            try:
                self._port = _open(self.url, self.baud, self.name)
                return
            except LinkError:
                if time.monotonic() > deadline:
                    late = f"vanished and did not come back within {patience_s:g} s"
                    raise LinkLostError(f"port '{self.name}' {late}") from None
            time.sleep(0.1)

    def close(self) -> None:
        """Close the port; harmless if it is gone."""
        with contextlib.suppress(Exception):
            self._port.close()


def _open(url: str, baud: int, name: str) -> serial.SerialBase:
    try:
        port = serial.serial_for_url(url, baudrate=baud, timeout=0, write_timeout=_WRITE_TIMEOUT_S, exclusive=True)
        _set_tcp(port, "TCP_NODELAY")
        return port
    except _PORT_ERRORS as error:
        if any(known in str(error) for known in ("exclusively lock", "Device or resource busy")):
            holder = " and ".join(holders(url)) or "another program"
            raise LinkError(
                f"cannot open port '{name}': {holder} has it open; end that first, or give another port"
            ) from None
        ports = ", ".join(sorted(port.device for port in list_ports.comports()))
        there = f"there are: {ports}" if ports else "no serial port is there; 'emu:native' needs none"
        raise LinkError(f"cannot open port '{name}': {_reason(error)}; {there}") from None


def holders(port: str, but_us: bool = False) -> list[str]:
    """Return which processes have a serial device open, such as `'minicom' (process 4711)`; none where nobody can tell.

    Linux, and processes that this user may look into. but_us: leave this process out.
    """
    found = []
    with contextlib.suppress(OSError):
        number = Path(port).stat().st_rdev
        for process in sorted(Path("/proc").glob("[0-9]*"), key=lambda path: int(path.name)):
            us = int(process.name) == os.getpid()
            if number and not (us and but_us) and _has_open(process, number):
                called = "this program" if us else repr(one_line((process / "comm").read_text().strip()))
                found.append(f"{called} (process {process.name})")
    return found


def _has_open(process: Path, device: int) -> bool:
    """Return whether a process of /proc holds the device with this number; False if we may not look."""
    with contextlib.suppress(OSError):
        for entry in (process / "fd").iterdir():
            with contextlib.suppress(OSError):
                if entry.stat().st_rdev == device:
                    return True
    return False


def _check_log(url: str) -> None:
    """Raise LinkError if a spy:// URL names a log file that is there: pyserial would empty it."""
    if not url.lower().startswith("spy:"):
        return
    for name in parse_qs(url.partition("?")[2]).get("file", []):
        if os.path.lexists(name):
            raise LinkError(f"port '{url}' would empty the file '{name}'; name a new one, or delete it first")


def _set_tcp(port: serial.SerialBase, option: str) -> None:
    """Set a TCP option where the port is a socket and the system has the option."""
    line = getattr(port, "_socket", None)
    if isinstance(line, socket.socket) and hasattr(socket, option):
        line.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), 1)


def _reason(error: Exception) -> str:
    text = str(error)
    for known, plain in (
        ("No such file", "it does not exist"),
        ("Permission denied", "permission denied: add your user to the group 'dialout'"),
        ("Connection refused", "connection refused: nothing listens there"),
        ("protocol", f"not a port or pyserial URL ({text})"),
    ):
        if known in text:
            return plain
    return text or type(error).__name__


def start_emulated(board: str, codec: Codec) -> firmware.Emulator:
    """Build a codec's firmware for an emulated board and start it; a context manager, `.url` is where it answers.

    Raises CheckFailedError if the bundle's C text is not what its tables give, FirmwareError if it cannot be built.
    """
    elf = firmware.build(board, firmware.c_directory(codec.checked_c_files()), codec.name)
    return firmware.start(board, elf)


def board_of(port: str) -> str | None:
    """Return the board's name of an `emu:<board>` port, None for any other port.

    >>> board_of("emu:cortex-m4"), board_of("/dev/ttyACM0")
    ('cortex-m4', None)
    """
    return port.removeprefix(EMULATED) if port.startswith(EMULATED) else None
