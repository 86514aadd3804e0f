"""The board registry: data read from boards.toml, and from the user's own file of the same form."""

import os
import shutil
import tomllib
from dataclasses import MISSING, dataclass, fields
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from typing import Any

import platformdirs

from qcskit.firmware.cores import CORES
from qcskit.firmware.errors import FirmwareError

_TYPES: dict[str, type] = {"tuple[str, ...]": tuple, "str": str, "bool": bool, "int": int}
"""Types of a field as Board annotates them, and as TOML gives them (lists become tuples)."""


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
    flags: tuple[str, ...] = ()
    emulator: tuple[str, ...] = ()
    emulator_package: str = ""
    script: str = ""
    freestanding: bool = False
    tail: tuple[str, ...] = ()
    rx_bytes: int = 512
    flash_bytes: int = 0
    ram_bytes: int = 0

    @property
    def tools(self) -> tuple[tuple[str, str], ...]:
        """(program or C header, Debian package) pairs the board needs."""
        needed = [(self.compiler, self.package)]
        if self.emulator and self.emulator[0] == "{simavr}":  # built here, see emulator.py
            needed += [("gcc", "gcc"), ("simavr/sim_avr.h", "libsimavr-dev"), ("libelf.h", "libelf-dev")]
        elif self.emulator and "{" not in self.emulator[0]:
            needed.append((self.emulator[0], self.emulator_package))
        return tuple(needed)

    @property
    def missing(self) -> tuple[tuple[str, str], ...]:
        """Those of `tools` that are not installed."""
        return tuple((tool, package) for tool, package in self.tools if not where_is(tool))


def where_is(tool: str) -> str:
    """Return the path of a program, or of a C header such as "libelf.h"; '' if it is not installed."""
    if tool.endswith(".h"):
        places = (Path("/usr/include") / tool, Path("/usr/local/include") / tool)
        return next((str(path) for path in places if path.is_file()), "")
    return shutil.which(tool) or ""


def boards() -> dict[str, Board]:
    """Return every board by name: the built-in ones, then the user's (they may replace a built-in one).

    The user's file is $QCSKIT_BOARDS, else boards.toml in the platform's configuration directory of qcskit.
    Raises FirmwareError that names file, board and key if an entry is wrong.
    """
    found = dict(_read(Path(__file__).with_name("boards.toml")))
    own = Path(os.environ.get("QCSKIT_BOARDS") or Path(platformdirs.user_config_dir("qcskit")) / "boards.toml")
    if own.is_file():
        found |= _read(own)
    elif "QCSKIT_BOARDS" in os.environ:
        raise FirmwareError(f"QCSKIT_BOARDS names '{own}', which does not exist")
    return found


def find_board(name: str) -> Board:
    """Return a board by name. Raises FirmwareError that suggests the nearest name."""
    known = boards()
    if name not in known:
        near = get_close_matches(name, known, 1)
        hint = f"did you mean '{near[0]}'?" if near else f"known: {', '.join(known)}"
        raise FirmwareError(f"there is no board '{name}'; {hint}")
    return known[name]


@lru_cache(maxsize=8)
def _read(path: Path) -> dict[str, Board]:
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise FirmwareError(f"'{path}': {error}") from None
    return {name: _board(path, name, table) for name, table in tables.items()}


def _board(path: Path, name: str, table: Any) -> Board:
    kinds = {field.name: field for field in fields(Board) if field.name != "name"}
    if not isinstance(table, dict):
        raise FirmwareError(f"'{path}': '{name}' must be a table [{name}]")
    for key in table:
        if key not in kinds:
            near = get_close_matches(key, kinds, 1)
            raise FirmwareError(f"'{path}': [{name}] has an unknown key '{key}'" + (f"; '{near[0]}'?" if near else ""))
    values: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in table.items()}
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
    if board.link not in ("socket", "pty"):
        raise FirmwareError(f"'{path}': [{name}] link = '{board.link}', must be 'socket' or 'pty'")
    return board
