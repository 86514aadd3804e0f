"""A board's firmware, written to a real one by the tools that exist for it. What they say is not trusted."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from qcskit.firmware.boards import Board
from qcskit.firmware.errors import FirmwareError, install_command
from qcskit.firmware.image import write_image

COPY = "copy"
"""The word for a tool that is none: a file copied to the board's volume."""

PACKAGES = {
    "avrdude": "avrdude",
    "dfu-util": "dfu-util",
    "openocd": "openocd",
    "stm32flash": "stm32flash",
    "picotool": "picotool",
    "pyocd": "pip:pyocd",
    "esptool": "pip:esptool",
}
"""Packages that bring the tools."""

MOST_S = 300.0
"""How long a tool may take."""


@dataclass(frozen=True)
class Flashed:
    """What a tool did: its name, its exit code, the last lines that it printed."""

    tool: str
    exit_code: int
    printed: str


def choose_tool(board: Board, tool: str = "", volume: Path | None = None) -> tuple[str, ...]:
    """Return the command of a board that works here, or that of `tool`.

    volume: directory to copy to instead of the one with the board's label. Raises FirmwareError that names tools and
    packages if none is there.
    """
    known = [command for command in board.flash if not tool or command[0] == tool]
    if not known:
        tools = ", ".join(command[0] for command in board.flash)
        raise FirmwareError(f"board '{board.name}' is not written by '{tool}'; its tools: {tools}" if board.flash else
                            f"board '{board.name}' has no command that writes it: it is emulated only")  # fmt: skip
    for command in known:
        if (command[0] == COPY and (volume or find_volume(command[1]))) or shutil.which(command[0]):
            return command
    raise FirmwareError(f"nothing here writes board '{board.name}': {'; or '.join(map(_wanted, known))}")


def flash(board: Board, elf: Path, command: Sequence[str], port: str = "", volume: Path | None = None) -> Flashed:
    """Write a firmware with one of the board's commands. Whether it runs is for the caller to ask.

    Raises FirmwareError if the command needs a port and there is none, or if the tool does not end.
    """
    if "{port}" in command and not port:
        raise FirmwareError(f"{command[0]} writes board '{board.name}' through its serial port: give --port")
    with tempfile.TemporaryDirectory(prefix="qcskit-flash-") as work:
        words = [_filled(word, board, elf, Path(work), port) for word in command]
        if words[0] == COPY:
            return _copy(words, volume or find_volume(words[1]))
        try:
            done = subprocess.run(
                words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                errors="replace", timeout=MOST_S, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            asked = "is the board in its boot loader?"
            raise FirmwareError(f"{words[0]} did not end within {MOST_S:g} s; {asked}") from None
    return Flashed(words[0], done.returncode, done.stdout.strip()[-2000:])


def find_volume(label: str) -> Path | None:
    """Return where the volume of that label is mounted, None if it is not."""
    user = os.environ.get("USER", "")
    for place in (Path("/media") / user, Path("/run/media") / user, Path("/media"), Path("/mnt"), Path("/Volumes")):
        if (place / label).is_dir():
            return place / label
    return None


def _wanted(command: Sequence[str]) -> str:
    if command[0] == COPY:
        return f"mount its volume '{command[1]}' (or give --volume)"
    package = PACKAGES.get(command[0], command[0])
    return f"{command[0]} is not installed, run '{install_command(package)}'"


def _filled(word: str, board: Board, elf: Path, work: Path, port: str) -> str:
    """Return a word of a command with port and files in it; the files are made."""
    word = word.replace("{port}", port)
    for kind in ("elf", "hex", "bin", "uf2"):
        if f"{{{kind}}}" in word:
            path = work / f"qcs-{board.name}.{kind}"
            if not path.exists():
                write_image(board, elf, path)
            word = word.replace(f"{{{kind}}}", str(path))
    return word


def _copy(words: Sequence[str], volume: Path | None) -> Flashed:
    if volume is None:
        raise FirmwareError(f"the volume '{words[1]}' is not mounted; give --volume")
    try:
        shutil.copy(words[2], volume)
    except OSError as error:  # a board may restart before it has confirmed the last block
        return Flashed(COPY, 1, f"'{volume}': {error.strerror}")
    return Flashed(COPY, 0, f"copied to '{volume}'")
