"""Boot loaders of boards that are not there: on a pseudo-terminal, they store what avrdude or stm32flash writes.

Told to start the program, they start what they hold in the board's emulator and pass bytes on, as a board would that
leaves its boot loader.
"""

import os
import select
import socket
import subprocess
import threading
import tty
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self

from qcskit.firmware import Emulator, start

ACK = b"\x79"


class BootLoader(threading.Thread):
    """A board in its boot loader at `port`. flash: what it holds. started: the ELF file that it runs, once it does."""

    size = 0

    def __init__(self, board: str, folder: Path) -> None:
        super().__init__(daemon=True)
        self._board, self._folder = board, folder
        self._line, self._other = os.openpty()  # the other end stays open, or reads fail between two programs
        tty.setraw(self._other)
        self.port = os.ttyname(self._other)
        self.flash = bytearray(b"\xff" * self.size)
        self.started: Path | None = None
        self._wake, self._quit = os.pipe()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.write(self._quit, b"x")
        self.join(10)
        for end in (self._line, self._other, self._wake, self._quit):
            os.close(end)

    def run(self) -> None:
        try:
            while not self.serve():
                pass
            self.started = self.as_elf()
            with start(self._board, self.started) as emulator:
                self._pass_on(emulator)
        except EOFError:
            pass

    def serve(self) -> bool:
        """Answer one command. Return whether the program is to start."""
        raise NotImplementedError

    def as_elf(self) -> Path:
        """Return what was written as a file for the emulator."""
        raise NotImplementedError

    def take(self, count: int) -> bytes:
        taken = b""
        while len(taken) < count:
            if self._wake in select.select([self._line, self._wake], [], [])[0]:
                raise EOFError
            taken += os.read(self._line, count - len(taken))
        return taken

    def give(self, content: bytes) -> None:
        os.write(self._line, content)

    def made(self, command: Sequence[str], content: bytes) -> Path:
        raw, elf = self._folder / "written.bin", self._folder / "written.elf"
        raw.write_bytes(content)
        end = (str(raw), "-o", str(elf)) if command[0].endswith("ld") else (str(raw), str(elf))
        subprocess.run([*command, *end], check=True)
        return elf

    def _pass_on(self, emulator: Emulator) -> None:
        if emulator.url.startswith("socket://"):
            host, _, port = emulator.url.removeprefix("socket://").partition(":")
            fd = socket.create_connection((host, int(port))).detach()
        else:
            fd = os.open(emulator.url, os.O_RDWR | os.O_NOCTTY)
        other: dict[int, Callable[[bytes], object]] = {self._line: lambda b: os.write(fd, b), fd: self.give}
        while True:
            ready = select.select([self._wake, *other], [], [])[0]
            if self._wake in ready:
                os.close(fd)
                return
            for end in ready:
                other[end](os.read(end, 4096))


class Stk500(BootLoader):
    """The boot loader of an Arduino Uno: STK500 version 1 (Atmel AVR061), ATmega328P."""

    size = 32768
    lengths: ClassVar = {0x41: 1, 0x42: 20, 0x45: 5, 0x55: 2, 0x56: 4, 0x60: 1, 0x61: 2}
    at = 0

    def serve(self) -> bool:
        (command,) = self.take(1)
        answer = b""
        if command in (0x64, 0x74):  # program or read a page
            high, low, _memory = self.take(3)
            answer = self._page(command, high << 8 | low)
        arguments = self.take(self.lengths.get(command, 0))
        if self.take(1) != b"\x20":
            return False  # out of step: the programmer asks again
        if command == 0x41:
            answer = b"\3"  # any of its versions, all above those that avrdude warns of
        elif command == 0x55:
            self.at = 2 * int.from_bytes(arguments, "little")
        elif command == 0x56:
            answer = b"\0"
        elif command == 0x75:
            answer = bytes.fromhex("1e950f")
        self.give(b"\x14" + answer + b"\x10")
        return command == 0x51

    def _page(self, command: int, count: int) -> bytes:
        if command == 0x74:
            return bytes(self.flash[self.at : self.at + count])
        self.flash[self.at : self.at + count] = self.take(count)
        return b""

    def as_elf(self) -> Path:
        section = ".data=.text,contents,alloc,load,readonly,code"
        options = ("-O", "elf32-avr", "-B", "avr:5", "--rename-section", section)
        return self.made(("avr-objcopy", "-I", "binary", *options), bytes(self.flash))


class StmBootLoader(BootLoader):
    """The boot loader in an STM32F100's ROM: ST AN3155."""

    size = 128 << 10
    BASE = 0x08000000
    COMMANDS = bytes.fromhex("0001021121314363738292")

    def serve(self) -> bool:
        (command,) = self.take(1)
        if command == 0x7F:
            self.give(ACK)
            return False
        assert self.take(1)[0] == command ^ 0xFF
        self.give(ACK)
        if command == 0x00:
            self.give(bytes([len(self.COMMANDS), 0x22]) + self.COMMANDS + ACK)
        elif command == 0x01:
            self.give(b"\x22\0\0" + ACK)
        elif command == 0x02:
            self.give(b"\x01\x04\x20" + ACK)
        elif command == 0x11:
            at = self._address()
            count = self.take(2)[0] + 1
            self.give(ACK + self._read(at, count))
        elif command == 0x31:
            at = self._address()
            (most,) = self.take(1)
            content = self.take(most + 1)
            self.take(1)
            self.flash[at - self.BASE : at - self.BASE + len(content)] = content
            self.give(ACK)
        elif command == 0x43:
            self._erase()
        return command == 0x21 and self._address() == self.BASE

    def _address(self) -> int:
        words = self.take(5)
        self.give(ACK)
        return int.from_bytes(words[:4], "big")

    def _read(self, at: int, count: int) -> bytes:
        held = self.flash[at - self.BASE : at - self.BASE + count] if at >= self.BASE else b""
        return bytes(held).ljust(count, b"\0")[:count]

    def _erase(self) -> None:
        (most,) = self.take(1)
        pages = self.take(1 if most == 0xFF else most + 2)[:-1]
        for page in pages:
            self.flash[page << 10 : (page + 1) << 10] = b"\xff" * 1024
        self.give(ACK)

    def as_elf(self) -> Path:
        linker = ("arm-none-eabi-ld", "-b", "binary", f"--section-start=.data={self.BASE:#x}", "-e", "0")
        return self.made(linker, bytes(self.flash))
