"""A Raspberry Pi Pico on the host: the emulator rp2040py behind a pseudo-terminal.

A program of its own, started as a file: `python -P rp2040.py FIRMWARE.elf` prints the terminal's path and runs until it
is ended. The firmware starts with its second stage, as the boot ROM would start it. rp2040py counts the core's cycles.
"""

import logging
import os
import select
import sys
import tty
from pathlib import Path

from elftools.elf.elffile import ELFFile
from rp2040py.execute_batch import execute_batch
from rp2040py.simulator import Simulator

FLASH = 0x10000000
BYTE_NS = 12e6 * 10 / 115_200 * 8
"""Emulated time of a byte: the board's clock of 12 MHz, the line's rate, 8 ns for each of rp2040py's cycles."""
SEMIHOST_WRITE0 = 4


class Board:
    """One emulated board and the end of its serial line."""

    def __init__(self, elf: Path) -> None:
        self._sent, self._received = bytearray(), bytearray()
        self._simulator = Simulator()
        self._chip = self._simulator.rp2040
        self._uart = self._chip.uart[0]
        self._uart.on_byte = lambda byte: self._sent.append(byte)
        self._chip.on_break = lambda code: self._died()
        with elf.open("rb") as file:
            for segment in ELFFile(file).iter_segments("PT_LOAD"):
                at, content = segment["p_paddr"] - FLASH, segment.data()
                if content:
                    self._chip.flash[at : at + len(content)] = content
        self._line, self._other = os.openpty()  # the other end stays open: reads would fail
        tty.setraw(self._other)
        self._alarm = self._simulator.clock.create_alarm(self._feed)

    def run(self) -> None:
        """Print the terminal's path and run."""
        sys.stdout.write(f"{os.ttyname(self._other)}\n")
        sys.stdout.flush()
        self._chip.core.pc = FLASH
        self._simulator.stopped = False
        self._alarm.schedule(BYTE_NS)
        while True:
            self._wake()
            asleep = self._chip.core.waiting and not self._received
            if select.select([self._line], [], [], 0.1 if asleep else 0.0)[0]:
                self._received += os.read(self._line, 4096)
            if self._received or not asleep:
                execute_batch(self._simulator, 1)
            if self._sent:
                del self._sent[: os.write(self._line, self._sent)]

    def _feed(self) -> None:
        if self._received:
            byte = self._received.pop(0)
            if not self._uart.rx_fifo.full:  # else it is lost, as on the chip
                self._uart.feed_byte(byte)
        self._wake()
        self._alarm.schedule(BYTE_NS)

    def _wake(self) -> None:
        """End a sleep that began with an interrupt pending: rp2040py's WFI would go on, the chip's does not."""
        core = self._chip.core
        if core.waiting and core.pending_interrupts & core.enabled_interrupts:
            core.waiting = False

    def _died(self) -> None:
        operation, text = self._chip.core.registers[0], self._chip.core.registers[1]
        if operation == SEMIHOST_WRITE0:
            while byte := self._chip.read_uint8(text):
                sys.stdout.write(chr(byte))
                text += 1
        sys.stdout.flush()
        os._exit(1)


if __name__ == "__main__":
    logging.disable()
    Board(Path(sys.argv[1])).run()
