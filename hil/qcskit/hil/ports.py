"""Which serial ports are there, and which of them answer HELLO; boards by USB serial number."""

import tomllib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError
from serial.tools import list_ports

from qcskit.codec.config import Table, nearest
from qcskit.codec.errors import QcsError
from qcskit.hil.device import Device
from qcskit.hil.messages import Info

_PROBE_S = 0.6


@dataclass(frozen=True)
class PortFacts:
    """One port. vid, pid: USB ids in hex. info: what answered HELLO, else None and `note` says why."""

    device: str
    description: str
    vid: str | None
    pid: str | None
    serial_number: str | None
    info: Info | None = None
    note: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Return everything as plain values."""
        return asdict(self)


class BenchBoard(Table):
    """One `[[board]]` of a bench file: a name and where it is, by USB serial number or by port."""

    name: str
    serial_number: str | None = None
    port: str | None = None
    baud: int | None = Field(None, ge=300, le=20_000_000)


@dataclass(frozen=True)
class Target:
    """A board of a run: port, the label it has in tables, its own line rate if it has one."""

    port: str
    label: str
    baud: int | None = None


def find_ports(probe: bool, baud: int = 115_200, extra: tuple[str, ...] = ()) -> list[PortFacts]:
    """Return every serial port, and the pyserial URLs of `extra`; with `probe`, ask each for HELLO (all at once).

    Opening a port may reset its board (Arduino's DTR).
    """
    found = [
        PortFacts(p.device, p.description or "", _hex(p.vid), _hex(p.pid), p.serial_number)
        for p in sorted(list_ports.comports(), key=lambda p: str(p.device))
    ] + [PortFacts(url, "given", None, None, None) for url in extra]
    if not probe or not found:
        return found
    with ThreadPoolExecutor(len(found)) as pool:
        return list(pool.map(lambda facts: _probe(facts, baud), found))


def _probe(facts: PortFacts, baud: int) -> PortFacts:
    try:
        with Device.open(facts.device, baud=baud, timeout_s=_PROBE_S, give_up_s=_PROBE_S, reconnect_s=0) as board:
            return PortFacts(**{**facts.__dict__, "info": board.info})
    except QcsError as error:
        return PortFacts(**{**facts.__dict__, "note": str(error)})


def _hex(number: int | None) -> str | None:
    return None if number is None else f"{number:04x}"


def read_bench(path: Path) -> list[Target]:
    """Return the boards of a bench file, found by USB serial number where it gives one.

    [[board]]
    name = "left"
    serial_number = "066BFF343339"

    Raises QcsError naming the board that is not plugged in, an unknown key, or two boards of one name.
    """
    boards = _boards(path)
    there = {str(p.serial_number): str(p.device) for p in list_ports.comports() if p.serial_number}
    targets = []
    for board in boards:
        port = board.port
        if board.serial_number is not None:
            port = there.get(board.serial_number)
            if port is None:
                known = ", ".join(sorted(there)) or "none"
                raise QcsError(f"bench '{path}': board '{board.name}' (serial number {board.serial_number}) is not "
                               f"plugged in; serial numbers there: {known}")  # fmt: skip
        if port is None:
            raise QcsError(f"bench '{path}': board '{board.name}' needs serial_number or port")
        targets.append(Target(port, board.name, board.baud))
    return targets


def _boards(path: Path) -> list[BenchBoard]:
    try:
        data = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise QcsError(f"bench '{path}' cannot be read: {error}") from None
    for key in data:
        if key != "board":
            raise QcsError(f"bench '{path}': unknown key '{key}'; {nearest(key, ['board'])}")
    rows = data.get("board")
    if not isinstance(rows, list) or not rows:
        raise QcsError(f"bench '{path}' names no board; write [[board]] tables with name and serial_number or port")
    try:
        boards = [BenchBoard.model_validate(row) for row in rows]
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"]))
        hint = nearest(key, list(BenchBoard.model_fields)) if first["type"] == "extra_forbidden" else first["msg"]
        raise QcsError(f"bench '{path}': board key '{key}': {hint}") from None
    names = [board.name for board in boards]
    if len(set(names)) != len(names):
        raise QcsError(f"bench '{path}': two boards have the same name")
    return boards
