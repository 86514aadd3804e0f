"""Screens: what the command prints where nothing varies, session by session; the expected texts are data/screens.

A session is a fresh folder, some commands in it, and what stands in for the machine: tools, boards, compilers, clocks.
"""

import json
import os
import re
import shlex
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from io import FileIO, TextIOWrapper
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile
from typing import IO, Any
from unittest.mock import patch

from rich.console import ColorSystem

from qcskit.cli import main
from qcskit.cli.common import console, error_console

DATA = Path(__file__).parents[1] / "data"
SCREENS = DATA / "screens"
_FRAMES = str.maketrans("━─┃│", "--||") | dict.fromkeys(map(ord, "┏┳┓┡╇┩└┴┘┌┬┐├┼┤"), "+")
"""Frames of tables in one byte each."""
_LOOKS = r"(?m)^ *\+[-+]+\n| +(?= \|$)|^ {5,}| +$"
"""Lines between rows, what fills the last column, what is before a title: no figure and no word."""
_COLOURED = r"\x1b\[(?:\d;)*(3\d)m(?!error:)(.*?)\x1b"
"""Colour and words; that errors are red, each would show."""
_PLACE = {"COLUMNS": "100", "TERM": "dumb"}


@dataclass(frozen=True)
class Session:
    """Commands, one a line. prepare: makes files in the current folder. replaced: dotted name → what stands there."""

    commands: str
    prepare: Callable[[], None] = lambda: None
    replaced: Mapping[str, object] = field(default_factory=dict)


def golden(*names: str) -> None:
    """Copy golden bundles into the current folder."""
    for name in names:
        shutil.copytree(DATA / "golden" / name, name)


def played(session: Session) -> str:
    """Return all commands of a session with what they print and how they end; last what is shown in a colour."""
    with TemporaryDirectory() as folder, ExitStack() as stack:
        stack.enter_context(_inside(Path(folder)))
        session.prepare()
        for name, value in session.replaced.items():
            stack.enter_context(patch(name, value))
        text = "\n".join(_screen(line) for line in map(str.strip, session.commands.strip().splitlines()))
    coloured = sorted({f"{color} {words.strip()}\n" for color, words in re.findall(_COLOURED, text)})
    plain = re.sub(r"\x1b\[[\d;]*m", "", text)
    return re.sub(_LOOKS, "", plain.translate(_FRAMES)) + "".join(["\n[coloured]\n", *coloured] if coloured else [])


@contextmanager
def _inside(folder: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(folder)
    try:
        with patch.dict(os.environ, _PLACE), _steady_consoles():
            yield
    finally:
        os.chdir(before)


@contextmanager
def _steady_consoles() -> Iterator[None]:
    """Progress tells no seconds, and styles reach the file."""
    with ExitStack() as stack:
        for screen in (console, error_console):
            stack.enter_context(patch.object(screen, "get_time", lambda: 0.0))
            stack.enter_context(patch.object(screen, "_color_system", ColorSystem.STANDARD))
        stack.enter_context(patch("qcskit.cli.bar._LINE_S", 3600.0))
        yield


def _screen(line: str) -> str:
    """Run a line in this process. Return it, its stdout, its stderr and its exit code unless that is 0.

    A line is a command; a command and `| KEY KEY`, these keys of the JSON that it prints; or `cat FILE`.
    """
    words, _, keys = line.partition(" | ")
    if words.startswith("cat "):
        return f"$ {line}\n{Path(words.split()[1]).read_text()}"
    with TemporaryFile() as out, TemporaryFile() as told:
        code = _ended(shlex.split(words), out, told)
        texts = []
        for file in (out, told):
            file.seek(0)
            texts.append(file.read().decode())
    if keys:
        found = json.loads(texts[0])
        texts[0] = "".join(f"{key}: {json.dumps(_at(found, key), ensure_ascii=False)}\n" for key in keys.split())
    shown = [f"$ {line}\n{texts[0]}", f"[stderr]\n{texts[1]}" if texts[1] else "", f"[exit {code}]\n" if code else ""]
    return "\n".join(row.rstrip() for row in "".join(shown).splitlines()) + "\n"


def _at(found: Any, path: str) -> Any:
    """Return what stands at a path of keys and numbers, with dots between them."""
    for key in path.split("."):
        found = found[int(key)] if key.isdigit() else found[key]
    return found


def _ended(words: list[str], out: IO[bytes], told: IO[bytes]) -> object:
    """Run a command. Return its exit code."""
    with _streams(out, told), patch.object(sys, "argv", words):
        try:
            main()
        except SystemExit as end:
            return end.code or 0
    return 0


@contextmanager
def _streams(*files: IO[bytes]) -> Iterator[None]:
    """Let stdout and stderr, the descriptors too, be these files."""
    saved = [os.dup(number) for number in (1, 2)]
    streams = [TextIOWrapper(FileIO(number, "w", closefd=False), "utf-8", write_through=True) for number in (1, 2)]
    with patch.multiple(sys, stdout=streams[0], stderr=streams[1]):
        try:
            for number, file in enumerate(files, 1):
                os.dup2(file.fileno(), number)
            yield
        finally:
            for number, stream in enumerate(streams, 1):
                stream.flush()
                os.dup2(saved[number - 1], number)
                os.close(saved[number - 1])
